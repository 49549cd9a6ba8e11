import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { utcMinute } from '../words.ts'
import { EMERGENCY } from './emergency-readiness.ts'
import { Findings } from '../findings.ts'
import { isCurrent, numberOf, placeOf, textOf } from '../points.ts'

const NAME = 'emergency-call'
/** The same call on its second hop, or dialled again at once: one notice. */
const SAME_US = 30_000_000
/** A call whose end nobody saw. */
const FORGOTTEN_US = 2 * 3_600_000_000
/** So long a call that failed can be followed by one that does not. */
const RETRY_US = 5 * 60_000_000
const MAX_CALLS = 1000

const options = z.strictObject({
  severity: z.enum(SEVERITIES).default('warning'),
  /** The call did not get through. */
  'failed-severity': z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

/** Somebody calls for help: whoever can open the door and show the way should know at once. */
export const emergencyCall = defineRule({
  name: NAME,
  summary: "somebody at a site calls an emergency number: told at once to the site's own staff",
  options,
  create: (read, context) => new EmergencyCallSeen(read, context),
})

const callSchema = z.object({
  /** Caller and number, at a site. */
  fingerprint: z.string(),
  startUs: z.number(),
  lastUs: z.number(),
  state: z.string(),
  /** By Call-ID: a call on two hops may have two. */
  legs: z.array(z.string()),
})
type Call = z.output<typeof callSchema>

class EmergencyCallSeen implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_event'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings
  readonly #calls = new Map<string, Call>()
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const call of items(callSchema, memory['calls'])) this.#calls.set(call.fingerprint, call)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      const { name, tags } = point
      if (name !== 'sip_event' || tags['kind'] !== 'emergency-call') continue
      if (isCurrent(point, arrivalUs)) this.#see(point, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    for (const { fingerprint, lastUs, state } of this.#calls.values()) {
      const quietUs = Math.abs(nowUs - lastUs)
      if (state === 'failed' ? quietUs < RETRY_US : quietUs < FORGOTTEN_US) continue
      this.#calls.delete(fingerprint)
      const summary =
        state === 'failed' ? 'it failed, and was not made again' : 'its end was not seen'
      this.#findings.close(fingerprint, 'ended', summary, nowUs)
    }
  }

  forgetAgent(agent: string): void {
    this.#findings.forgetAgent(agent)
  }

  snapshot(): unknown {
    return { calls: [...this.#calls.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #see({ tags, fields, timeUs }: Measurement, nowUs: number): void {
    const { site = 'unknown' } = tags
    const { number = 'an emergency number', caller = 'unknown', call_id: leg = '' } = fields
    const state = textOf(fields, 'state') ?? 'calling'
    if (!this.#isAlarming(String(number))) return
    const fingerprint = fingerprintOf(NAME, site, String(caller), String(number))
    let call = this.#calls.get(fingerprint)
    if (call === undefined) {
      // The end of a call that began before we were here, or was closed since.
      if (state === 'ended') return
      if (this.#calls.size >= MAX_CALLS) {
        this.#tooMany++
        return
      }
      call = { fingerprint, startUs: timeUs, lastUs: timeUs, state, legs: [] }
      this.#calls.set(fingerprint, call)
    }
    call.lastUs = Math.max(call.lastUs, timeUs)
    const legs = new Set(call.legs)
    if (state === 'ended') legs.delete(String(leg))
    else legs.add(copyOf(String(leg)))
    call.legs = [...legs]
    // The first word from a hop further on is older than what is known.
    const isOlder =
      state === 'calling' && call.state !== 'calling' && timeUs < call.startUs + SAME_US
    if (!isOlder && state !== 'ended') call.state = state
    if (state !== 'ended') this.#raise(call, { tags, fields, timeUs }, nowUs)
    else if (legs.size === 0 && call.state !== 'failed') {
      this.#calls.delete(fingerprint)
      this.#findings.close(fingerprint, 'resolved', 'the call is over', nowUs)
    }
  }

  /** Without numbers in the site file the agents' word is enough. */
  #isAlarming(number: string): boolean {
    return this.#context.topology().isEmergencyNumber(number) !== false
  }

  #raise(
    call: Call,
    { tags, fields, timeUs }: Pick<Measurement, 'tags' | 'fields' | 'timeUs'>,
    nowUs: number,
  ): void {
    const { fingerprint, startUs, state } = call
    const { site = 'unknown' } = tags
    const number = textOf(fields, 'number') ?? 'an emergency number'
    const caller = textOf(fields, 'caller') ?? 'unknown'
    const source = textOf(fields, 'src_ip')
    const status = numberOf(fields, 'status_code')
    const topology = this.#context.topology()
    const declared = new Map(topology.emergencySites()).get(site)
    const isFailed = state === 'failed'
    const end = isFailed ? `: it failed${status === undefined ? '' : ` (${status})`}` : ''
    const where = declared?.location === undefined ? '' : `; ${declared.location}`
    this.#findings.raise(
      {
        fingerprint,
        object: `emergency call from ${site}`,
        severity: this.#options[isFailed ? 'failed-severity' : 'severity'],
        summary: `${caller} at ${source ?? 'an unknown address'} calls ${number} since ${utcMinute(startUs)}${end}${where}`,
        labels: {
          ...{ class: EMERGENCY, ...placeOf(topology, tags, source), account: caller },
          ...(source === undefined ? {} : { source_ip: source }),
          ...(declared === undefined || declared.notify.length === 0
            ? {}
            : { notify: declared.notify.join(' ') }),
        },
        evidence: {
          ...{ number, caller, state, call_id: textOf(fields, 'call_id') ?? '' },
          ...(status === undefined ? {} : { status_code: status }),
        },
        sinceUs: startUs,
      },
      timeUs,
      nowUs,
    )
  }
}
