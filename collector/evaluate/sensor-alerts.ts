import { z } from 'zod'
import { breachSchema, fingerprintOf, isOpen, type Breach } from './breach.ts'
import type { LossPath } from './loss-path.ts'
import type { Path } from './path-book.ts'
import type { RuleContext } from './rule.ts'
import { items } from './snapshot.ts'
import { isAbove, ratioOf } from './verdict.ts'
import { count, percent } from './words.ts'

const RULE = 'sensor-suspected'
/** One path proves nothing about a tap. */
const MIN_PATHS = 2
/** Paths that went over further apart than so many intervals did not go over together. */
const TOGETHER_INTERVALS = 1.5

type LossPaths = Iterable<Path<LossPath>>

const alertSchema = z.object({ observer: z.string(), agent: z.string(), breach: breachSchema })

interface Alert {
  /** The agent, and which of its taps. */
  readonly observer: string
  readonly agent: string
  breach: Breach
}

/**
 * Mirror ports drop without a counter. When all paths of one tap go over together, both directions, and nobody else saw it, one warning
 * to the tap's owner takes the place of the alerts of its paths. They stay pending meanwhile, and fire as soon as somebody agrees.
 */
export class SensorAlerts {
  readonly #paths: () => LossPaths
  readonly #context: RuleContext
  readonly #alerts = new Map<string, Alert>()

  constructor(paths: () => LossPaths, context: RuleContext, restored: unknown) {
    this.#paths = paths
    this.#context = context
    for (const alert of items(alertSchema, restored)) {
      if (!isOpen(alert.breach)) continue
      this.#alerts.set(alert.observer, alert)
      context.update(alert.breach)
    }
  }

  get memory(): unknown {
    return [...this.#alerts.values()]
  }

  /** Whether the tap rather than the network is to be told of; asked by a path that would fire. */
  takesOver({ state }: Path<LossPath>, atUs: number, nowUs: number): boolean {
    const over = overTaps(state)
    const [tap] = over
    if (tap === undefined || over.length > 1) return false
    const { observer, agent } = tap
    const known = this.#alerts.get(observer)
    const own = this.#pathsOf(observer, atUs)
    if (this.#confirmed(own, agent, atUs)) return false
    if (own.some((path) => !path.state.isLosing)) return false
    if (known === undefined && !isSuspicious(own)) return false
    this.#raise(observer, agent, own, nowUs)
    return true
  }

  /** Ends what is no longer suspected, or is no longer at all. */
  review(nowUs: number): void {
    for (const { observer, agent, breach } of this.#alerts.values()) {
      const own = this.#pathsOf(observer)
      const newestUs = Math.max(...own.map(({ state }) => state.newest?.endUs ?? -Infinity))
      const current = own.filter(({ state }) => state.isRecent(newestUs))
      const judged = current.filter(isJudged)
      if (own.every(({ state }) => !state.alerts.isOpen)) {
        const isHealed = judged.length > 0 && judged.every(({ state }) => !state.isLosing)
        if (isHealed) this.#close(breach, 'resolved', 'its paths are below the limit again', nowUs)
        else this.#close(breach, 'ended', 'nothing to judge it by any more', nowUs)
      } else if (this.#confirmed(judged, agent, newestUs)) {
        this.#close(breach, 'ended', 'somebody else sees the loss too: it is not the tap', nowUs)
      } else if (judged.some(({ state }) => !state.isLosing)) {
        this.#close(breach, 'ended', 'only some of its paths lose packets now', nowUs)
      } else continue
      this.#alerts.delete(observer)
    }
  }

  /** The paths the tap sees, of calls; with a time, those judged about then. */
  #pathsOf(observer: string, atUs?: number): readonly Path<LossPath>[] {
    return [...this.#paths()].filter((path) => {
      const { labels, state } = path
      if (labels.source !== 'stream' || !sees(state, observer)) return false
      return atUs === undefined || (state.isRecent(atUs) && isJudged(path))
    })
  }

