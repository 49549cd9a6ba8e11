import { Families } from './cut-sets.ts'
import type { Observation } from './dependency.ts'
import { edgeCode } from './edge.ts'
import { has } from './family.ts'
import { switchInputs, upsInputs, type PowerInput, type UpsInput } from './inputs.ts'
import type { Model } from './model.ts'

/** Inputs are taken for lost together within this: what one switch does, they see within a poll of each other. */
const TOGETHER_US = 10_000_000

export type Observations = ReadonlyMap<string, Observation>

/** Taken for failed, and what says so. */
export interface Failed {
  readonly id: string
  readonly reason: string
  /** By its own watch; else concluded from what others see. */
  readonly isObserved: boolean
  readonly sinceUs: number
}

/** Taken for failed besides what is observed: to ask what if. */
export type Taken = Omit<Failed, 'isObserved'>

/** An input that is lost, of a UPS or a transfer switch. */
export interface LostInput {
  /** Whose it is. */
  readonly ups: string
  /** What may be the cause, the nearest first; where it is one, that is among what failed. */
  readonly suspects: readonly string[]
  readonly sinceUs: number
  /** Needs that are met by it: edgeCode() of each. */
  readonly edges: readonly number[]
}

/** What the observations mean, in indices. */
export interface LiveState {
  readonly failed: ReadonlyMap<number, Failed>
  readonly unknown: ReadonlySet<number>
  /** Needs that are not met whatever becomes of what they name: edgeCode() of each. */
  readonly cut: ReadonlySet<number>
  /** Needs that a UPS meets from a battery within, which is not drawn. */
  readonly met: ReadonlySet<number>
  readonly lostInputs: readonly LostInput[]
  /** For people: "input of ups-1 lost: mains-a or something between". */
  readonly notes: readonly string[]
}

interface Lost {
  readonly who: number
  readonly name: string
  readonly input: PowerInput
  readonly sinceUs: number
}

interface Draft {
  readonly failed: Map<number, Failed>
  readonly unknown: Set<number>
  readonly cut: Set<number>
  readonly met: Set<number>
  readonly lostInputs: LostInput[]
  readonly notes: string[]
  /** Under what was in the draft when it was so large: things are only added. */
  families?: { readonly size: number; readonly made: Families }
}

/**
 * What can be concluded from what is observed. On battery a UPS proves that its own input is lost, and no more: a feed is taken for failed
 * only when all that are watched behind it lost it together, or when its own watch says so.
 */
export class StateReader {
  readonly ups: ReadonlyMap<number, UpsInput>
  readonly #switches: ReadonlyMap<number, readonly PowerInput[]>
  readonly #model: Model
  readonly #drawn: Families
  #behindNoBattery: Families | undefined

  /** @param drawn of order 1, without changes */
  constructor(model: Model, drawn: Families) {
    this.#model = model
    this.#drawn = drawn
    this.ups = upsInputs(model, drawn)
    this.#switches = switchInputs(model, drawn)
  }

