import { z } from 'zod'
import { breachSchema, SEVERITIES, type Breach, type Severity } from './breach.ts'
import type { RuleContext } from './rule.ts'
import { items } from './snapshot.ts'
import { lasting } from './words.ts'

/** More alerts of one rule at a time help nobody; what is beyond is counted. */
const MAX_OPEN = 200

/** What is wrong with one object now. */
export interface Finding {
  readonly fingerprint: string
  readonly object: string
  readonly severity: Severity
  readonly summary: string
  readonly labels: Readonly<Record<string, string>>
  readonly evidence: Readonly<Record<string, number | string>>
  readonly sinceUs: number
  /** Told again although its severity is the same: less time is left, more is hit. */
  readonly isWorse?: boolean
}

const openSchema = z.object({ breach: breachSchema, lastUs: z.number(), wellUs: z.number() })

interface Open {
  readonly breach: Breach
  /** Event time of the newest evidence. */
  readonly lastUs: number
  /** Event time at which it was last judged, and was well. */
  readonly wellUs: number
}

/** The open alerts of a rule: what is found again is no second alert. */
export class Findings {
  readonly #rule: string
  readonly #context: RuleContext
  readonly #doesSilenceHeal: boolean
  readonly #open = new Map<string, Open>()
  #tooMany = 0

  /** @param doesSilenceHeal whether what is not seen any more is over; else it must be seen to be well */
  constructor(rule: string, context: RuleContext, restored: unknown, doesSilenceHeal = true) {
    this.#rule = rule
    this.#context = context
    this.#doesSilenceHeal = doesSilenceHeal
    for (const open of items(openSchema, restored)) {
      this.#open.set(open.breach.fingerprint, open)
      context.update(open.breach)
    }
  }

  get memory(): readonly Open[] {
    return [...this.#open.values()]
  }

  /** Findings beyond what is kept. */
  get tooMany(): number {
    return this.#tooMany
  }

  has(fingerprint: string): boolean {
    return this.#open.has(fingerprint)
  }

  find(fingerprint: string): Breach | undefined {
    return this.#open.get(fingerprint)?.breach
  }

  /** Those whose label has this value. */
  where(label: string, value: string): readonly Breach[] {
    return [...this.#open.values()]
      .map(({ breach }) => breach)
      .filter(({ labels }) => labels[label] === value)
  }

  /**
   * Tells people once, and again when it has become more severe; otherwise renews what is shown. Severity does not go down again.
   * @param timeUs event time of the evidence
   */
  raise(
    { isWorse: isSaidWorse = false, ...finding }: Finding,
    timeUs: number,
    nowUs: number,
  ): void {
    const known = this.#open.get(finding.fingerprint)
    if (known === undefined && this.#open.size >= MAX_OPEN) {
      this.#tooMany++
      return
    }
    const lastUs = Math.max(known?.lastUs ?? -Infinity, timeUs)
    const old = known?.breach
    const isHigher = old !== undefined && rank(finding.severity) > rank(old.severity)
    const severity = old === undefined || isHigher ? finding.severity : old.severity
    const sinceUs = old?.sinceUs ?? finding.sinceUs
    const breach: Breach = {
      ...{ ...finding, id: `${finding.fingerprint}/${sinceUs}`, rule: this.#rule },
      ...{ state: 'firing', severity, sinceUs, firedUs: old?.firedUs ?? nowUs, updatedUs: nowUs },
    }
    this.#open.set(breach.fingerprint, { breach, lastUs, wellUs: known?.wellUs ?? -1 })
    if (old === undefined) this.#context.change('firing', breach, nowUs)
    else if (isHigher || isSaidWorse) this.#context.change('escalated', breach, nowUs)
    else if (old.summary !== breach.summary) this.#context.update(breach)
  }

  /** It was judged, and found well. */
  well(fingerprint: string, timeUs: number): void {
    const open = this.#open.get(fingerprint)
    if (open !== undefined) this.#open.set(fingerprint, { ...open, wellUs: timeUs })
  }

  /** @param state ended: not proven healed */
  close(fingerprint: string, state: 'resolved' | 'ended', summary: string, nowUs: number): void {
    const breach = this.find(fingerprint)
    if (breach === undefined) return
    this.#open.delete(fingerprint)
    const closed: Breach = { ...breach, state, summary, closedUs: nowUs, updatedUs: nowUs }
    this.#context.change(state, closed, nowUs)
  }

  /** Closes what has had no new evidence for so long. What nobody watches any more is not proven healed. */
  settle(nowUs: number, clearUs: number): void {
    for (const [fingerprint, open] of this.#open) {
      const { breach, lastUs, wellUs } = open
      // What is ahead of now was heard before our clock was set back.
      if (lastUs > nowUs + clearUs) this.#open.set(fingerprint, { ...open, lastUs: nowUs })
      if (nowUs - lastUs < clearUs) continue
      const { agent = '' } = breach.labels
      if (this.#context.presence.isOverdue(agent, nowUs))
        this.close(fingerprint, 'ended', `nothing is heard from ${agent}: unknown`, nowUs)
      else if (this.#doesSilenceHeal || wellUs > lastUs)
        this.close(fingerprint, 'resolved', `nothing of it for ${lasting(clearUs)}`, nowUs)
      else
        this.close(
          fingerprint,
          'ended',
          'nothing to judge it by any more: not proven healed',
          nowUs,
        )
    }
  }

  /** The agent was revoked. */
  forgetAgent(agent: string): void {
    for (const { fingerprint, updatedUs } of this.where('agent', agent))
      this.close(fingerprint, 'ended', 'its token was revoked', updatedUs)
  }

  siteLost(site: string, nowUs: number): void {
    for (const { fingerprint } of this.where('site', site))
      this.close(fingerprint, 'ended', 'its site was cut off: unknown', nowUs)
  }
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}
