import { edgeCode, Families, type CutSets } from './cut-sets.ts'
import type { Observation } from './dependency.ts'
import type { Order } from './family.ts'
import { upsInputs, type UpsInput } from './inputs.ts'
import type { Model, ModelService } from './model.ts'

/** Feeds of several UPSes are taken for lost together within this: what one switch does, they see within a poll of each other. */
const TOGETHER_US = 10_000_000

export type Observations = ReadonlyMap<string, Observation>

/** A service under what is known now. */
export interface ServiceNow {
  /** All it needs works, where what is unknown is taken to work. */
  readonly up: boolean
  /** It would be down if what is unknown were down. */
  readonly atRisk: boolean
  /** What is left to fail, up to the order asked for. An empty set: it is down. */
  readonly residual: readonly (readonly string[])[]
  /** Components whose failure alone would stop it now. */
  readonly singles: readonly string[]
  /** Of these, those that are no single points as drawn: redundancy lost. */
  readonly newSinglePoints: readonly string[]
  /** The smallest sets of what failed that explain why it is down; ids, or "input of ups-1". */
  readonly because: readonly (readonly string[])[]
  readonly isTruncated: boolean
}

/** Taken for failed, and what says so. */
export interface Failed {
  readonly id: string
  readonly reason: string
  /** By its own watch; else concluded from what others see. */
  readonly isObserved: boolean
  readonly sinceUs: number
}

/** A UPS whose input is lost. */
export interface LostInput {
  readonly ups: string
  /** What may be the cause, the nearest first; where it is one, that is in `failed`. */
  readonly suspects: readonly string[]
  readonly sinceUs: number
}

export interface Overlay {
  readonly services: ReadonlyMap<string, ServiceNow>
  readonly failed: readonly Failed[]
  readonly unknown: readonly string[]
  readonly lostInputs: readonly LostInput[]
  /** Needs that are not met whatever becomes of what they name: edgeCode() of each. */
  readonly cut: ReadonlySet<number>
  /** For people: "input of ups-1 lost: mains-a or something between". */
  readonly notes: readonly string[]
}

/** What a drawing means under what is observed. Keeps what does not depend on it, so that a change costs only what it reaches. */
export class LiveModel {
  readonly model: Model
  readonly #order: Order
  readonly #nominal: Families
  /** Of order 1: enough to know what is down. */
  readonly #shallow: Families
  readonly #inputs: ReadonlyMap<number, UpsInput>
  readonly #drawnSingles = new Map<string, ReadonlySet<number>>()

  constructor(model: Model, order: Order = 2) {
    this.model = model
    this.#order = order
    this.#nominal = new Families(model, order)
    this.#shallow = new Families(model, 1)
    this.#inputs = upsInputs(model)
    for (const { id, needs } of model.services)
      this.#drawnSingles.set(id, this.#nominal.ofTree(needs).singles)
  }

  /** As drawn, with nothing failed. */
  nominal(service: ModelService): CutSets {
    return this.#nominal.cutSets(service.needs)
  }

  inputOf(id: string): UpsInput | undefined {
    const index = this.model.indexOf.get(id)
    return index === undefined ? undefined : this.#inputs.get(index)
  }

  /** @param failed besides what is observed: for asking what if */
  overlay(observations: Observations, failed: readonly Omit<Failed, 'isObserved'>[] = []): Overlay {
    const state = this.#stateOf(observations, failed)
    const down = new Set(state.failed.keys())
    const changes = { failed: down, cut: state.cut }
    const hoped = new Families(this.model, this.#order, changes, this.#nominal)
    const feared =
      state.unknown.size === 0
        ? hoped
        : new Families(
            this.model,
            1,
            { failed: new Set([...down, ...state.unknown]), cut: state.cut },
            this.#shallow,
          )
    const explained = new Families(this.model, 3, { cut: state.cut, suspects: down })
    const services = new Map(
      this.model.services.map((service) => [
        service.id,
        this.#serviceNow(service, { hoped, feared, explained }),
      ]),
    )
    return {
      services,
      failed: [...state.failed.values()],
      unknown: this.#ids(state.unknown),
      lostInputs: state.lostInputs,
      cut: state.cut,
      notes: state.notes,
    }
  }

  /** Components that do not work: failed themselves, or for want of what they need; by id. */
  downIn(
    observations: Observations,
    failed: readonly Omit<Failed, 'isObserved'>[] = [],
  ): readonly string[] {
    const state = this.#stateOf(observations, failed)
    const changes = { failed: new Set(state.failed.keys()), cut: state.cut }
    const families = new Families(this.model, 1, changes, this.#shallow)
    const down = [...this.model.components.keys()].filter((index) => families.of(index).isDown)
    return this.#ids(down)
  }

  #serviceNow({ id, needs }: ModelService, { hoped, feared, explained }: Views): ServiceNow {
    const family = hoped.ofTree(needs)
    const drawn = this.#drawnSingles.get(id)
    const fresh = [...family.singles].filter((element) => drawn?.has(element) !== true)
    const { sets, isTruncated } = hoped.cutSets(needs)
    const up = !family.isDown
    return {
      up,
      atRisk: up && feared.ofTree(needs).isDown,
      residual: sets,
      singles: this.#ids(family.singles),
      newSinglePoints: this.#ids(fresh),
      because: up ? [] : explained.cutSets(needs).sets,
      isTruncated,
    }
  }

  #stateOf(observations: Observations, failed: readonly Omit<Failed, 'isObserved'>[]): State {
    const state = new State()
    for (const { id, ...what } of failed) {
      const index = this.model.indexOf.get(id)
      if (index !== undefined) state.fail(index, { id, ...what, isObserved: false })
    }
    for (const [id, observation] of observations) {
      const index = this.model.indexOf.get(id)
      if (index === undefined) continue
      const { state: word, reason, sinceUs } = observation
      if (word === 'down') state.fail(index, { id, reason, isObserved: true, sinceUs })
      if (word === 'unknown') state.unknown.add(index)
      for (const lost of observation.lostNeeds ?? []) {
        const need = this.model.indexOf.get(lost)
        if (need !== undefined) state.cut.add(edgeCode(this.model, index, need))
      }
      if (observation.isUnprotected === true) this.#unprotect(state, index, observation)
    }
    this.#followInputs(state, observations)
    for (const index of state.failed.keys()) state.unknown.delete(index)
    return state
  }

