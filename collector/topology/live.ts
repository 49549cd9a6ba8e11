import { Families, type CutSets } from './cut-sets.ts'
import { drawnFamilies } from './drawn.ts'
import { Explanation } from './explanation.ts'
import { has, type Codes, type Family, type Order } from './family.ts'
import type { UpsInput } from './inputs.ts'
import {
  StateReader,
  type Failed,
  type LiveState,
  type LostInput,
  type Observations,
  type Taken,
} from './live-state.ts'
import type { Model, ModelService } from './model.ts'
import { generatorStandIns, type StoodInFor } from './stand-ins.ts'

export type { Failed, LostInput, Observations, Taken } from './live-state.ts'

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

export interface Overlay extends Standing {
  readonly services: ReadonlyMap<string, ServiceNow>
}

export interface Outlook extends Standing {
  readonly services: ReadonlyMap<string, Pick<ServiceNow, 'up' | 'atRisk' | 'singles'>>
}

/** What stands and what has fallen. */
export interface Standing {
  /** By id. */
  readonly failed: readonly Failed[]
  readonly unknown: readonly string[]
  /** Components that do not work: failed themselves, or for want of what they need. */
  readonly down: readonly string[]
  readonly lostInputs: readonly LostInput[]
  /** Needs that are not met whatever becomes of what they name: edgeCode() of each. */
  readonly cut: ReadonlySet<number>
  /** Needs that a UPS meets from a battery within, which is not drawn. */
  readonly met: ReadonlySet<number>
  /** For people: "input of ups-1 lost: mains-a or something between". */
  readonly notes: readonly string[]
}

interface Views {
  /** What is unknown works. */
  readonly hoped: Families
  /** What is unknown does not; of order 1. */
  readonly feared: Families
  readonly explained: Explanation
}

/** What was worked out of a service, and what from. */
interface Known {
  readonly family: Family
  readonly isFeared: boolean
  readonly now: ServiceNow
}

/**
 * What a drawing means under what is observed. Keeps what it worked out last, so that a change costs only what it reaches; the answers do
 * not depend on that.
 */
export class LiveModel {
  readonly model: Model
  /** What each starts for, by index. */
  readonly generators: ReadonlyMap<number, readonly StoodInFor[]>
  readonly #order: Order
  readonly #nominal: Families
  readonly #reader: StateReader
  /** By place of the service in the model. */
  readonly #drawnSingles: readonly Codes[]
  #views: Views
  /** What was asked about last: what if is asked of the same. */
  #last: { readonly observations: Observations; readonly standing: Standing } | undefined
  readonly #known: (Known | undefined)[] = []
  readonly #idsOfCodes = new WeakMap<Codes, readonly string[]>()

  constructor(model: Model, order: Order = 2) {
    this.model = model
    this.generators = generatorStandIns(model)
    this.#order = order
    this.#nominal = drawnFamilies(model, order)
    const shallow = drawnFamilies(model, 1)
    this.#reader = new StateReader(model, shallow)
    this.#drawnSingles = model.services.map((_, at) => this.#nominal.ofService(at).singles)
    const explained = new Explanation(model, { failed: new Set() }, this.#nominal)
    this.#views = { hoped: this.#nominal, feared: shallow, explained }
  }

  /** As drawn, with nothing failed. */
  nominal(service: ModelService): CutSets {
    return this.#nominal.cutSets(service.needs)
  }

  /** By index. */
  get ups(): ReadonlyMap<number, UpsInput> {
    return this.#reader.ups
  }

  /** @param observations not to be changed once given: the next set is another map */
  overlay(observations: Observations, taken: readonly Taken[] = []): Overlay {
    const state = this.#reader.read(observations, taken)
    const views = this.#viewsOf(state)
    const isKept = taken.length === 0
    if (isKept) this.#views = views
    const services = new Map(
      this.model.services.map((service, at) => [
        service.id,
        this.#serviceNow(service, at, views, isKept),
      ]),
    )
    const standing = this.#standing(state, views)
    if (isKept) this.#last = { observations, standing }
    return { services, ...standing }
  }

  /** The same for a question: only what is up, what is at risk, and what each service stands on alone. */
  outlook(observations: Observations, taken: readonly Taken[]): Outlook {
    if (taken.length === 0 && this.#last?.observations === observations)
      return { services: this.#outlooks(this.#views), ...this.#last.standing }
    const state = this.#reader.read(observations, taken)
    const views = this.#viewsOf(state)
    return { services: this.#outlooks(views), ...this.#standing(state, views) }
  }

  #outlooks({ hoped, feared }: Views): Outlook['services'] {
    return new Map(
      this.model.services.map(({ id }, at) => {
        const { isDown, singles } = hoped.ofService(at)
        const atRisk = !isDown && feared.ofService(at).isDown
        return [id, { up: !isDown, atRisk, singles: this.#idsOf(singles) }]
      }),
    )
  }

  /** Components that do not work: failed themselves, or for want of what they need; by id. */
  downIn(observations: Observations, taken: readonly Taken[] = []): readonly string[] {
    return this.overlay(observations, taken).down
  }

  #standing(state: LiveState, { hoped }: Views): Standing {
    const { failed, unknown, lostInputs, cut, met, notes } = state
    return {
      failed: [...failed.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      unknown: this.#ids(unknown),
      down: this.#ids(hoped.down()),
      ...{ lostInputs, cut, met, notes },
    }
  }

  #viewsOf({ failed, unknown, cut, met }: LiveState): Views {
    const { hoped, feared } = this.#views
    const down = new Set(failed.keys())
    const changes = { failed: down, cut, met }
    const worst = unknown.size === 0 ? down : new Set([...down, ...unknown])
    const now = new Families(this.model, this.#order, changes, hoped)
    return {
      hoped: now,
      feared: new Families(this.model, 1, { ...changes, failed: worst }, feared),
      explained: new Explanation(this.model, changes, now),
    }
  }

  #serviceNow({ needs }: ModelService, at: number, views: Views, isKept: boolean): ServiceNow {
    const { hoped, feared, explained } = views
    const family = hoped.ofService(at)
    const isFeared = feared.ofService(at).isDown
    const known = this.#known[at]
    // Why it is down depends on all that failed, not on what can fail yet.
    if (known?.family === family && known.isFeared === isFeared && !family.isDown) return known.now
    const { singles, isDown } = family
    const drawn = this.#drawnSingles[at]
    const fresh = drawn === undefined ? singles : singles.filter((one) => !has(drawn, one))
    const { sets, isTruncated } = hoped.inWords(family)
    const now = {
      up: !isDown,
      atRisk: !isDown && isFeared,
      residual: sets,
      singles: this.#idsOf(singles),
      newSinglePoints: this.#ids(fresh),
      because: isDown ? explained.of(needs) : [],
      isTruncated,
    }
    if (isKept) this.#known[at] = { family, isFeared, now }
    return now
  }

  /** Families share their codes, and so do services their families. */
  #idsOf(codes: Codes): readonly string[] {
    const known = this.#idsOfCodes.get(codes)
    if (known !== undefined) return known
    const ids = Array.from(codes, (index) => this.model.components[index]?.component.id ?? '')
    this.#idsOfCodes.set(codes, ids)
    return ids
  }

  #ids(indices: Iterable<number>): readonly string[] {
    return [...indices]
      .sort((a, b) => a - b)
      .map((index) => this.model.components[index]?.component.id ?? '')
  }
}
