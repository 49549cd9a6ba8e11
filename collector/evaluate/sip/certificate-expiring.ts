import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { fingerprintOf, type Severity } from '../breach.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { parts } from '../snapshot.ts'
import { count } from '../words.ts'
import { Findings } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { hostOf, isCurrent, numberOf, placeOf, textOf } from '../points.ts'

const NAME = 'certificate-expiring'
/** A check whose connection is still open tells nothing of the certificate. */
const FORGOTTEN_US = 24 * 3_600_000_000
const MAX_DAYS = 3650

const days = z.number().min(0).max(MAX_DAYS)
const options = z
  .strictObject({
    /** Days left: a notice, told when people are at work; */
    notice: days.default(30),
    /** told at once. */
    warning: days.default(7),
    ...HOURS,
  })
  .transform((read, context) => ({ ...read, hours: readHours(read, context) }))
type Options = z.output<typeof options>

export const certificateExpiring = defineRule({
  name: NAME,
  summary: 'the TLS certificate of a SIP server expires soon, or has expired',
  options,
  create: (read, context) => new CertificateExpiring(read, context),
})

/** One alert for a server, whoever asked it. */
class CertificateExpiring implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_options', 'sip_registration'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    this.#findings = new Findings(NAME, context, parts(context.restored)['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      if (point.name !== 'sip_options' && point.name !== 'sip_registration') continue
      const left = numberOf(point.fields, 'certificate_days')
      if (left !== undefined && isCurrent(point, arrivalUs)) this.#judge(point, left, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    for (const { breach, lastUs } of this.#findings.memory)
      if (nowUs - lastUs >= FORGOTTEN_US)
        this.#findings.close(breach.fingerprint, 'ended', 'not seen any more: unknown', nowUs)
  }

  forgetAgent(agent: string): void {
    this.#findings.forgetAgent(agent)
  }

  snapshot(): unknown {
    return { findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge({ tags, fields, timeUs }: Measurement, left: number, nowUs: number): void {
    const address = textOf(fields, 'server_address') ?? textOf(fields, 'server') ?? ''
    const server = tags['server'] ?? (address === '' ? (tags['target'] ?? '') : address)
    const fingerprint = fingerprintOf(NAME, server)
    const severity = this.#severityOf(left)
    if (severity === undefined) {
      this.#findings.close(fingerprint, 'resolved', `renewed: ${inDays(left)} left`, nowUs)
      return
    }
    const { notice, warning } = this.#options
    const place = placeOf(this.#context.topology(), tags, hostOf(address))
    const hours = hoursAt(this.#context.topology(), place.site, this.#options.hours)
    const canWait = severity === 'notice' && !this.#findings.has(fingerprint)
    if (canWait && hours?.includes(nowUs) === false) return
    this.#findings.raise(
      {
        fingerprint,
        object: `certificate of ${server}`,
        severity,
        summary:
          left < 0
            ? `expired ${inDays(-left)} ago: calls and registrations over TLS are refused`
            : `expires in ${inDays(left)}, limit ${inDays(severity === 'notice' ? notice : warning)}`,
        labels: { ...place, server },
        evidence: { days_left: left, notice_days: notice, warning_days: warning },
        sinceUs: timeUs,
      },
      timeUs,
      nowUs,
    )
  }

  #severityOf(left: number): Severity | undefined {
    const { notice, warning } = this.#options
    if (left < 0) return 'critical'
    if (left < warning) return 'warning'
    return left < notice ? 'notice' : undefined
  }
}

/** Whole days; hours are nobody's plan. */
function inDays(days: number): string {
  const whole = Math.floor(days)
  return whole === 1 ? 'a day' : `${count(whole)} days`
}
