import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { SipSite } from './sip-site.ts'

type Fields = Readonly<Record<string, FieldValue>>

const STATES: ReadonlySet<string> = new Set([
  ...['ups', 'power_supply', 'transfer_switch', 'pdu', 'pdu_outlet', 'poe_budget'],
])

/** A collector that is told what agents read of power, on a clock of its own. */
export class PowerSite extends SipSite {
  readonly #read = new Map<string, { readonly point: Measurement; readonly atS: number }>()

  /** Readings of a state have no interval. */
  override point(
    name: Measurement['name'],
    tags: Readonly<Record<string, string>>,
    fields: Fields,
    atS = this.nowS,
  ): Measurement {
    const point = super.point(name, tags, fields, atS)
    if (!STATES.has(name)) return point
    const rest = Object.entries(point.fields).filter(([field]) => field !== 'interval_ms')
    return { ...point, fields: Object.fromEntries(rest) }
  }

  /** Tells of a UPS now. */
  ups(target: string, fields: Fields, agent = 'gw-1', site = 'hq'): string {
    const line = { line: 'online', comms_lost: false, ...fields }
    return this.read('ups', target, line, agent, site)
  }

  /** Tells of a device now. */
  read(
    name: Measurement['name'],
    target: string,
    fields: Fields,
    agent = 'gw-1',
    site = 'hq',
  ): string {
    const point = this.point(name, { target, agent, site }, fields)
    this.#read.set(`${name} ${agent} ${target}`, { point, atS: this.nowS })
    return this.tell(point)
  }

  /** Every device is read again every few seconds, as it was last. */
  go(seconds: number, everyS = 5): string {
    const words: string[] = []
    for (let s = 1; s <= seconds; s++) {
      words.push(this.wait(1))
      const due = [...this.#read].filter(([, { atS }]) => this.nowS - atS >= everyS)
      for (const [key, { point }] of due) this.#read.set(key, { point, atS: this.nowS })
      const points = due.map(([, { point }]) => this.point(point.name, point.tags, point.fields))
      if (points.length > 0) words.push(this.tell(...points))
    }
    return words.filter((word) => word !== '').join('\n')
  }

  /** It is not read any more. */
  lose(name: Measurement['name'], target: string, agent = 'gw-1'): void {
    this.#read.delete(`${name} ${agent} ${target}`)
  }
}
