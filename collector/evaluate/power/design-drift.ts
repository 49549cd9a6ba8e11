import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { drift, sharedBy, type Death, type Drift } from '../../topology/drift.ts'
import type { Model } from '../../topology/model.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { Findings } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { lasting, utcMinute } from '../words.ts'
import type { ChainNow } from './chain.ts'
import { componentWords } from './component-words.ts'
import { listOf } from './event-words.ts'

const NAME = 'design-drift'
const US_PER_MS = 1000
/** After the first died, for what stands behind them to be read again. */
const JUDGED_AFTER_US = 60_000_000
const LOOK_US = 60_000_000
/** Died together twice: the same group, if so many are of both. */
const SAME = 2
const MAX_DEATHS = 10_000
const MAX_GROUPS = 100
/** Of a group, so many are kept by name; more help nobody. */
const MAX_IDS = 50

const options = z
  .strictObject({
    severity: z.enum(SEVERITIES).default('notice'),
    /** It stays among the alerts for so long after it was last seen. */
    shown: duration.prefault('168h'),
    ...HOURS,
  })
  .transform((read, context) => ({ ...read, hours: readHours(read, context) }))
type Options = z.output<typeof options>

/** A drawing that leaves out what things share promises a redundancy that is not there. */
export const designDrift = defineRule({
  name: NAME,
  summary:
    'three or more died within 10 s and share nothing that is drawn and failed: something is missing in the drawing; told when people are at work',
  options,
  create: (read, context) => new DesignDrift(read, context),
})

const groupSchema = z.object({
  fingerprint: z.string(),
  ids: z.array(z.string()),
  well: z.array(z.string()),
  firstUs: z.number(),
  lastUs: z.number(),
  times: z.number(),
})
/** What died together, however often. */
type Group = z.output<typeof groupSchema>

const deathSchema = z.object({ id: z.string(), atUs: z.number() })

