import type { Component, Need } from './dependency.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'
import { kindOf, POWER } from './ups-parts.ts'

/** Power flows through these from what they feed to what feeds them. */
const CARRIERS: ReadonlySet<string> = new Set([
  ...POWER,
  ...['psu', 'inverter', 'rectifier', 'bypass', 'module', 'poe-injector'],
])
/** What has no other power is fed by these, over Ethernet. */
const POE: ReadonlySet<string> = new Set(['switch', 'poe'])
/** Carry nothing while anything else does. */
const STANDBY: ReadonlySet<string> = new Set(['generator', 'battery'])
/** Take from one source at a time: the first drawn that works. */
const ONE_AT_A_TIME: ReadonlySet<string> = new Set(['ats', 'sts', 'transfer-switch'])

type IsDown = (index: number) => boolean

/** How the power of one component is parted among what feeds it. */
interface Parting {
  readonly kind: 'feed' | 'all' | 'any'
  readonly feed: number
  readonly isStandby: boolean
  /** Of a choice: those to be taken first, one at a time. */
  readonly isOneAtATime: boolean
  readonly parts: readonly Parting[]
}

/** Of all that a component stands for. */
export function drawnWatts({ watts = 0, count = 1 }: Component): number {
  return watts * count
}

/** What hangs on power and hands none on counts alike, whatever it draws: to see where loads move, not how large they are. */
export function hangingWatts({ kind, count = 1 }: Component): number {
  return CARRIERS.has(kind) || STANDBY.has(kind) ? 0 : count
}

/**
 * What flows through each component, in watts: what it draws itself and what it feeds. What is fed by several at once takes an equal share
 * from each that works; what does not work draws nothing.
 */
export class Loads {
  readonly #model: Model
  readonly #partings: readonly (Parting | undefined)[]
  readonly #places: Int32Array
  readonly #drawn: Float64Array
  readonly #wattsOf: (component: Component) => number

  constructor(model: Model, wattsOf = drawnWatts) {
    this.#model = model
    this.#wattsOf = wattsOf
    this.#partings = model.components.map((_, index) => partingOf(model, index))
    this.#places = new Int32Array(model.components.length)
    for (const [place, index] of model.bottomUp.entries()) this.#places[index] = place
    this.#drawn = new Float64Array(model.components.length)
    for (const index of model.bottomUp.toReversed()) {
      const flow = this.#own(index) + (this.#drawn[index] ?? 0)
      this.#drawn[index] = flow
      this.#part(index, flow, WORKS, (feed, watts) => {
        this.#drawn[feed] = (this.#drawn[feed] ?? 0) + watts
      })
    }
  }

  /** As drawn, with nothing failed. */
  of(index: number): number {
    return this.#drawn[index] ?? 0
  }

  /**
   * When some do not work; only what differs is worked out.
   * @param changed all that may not work, and what needs these
   */
  under(isDown: IsDown, changed: Iterable<number>): (index: number) => number {
    const difference = new Map<number, number>()
    const add = (feed: number, watts: number): void => {
      difference.set(feed, (difference.get(feed) ?? 0) + watts)
    }
    const affected = new Set(changed)
    for (const index of affected)
      for (const below of this.#model.components[index]?.below ?? []) affected.add(below)
    const place = (index: number): number => this.#places[index] ?? 0
    for (const index of [...affected].sort((a, b) => place(b) - place(a))) {
      const before = this.of(index)
      const after = isDown(index) ? 0 : before + (difference.get(index) ?? 0)
      difference.set(index, after - before)
      this.#part(index, -before, WORKS, add)
      this.#part(index, after, isDown, add)
    }
    return (index) => this.of(index) + (difference.get(index) ?? 0)
  }

  #own(index: number): number {
    const component = this.#model.components[index]?.component
    return component === undefined ? 0 : this.#wattsOf(component)
  }

  #part(
    index: number,
    watts: number,
    isDown: IsDown,
    pour: (feed: number, watts: number) => void,
  ): void {
    const parting = this.#partings[index]
    if (parting !== undefined && watts !== 0) pourInto(parting, watts, isDown, pour)
  }
}

const WORKS: IsDown = () => false

function pourInto(
  parting: Parting,
  watts: number,
  isDown: IsDown,
  pour: (feed: number, watts: number) => void,
): void {
  const { kind, feed, parts, isOneAtATime } = parting
  if (kind === 'feed') {
    pour(feed, watts)
    return
  }
  const able = parts.filter((part) => gives(part, isDown))
  const active = able.filter(({ isStandby }) => !isStandby)
  const chosen = kind === 'any' && active.length > 0 ? active : able
  const taken = isOneAtATime ? chosen.slice(0, 1) : chosen
  for (const part of taken) pourInto(part, watts / taken.length, isDown, pour)
}

function gives({ kind, feed, parts }: Parting, isDown: IsDown): boolean {
  return kind === 'feed' ? !isDown(feed) : parts.some((part) => gives(part, isDown))
}

function partingOf(model: Model, index: number): Parting | undefined {
  const entry = model.components[index]
  if (entry === undefined) return undefined
  const fed = (kinds: ReadonlySet<string>): boolean =>
    entry.below.some((one) => kinds.has(kindOf(model, one)))
  const kinds = fed(CARRIERS) ? CARRIERS : POE
  if (!fed(kinds)) return undefined
  const isOneAtATime = ONE_AT_A_TIME.has(entry.component.kind)
  const order = isOneAtATime ? namedIn(entry.component.needs) : []
  const rank = ({ names }: Tree): number =>
    Math.min(...names.map((one) => order.indexOf(model.components[one]?.component.id ?? '')))
  const read = (tree: Tree): Parting | undefined => {
    if (tree.kind === 'component') {
      const kind = kindOf(model, tree.index)
      if (!kinds.has(kind)) return undefined
      return {
        ...{ kind: 'feed', feed: tree.index, isStandby: STANDBY.has(kind) },
        ...{ isOneAtATime: false, parts: [] },
      }
    }
    const isChoice = tree.kind !== 'all'
    const children = isOneAtATime
      ? tree.children.toSorted((a, b) => rank(a) - rank(b))
      : tree.children
    const parts = children.flatMap((child) => read(child) ?? [])
    if (parts.length === 0) return undefined
    return {
      ...{ kind: isChoice ? 'any' : 'all', feed: -1, parts },
      isStandby: parts.every((part) => part.isStandby),
      isOneAtATime: isOneAtATime && isChoice,
    }
  }
  return read(entry.needs)
}

/** In the order in which they are drawn. */
function namedIn(needs: readonly Need[]): readonly string[] {
  return needs.flatMap((need): readonly string[] => {
    if (typeof need === 'string') return [need]
    if ('any' in need) return namedIn(need.any)
    if ('all' in need) return namedIn(need.all)
    return 'of' in need ? namedIn(need.of) : []
  })
}
