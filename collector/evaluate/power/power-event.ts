import { z } from 'zod'
import { duration } from '../../../common/settings.ts'
import type { Service } from '../../topology/dependency.ts'
import { SEVERITIES, type Breach, type Severity } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { lasting } from '../words.ts'
import type { ChainNow } from './chain.ts'
import { causesWords, fragileWords, labelsOfEvent, worst } from './event-words.ts'
import { byUrgency, coneOf, fragileIn, serviceName, sinceUsOf, type Fragile } from './fragility.ts'
import type { Ending, SiteFinding } from './site-alerts.ts'
import { bySite, SiteEventRule, type SiteEvents } from './site-event-rule.ts'

const NAME = 'power-event'
const US_PER_MS = 1000
const US_PER_MIN = 60_000_000
const MIN_PER_MS = 1 / 60_000
const S_PER_MIN = 60
const NAMED = 5
/** Told again when less than this is left, minutes. */
const STEPS_MIN = [30, 15, 10, 5, 2]

const options = z.strictObject({
  /** After the reading that shows that redundancy is lost. */
  hold: duration.prefault('3s'),
  /** After a UPS went on battery, before it is said that it will not last. */
  'battery-hold': duration.prefault('10s'),
  clear: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** Batteries that last less long than a service should without mains; for services that do not say, this. */
  'minutes-left': duration.prefault('15min'),
  'minutes-severity': z.enum(SEVERITIES).default('warning'),
  /** Less than this, whatever the service should. */
  'critical-below': duration.prefault('10min'),
})
type Options = z.output<typeof options>

/** One power event is one alert for a site, whatever it makes fragile: redundancy, minutes left, batteries that run low. */
export const powerEvent = defineRule({
  name: NAME,
  summary:
    'power is lost somewhere, and for what hangs on it redundancy is gone or the batteries do not last as long as they should',
  options,
  create: (read, context) => new SiteEventRule(new PowerEvent(read, context), context),
})

interface Short {
  readonly service: Service
  readonly minutesLeft: number
  readonly limitMin: number
  /** UPSes on battery it hangs on. */
  readonly causes: readonly string[]
}

class PowerEvent implements SiteEvents {
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
    const fragile = bySite(
      this.#context,
      fragileIn(now).filter(({ isPower }) => isPower),
    )
    const short = bySite(this.#context, this.#shortIn(now))
    return [...new Set([...fragile.keys(), ...short.keys()])].map((site) =>
      this.#findingOf(now, site, fragile.get(site) ?? [], short.get(site) ?? []),
    )
  }

  /** Over is what its causes say that it is over; what nobody reads any more is not. */
  endingOf(breach: Breach, now: ChainNow | undefined): Ending {
    const causes = String(breach.evidence['causes'] ?? '').split(' ')
    const unknown = causes.filter((id) => {
      const state = now?.observations.get(id)?.state
      return state === undefined || state === 'unknown'
    })
    const dead = causes.filter((id) => now?.observations.get(id)?.state === 'down')
    if (dead.length > 0)
      return {
        state: 'ended',
        summary: `not on battery any more: ${dead.join(', ')} gives no power`,
      }
    // What is not watched was concluded from others.
    const isProven = unknown.length < causes.length
    return isProven
      ? { state: 'resolved', summary: 'power is back, and with it what was fragile' }
      : { state: 'ended', summary: `nothing is known of ${unknown.join(', ')} any more` }
  }

  /** Services that will not last as long as they should, on what is known of the batteries that carry them. */
  #shortIn(now: ChainNow): readonly Short[] {
    const { overlay, live, forecast } = now
    if (overlay.lostInputs.length === 0) return []
    const shortest: Short[] = []
    for (const [id, { minutesLeft }] of forecast.services) {
      const service = live.model.drawing.services.get(id)
      if (service === undefined || minutesLeft === undefined || minutesLeft <= 0) continue
      const { holdUpS } = service
      const limitMin =
        holdUpS === undefined ? this.#options['minutes-left'] * MIN_PER_MS : holdUpS / S_PER_MIN
      if (minutesLeft >= limitMin) continue
      const cone = coneOf(live.model, id)
      const causes = overlay.lostInputs.map(({ ups }) => ups).filter((ups) => cone.has(ups))
      if (causes.length > 0) shortest.push({ service, minutesLeft, limitMin, causes })
    }
    return shortest.sort((a, b) => a.minutesLeft - b.minutesLeft)
  }

  #findingOf(
    now: ChainNow,
    site: string,
    fragile: readonly Fragile[],
    short: readonly Short[],
  ): SiteFinding {
    const batteries = now.overlay.lostInputs.map(({ ups }) => ups)
    // What else is on battery there is the same event.
    const besides = batteries.filter((ups) => this.#context.chain.siteOf(ups) === site)
    const made = [...fragile, ...short].flatMap((one) => one.causes)
    const causes = [...new Set([...made, ...besides])]
    const low = causes.filter((id) => now.observations.get(id)?.isLow === true)
    const least = short[0]?.minutesLeft
    const services = byUrgency([
      ...short,
      ...fragile.filter(({ service }) => !short.some((one) => one.service === service)),
    ])
    const isEmergency = services.some(({ service }) => service.isEmergency)
    const minutes = byUrgency(short).map(
      ({ service, minutesLeft, limitMin }) =>
        `${serviceName(service)} ${minutesWords(minutesLeft)} left (should be ${lasting(limitMin * US_PER_MIN)})`,
    )
    const more = minutes.length - NAMED
    const words = [
      low.length > 0 ? `battery low: ${low.join(', ')}` : '',
      minutes.length === 0
        ? ''
        : `${minutes.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
      fragile.length === 0 ? '' : fragileWords(now, fragile),
      `because ${causesWords(now, causes)}`,
      ...now.overlay.notes.slice(0, NAMED),
    ].filter((word) => word !== '')
    return {
      site,
      object: `power of ${site}`,
      severity: this.#severityOf(short, low.length > 0),
      summary: words.join('; '),
      labels: labelsOfEvent(this.#context, site, causes, isEmergency),
      evidence: {
        causes: causes.join(' '),
        services: services.map(({ service }) => service.id).join(' '),
        ...(fragile.length === 0
          ? {}
          : { new_singles: [...new Set(fragile.flatMap(({ singles }) => singles))].join(' ') }),
        ...(least === undefined ? {} : { minutes_left: Math.floor(least) }),
      },
      sinceUs: sinceUsOf(now, causes),
      holdUs: this.#holdUs(fragile.length > 0, causes, batteries, low),
      causes,
      settleUs: Infinity,
      victims: [],
      level: STEPS_MIN.filter((step) => least !== undefined && least < step).length,
    }
  }

  #holdUs(
    isFragile: boolean,
    causes: readonly string[],
    batteries: readonly string[],
    low: readonly string[],
  ): number {
    if (low.length > 0) return 0
    const isBattery = !isFragile && causes.every((cause) => batteries.includes(cause))
    return this.#options[isBattery ? 'battery-hold' : 'hold'] * US_PER_MS
  }

  #severityOf(short: readonly Short[], isLow: boolean): Severity {
    const criticalMin = this.#options['critical-below'] * MIN_PER_MS
    const ofMinutes = short.map(({ service, minutesLeft }) =>
      service.isEmergency || minutesLeft < criticalMin
        ? 'critical'
        : this.#options['minutes-severity'],
    )
    return worst([this.#options.severity, ...ofMinutes, ...(isLow ? ['critical' as const] : [])])
  }
}

function minutesWords(minutes: number): string {
  return minutes < 1 ? 'less than a minute' : `${Math.floor(minutes)} min`
}
