import { z } from 'zod'
import { measurement, type Measurement, type MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { Findings } from '../findings.ts'
import { isCurrent, numberOf, textOf } from '../points.ts'
import { items, parts } from '../snapshot.ts'
import { counted, lasting } from '../words.ts'
import { deviceOf, type Device } from './device.ts'
import { readUps } from './ups-facts.ts'
import { UPS, US_PER_MS } from './ups-rule.ts'

const NAME = 'ups-transfers'
const MAX_UNITS = 10_000
const MAX_TRANSFERS = 100
/** Last causes that say it was done to try the battery. */
const TRIAL = /test|calibrat/i

const options = z.strictObject({
  /** Longer than this on battery is no short transfer: ups-on-battery tells of it. */
  shorter: duration.prefault('10s'),
  /** So many within the window are told. */
  transfers: z.int().min(1).default(1),
  window: duration.prefault('1h'),
  severity: z.enum(SEVERITIES).default('notice'),
})
type Options = z.output<typeof options>

export const upsTransfers = defineRule({
  name: NAME,
  summary: 'a UPS went to its battery for moments, seen or counted by itself: the input is uneasy',
  options,
  create: (read, context) => new UpsTransfers(read, context),
})

const unitSchema = z.object({
  ...{ source: z.string(), agent: z.string(), site: z.string() },
  lastUs: z.number(),
  /** When it went on battery; negative while it is not. */
  batteryUs: z.number(),
  /** What it counts itself; negative where it does not. */
  count: z.number(),
  /** When, newest last. */
  times: z.array(z.number()).max(MAX_TRANSFERS),
})
type Unit = z.output<typeof unitSchema>

/** Each is a point for the graphs; several are a notice. */
class UpsTransfers implements Rule {
  readonly measurements: ReadonlySet<MeasurementName> = UPS
  readonly #options: Options
  readonly #context: RuleContext
  readonly #units = new Map<string, Unit>()
  readonly #findings: Findings
  #counters = { too_many: 0, transfers: 0 }

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const unit of items(unitSchema, memory['units'])) this.#units.set(unit.source, unit)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points)
      if (point.name === 'ups' && isCurrent(point, arrivalUs)) this.#learn(point, arrivalUs)
  }

  tick(nowUs: number): void {
    const windowUs = this.#options.window * US_PER_MS
    for (const { breach, lastUs } of this.#findings.memory)
      if (nowUs - lastUs >= windowUs)
        this.#findings.close(
          breach.fingerprint,
          'resolved',
          `no more of them for ${lasting(windowUs)}`,
          nowUs,
        )
  }

  forgetAgent(agent: string): void {
    for (const unit of this.#units.values())
      if (unit.agent === agent) this.#units.delete(unit.source)
    this.#findings.forgetAgent(agent)
  }

  /** What it told of is over, whatever becomes of the site. */
  siteLost(site: string): void {
    for (const unit of this.#units.values()) if (unit.site === site) unit.batteryUs = -1
  }

  snapshot(): unknown {
    return { units: [...this.#units.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    const { too_many: tooMany, transfers } = this.#counters
    return { too_many: tooMany + this.#findings.tooMany, transfers }
  }

  #learn(point: Measurement, nowUs: number): void {
    const unit = this.#unitOf(point)
    if (unit === undefined || point.timeUs <= unit.lastUs) return
    unit.lastUs = point.timeUs
    const { fields, timeUs } = point
    const { line, isOnPurpose } = readUps(fields)
    const count = numberOf(fields, 'transfers')
    const last = textOf(fields, 'last_transfer') ?? ''
    const risen = count === undefined || unit.count < 0 ? 0 : count - unit.count
    if (count !== undefined) unit.count = count
    if (line === 'unknown') return
    const wasOnBattery = unit.batteryUs >= 0
    if (line === 'battery' && !isOnPurpose) {
      if (!wasOnBattery) unit.batteryUs = timeUs
      return
    }
    const lastedUs = wasOnBattery ? timeUs - unit.batteryUs : 0
    unit.batteryUs = -1
    if (isOnPurpose || line === 'battery') return
    const seen = wasOnBattery && lastedUs < this.#options.shorter * US_PER_MS ? 1 : 0
    // A counter set back, or one that counts trials, says nothing of the input.
    const unseen = wasOnBattery || risen <= 0 || TRIAL.test(last) ? 0 : risen
    if (seen + unseen > 0) this.#tell(unit, point, { seen, unseen, last, lastedUs }, nowUs)
  }

  #tell(unit: Unit, point: Measurement, what: Transfers, nowUs: number): void {
    const { seen, unseen, last, lastedUs } = what
    const { timeUs } = point
    this.#counters.transfers += seen + unseen
    const device = deviceOf(this.#context, point)
    const cause = last === '' ? '' : `; the last one for: ${last}`
    const words =
      seen > 0
        ? `on battery for less than ${lasting(Math.max(lastedUs, 1_000_000))}${cause}`
        : `its counter says ${counted(unseen, 'transfer')} to battery that no reading shows${cause}`
    this.#context.point(eventOf(device, words, this.#options.severity, timeUs))
    const windowUs = this.#options.window * US_PER_MS
    const times = [...unit.times, ...Array.from({ length: seen + unseen }, () => timeUs)]
    unit.times = times.filter((time) => time > timeUs - windowUs).slice(-MAX_TRANSFERS)
    if (unit.times.length < this.#options.transfers) return
    const fingerprint = fingerprintOf(NAME, device.key)
    this.#findings.raise(
      {
        fingerprint,
        object: device.name,
        severity: this.#options.severity,
        summary: `${counted(unit.times.length, 'short transfer')} to battery in ${lasting(windowUs)}: ${words}`,
        labels: device.labels,
        evidence: { transfers: unit.times.length, ...(last === '' ? {} : { last_transfer: last }) },
        sinceUs: unit.times[0] ?? timeUs,
      },
      timeUs,
      nowUs,
    )
  }

  #unitOf({ tags }: Measurement): Unit | undefined {
    const { agent = '', site = '', target = '', source: reader = '' } = tags
    const source = [agent, target, reader].join('\n')
    const known = this.#units.get(source)
    if (known !== undefined) return known
    if (this.#units.size >= MAX_UNITS) {
      this.#counters.too_many++
      return undefined
    }
    const unit: Unit = {
      ...{ source: copyOf(source), agent: copyOf(agent), site: copyOf(site) },
      ...{ lastUs: -1, batteryUs: -1, count: -1, times: [] },
    }
    this.#units.set(unit.source, unit)
    return unit
  }
}

interface Transfers {
  readonly seen: number
  readonly unseen: number
  readonly last: string
  readonly lastedUs: number
}

function eventOf(
  { name, labels }: Device,
  text: string,
  severity: string,
  timeUs: number,
): Measurement {
  const { site, agent } = labels
  return measurement(
    'event',
    timeUs,
    { rule: NAME, state: 'resolved', site, agent },
    { title: `${name}: short transfer`, text, object: name, severity },
  )
}
