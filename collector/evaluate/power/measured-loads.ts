import type { Measurement } from '../../../common/measurement.ts'
import type { Model } from '../../topology/model.ts'
import { Survivors, type MeasuredLoad, type Takeover } from '../../topology/survivors.ts'
import { copyOf } from '../copy-of.ts'
import { isCurrent, numberOf } from '../points.ts'

/** A load that was not measured again for so long is not known any more. */
const STALE_US = 600_000_000
/** Loads change slowly, and what follows from them is asked for by pages. */
const FRESH_US = 10_000_000
const MAX_SOURCES = 10_000

interface Reading {
  readonly loadW: number | undefined
  /** Of what it can carry. */
  readonly loadRatio: number | undefined
  readonly nominalW: number | undefined
  readonly atUs: number
}

/** What UPSes and PDUs of a drawing carry, as they measure it, and whether they could carry each other's. */
export class MeasuredLoads {
  readonly #readings = new Map<string, Reading>()
  #survivors: { readonly model: Model; readonly of: Survivors } | undefined
  #found: readonly Takeover[] = []
  #foundUs = -Infinity

  observe(
    points: readonly Measurement[],
    arrivalUs: number,
    watchedBy: (point: Measurement) => readonly string[],
  ): void {
    for (const point of points) {
      const { name, fields, timeUs } = point
      if ((name !== 'ups' && name !== 'pdu') || !isCurrent(point, arrivalUs)) continue
      if (fields['comms_lost'] === true || fields['frozen'] === true) continue
      const loadW = numberOf(fields, 'load_w')
      const loadRatio = numberOf(fields, 'load_ratio')
      if (loadW === undefined && loadRatio === undefined) continue
      const reading = { loadW, loadRatio, nominalW: numberOf(fields, 'nominal_w'), atUs: timeUs }
      for (const id of watchedBy(point))
        if (this.#readings.has(id) || this.#readings.size < MAX_SOURCES)
          this.#readings.set(copyOf(id), reading)
    }
  }

  /** Sources that carry more together than one of them can, or nearly. */
  takeovers(model: Model, nowUs: number): readonly Takeover[] {
    const isOther = this.#survivors?.model !== model
    if (!isOther && Math.abs(nowUs - this.#foundUs) < FRESH_US) return this.#found
    this.#foundUs = nowUs
    const loads = this.#loads(model, nowUs)
    if (loads.size < 2) this.#found = []
    else {
      if (this.#survivors?.model !== model) this.#survivors = { model, of: new Survivors(model) }
      this.#found = this.#survivors.of.find(loads)
    }
    return this.#found
  }

  #loads({ drawing }: Model, nowUs: number): ReadonlyMap<string, MeasuredLoad> {
    const loads = new Map<string, MeasuredLoad>()
    for (const [id, { loadW: said, loadRatio, nominalW, atUs }] of this.#readings) {
      const component = drawing.components.get(id)
      if (component === undefined || nowUs - atUs > STALE_US) {
        this.#readings.delete(id)
        continue
      }
      const capacityW = component.capacityW ?? nominalW
      // Its own share is of what it can carry by its own word.
      const whole = nominalW ?? component.capacityW
      const loadW =
        said ?? (loadRatio === undefined || whole === undefined ? undefined : loadRatio * whole)
      if (loadW !== undefined) loads.set(id, { loadW, capacityW })
    }
    return loads
  }
}
