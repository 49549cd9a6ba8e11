import type { Measurement } from '../../../common/measurement.ts'
import type { Service } from '../../topology/dependency.ts'
import type { Breach } from '../breach.ts'
import type { Rule, RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import { siteOf } from './fragility.ts'
import { SiteAlerts, type Ending, type SiteFinding } from './site-alerts.ts'

/** What a rule on events makes of what is known. */
export interface SiteEvents {
  readonly name: string
  /** Not found for so long: it is over. */
  readonly clearUs: number
  /** What is found under what is known: asked again when that is different. */
  find(now: ChainNow): readonly SiteFinding[]
  /** How an alert closes that is not found any more. */
  endingOf(breach: Breach, now: ChainNow | undefined): Ending
}

/** A rule on what the whole drawing means under what is measured: one alert for each site where it finds something. */
export class SiteEventRule implements Rule {
  readonly #events: SiteEvents
  readonly #context: RuleContext
  readonly #alerts: SiteAlerts
  #version = -1
  #last: { readonly now: ChainNow | undefined; readonly found: readonly SiteFinding[] } | undefined

  constructor(events: SiteEvents, context: RuleContext) {
    this.#events = events
    this.#context = context
    this.#alerts = new SiteAlerts(events.name, context, events.clearUs)
  }

  observe(_: readonly Measurement[], arrivalUs: number): void {
    if (this.#context.chain.version !== this.#version) this.tick(arrivalUs)
  }

  tick(nowUs: number): void {
    const { version, now } = this.#context.chain
    this.#version = version
    if (this.#last === undefined || this.#last.now !== now)
      this.#last = { now, found: now === undefined ? [] : this.#events.find(now) }
    this.#alerts.judge(this.#last.found, nowUs, (breach) => this.#events.endingOf(breach, now))
  }

  snapshot(): unknown {
    return this.#alerts.memory
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#alerts.tooMany }
  }
}

interface AtService {
  readonly service: Service
  readonly causes: readonly string[]
}

/** By the site of what caused it, else of who suffers. */
export function bySite<T extends AtService>(
  context: Pick<RuleContext, 'chain'>,
  all: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const sites = new Map<string, T[]>()
  for (const one of all) {
    const site = siteOf(context, one.causes, one.service.serves)
    const known = sites.get(site)
    if (known === undefined) sites.set(site, [one])
    else known.push(one)
  }
  return sites
}
