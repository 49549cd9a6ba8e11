import { z } from 'zod'
import { duration } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import {
  causesWords,
  consequencesOf,
  explainsIn,
  fragileWords,
  labelsOfEvent,
} from './event-words.ts'
import { bootUs, fragileIn, isNewsDue, rootsOf, sinceUsOf, type Fragile } from './fragility.ts'
import type { Ending, SiteFinding } from './site-alerts.ts'
import { bySite, SiteEventRule, type SiteEvents } from './site-event-rule.ts'

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
  create: (read, context) => new SiteEventRule(new RedundancyLost(read, context), context),
})

class RedundancyLost implements SiteEvents {
  readonly name = NAME
  readonly clearUs: number
  readonly #options: Options
  readonly #context: RuleContext

  constructor(read: Options, context: RuleContext) {
    this.clearUs = read.clear * US_PER_MS
    this.#options = read
    this.#context = context
  }

  find(now: ChainNow): readonly SiteFinding[] {
    const fragile = fragileIn(now).filter(({ isPower }) => !isPower)
    return [...bySite(this.#context, fragile)].map(([site, those]) =>
      this.#findingOf(now, site, those),
    )
  }

  endingOf(): Ending {
    return {
      state: 'resolved',
      summary: 'no service hangs on a single thing more than it is drawn to',
    }
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
      victims: [],
      causes,
      settleUs: SETTLE_US + bootUs(now.live.model, explains),
    }
  }
}