class DesignDrift implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #findings: Findings
  #groups: readonly Group[]
  /** Seen to die, and not judged yet. */
  #deaths: Death[]
  /** What was last seen to work: whoever was not before it was seen down may have died at any time. */
  readonly #alive: Set<string>
  #version = -1
  #lookedUs = -Infinity
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    this.#groups = items(groupSchema, memory['groups'])
    this.#deaths = [...items(deathSchema, memory['deaths'])]
    this.#alive = new Set(items(z.string(), memory['alive']))
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(_: readonly Measurement[], arrivalUs: number): void {
    if (this.#context.chain.version !== this.#version) this.#learn(arrivalUs)
  }

  tick(nowUs: number): void {
    this.#learn(nowUs)
    const { now } = this.#context.chain
    const [first] = this.#deaths
    const isDue = first !== undefined && Math.abs(nowUs - first.atUs) >= JUDGED_AFTER_US
    if (now !== undefined && isDue) this.#judge(now)
    if (!isDue && Math.abs(nowUs - this.#lookedUs) < LOOK_US) return
    this.#lookedUs = nowUs
    this.#tell(nowUs)
  }

  snapshot(): unknown {
    return {
      ...{ groups: this.#groups, deaths: this.#deaths, alive: [...this.#alive] },
      findings: this.#findings.memory,
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #learn(nowUs: number): void {
    const { chain } = this.#context
    if (chain.version === this.#version) return
    this.#version = chain.version
    const observations = chain.now?.observations
    let well = 0
    for (const [id, { state, sinceUs }] of observations ?? []) {
      if (state === 'up' || state === 'degraded') {
        this.#alive.add(id)
        well++
      } else if (this.#alive.delete(id) && state === 'down') this.#die(id, Math.min(sinceUs, nowUs))
    }
    if (this.#alive.size === well) return
    // Some are not observed any more.
    for (const id of this.#alive) if (observations?.has(id) !== true) this.#alive.delete(id)
  }

  #die(id: string, atUs: number): void {
    if (this.#deaths.length < MAX_DEATHS) this.#deaths.push({ id, atUs })
    else this.#tooMany++
  }

  #judge({ live: { model }, observations }: ChainNow): void {
    const isWell = (id: string, afterUs: number): boolean => {
      const { state, atUs } = observations.get(id) ?? {}
      return (state === 'up' || state === 'degraded') && atUs !== undefined && atUs > afterUs
    }
    for (const found of drift(model, this.#deaths, isWell)) this.#count(found)
    this.#deaths = []
  }

  #count({ ids, well, fromUs }: Drift): void {
    const known = this.#groups.find(
      (group) => group.ids.filter((id) => ids.includes(id)).length >= SAME,
    )
    const [one = '', other = ''] = ids
    const group: Group = {
      fingerprint: copyOf(known?.fingerprint ?? fingerprintOf(NAME, one, other)),
      ids: [...new Set([...(known?.ids ?? []), ...ids])].sort().slice(0, MAX_IDS),
      well: [...well].slice(0, MAX_IDS),
      ...{ firstUs: known?.firstUs ?? fromUs, lastUs: fromUs, times: (known?.times ?? 0) + 1 },
    }
    const others = this.#groups.filter((it) => it !== known)
    if (others.length >= MAX_GROUPS) this.#tooMany++
    // The one that was seen last comes last; the first gives way.
    this.#groups = [...others, group].slice(-MAX_GROUPS)
  }

  #tell(nowUs: number): void {
    const { model } = this.#context.topology()
    const shownUs = this.#options.shown * US_PER_MS
    for (const group of this.#groups) {
      const { fingerprint, lastUs } = group
      const closed = endingOf(model, group)
      if (closed !== undefined || nowUs - lastUs >= shownUs) {
        const [state, summary] = closed ?? ['ended', `not seen again for ${lasting(shownUs)}`]
        this.#findings.close(fingerprint, state, summary, nowUs)
        if (closed !== undefined) this.#groups = this.#groups.filter((it) => it !== group)
      } else if (model !== undefined) this.#raise(model, group, nowUs)
    }
  }

  #raise(model: Model, { fingerprint, ids, well, firstUs, lastUs, times }: Group, nowUs: number) {
    const topology = this.#context.topology()
    const components = ids.flatMap((id) => model.drawing.components.get(id) ?? [])
    const sites = new Set(ids.map((id) => this.#context.chain.siteOf(id) ?? 'unknown'))
    const owners = [...new Set(components.flatMap(({ owner }) => owner ?? []))]
    const [site = 'unknown'] = sites
    const hours = hoursAt(topology, site, this.#options.hours)
    // Nobody mends a drawing at night.
    if (!this.#findings.has(fingerprint) && hours?.includes(nowUs) === false) return
    const notify = owners.flatMap((owner) => topology.channelsOf(owner)).join(' ')
    const names = components.map((component) => componentWords(component, component.id))
    const seen =
      times === 1 ? `at ${utcMinute(lastUs)}` : `${times} times, the last at ${utcMinute(lastUs)}`
    const shared =
      well.length === 0
        ? 'nothing that is drawn is shared by them'
        : `what they share as drawn (${listOf(well)}) went on working`
    this.#findings.raise(
      {
        fingerprint,
        object: `what ${listOf(ids, SAME)} share`,
        severity: this.#options.severity,
        summary: `died together ${seen}: ${listOf(names)}; ${shared}: something they stand on is not drawn`,
        labels: {
          site: sites.size === 1 ? site : 'unknown',
          owner: owners.length === 1 ? (owners[0] ?? 'unknown') : 'unknown',
          ...(owners.length > 1 ? { owners: owners.join(' ') } : {}),
          ...(notify === '' ? {} : { notify }),
        },
        evidence: { died_together: ids.join(' '), times, shared_and_well: well.join(' ') },
        sinceUs: firstUs,
      },
      nowUs,
      nowUs,
    )
  }
}

/** How it is over; undefined while the drawing says no more of it. */
function endingOf(
  model: Model | undefined,
  { ids, well }: Group,
): readonly ['resolved' | 'ended', string] | undefined {
  const drawn = ids.filter((id) => model?.indexOf.has(id) === true)
  if (model === undefined || drawn.length <= SAME) return ['ended', 'they are not drawn any more']
  const shared = sharedBy(model, drawn).filter((id) => !well.includes(id))
  if (shared.length === 0) return undefined
  return ['resolved', `drawn now: they share ${listOf(shared)}`]
}
