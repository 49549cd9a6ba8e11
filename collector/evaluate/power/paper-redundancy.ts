import { z } from 'zod'
import type { MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import type { Takeover } from '../../topology/survivors.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { Findings } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { percent } from '../words.ts'
import type { ChainNow } from './chain.ts'
import { componentLabels, componentWords } from './component-words.ts'
import { listOf } from './event-words.ts'
import { serviceName } from './fragility.ts'

const NAME = 'paper-redundancy'
const US_PER_MS = 1000
const LOOK_US = 15_000_000
const NOTHING: ReadonlySet<MeasurementName> = new Set()

const options = z
  .strictObject({
    /** It must last: loads have peaks. */
    hold: duration.prefault('10min'),
    /** Not found for so long, it is over. */
    clear: duration.prefault('1h'),
    severity: z.enum(SEVERITIES).default('warning'),
    ...HOURS,
  })
  .transform((read, context) => ({ ...read, hours: readHours(read, context) }))
type Options = z.output<typeof options>

/** Rests on what is measured only; what follows from drawn watts is on the page Power. */
export const paperRedundancy = defineRule({
  name: NAME,
  summary:
    'two sources stand in for each other as drawn, and carry more together than one of them can: measured; told when people are at work',
  options,
  create: (read, context) => new PaperRedundancy(read, context),
})

const pairSchema = z.object({ fingerprint: z.string(), sinceUs: z.number(), foundUs: z.number() })

/** One alert for two sources, whichever of them is lost. */
class PaperRedundancy implements Rule {
  readonly measurements = NOTHING
  readonly #options: Options
  readonly #context: RuleContext
  readonly #pairs = new Map<string, z.output<typeof pairSchema>>()
  readonly #findings: Findings
  #lookedUs = -Infinity

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const pair of items(pairSchema, memory['pairs'])) this.#pairs.set(pair.fingerprint, pair)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(): void {
    // Loads are looked at now and then.
  }

  tick(nowUs: number): void {
    if (Math.abs(nowUs - this.#lookedUs) < LOOK_US) return
    this.#lookedUs = nowUs
    const { now } = this.#context.chain
    if (now !== undefined) {
      const found = this.#context.chain.takeovers(nowUs).filter(({ kind }) => kind === 'overload')
      for (const [fingerprint, takeover] of worstOfEach(found))
        this.#judge(now, fingerprint, takeover, nowUs)
    }
    const clearUs = this.#options.clear * US_PER_MS
    for (const { fingerprint, foundUs } of this.#pairs.values()) {
      if (Math.abs(nowUs - foundUs) < clearUs && this.#findings.has(fingerprint)) continue
      if (foundUs === nowUs) continue
      this.#pairs.delete(fingerprint)
      const summary = 'one of them can carry both, or their load is not measured any more'
      this.#findings.close(fingerprint, 'ended', summary, nowUs)
    }
  }

  snapshot(): unknown {
    return { pairs: [...this.#pairs.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge(now: ChainNow, fingerprint: string, takeover: Takeover, nowUs: number): void {
    const sinceUs = Math.min(this.#pairs.get(fingerprint)?.sinceUs ?? nowUs, nowUs)
    this.#pairs.set(fingerprint, { fingerprint, sinceUs, foundUs: nowUs })
    const { lost, survivor, loadW, capacityW, services } = takeover
    const { components, services: declared } = now.live.model.drawing
    const [first, other] = [components.get(survivor), components.get(lost)]
    const site = this.#context.chain.siteOf(survivor) ?? 'unknown'
    const hours = hoursAt(this.#context.topology(), site, this.#options.hours)
    const isTold = this.#findings.has(fingerprint)
    if (!isTold && nowUs - sinceUs < this.#options.hold * US_PER_MS) return
    if (!isTold && hours?.includes(nowUs) === false) return
    const names = services.flatMap((id) => declared.get(id) ?? []).map(serviceName)
    const share = percent(loadW / capacityW)
    this.#findings.raise(
      {
        fingerprint,
        object: [lost, survivor].sort().join(' and '),
        severity: this.#options.severity,
        summary: `redundancy on paper only: when ${componentWords(other, lost)} is lost, ${componentWords(first, survivor)} has to carry ${watts(loadW)} of ${watts(capacityW)} (${share}, as measured): it trips, and ${listOf(names)} ${names.length === 1 ? 'stops' : 'stop'}`,
        labels: {
          ...componentLabels(first),
          site,
          owner: first?.owner ?? other?.owner ?? 'unknown',
        },
        evidence: {
          ...{ lost, survivor, load_w: Math.round(loadW), capacity_w: Math.round(capacityW) },
          services: services.join(' '),
        },
        sinceUs,
      },
      nowUs,
      nowUs,
    )
  }
}

/** By fingerprint, of both directions the one that is worse. */
function worstOfEach(found: readonly Takeover[]): ReadonlyMap<string, Takeover> {
  const pairs = new Map<string, Takeover>()
  for (const takeover of found) {
    const fingerprint = fingerprintOf(NAME, ...[takeover.lost, takeover.survivor].sort())
    const known = pairs.get(fingerprint)
    const share = takeover.loadW / takeover.capacityW
    if (known === undefined || share > known.loadW / known.capacityW)
      pairs.set(fingerprint, takeover)
  }
  return pairs
}

function watts(value: number): string {
  return `${Math.round(value)} W`
}