  /** @param taken what is failed besides */
  read(observations: Observations, taken: readonly Taken[]): LiveState {
    const { indexOf } = this.#model
    const draft: Draft = {
      ...{ failed: new Map(), unknown: new Set(), cut: new Set(), met: new Set() },
      ...{ lostInputs: [], notes: [] },
    }
    for (const { id, ...what } of taken) {
      const index = indexOf.get(id)
      if (index !== undefined) fail(draft, index, { id, ...what, isObserved: false })
    }
    for (const [id, { state, reason, sinceUs, lostNeeds = [] }] of observations) {
      if ((state === 'up' || state === 'degraded') && lostNeeds.length === 0) continue
      const index = indexOf.get(id)
      if (index === undefined) continue
      if (state === 'down') fail(draft, index, { id, reason, isObserved: true, sinceUs })
      if (state === 'unknown') draft.unknown.add(index)
      for (const lost of lostNeeds) {
        const need = indexOf.get(lost)
        if (need !== undefined) draft.cut.add(edgeCode(this.#model, index, need))
      }
    }
    this.#followInputs(draft, observations)
    for (const [index, input] of this.ups) this.#readUps(draft, observations, index, input)
    for (const index of draft.failed.keys()) draft.unknown.delete(index)
    return draft
  }

  #followInputs(draft: Draft, observations: Observations): void {
    const lost = this.#lostInputs(observations)
    for (const { who, name, input, sinceUs } of lost) {
      const { edges, upstream } = input
      const suspects = upstream.filter((feed) => !this.#isWell(observations, feed, sinceUs))
      const known = suspects.find((feed) => draft.failed.has(feed))
      const cause =
        known ?? suspects.find((feed) => this.#isSharedCause(feed, lost, observations, sinceUs))
      const ids = suspects.map((feed) => this.#id(feed))
      draft.lostInputs.push({ ups: this.#id(who), suspects: ids, sinceUs, edges })
      if (cause === undefined) draft.notes.push(note(name, ids, input.feeds.length > 0))
      else if (known === undefined) {
        const reason = 'all that is watched behind it lost its input at once'
        fail(draft, cause, { id: this.#id(cause), reason, isObserved: false, sinceUs })
      }
      // The needs of a UPS whose battery is not drawn are dealt with below.
      if (this.ups.get(who)?.batteries.length !== 0) for (const edge of edges) draft.cut.add(edge)
    }
  }

  #lostInputs(observations: Observations): readonly Lost[] {
    const lost: Lost[] = []
    for (const [who, input] of this.ups) {
      const { inputLost, sinceUs = 0 } = observations.get(this.#id(who)) ?? {}
      if (inputLost === true) lost.push({ who, name: `input of ${this.#id(who)}`, input, sinceUs })
    }
    for (const [who, inputs] of this.#switches) {
      const { lostNeeds = [], sinceUs = 0 } = observations.get(this.#id(who)) ?? {}
      for (const input of inputs) {
        const [feed = ''] = input.feeds.map((index) => this.#id(index))
        const name = `${feed} at ${this.#id(who)}`
        if (lostNeeds.includes(feed)) lost.push({ who, name, input, sinceUs })
      }
    }
    return lost
  }

  #readUps(draft: Draft, observations: Observations, index: number, input: UpsInput): void {
    const observation = observations.get(this.#id(index))
    if (observation === undefined) return
    const { state, inputLost, isUnprotected, reason, sinceUs } = observation
    const { batteries, inverters, edges, feeds } = input
    if (isUnprotected === true) {
      const words = `${this.#id(index)}: ${reason}`
      for (const part of [...batteries, ...inverters])
        fail(draft, part, { id: this.#id(part), reason: words, isObserved: false, sinceUs })
    }
    if (batteries.length > 0) return
    const givesPower = state === 'up' || state === 'degraded'
    // It says that it gives power, so it is not down for want of a feed that is: there is a battery within, which nobody drew.
    if (isUnprotected !== true) {
      const isDark = inputLost === true || feeds.some((feed) => this.#isDown(draft, feed))
      if (givesPower && isDark) for (const edge of edges) draft.met.add(edge)
    } else if (inputLost === true) for (const edge of edges) draft.cut.add(edge)
  }

  /** Says so itself, and not from before. */
  #isWell(observations: Observations, index: number, sinceUs: number): boolean {
    const { state, atUs = 0 } = observations.get(this.#id(index)) ?? {}
    return state === 'up' && atUs >= sinceUs
  }

  /** Whether all watched inputs behind a feed were lost together, and nothing behind it goes on without it; one alone does not tell. */
  #isSharedCause(
    feed: number,
    lost: readonly Lost[],
    observations: Observations,
    sinceUs: number,
  ): boolean {
    const isBehind = ({ upstream }: PowerInput): boolean => upstream.includes(feed)
    const behind = lost.filter(({ input }) => isBehind(input))
    const times = behind.map((one) => one.sinceUs)
    if (times.length < 2 || Math.max(...times) - Math.min(...times) > TOGETHER_US) return false
    const isWatched = (index: number): boolean => observations.has(this.#id(index))
    const watched = [
      ...[...this.ups].map(([index, input]) => ({ index, input })),
      ...[...this.#switches].flatMap(([index, inputs]) =>
        inputs.map((input) => ({ index, input })),
      ),
    ].filter(({ index, input }) => isWatched(index) && isBehind(input))
    return watched.length === behind.length && !this.#worksWithout(feed, observations, sinceUs)
  }

  /** Something without a battery between answers still. */
  #worksWithout(feed: number, observations: Observations, sinceUs: number): boolean {
    const edges = [...this.ups.values()].flatMap((input) => input.edges)
    this.#behindNoBattery ??= new Families(this.#model, 1, { met: new Set(edges) }, this.#drawn)
    for (const id of observations.keys()) {
      const index = this.#model.indexOf.get(id)
      if (index === undefined || !this.#isWell(observations, index, sinceUs)) continue
      if (has(this.#behindNoBattery.of(index).singles, feed)) return true
    }
    return false
  }

  #isDown(draft: Draft, index: number): boolean {
    const { failed, cut, met } = draft
    const size = failed.size + cut.size + met.size
    if (draft.families?.size !== size) {
      const changes = { failed: new Set(failed.keys()), cut: new Set(cut), met: new Set(met) }
      draft.families = { size, made: new Families(this.#model, 1, changes, this.#drawn) }
    }
    return draft.families.made.of(index).isDown
  }

  #id(index: number): string {
    return this.#model.components[index]?.component.id ?? ''
  }
}

/** What is observed goes before what is concluded. */
function fail({ failed }: Draft, index: number, what: Failed): void {
  const known = failed.get(index)
  if (known === undefined || (!known.isObserved && what.isObserved)) failed.set(index, what)
}

function note(name: string, suspects: readonly string[], hasFeeds: boolean): string {
  const source = suspects.at(-1)
  if (source !== undefined) return `${name} lost: ${source} or something between`
  return hasFeeds
    ? `${name} lost: what feeds it is said to be well, so something between`
    : `${name} lost`
}
