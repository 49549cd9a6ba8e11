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

/** Every way from one box to another that passes no box twice. */
export function simplePaths(links: Links, from: string, to: string): Paths {
  const paths: (readonly string[])[] = []
  let waiting: (readonly string[])[] = [[from]]
  let steps = 0
  for (let hop = 0; hop <= MAX_HOPS && waiting.length > 0; hop++) {
    const longer: (readonly string[])[] = []
    for (const path of waiting) {
      const end = path.at(-1) ?? from
      if (end === to) {
        paths.push(path)
        continue
      }
      for (const { link, to: next } of links.get(end) ?? []) {
        if (++steps > MAX_STEPS || paths.length > MAX_PATHS)
          return { paths: [], problem: tooMany(from, to) }
        if (!path.includes(next)) longer.push([...path, link, next])
      }
    }
    waiting = longer
  }
  if (paths.length > MAX_PATHS) return { paths: [], problem: tooMany(from, to) }
  if (paths.length > 0) return { paths }
  return { paths, problem: `no links lead from ${from} to ${to} within ${MAX_HOPS} hops` }
}

function tooMany(from: string, to: string): string {
  return `more than ${MAX_PATHS} ways lead from ${from} to ${to}: draw what they share, or say it with any and all`
}
