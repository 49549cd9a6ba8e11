import { reasonOf } from '../../common/errors.ts'
import { readNisStatus, type NisOptions } from './nis.ts'
import { lastLookS, nisFacts, readNisFacts } from './nis-reading.ts'
import { withoutContact } from './ups-reading.ts'
import { UpsUnit, type JudgedReading } from './ups-unit.ts'

/** Of the pauses between two looks of apcupsd: the shortest of the last few is its POLLTIME. */
const PAUSES = 5
const MS_PER_S = 1000

/** One apcupsd, which is one UPS, with what is remembered of it between polls. */
export class NisUnit {
  readonly #options: NisOptions
  readonly #unit = new UpsUnit()
  #lookedS: number | undefined
  #pausesS: readonly number[] = []

  constructor(options: NisOptions) {
    this.#options = options
  }

  /**
   * Never throws: what cannot be read is a unit without contact.
   * @param atMs by a clock that is never stepped
   */
  async poll(nowUs: number, atMs: number, signal: AbortSignal): Promise<JudgedReading> {
    try {
      const facts = nisFacts(await readNisStatus(this.#options, signal))
      this.#followLooks(lastLookS(facts))
      const pauseS = Math.min(...this.#pausesS)
      const pollMs = Number.isFinite(pauseS) ? pauseS * MS_PER_S : undefined
      return this.#unit.judge(readNisFacts(facts, { nowUs, pollMs }), atMs)
    } catch (error) {
      return this.#unit.judge(withoutContact(reasonOf(error)), atMs)
    }
  }

  /** A clock set back, or forward by what no POLLTIME is, says nothing. */
  #followLooks(lookedS: number | undefined): void {
    const before = this.#lookedS
    this.#lookedS = lookedS
    if (before === undefined || lookedS === undefined || lookedS <= before) return
    this.#pausesS = [...this.#pausesS, lookedS - before].slice(-PAUSES)
  }
}
