import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import type { Component } from '../../topology/dependency.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { Findings } from '../findings.ts'
import { parts } from '../snapshot.ts'
import { lasting, utcMinute } from '../words.ts'
import type { ChainNow } from './chain.ts'
import { componentLabels } from './component-words.ts'
import { nameOf } from './device.ts'
import { consequencesOf, explainsIn, listOf } from './event-words.ts'

const NAME = 'component-down'
const US_PER_MS = 1000
/** What other rules tell of by themselves. */
const TOLD_ELSEWHERE: ReadonlySet<MeasurementName> = new Set([
  ...(['ups', 'transfer_switch', 'pdu', 'pdu_outlet', 'poe_port', 'poe_budget'] as const),
  ...(['sip_options', 'sip_registration', 'sip_call', 'agent', 'host'] as const),
])

const options = z.strictObject({
  hold: duration.prefault('10s'),
  clear: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** Nothing hangs on it: a phone, a workstation. */
  'endpoint-severity': z.enum(SEVERITIES).default('notice'),
})
type Options = z.output<typeof options>

export const componentDown = defineRule({
  name: NAME,
  summary: 'something that the site file watches by ping or by its mains is down',
  options,
  create: (read, context) => new ComponentDown(read, context),
})

/** Told once of what is observed down; what hangs on something that is down itself is explained by that. */
class ComponentDown implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings
  #version = -1

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    this.#findings = new Findings(NAME, context, parts(context.restored)['findings'])
  }

  observe(_: readonly Measurement[], arrivalUs: number): void {
    if (this.#context.chain.version !== this.#version) this.#judge(arrivalUs)
  }

  tick(nowUs: number): void {
    this.#judge(nowUs)
  }

  snapshot(): unknown {
    return { findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge(nowUs: number): void {
    const { chain } = this.#context
    this.#version = chain.version
    const { now } = chain
    const { hold, clear } = this.#options
    const told = new Set(this.#findings.memory.map(({ breach }) => breach.labels['component']))
    for (const [id, { state, sinceUs }] of now?.observations ?? []) {
      if (state !== 'down' && !told.has(id)) continue
      const component = now?.live.model.drawing.components.get(id)
      if (now === undefined || component === undefined || !this.#isOurs(component)) continue
      const fingerprint = fingerprintOf(NAME, id)
      const lastsUs = nowUs - sinceUs
      const known = this.#findings.find(fingerprint)
      if (state === 'down' && (known !== undefined || lastsUs >= hold * US_PER_MS))
        this.#raise(now, component, fingerprint, nowUs)
      else if (known !== undefined && (state === 'up' || state === 'degraded')) {
        if (lastsUs < clear * US_PER_MS) continue
        const summary = `well again after ${lasting(sinceUs - known.sinceUs)}`
        this.#findings.close(fingerprint, 'resolved', summary, nowUs)
      } else if (known !== undefined && state === 'unknown') {
        const summary = 'nothing is known of it any more'
        this.#findings.close(fingerprint, 'ended', summary, nowUs)
      }
    }
    for (const { breach } of this.#findings.memory) {
      const { component = '' } = breach.labels
      if (now?.observations.has(component) !== true)
        this.#findings.close(breach.fingerprint, 'ended', 'not watched any more: unknown', nowUs)
    }
  }

  #isOurs({ watch }: Component): boolean {
    return watch !== undefined && !TOLD_ELSEWHERE.has(watch.measurement)
  }

  #raise(now: ChainNow, component: Component, fingerprint: string, nowUs: number): void {
    const { id, owner = 'unknown' } = component
    const { reason = '', sinceUs = nowUs } = now.observations.get(id) ?? {}
    const { model } = now.live
    const above = model.components[model.indexOf.get(id) ?? -1]?.above ?? []
    const isEndpoint = above.length === 0
    const explains = isEndpoint ? [] : consequencesOf(now, [id])
    const severity: Severity = this.#options[isEndpoint ? 'endpoint-severity' : 'severity']
    const hangs = explains.length === 0 ? '' : `; with it: ${listOf(explains)}`
    this.#findings.raise(
      {
        fingerprint,
        object: nameOf(component),
        severity,
        summary: `down since ${utcMinute(sinceUs)}: ${reason}${hangs}`,
        labels: {
          ...componentLabels(component),
          ...{ site: this.#context.chain.siteOf(id) ?? 'unknown', owner },
        },
        evidence: { reason, ...explainsIn(explains) },
        sinceUs,
      },
      nowUs,
      nowUs,
    )
  }
}
