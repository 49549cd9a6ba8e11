import { Evaluator, type Change, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { RULES, rulesOptions } from '../../collector/evaluate/index.ts'
import { Site } from '../../collector/topology/site.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { readConfig } from '../../common/config.ts'
import { measurement, type FieldValue, type Measurement } from '../../common/measurement.ts'

/** A collector that is told what agents see of SIP, on a clock of its own. */

const S = 1_000_000
/** Points of a second: each has a microsecond of its own. */
const MAX_POINTS = 1000
/** Monday 2026-11-23 08:00 UTC; 09:00 in Amsterdam. */
export const MONDAY = 1_795_420_800 * S
const OTHERS = new Set(['agent-silent', 'site-cut-off', 'agent-isolated', 'tap-blind'])

type Fields = Readonly<Record<string, FieldValue>>

export class SipSite {
  evaluator: Evaluator
  readonly changes: Change[] = []
  readonly points: Measurement[] = []
  /** Seconds since MONDAY. */
  nowS = 0
  /** Who sends its own point every 10 s. */
  agents: readonly string[] = ['gw-1']
  readonly #options: unknown
  readonly #site: Site
  #place = 0

  constructor(options: Readonly<Record<string, unknown>> = {}, site = '') {
    // What is not about SIP has tests of its own.
    const off = Object.fromEntries(
      RULES.filter(({ name }) => OTHERS.has(name) && name !== 'site-cut-off').map(({ name }) => [
        name,
        'off',
      ]),
    )
    this.#options = { ...off, ...options }
    this.#site = new Site(readConfig(siteFile, site, 'site.yaml'))
    this.evaluator = this.#make()
  }

  /** Tells of the points now; what changed, as "firing rule object". */
  tell(...points: readonly Measurement[]): string {
    const nowUs = MONDAY + this.nowS * S + MAX_POINTS
    const told = this.#take(this.evaluator.observe(points, nowUs))
    return [told, this.#take(this.evaluator.tick(nowUs))].filter((word) => word !== '').join('\n')
  }

  /** Second by second. */
  wait(seconds: number): string {
    const words: string[] = []
    for (let s = 0; s < seconds; s++) {
      this.nowS++
      const beats =
        this.nowS % 10 === 0
          ? this.agents.map((agent) => this.point('agent', { agent }, { uptime_s: 1e6 }))
          : []
      words.push(this.tell(...beats))
    }
    return words.filter((word) => word !== '').join('\n')
  }

  /** A point of the interval that ends now. */
  point(
    name: Measurement['name'],
    tags: Readonly<Record<string, string>>,
    fields: Fields,
    atS = this.nowS,
  ): Measurement {
    // Points of an interval are told apart by their microsecond.
    this.#place = (this.#place + 1) % MAX_POINTS
    const point = measurement('agent', MONDAY + atS * S + this.#place, {}, {})
    return {
      ...point,
      name,
      tags: { agent: 'gw-1', site: 'hq', ...tags },
      fields: { interval_ms: 10_000, ...fields },
    }
  }

  /** Everything through a file, and on. */
  restart(): void {
    this.evaluator = this.#make(JSON.parse(JSON.stringify(this.evaluator.snapshot())))
  }

  /** The newest change of a rule. */
  breach(rule: string) {
    return this.changes.filter(({ breach }) => breach.rule === rule).at(-1)?.breach
  }

  /** What people were told, in order, without what another alert explains. */
  told(): string[] {
    return this.changes
      .filter(({ explainedBy }) => explainedBy === undefined)
      .map(({ kind, breach }) => `${kind} ${breach.rule}`)
  }

  /** What was explained by another alert, and by which. */
  muted(): string[] {
    return this.changes.flatMap(({ kind, breach, explainedBy }) =>
      explainedBy === undefined ? [] : [`${kind} ${breach.rule}: ${explainedBy}`],
    )
  }

  /** The alert people were told of instead of a rule's, by its object. */
  explanationOf(rule: string): string | undefined {
    const breach = this.evaluator.breaches().find((open) => open.rule === rule)
    return breach === undefined ? undefined : this.evaluator.explanationOf(breach)
  }

  firing(): string[] {
    return this.evaluator
      .breaches()
      .filter(({ state, rule }) => state === 'firing' && !OTHERS.has(rule))
      .map(({ rule, object }) => `${rule} ${object}`)
  }

  #make(restored?: unknown): Evaluator {
    return new Evaluator(rulesOptions.parse(this.#options), restored, () => this.#site)
  }

  #take({ changes, points }: Outcome): string {
    const wanted = changes.filter(({ breach }) => !OTHERS.has(breach.rule))
    this.changes.push(...wanted)
    this.points.push(...points)
    return wanted
      .map(({ kind, breach: { rule, object } }) => `${kind} ${rule} ${object}`)
      .join('\n')
  }
}
