import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { Findings } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { isCurrent, numberOf } from '../points.ts'
import { items, parts } from '../snapshot.ts'
import type { Component } from '../../topology/dependency.ts'
import { UNKNOWN } from '../../topology/site.ts'
import { componentLabels } from './component-words.ts'
import { dayUs } from './day.ts'
import { deviceOf, nameOf } from './device.ts'
import { UPS } from './ups-rule.ts'

const NAME = 'battery-old'
const US_PER_DAY = 24 * 3_600_000_000
const DAYS_PER_YEAR = 365.25
const LOOK_US = 60_000_000
/** What nobody has read for so long is asked of the site file only. */
const FORGOTTEN_US = 7 * US_PER_DAY
const MAX_UNITS = 10_000
const MAX_YEARS = 30

const years = z.number().min(0).max(MAX_YEARS)
const options = z
  .strictObject({
    /** Years since it was put in; sealed lead lasts 3 to 5. */
    years: years.default(4),
    'overdue-years': years.default(6),
    severity: z.enum(SEVERITIES).default('notice'),
    'overdue-severity': z.enum(SEVERITIES).default('warning'),
    ...HOURS,
  })
  .transform((read, context) => ({ ...read, hours: readHours(read, context) }))
type Options = z.output<typeof options>

export const batteryOld = defineRule({
  name: NAME,
  summary: 'the battery of a UPS is past its date; told when people are at work',
  options,
  create: (read, context) => new BatteryOld(read, context),
})

const unitSchema = z.object({
  ...{ key: z.string(), name: z.string(), agent: z.string() },
  labels: z.record(z.string(), z.string()),
  days: z.number(),
  lastUs: z.number(),
})
type Unit = z.output<typeof unitSchema>

/** The date in the site file goes before that in the UPS, which is often that of its making. */
class BatteryOld implements Rule {
  readonly measurements: ReadonlySet<MeasurementName> = UPS
  readonly #options: Options
  readonly #context: RuleContext
  readonly #units = new Map<string, Unit>()
  readonly #findings: Findings
  #lookedUs = -Infinity
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const unit of items(unitSchema, memory['units'])) this.#units.set(unit.key, unit)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      const days = numberOf(point.fields, 'battery_age_days')
      if (point.name !== 'ups' || days === undefined || days < 0) continue
      if (isCurrent(point, arrivalUs)) this.#learn(point, days)
    }
  }

  tick(nowUs: number): void {
    if (Math.abs(nowUs - this.#lookedUs) < LOOK_US) return
    this.#lookedUs = nowUs
    const seen = new Set<string>()
    const { model } = this.#context.topology()
    for (const component of model?.drawing.components.values() ?? []) {
      const days = ageOf(component, nowUs)
      if (days === undefined) continue
      const { id } = component
      seen.add(id)
      const { site = UNKNOWN, owner = UNKNOWN } = component
      const labels = { site, owner, ...componentLabels(component) }
      this.#judge({ key: id, name: nameOf(component), labels, days }, nowUs)
    }
    for (const unit of this.#units.values()) {
      if (nowUs - unit.lastUs > FORGOTTEN_US) this.#units.delete(unit.key)
      else if (!seen.has(unit.key)) {
        seen.add(unit.key)
        this.#judge(unit, nowUs)
      }
    }
    for (const { breach } of this.#findings.memory)
      if (!seen.has(breach.evidence['key']?.toString() ?? ''))
        this.#findings.close(breach.fingerprint, 'ended', 'its age is not known any more', nowUs)
  }

  forgetAgent(agent: string): void {
    for (const unit of this.#units.values()) if (unit.agent === agent) this.#units.delete(unit.key)
    this.#findings.forgetAgent(agent)
  }

  snapshot(): unknown {
    return { units: [...this.#units.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #learn(point: Measurement, days: number): void {
    const { key, name, labels } = deviceOf(this.#context, point)
    if (!this.#units.has(key) && this.#units.size >= MAX_UNITS) {
      this.#tooMany++
      return
    }
    const agent = copyOf(point.tags['agent'] ?? '')
    this.#units.set(copyOf(key), {
      ...{ key: copyOf(key), name: copyOf(name), agent, days, lastUs: point.timeUs },
      labels: Object.fromEntries(Object.entries(labels).map(([word, it]) => [word, copyOf(it)])),
    })
  }

  #judge({ key, name, labels, days }: Omit<Unit, 'agent' | 'lastUs'>, nowUs: number): void {
    const fingerprint = fingerprintOf(NAME, key)
    const age = days / DAYS_PER_YEAR
    const severity = this.#severityOf(age)
    if (severity === undefined) {
      this.#findings.close(fingerprint, 'resolved', `renewed: ${inYears(age)} old`, nowUs)
      return
    }
    const { years: limit, 'overdue-years': overdue } = this.#options
    const hours = hoursAt(this.#context.topology(), labels['site'] ?? '', this.#options.hours)
    const known = this.#findings.find(fingerprint)
    // Nobody mends it at night: the first word of it, and a worse one, wait for people to be at work.
    if (known?.severity !== severity && hours?.includes(nowUs) === false) return
    this.#findings.raise(
      {
        fingerprint,
        object: name,
        severity,
        summary: `its battery is ${inYears(age)} old, limit ${inYears(age > overdue ? overdue : limit)}: it may not hold when it is needed`,
        labels,
        evidence: { key, battery_age_days: Math.floor(days), limit_years: limit },
        sinceUs: nowUs - (days - limit * DAYS_PER_YEAR) * US_PER_DAY,
      },
      nowUs,
      nowUs,
    )
  }

  #severityOf(age: number): Severity | undefined {
    if (age > this.#options['overdue-years']) return this.#options['overdue-severity']
    return age > this.#options.years ? this.#options.severity : undefined
  }
}

function ageOf({ batteryInstalled }: Component, nowUs: number): number | undefined {
  if (batteryInstalled === undefined) return undefined
  const installedUs = dayUs(batteryInstalled)
  return installedUs === undefined ? undefined : (nowUs - installedUs) / US_PER_DAY
}

function inYears(age: number): string {
  const rounded = Math.floor(age * 10) / 10
  return `${rounded} ${rounded === 1 ? 'year' : 'years'}`
}
