import type { Measurement, MeasurementName } from '../../common/measurement.ts'
import { Site, type Topology } from '../topology/site.ts'
import type { Breach } from './breach.ts'
import { BreachBook } from './breach-book.ts'
import { Farewells } from './farewells.ts'
import type { RulesOptions } from './index.ts'
import { Inhibition } from './inhibition.ts'
import { IsolatedAgents } from './isolated-agents.ts'
import type { PathName } from './path-limits.ts'
import { Presence } from './presence.ts'
import type { ChangeKind, Rule, ShownLimits } from './rule.ts'
import { Chain } from './power/chain.ts'
import { parts } from './snapshot.ts'

const NO_SITE_FILE = new Site()

export interface Change {
  readonly kind: ChangeKind
  readonly breach: Breach
  /** The alert on its cause, which people have been told of instead; undefined where they are to be told of this. */
  readonly explainedBy?: string
}

export interface Outcome {
  /** In the order in which they came about. */
  readonly changes: readonly Change[]
  /** `path` verdicts and `event` points, to be stored by the caller. */
  readonly points: readonly Measurement[]
}

/** All rules over all points: measurements and times in, changes of breaches out. Has no clock of its own. */
export class Evaluator {
  readonly #book: BreachBook
  readonly #presence: Presence
  readonly #isolation: IsolatedAgents
  readonly #farewells: Farewells
  readonly #chain: Chain
  readonly #inhibition: Inhibition
  readonly #rules: readonly (readonly [name: string, rule: Rule])[]
  #changes: Change[] = []
  #points: Measurement[] = []

  /**
   * @param restored an earlier snapshot(); anything malformed in it is ignored
   * @param topology the site file as it is now; without one nobody is accused
   */
  constructor(
    options: RulesOptions,
    restored?: unknown,
    topology: () => Topology = () => NO_SITE_FILE,
  ) {
    const old = parts(restored)
    this.#book = new BreachBook(old['closed'])
    this.#presence = new Presence(old['presence'])
    this.#isolation = new IsolatedAgents(old['isolation'])
    this.#farewells = new Farewells(old['farewells'])
    this.#chain = new Chain(old['chain'], topology, (agent, atUs) =>
      this.#isolation.isIsolated(agent, atUs),
    )
    this.#inhibition = new Inhibition(old['inhibition'], this.#chain, topology)
    const rules = parts(old['rules'])
    this.#rules = options.map(({ name, create }) => [
      name,
      create({
        restored: rules[name],
        update: (breach) => {
          this.#book.update(breach)
        },
        drop: (breach) => {
          this.#book.drop(breach)
        },
        change: (kind, breach, atUs) => {
          const verdict = this.#inhibition.judge(kind, breach, this.#book.open(), atUs)
          if (verdict === 'tell') this.#changes.push({ kind, breach })
          else if (verdict !== 'wait') this.#changes.push({ kind, breach, ...verdict })
          this.#points.push(this.#book.change(kind, breach, atUs))
        },
        point: (point) => this.#points.push(point),
        topology,
        presence: this.#presence,
        isolation: this.#isolation,
        farewells: this.#farewells,
        chain: this.#chain,
        siteLost: (site, atUs) => {
          this.#chain.siteLost(site, atUs)
          for (const [, rule] of this.#rules) rule.siteLost?.(site, atUs)
        },
      }),
    ])
  }

  /** Points already enriched (from, to, at, bearer, owner), their times corrected for the agent's clock. */
  observe(points: readonly Measurement[], arrivalUs: number): Outcome {
    this.#presence.observe(points, arrivalUs)
    this.#isolation.observe(points, arrivalUs)
    this.#farewells.observe(points, arrivalUs)
    this.#chain.observe(points, arrivalUs)
    const names = new Set(points.map(({ name }) => name))
    for (const [, rule] of this.#rules)
      if (isConcerned(rule, names)) rule.observe(points, arrivalUs)
    return this.#outcome()
  }

  /** About once a second: what is due because nothing arrived. */
  tick(nowUs: number): Outcome {
    this.#presence.tick(nowUs)
    this.#isolation.tick(nowUs)
    this.#chain.tick(nowUs)
    for (const [, rule] of this.#rules) rule.tick(nowUs)
    // Whose cause is gone, and is still there itself, is told of now.
    for (const breach of this.#inhibition.release(this.#book.open(), nowUs))
      this.#changes.push({ kind: 'firing', breach })
    this.#points.push(...this.#chain.takePoints(nowUs))
    return this.#outcome()
  }

  /** Open ones (pending included), then the newest 200 closed. */
  breaches(): readonly Breach[] {
    return this.#book.all()
  }

  /** What a path is judged by, beside its loss, for people to see. */
  shownLimits(path: PathName): ShownLimits {
    let limits: ShownLimits = {}
    for (const [, rule] of this.#rules) limits = { ...limits, ...rule.shownLimits?.(path) }
    return limits
  }

  /** The agent was revoked: its silence is no longer news. */
  forgetAgent(agent: string): void {
    for (const [, rule] of this.#rules) rule.forgetAgent?.(agent)
    this.#presence.forget(agent)
    this.#isolation.forget(agent)
    this.#farewells.forget(agent)
    this.#chain.forgetAgent(agent)
  }

  /** What the drawing of the site file means now. */
  get chain(): Pick<Chain, 'now' | 'version' | 'serviceState' | 'takeovers'> {
    return this.#chain
  }

  /** The alert that explains an open one, by its object, where people were told of that instead. */
  explanationOf(breach: Breach): string | undefined {
    return this.#inhibition.explanationOf(breach)
  }

  /** JSON-able. A restart with it neither loses nor repeats an alert, and pending clocks go on. */
  snapshot(): unknown {
    const rules = Object.fromEntries(this.#rules.map(([name, rule]) => [name, rule.snapshot()]))
    const presence = this.#presence.memory
    const isolation = this.#isolation.memory
    const farewells = this.#farewells.memory
    const chain = this.#chain.memory
    const inhibition = this.#inhibition.memory
    return {
      ...{ closed: this.#book.closed(), presence, isolation, farewells, chain, inhibition },
      rules,
    }
  }

  /** What was not judged and why, as rule_reason: late, from the future, too many paths ... */
  counters(): Readonly<Record<string, number>> {
    return {
      too_many_agents: this.#presence.tooMany + this.#isolation.tooMany,
      too_many_watches: this.#chain.tooMany,
      ...Object.fromEntries(
        this.#rules.flatMap(([name, rule]) =>
          Object.entries(rule.counters()).map(([reason, count]) => [
            `${name}_${reason}`.replaceAll('-', '_'),
            count,
          ]),
        ),
      ),
    }
  }

  #outcome(): Outcome {
    const outcome = { changes: this.#changes, points: this.#points }
    this.#changes = []
    this.#points = []
    return outcome
  }
}

function isConcerned({ measurements }: Rule, names: ReadonlySet<MeasurementName>): boolean {
  return measurements === undefined || [...measurements].some((name) => names.has(name))
}
