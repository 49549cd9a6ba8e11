import { z } from 'zod'
import { duration } from '../../../common/settings.ts'
import type { Service } from '../../topology/dependency.ts'
import { inputWord } from '../../topology/cut-sets.ts'
import { SEVERITIES, type Breach } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import {
  causesWords,
  consequencesOf,
  explainsIn,
  fragileWords,
  labelsOfEvent,
  listOf,
} from './event-words.ts'
import {
  bootUsUnder,
  byUrgency,
  coneOfComponent,
  fragileIn,
  isNewsDue,
  rootsOf,
  serviceName,
  sinceUsOf,
} from './fragility.ts'
import type { Ending, SiteFinding } from './site-alerts.ts'
import { bySite, SiteEventRule, type SiteEvents } from './site-event-rule.ts'

const NAME = 'service-down'
const US_PER_MS = 1000
/** For a reading of what stands behind what failed: it is polled at once. */
const NEWS_US = 4_000_000
/** What was without power comes back on its own, within this and the time it takes to boot. */
const SETTLE_US = 60_000_000

const options = z.strictObject({
  hold: duration.prefault('0s'),
  clear: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

/** Never muted by anything. */
export const serviceDown = defineRule({
  name: NAME,
  summary: 'a service cannot work, because something it needs failed, or its own check says so',
  options,
  create: (read, context) => new SiteEventRule(new ServiceDown(read, context), context),
})

interface Down {
  readonly service: Service
  readonly causes: readonly string[]
  /** What its own check says; '' where that does not fail. */
  readonly check: string
  readonly sinceUs: number
}

class ServiceDown implements SiteEvents {
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
    return [...bySite(this.#context, downIn(now))].map(([site, all]) =>
      this.#findingOf(now, site, byUrgency(all)),
    )
  }

  endingOf({ evidence }: Breach): Ending {
    const ids = String(evidence['services'] ?? '').split(' ')
    const isKnown = ids.some((id) => this.#context.chain.serviceState(id) === 'up')
    return isKnown
      ? { state: 'resolved', summary: 'all it needs works again' }
      : { state: 'ended', summary: 'not known to be down any more, nor to be up' }
  }

  #findingOf(now: ChainNow, site: string, all: readonly Down[]): SiteFinding {
    const causes = rootsOf(now, [...new Set(all.flatMap((down) => down.causes))])
    const sinceUs = Math.min(...all.map((down) => down.sinceUs))
    const checks = all.filter(({ check }) => check !== '')
    const explains = consequencesOf(now, causes)
    const hold = this.#options.hold * US_PER_MS
    const newestUs = Math.max(...all.map((down) => down.sinceUs))
    const services = listOf(all.map(({ service }) => serviceName(service)))
    const because = [
      causes.length === 0 ? '' : `because ${causesWords(now, causes)}`,
      ...checks.map(({ service, check, causes: known }) =>
        known.length > 0
          ? `the check of ${serviceName(service)} says so too: ${check}`
          : `the check of ${serviceName(service)} fails (${check}), while nothing it needs is known to have failed`,
      ),
    ].filter((word) => word !== '')
    const possible = this.#possibleCauses(now, all)
    const fragile = fragileIn(now).filter((one) => one.causes.some((id) => causes.includes(id)))
    const besides = fragile.length === 0 ? '' : `; ${fragileWords(now, fragile)}`
    return {
      site,
      object: `services of ${site}`,
      severity: this.#options.severity,
      summary: `down: ${services}; ${because.join('; ')}${possible}${besides}`,
      labels: labelsOfEvent(
        this.#context,
        site,
        causes,
        [...all, ...fragile].some(({ service }) => service.isEmergency),
      ),
      evidence: {
        causes: causes.join(' '),
        services: all.map(({ service }) => service.id).join(' '),
        ...explainsIn(explains),
      },
      sinceUs,
      holdUs: isNewsDue(now, causes, newestUs) ? Math.max(hold, NEWS_US) : hold,
      level: 0,
      victims: all.map(({ service }) => service.id),
      causes,
      settleUs: settleUs(now, all),
    }
  }

  /** What nobody knows of is named, and blamed for nothing. */
  #possibleCauses(now: ChainNow, all: readonly Down[]): string {
    const needed = new Set(all.flatMap(({ causes }) => causes))
    const above = now.overlay.unknown.filter((id) =>
      [...needed].some((cause) => cause !== id && coneOfComponent(now.live.model, cause).has(id)),
    )
    return above.length === 0 ? '' : `; nothing is known of ${listOf(above)}: perhaps that is why`
  }
}

/** A service needs to come back before it is said that it is down for another reason now. */
function settleUs(now: ChainNow, all: readonly Down[]): number {
  const boots = all.map(({ service }) => bootUsUnder(now.live.model, service.id))
  return SETTLE_US + Math.max(0, ...boots)
}

function downIn(now: ChainNow): readonly Down[] {
  const { overlay, live, serviceWatches } = now
  const upsOf = new Map(overlay.lostInputs.map(({ ups }) => [inputWord(ups), ups] as const))
  const found: Down[] = []
  for (const [id, { up, because }] of overlay.services) {
    const service = live.model.drawing.services.get(id)
    if (service === undefined) continue
    const watch = serviceWatches.get(id)
    const check = watch?.state === 'down' ? watch.reason : ''
    if (!up) {
      const causes = [...new Set(because.flat().map((word) => upsOf.get(word) ?? word))]
      found.push({ service, causes, check, sinceUs: sinceUsOf(now, causes) })
    } else if (watch?.state === 'down')
      found.push({ service, causes: [], check, sinceUs: watch.sinceUs })
  }
  return found
}