  /** Whether a report, a test stream or another agent sees loss between the same ends. */
  #confirmed(own: readonly Path<LossPath>[], agent: string, atUs: number): boolean {
    const ends = new Set(own.map(({ labels: { from, to } }) => `${from}\n${to}`))
    for (const { labels, state } of this.#paths()) {
      if (!ends.has(`${labels.from}\n${labels.to}`)) continue
      if (!state.isRecent(atUs) || !state.isLosing) continue
      if (labels.source !== 'stream') return true
      if (overTaps(state).some((tap) => tap.agent !== agent)) return true
    }
    return false
  }

  #raise(observer: string, agent: string, own: readonly Path<LossPath>[], nowUs: number): void {
    const known = this.#alerts.get(observer)?.breach
    const topology = this.#context.topology()
    const site = own[0]?.labels.site ?? 'unknown'
    const at = topology.observedAt({ agent, site })
    const sums = own.map(({ state }) => state.alerts.sums)
    const expected = sums.reduce((total, one) => total + one.expected, 0)
    const lost = sums.reduce((total, one) => total + one.lost, 0)
    const sinceUs = known?.sinceUs ?? Math.min(...own.map(sinceOf))
    const fingerprint = fingerprintOf(RULE, observer)
    const loss = `${percent(ratioOf({ expected, lost }))} of ${count(expected)} packets`
    const tap = observer.slice(agent.length).trimStart()
    const breach: Breach = {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: RULE,
      object: tap === '' ? `tap of ${agent}` : `tap ${tap} of ${agent}`,
      state: 'firing',
      severity: 'warning',
      summary: `sensor suspected: all ${own.length} paths of this tap, both directions, lost ${loss} at once, and no report, test stream or second agent agrees`,
      labels: { agent, site, at, owner: topology.ownerOf(at), ...(tap === '' ? {} : { tap }) },
      evidence: {
        paths: own.length,
        expected,
        lost_unique: lost,
        loss_ratio: ratioOf({ expected, lost }),
      },
      sinceUs,
      firedUs: known?.firedUs ?? nowUs,
      updatedUs: nowUs,
    }
    this.#alerts.set(observer, { observer, agent, breach })
    if (known === undefined) this.#context.change('firing', breach, nowUs)
    else this.#context.update(breach)
  }

  #close(open: Breach, state: 'resolved' | 'ended', summary: string, nowUs: number): void {
    const breach: Breach = { ...open, state, summary, closedUs: nowUs, updatedUs: nowUs }
    this.#context.change(state, breach, nowUs)
  }
}

/** All of them over since the same time, at least two, and a network among them that both sends and receives. */
function isSuspicious(own: readonly Path<LossPath>[]): boolean {
  if (own.length < MIN_PATHS || own.some(({ state }) => state.alerts.isFiring)) return false
  const receivers = new Set(own.map(({ labels }) => labels.to))
  const isBothWays = own.some(({ labels: { from, to } }) => from !== to && receivers.has(from))
  const since = own.map(sinceOf)
  const intervalUs = Math.max(...own.map(({ state }) => state.newest?.intervalUs ?? 0))
  return isBothWays && Math.max(...since) - Math.min(...since) <= TOGETHER_INTERVALS * intervalUs
}

/** The taps that each by itself saw more lost than the limit. */
function overTaps({ newest, limits }: LossPath) {
  return (newest?.taps ?? []).filter((tap) => isAbove(tap, limits.limitRatio))
}

function sees({ newest }: LossPath, observer: string): boolean {
  return newest?.taps.some((tap) => tap.observer === observer) === true
}

function isJudged({ state: { newest } }: Path<LossPath>): boolean {
  return newest !== undefined && newest.meaning !== 'unjudged'
}

/** Since when it is over; a path whose alert begins with this round says so only after it. */
function sinceOf({ state: { alerts, newest } }: Path<LossPath>): number {
  return alerts.isOpen ? alerts.sums.sinceUs : (newest?.startUs ?? 0)
}
