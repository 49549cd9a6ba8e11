import type { Component } from './dependency.ts'

/** A ring has two ways round; a mesh has more than anybody can read. */
const MAX_PATHS = 32
const MAX_HOPS = 12
/** Looked at while searching: a dense mesh has more ways than there is time. */
const MAX_STEPS = 200_000

/** From each box: the links it has, and where they lead. */
export type Links = ReadonlyMap<string, readonly { readonly link: string; readonly to: string }[]>

export interface Paths {
  /** What each way consists of: both ends, and every link and box between; the shortest ways first. */
  readonly paths: readonly (readonly string[])[]
  /** Why there are none, or not all of them. */
  readonly problem?: string
}

/** In the order of the ids of the links. */
export function linksOf(components: ReadonlyMap<string, Component>): Links {
  const links = new Map<string, { link: string; to: string }[]>()
  const put = (from: string, link: string, to: string): void => {
    const known = links.get(from)
    if (known === undefined) links.set(from, [{ link, to }])
    else known.push({ link, to })
  }
  for (const { id, links: ends } of components.values()) {
    if (ends === undefined) continue
    put(ends[0], id, ends[1])
    put(ends[1], id, ends[0])
  }
  for (const list of links.values()) list.sort((x, y) => (x.link < y.link ? -1 : 1))
  return links
}

/** Every way from one box to another that passes no box twice. To leave one out would make single points of what is none. */
export function simplePaths(links: Links, from: string, to: string): Paths {
  const paths: (readonly string[])[] = []
  let waiting: (readonly string[])[] = [[from]]
  let steps = 0
  for (let hop = 0; waiting.length > 0; hop++) {
    const longer: (readonly string[])[] = []
    for (const path of waiting) {
      const end = path.at(-1) ?? from
      if (end === to) {
        if (hop > MAX_HOPS) return { paths: [], problem: tooLong(from, to, hop) }
        if (paths.push(path) > MAX_PATHS) return { paths: [], problem: tooMany(from, to) }
        continue
      }
      for (const { link, to: next } of links.get(end) ?? []) {
        if (++steps > MAX_STEPS) return { paths: [], problem: tooMany(from, to) }
        if (!path.includes(next)) longer.push([...path, link, next])
      }
    }
    waiting = longer
  }
  return paths.length > 0 ? { paths } : { paths, problem: `no links lead from ${from} to ${to}` }
}

function tooMany(from: string, to: string): string {
  return `more than ${MAX_PATHS} ways lead from ${from} to ${to}: draw what they share, or say it with any and all`
}

function tooLong(from: string, to: string, hops: number): string {
  return `a way of ${hops} hops leads from ${from} to ${to}: expected at most ${MAX_HOPS}; say it with any and all`
}
