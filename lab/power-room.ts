import { RUNTIME_MIN } from './drawing.ts'
import type { LabUps } from './upsd.ts'

/** Nobody watches a battery for a quarter of an hour: a minute of it passes in so much. */
export const MINUTE_MS = 7500
const STEP_MS = 1000
const FULL_PERCENT = 100
const LOW_PERCENT = 20
const LOW_RUNTIME_S = 120
const S_PER_MIN = 60
/** It fills much more slowly than it runs down, in life as here. */
const CHARGE_PERCENT_PER_MIN = 4
const UPS_W = 1500
const STRIP_W = 510
const MAINS_V = 230.4

type Feed = 'a' | 'b'

/** The UPSes and power strips of head office, each with a mains of its own. */
export class PowerRoom {
  readonly #upses: Readonly<Record<Feed, UpsUnit>> = {
    a: new UpsUnit('ups-a', { description: 'Exchange room, rack 3', runtimeMin: RUNTIME_MIN }),
    b: new UpsUnit('ups-b', { description: 'Exchange room, rack 4', runtimeMin: 40 }),
  }
  readonly #strips = [strip('pdu-a'), strip('pdu-b')]

  /** As a NUT server serves them. */
  get units(): readonly LabUps[] {
    return [this.#upses.a, this.#upses.b, ...this.#strips]
  }

  loseMains(feed: Feed): void {
    this.#upses[feed].hasMains = false
  }

  restoreMains(feed: Feed): void {
    this.#upses[feed].hasMains = true
  }

  /** Batteries run down, or fill, until what it returns is called. */
  open(): () => void {
    const timer = setInterval(() => {
      for (const ups of Object.values(this.#upses)) ups.pass(STEP_MS / MINUTE_MS)
    }, STEP_MS)
    return () => {
      clearInterval(timer)
    }
  }

  minutesLeft(feed: Feed): number {
    return this.#upses[feed].minutesLeft
  }

  isLow(feed: Feed): boolean {
    return this.#upses[feed].isLow
  }
}

/** One UPS with a constant load: its charge falls evenly. */
class UpsUnit implements LabUps {
  readonly name: string
  readonly description: string
  hasMains = true
  readonly #runtimeMin: number
  #percent = FULL_PERCENT

  constructor(name: string, facts: { readonly description: string; readonly runtimeMin: number }) {
    this.name = name
    this.description = facts.description
    this.#runtimeMin = facts.runtimeMin
  }

  get minutesLeft(): number {
    return (this.#percent / FULL_PERCENT) * this.#runtimeMin
  }

  get isLow(): boolean {
    return this.#percent <= LOW_PERCENT
  }

  pass(minutes: number): void {
    const percent = this.hasMains
      ? this.#percent + minutes * CHARGE_PERCENT_PER_MIN
      : this.#percent - (minutes / this.#runtimeMin) * FULL_PERCENT
    this.#percent = Math.min(FULL_PERCENT, Math.max(0, percent))
  }

  get variables(): ReadonlyMap<string, string> {
    return new Map([
      ['ups.status', this.#status()],
      ['ups.load', '34'],
      ['ups.realpower', String(STRIP_W)],
      ['ups.realpower.nominal', String(UPS_W)],
      ['ups.temperature', '24.5'],
      ['battery.charge', this.#percent.toFixed(0)],
      ['battery.charge.low', String(LOW_PERCENT)],
      ['battery.runtime', (this.minutesLeft * S_PER_MIN).toFixed(0)],
      ['battery.runtime.low', String(LOW_RUNTIME_S)],
      ['input.voltage', this.hasMains ? String(MAINS_V) : '0'],
      ['output.voltage', '230.1'],
    ])
  }

  /** Words of NUT: on line or on battery, and what the battery does. */
  #status(): string {
    if (!this.hasMains) return this.isLow ? 'OB DISCHRG LB' : 'OB DISCHRG'
    return this.#percent < FULL_PERCENT ? 'OL CHRG' : 'OL'
  }
}

function strip(name: string): LabUps {
  const variables = new Map([
    ['device.type', 'pdu'],
    ['outlet.current', '2.2'],
    ['outlet.realpower', String(STRIP_W)],
  ])
  return { name, description: 'Power strip', variables }
}