  /** Its battery would not carry it. */
  #unprotect(state: State, ups: number, { reason, sinceUs }: Observation): void {
    const { batteries = [], inverters = [] } = this.#inputs.get(ups) ?? {}
    for (const part of [...batteries, ...inverters]) {
      const { id } = this.model.components[part]?.component ?? { id: '' }
      const words = `${this.#id(ups)}: ${reason}`
      state.fail(part, { id, reason: words, isObserved: false, sinceUs })
    }
  }

  /** On battery a UPS proves that its own input is lost, and no more. */
  #followInputs(state: State, observations: Observations): void {
    const lost = new Map<number, number>()
    for (const [index] of this.#inputs) {
      const observation = observations.get(this.#id(index))
      if (observation?.inputLost === true) lost.set(index, observation.sinceUs)
    }
    for (const [ups, sinceUs] of lost) {
      const input = this.#inputs.get(ups)
      if (input === undefined) continue
      // Without a drawn battery the UPS itself is what still gives power.
      if (input.batteries.length > 0) for (const edge of input.edges) state.cut.add(edge)
      const suspects = input.upstream.filter(
        (feed) => observations.get(this.#id(feed))?.state !== 'up',
      )
      const known = suspects.find((feed) => state.failed.has(feed))
      const cause = known ?? suspects.find((feed) => this.#isShared(feed, lost, observations))
      state.lostInputs.push({ ups: this.#id(ups), suspects: this.#ids(suspects, false), sinceUs })
      if (cause === undefined) state.notes.push(this.#note(ups, input, suspects))
      else if (known === undefined)
        state.fail(cause, {
          id: this.#id(cause),
          reason: 'every UPS it feeds lost its input at once',
          isObserved: false,
          sinceUs,
        })
    }
  }

  /** Whether all watched UPSes a feed is behind lost their input together; one alone does not tell. */
  #isShared(feed: number, lost: ReadonlyMap<number, number>, observations: Observations): boolean {
    const consumers = [...this.#inputs]
      .filter(([ups, { upstream }]) => upstream.includes(feed) && observations.has(this.#id(ups)))
      .map(([ups]) => lost.get(ups))
    if (consumers.length < 2) return false
    const times = consumers.filter((sinceUs) => sinceUs !== undefined)
    return (
      times.length === consumers.length && Math.max(...times) - Math.min(...times) <= TOGETHER_US
    )
  }

  #note(ups: number, { feeds }: UpsInput, suspects: readonly number[]): string {
    const name = this.#id(ups)
    const source = suspects.at(-1)
    if (source === undefined)
      return `input of ${name} lost${feeds.length > 0 ? `: what feeds it is said to be well, so something between` : ''}`
    return `input of ${name} lost: ${this.#id(source)} or something between`
  }

  #id(index: number): string {
    return this.model.components[index]?.component.id ?? ''
  }

  #ids(indices: Iterable<number>, isSorted = true): readonly string[] {
    const ids = [...indices].map((index) => this.#id(index))
    return isSorted ? ids.sort() : ids
  }
}

interface Views {
  /** What is unknown works. */
  readonly hoped: Families
  /** What is unknown does not. */
  readonly feared: Families
  /** Only what failed can fail: what is down is down because of it. */
  readonly explained: Families
}

/** What the observations say, in indices. */
class State {
  readonly failed = new Map<number, Failed>()
  readonly unknown = new Set<number>()
  readonly cut = new Set<number>()
  readonly lostInputs: LostInput[] = []
  readonly notes: string[] = []

  /** What is observed goes before what is concluded. */
  fail(index: number, failed: Failed): void {
    const known = this.failed.get(index)
    if (known === undefined || (!known.isObserved && failed.isObserved))
      this.failed.set(index, failed)
  }
}
