import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import {
  causesWords,
  consequencesOf,
  explainsIn,
  fragileWords,
  labelsOfEvent,
} from './event-words.ts'
import {
  bootUs,
  fragileIn,
  isNewsDue,
  rootsOf,
  sinceUsOf,
  siteOf,
  type Fragile,
} from './fragility.ts'
import { SiteAlerts, type SiteFinding } from './site-alerts.ts'

const NAME = 'redundancy-lost'
const US_PER_MS = 1000
/** For a reading of what stands behind what failed: it is polled at once. */
const NEWS_US = 4_000_000
/** What was without power comes back on its own, within this and the time it takes to boot. */
const SETTLE_US = 60_000_000

const options = z.strictObject({
  hold: duration.prefault('0s'),
  clear: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

/** By whatever failed for good; what a UPS on battery makes fragile is told with power-event. */
export const redundancyLost = defineRule({
  name: NAME,
  summary: 'something failed that has a stand-in: one more failure would stop a service',
  options,
  create: (read, context) => new RedundancyLost(read, context),
})

class RedundancyLost implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #alerts: SiteAlerts
  #version = -1
  /** What was found under what was known: looked for again when that is different. */
  #last: { readonly now: ChainNow | undefined; readonly found: readonly SiteFinding[] } | undefined

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    this.#alerts = new SiteAlerts(NAME, context, read.clear * US_PER_MS)
  }

  observe(_: readonly Measurement[], arrivalUs: number): void {
    if (this.#context.chain.version !== this.#version) this.#judge(arrivalUs)
  }

  tick(nowUs: number): void {
    this.#judge(nowUs)
  }

  snapshot(): unknown {
    return this.#alerts.memory
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#alerts.tooMany }
  }

  #judge(nowUs: number): void {
    const { chain } = this.#context
    this.#version = chain.version
    const { now } = chain
    if (this.#last === undefined || this.#last.now !== now)
      this.#last = { now, found: now === undefined ? [] : this.#find(now) }
    const { found } = this.#last
    this.#alerts.judge(found, nowUs, () => ({
      state: 'resolved',
      summary: 'no service hangs on a single thing more than it is drawn to',
    }))
  }

  #find(now: ChainNow): readonly SiteFinding[] {
    const sites = new Map<string, Fragile[]>()
    for (const one of fragileIn(now)) {
      if (one.isPower) continue
      const site = siteOf(this.#context, one.causes, one.service.serves)
      const known = sites.get(site)
      if (known === undefined) sites.set(site, [one])
      else known.push(one)
    }
    return [...sites].map(([site, fragile]) => this.#findingOf(now, site, fragile))
  }

  #findingOf(now: ChainNow, site: string, fragile: readonly Fragile[]): SiteFinding {
    const failed = [...new Set(fragile.flatMap(({ causes }) => causes))]
    const causes = rootsOf(now, failed)
    const sinceUs = sinceUsOf(now, causes)
    const isEmergency = fragile.some(({ service }) => service.isEmergency)
    const explains = consequencesOf(now, causes)
    const hold = this.#options.hold * US_PER_MS
    return {
      site,
      object: `redundancy of ${site}`,
      severity: this.#options.severity,
      summary: `${fragileWords(now, fragile)}; because ${causesWords(now, causes)}`,
      labels: labelsOfEvent(this.#context, site, causes, isEmergency),
      evidence: {
        causes: causes.join(' '),
        services: fragile.map(({ service }) => service.id).join(' '),
        new_singles: [...new Set(fragile.flatMap(({ singles }) => singles))].join(' '),
        ...explainsIn(explains),
      },
      sinceUs,
      holdUs: isNewsDue(now, causes, sinceUs) ? Math.max(hold, NEWS_US) : hold,
      level: 0,
      causes,
      settleUs: SETTLE_US + bootUs(now.live.model, explains),
    }
  }
}
