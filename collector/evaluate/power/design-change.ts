import { z } from 'zod'
import type { MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { drawnFamilies } from '../../topology/drawn.ts'
import type { Model } from '../../topology/model.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { Findings } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { items, parts } from '../snapshot.ts'
import { lasting } from '../words.ts'
import { componentLabels } from './component-words.ts'
import { dayUs } from './day.ts'
import { nameOf } from './device.ts'
import { listOf } from './event-words.ts'
import { serviceName } from './fragility.ts'

const NAME = 'design-change'
const US_PER_MS = 1000
const LOOK_US = 60_000_000
const NOTHING: ReadonlySet<MeasurementName> = new Set()

const options = z
  .strictObject({
    severity: z.enum(SEVERITIES).default('notice'),
    /** It stays among the alerts for so long; on the page Power for good. */
    shown: duration.prefault('168h'),
    ...HOURS,
  })
  .transform((read, context) => ({ ...read, hours: readHours(read, context) }))
type Options = z.output<typeof options>

/**
 * Single points of failure as drawn are for the page Power and the report: nobody is woken by a drawing. A change of the site file that
 * adds one is told to its owner when people are at work; so is one that somebody accepted, when the day has come to look at it again.
 */
export const designChange = defineRule({
  name: NAME,
  summary:
    'a change of the site file made something a single point of failure of a service, or an accepted one is due for review; told when people are at work',
  options,
  create: (read, context) => new DesignChange(read, context),
})

const singleSchema = z.object({ component: z.string(), services: z.array(z.string()) })

class DesignChange implements Rule {
  readonly measurements = NOTHING
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings
  /** Services by the component that stops them, as they were when last told of; undefined before the first drawing: that is the baseline. */
  #baseline: Map<string, readonly string[]> | undefined
  /** What a new service hangs on is how it is drawn, not a change. */
  #services = new Set<string>()
  #known: { readonly model: Model; readonly singles: Singles } | undefined
  #lookedUs = -Infinity

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    if (memory['baseline'] !== undefined)
      this.#baseline = new Map(
        items(singleSchema, memory['baseline']).map((it) => [it.component, it.services]),
      )
    this.#services = new Set(items(z.string(), memory['services']))
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(): void {
    // What is drawn does not depend on what is measured.
  }

  tick(nowUs: number): void {
    const { model } = this.#context.topology()
    if (model === undefined) return
    if (this.#known?.model === model && Math.abs(nowUs - this.#lookedUs) < LOOK_US) return
    this.#lookedUs = nowUs
    if (this.#known?.model !== model) this.#known = { model, singles: singlesOf(model) }
    const { singles } = this.#known
    const baseline = (this.#baseline ??= new Map(singles))
    for (const [id, services] of singles) {
      const fresh = services.filter((service) => !this.#services.has(service))
      if (fresh.length > 0) baseline.set(id, [...(baseline.get(id) ?? []), ...fresh])
    }
    this.#services = new Set(model.services.map(({ id }) => id))
    for (const [id, services] of singles) this.#judge(model, id, services, nowUs)
    for (const id of baseline.keys()) if (!singles.has(id)) baseline.delete(id)
    this.#settle(model, singles, nowUs)
  }

  snapshot(): unknown {
    const baseline = [...(this.#baseline ?? [])].map(([component, services]) => ({
      component,
      services,
    }))
    return {
      ...(this.#baseline === undefined ? {} : { baseline, services: [...this.#services] }),
      findings: this.#findings.memory,
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge(model: Model, id: string, services: readonly string[], nowUs: number): void {
    const accepted = model.drawing.accepted.get(id)
    if (accepted !== undefined) {
      const isDue = (dayUs(accepted.review) ?? Infinity) <= nowUs
      this.#baseline?.set(id, services)
      const { by, reason, review } = accepted
      const words = `accepted by ${by} (${reason}) until ${review}: to be looked at again; its failure stops`
      if (isDue) this.#tell(model, id, services, words, nowUs)
      return
    }
    const known = this.#baseline?.get(id) ?? []
    const added = services.filter((service) => !known.includes(service))
    if (added.length === 0) return
    const words = 'by a change of the site file its failure alone stops'
    if (this.#tell(model, id, added, words, nowUs)) this.#baseline?.set(id, services)
  }

  /** @returns whether it was told, or is known already; not while nobody is at work */
  #tell(
    model: Model,
    id: string,
    services: readonly string[],
    words: string,
    nowUs: number,
  ): boolean {
    const topology = this.#context.topology()
    const component = model.drawing.components.get(id)
    if (component === undefined) return true
    const served = services.flatMap((service) => model.drawing.services.get(service) ?? [])
    const site = component.site ?? served[0]?.serves ?? 'unknown'
    const fingerprint = fingerprintOf(NAME, id)
    const isOpen = this.#findings.has(fingerprint)
    if (!isOpen && hoursAt(topology, site, this.#options.hours)?.includes(nowUs) === false)
      return false
    const { owner = 'unknown' } = component
    const notify = topology.channelsOf(owner).join(' ')
    this.#findings.raise(
      {
        fingerprint,
        object: nameOf(component),
        severity: this.#options.severity,
        summary: `${words} ${listOf(served.map(serviceName))}`,
        labels: {
          ...componentLabels(component),
          ...{ site, owner },
          ...(notify === '' ? {} : { notify }),
        },
        evidence: { services: services.join(' ') },
        sinceUs: nowUs,
      },
      nowUs,
      nowUs,
    )
    return true
  }

  #settle(model: Model, singles: Singles, nowUs: number): void {
    const shownUs = this.#options.shown * US_PER_MS
    for (const { breach } of this.#findings.memory) {
      const { component = '' } = breach.labels
      const { fingerprint, sinceUs } = breach
      const review = model.drawing.accepted.get(component)?.review
      const isAccepted = review !== undefined && (dayUs(review) ?? 0) > nowUs
      if (!singles.has(component))
        this.#findings.close(fingerprint, 'resolved', 'no single point of failure any more', nowUs)
      else if (isAccepted)
        this.#findings.close(fingerprint, 'resolved', `accepted until ${review}`, nowUs)
      else if (review === undefined && nowUs - sinceUs >= shownUs) {
        const summary = `shown for ${lasting(shownUs)}; it stays on the page Power`
        this.#findings.close(fingerprint, 'ended', summary, nowUs)
      }
    }
  }
}

type Singles = ReadonlyMap<string, readonly string[]>

/** As drawn, with nothing failed. */
function singlesOf(model: Model): Singles {
  const families = drawnFamilies(model, 1)
  const singles = new Map<string, string[]>()
  for (const { id, needs } of model.services)
    for (const [component = ''] of families.cutSets(needs).sets) {
      const known = singles.get(component)
      if (known === undefined) singles.set(component, [id])
      else known.push(id)
    }
  return singles
}
