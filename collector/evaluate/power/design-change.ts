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
/** In one notice; whoever mends a drawing can read so many. */
const NAMED = 10
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
const groupSchema = z.object({
  fingerprint: z.string(),
  /** The file added them, or somebody accepted them and the day has come. */
  kind: z.enum(['added', 'review']),
  ...{ owner: z.string(), site: z.string(), sinceUs: z.number() },
  singles: z.array(singleSchema),
})
/** What is told together: single points of one owner at one site that one site file brought. */
type Group = z.output<typeof groupSchema>
type Single = z.output<typeof singleSchema>
/** A single point to be told of. */
type Due = Single & Pick<Group, 'kind' | 'owner' | 'site'>

class DesignChange implements Rule {
  readonly measurements = NOTHING
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings
  #groups: readonly Group[]
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
    this.#groups = items(groupSchema, memory['groups'])
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
    const due = [...singles].flatMap(([id, services]) => this.#due(model, id, services, nowUs))
    this.#add(due, nowUs)
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
      ...{ groups: this.#groups, findings: this.#findings.memory },
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #due(model: Model, id: string, services: readonly string[], nowUs: number): readonly Due[] {
    const component = model.drawing.components.get(id)
    if (component === undefined) return []
    const accepted = model.drawing.accepted.get(id)
    const known = this.#baseline?.get(id) ?? []
    const added = services.filter((service) => !known.includes(service))
    const isDue =
      accepted === undefined ? added.length > 0 : (dayUs(accepted.review) ?? Infinity) <= nowUs
    // Whoever accepted it knows of it; when that is over, it is as it was.
    if (accepted !== undefined) this.#baseline?.set(id, services)
    if (!isDue) return []
    const told = accepted === undefined ? added : [...services]
    const [first = ''] = told
    return [
      {
        ...{ component: id, services: told, kind: accepted === undefined ? 'added' : 'review' },
        owner: component.owner ?? 'unknown',
        site: component.site ?? model.drawing.services.get(first)?.serves ?? 'unknown',
      },
    ]
  }

  /** Those told of already stay where they are; of the rest each owner gets one notice. Nobody is told while nobody is at work. */
  #add(due: readonly Due[], nowUs: number): void {
    const fresh = new Map<string, Group>()
    for (const { kind, owner, site, component, services } of due) {
      const isOfIt = (group: Group): boolean =>
        group.kind === kind && group.singles.some((single) => single.component === component)
      const known = this.#groups.find(isOfIt)
      const hours = hoursAt(this.#context.topology(), site, this.#options.hours)
      if (known === undefined && hours?.includes(nowUs) === false) continue
      const place = `${kind} ${owner}\n${site}`
      const group = known ??
        fresh.get(place) ?? {
          fingerprint: fingerprintOf(NAME, kind, component),
          ...{ kind, owner, site, sinceUs: nowUs, singles: [] },
        }
      const other = group.singles.filter((single) => single.component !== component)
      const told = group.singles.find((single) => single.component === component)?.services ?? []
      const all = [...new Set([...told, ...services])]
      const grown = { ...group, singles: [...other, { component, services: all }] }
      if (known === undefined) fresh.set(place, grown)
      else this.#groups = this.#groups.map((one) => (one === known ? grown : one))
      const before = this.#baseline?.get(component) ?? []
      this.#baseline?.set(component, [...new Set([...before, ...services])])
    }
    this.#groups = [...this.#groups, ...fresh.values()]
  }

  /** What is mended or accepted leaves its notice; the notice is over when nothing is left in it. */
  #settle(model: Model, singles: Singles, nowUs: number): void {
    const left: Group[] = []
    for (const group of this.#groups) {
      let ending: Ending = ['ended', 'not drawn any more']
      const open = group.singles.filter(({ component }) => {
        const over = this.#endingOf(model, singles, component, group, nowUs)
        ending = over ?? ending
        return over === undefined
      })
      if (open.length === 0) this.#findings.close(group.fingerprint, ...ending, nowUs)
      else {
        const rest = { ...group, singles: open }
        left.push(rest)
        this.#raise(model, rest, nowUs)
      }
    }
    this.#groups = left
    const told = new Set(left.map(({ fingerprint }) => fingerprint))
    for (const { breach } of this.#findings.memory)
      if (!told.has(breach.fingerprint))
        this.#findings.close(breach.fingerprint, 'ended', 'not known any more', nowUs)
  }

  #endingOf(
    { drawing }: Model,
    singles: Singles,
    component: string,
    { kind, sinceUs }: Group,
    nowUs: number,
  ): Ending | undefined {
    const review = drawing.accepted.get(component)?.review
    const shownUs = this.#options.shown * US_PER_MS
    if (!singles.has(component)) return ['resolved', 'no single point of failure any more']
    if (review !== undefined && (kind === 'added' || (dayUs(review) ?? 0) > nowUs))
      return ['resolved', `accepted until ${review}`]
    if (review !== undefined || nowUs - sinceUs < shownUs) return undefined
    return ['ended', `shown for ${lasting(shownUs)}; it stays on the page Power`]
  }

  #raise(model: Model, { fingerprint, kind, owner, site, sinceUs, singles }: Group, nowUs: number) {
    const notify = this.#context.topology().channelsOf(owner).join(' ')
    const components = singles.flatMap((it) => model.drawing.components.get(it.component) ?? [])
    const [first] = components
    const isOne = components.length === 1
    const named = singles.map((single) => wordsOf(model, single, kind))
    const several =
      kind === 'added'
        ? `by a change of the site file ${singles.length} stop services by their failure alone`
        : `${singles.length} accepted single points are to be looked at again`
    this.#findings.raise(
      {
        fingerprint,
        object: first === undefined || !isOne ? `${singles.length} single points` : nameOf(first),
        severity: this.#options.severity,
        summary: isOne ? oneWords(model, singles[0], kind) : `${several}: ${listOf(named, NAMED)}`,
        labels: {
          ...(isOne ? componentLabels(first) : {}),
          ...{ site, owner },
          ...(notify === '' ? {} : { notify }),
        },
        evidence: {
          services: [...new Set(singles.flatMap(({ services }) => services))].join(' '),
          ...(isOne ? {} : { single_points: singles.length }),
        },
        sinceUs,
      },
      nowUs,
      nowUs,
    )
  }
}

type Ending = readonly ['resolved' | 'ended', string]

function servedBy({ drawing }: Model, { services }: Single): string {
  return listOf(services.flatMap((id) => drawing.services.get(id) ?? []).map(serviceName))
}

/** Of one among several: "switch a: Calls to outside". */
function wordsOf(model: Model, single: Single, kind: Group['kind']): string {
  const { components, accepted } = model.drawing
  const component = components.get(single.component)
  const name = component === undefined ? single.component : nameOf(component)
  const { by, review } = accepted.get(single.component) ?? {}
  const until = kind === 'review' && by !== undefined ? `, by ${by} until ${review ?? ''}` : ''
  return `${name} (${servedBy(model, single)}${until})`
}

function oneWords(model: Model, single: Single | undefined, kind: Group['kind']): string {
  const stops = single === undefined ? '' : servedBy(model, single)
  const accepted = model.drawing.accepted.get(single?.component ?? '')
  if (kind === 'added' || accepted === undefined)
    return `by a change of the site file its failure alone stops ${stops}`
  const { by, reason, review } = accepted
  return `accepted by ${by} (${reason}) until ${review}: to be looked at again; its failure stops ${stops}`
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
