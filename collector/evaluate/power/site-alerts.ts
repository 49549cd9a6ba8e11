import { z } from 'zod'
import type { Breach, Severity } from '../breach.ts'
import { fingerprintOf } from '../breach.ts'
import type { RuleContext } from '../rule.ts'
import { Findings } from '../findings.ts'
import { items, parts } from '../snapshot.ts'

/** What is found at one site now: one event, one alert. */
export interface SiteFinding {
  readonly site: string
  readonly object: string
  readonly severity: Severity
  readonly summary: string
  readonly labels: Readonly<Record<string, string>>
  readonly evidence: Readonly<Record<string, number | string>>
  readonly sinceUs: number
  /** It must have lasted so long, counted from its beginning. */
  readonly holdUs: number
  /** Told again whenever it is higher than it was told: less time. */
  readonly level: number
  /** Told again when one is among them that was not told of: services that are down. */
  readonly victims: readonly string[]
  /** Components that brought it about. When none of those that were told of is among them any more, and it lasts, it is told again. */
  readonly causes: readonly string[]
  readonly settleUs: number
}

export interface Ending {
  readonly state: 'resolved' | 'ended'
  readonly summary: string
}

const siteSchema = z.object({
  site: z.string(),
  level: z.number(),
  victims: z.array(z.string()).default([]),
  /** When it was last found; the clear hold counts from here. */
  foundUs: z.number(),
  /** As they were told. */
  causes: z.array(z.string()),
  /** Since when it has other ones. */
  otherUs: z.number().exactOptional(),
})
type Site = z.output<typeof siteSchema>

/** The open alerts of a rule that has one for a site. */
export class SiteAlerts {
  readonly #rule: string
  readonly #clearUs: number
  readonly #sites = new Map<string, Site>()
  readonly #findings: Findings

  constructor(rule: string, context: RuleContext, clearUs: number) {
    this.#rule = rule
    this.#clearUs = clearUs
    const memory = parts(context.restored)
    for (const site of items(siteSchema, memory['sites'])) this.#sites.set(site.site, site)
    this.#findings = new Findings(rule, context, memory['findings'])
  }

  get memory(): Readonly<Record<string, unknown>> {
    return { sites: [...this.#sites.values()], findings: this.#findings.memory }
  }

  get tooMany(): number {
    return this.#findings.tooMany
  }

  /** @param endingOf how an alert closes that is not found any more */
  judge(found: readonly SiteFinding[], nowUs: number, endingOf: (breach: Breach) => Ending): void {
    for (const { site, holdUs, level, victims, causes, settleUs, ...finding } of found) {
      const fingerprint = fingerprintOf(this.#rule, site)
      const isOpen = this.#findings.has(fingerprint)
      const known = isOpen ? this.#sites.get(site) : undefined
      if (!isOpen && nowUs - finding.sinceUs < holdUs) continue
      const otherUs = known === undefined ? undefined : otherSinceUs(known, causes, nowUs)
      const isOther = otherUs !== undefined && nowUs - otherUs >= settleUs
      const told = known?.victims ?? victims
      const isMore = victims.some((id) => !told.includes(id))
      const isWorse = isOther || isMore || (known !== undefined && level > known.level)
      this.#sites.set(site, {
        ...{ site, foundUs: nowUs, level: Math.max(level, known?.level ?? level) },
        victims: [...new Set([...told, ...victims])],
        causes: known === undefined || isWorse ? [...causes] : known.causes,
        ...(otherUs === undefined || isWorse ? {} : { otherUs }),
      })
      this.#findings.raise({ fingerprint, ...finding, isWorse }, nowUs, nowUs)
    }
    const sites = new Set(found.map(({ site }) => site))
    for (const { site, foundUs } of this.#sites.values()) {
      const lastUs = Math.min(foundUs, nowUs)
      if (sites.has(site) || nowUs - lastUs < this.#clearUs) continue
      this.#sites.delete(site)
      const fingerprint = fingerprintOf(this.#rule, site)
      const breach = this.#findings.find(fingerprint)
      if (breach === undefined) continue
      const { state, summary } = endingOf(breach)
      this.#findings.close(fingerprint, state, summary, nowUs)
    }
  }
}

/** Since when nothing that was told of is among the causes any more; undefined while something is. */
function otherSinceUs(
  { causes: told, otherUs }: Site,
  causes: readonly string[],
  nowUs: number,
): number | undefined {
  const isSame = told.length === 0 || causes.some((id) => told.includes(id))
  return isSame ? undefined : Math.min(otherUs ?? nowUs, nowUs)
}
