import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import type { PathLimits } from './path-limits.ts'
import { readInterval } from './path-points.ts'
import { judge, type Share } from './verdict.ts'

/** Streams of the intervals being gathered, of all agents; beyond it they are left out of this judgement only. */
const MAX_STREAMS = 200_000
const UNKNOWN = 'unknown'

interface PathName {
  readonly from: string
  readonly to: string
  readonly at: string
}

interface Gathered {
  readonly limits: PathLimits
  readonly shares: Share[]
}

/**
 * Whether a tap's own drops could have made the losses it saw: the same judgement as on a path, made for all paths of one tap and
 * interval. An agent sends the streams of an interval first and what the tap dropped in it last.
 */
export class TaintedTap {
  readonly #limitsOf: (path: PathName) => PathLimits
  /** By agent, then by path. Empty while no tap drops anything. */
  readonly #agents = new Map<string, Map<string, Gathered>>()
  #streams = 0

  constructor(limitsOf: (path: PathName) => PathLimits) {
    this.#limitsOf = limitsOf
  }

  add(point: Measurement): void {
    const { sensor_drops: drops } = point.fields
    if (typeof drops !== 'number' || drops <= 0 || this.#streams >= MAX_STREAMS) return
    const { agent = '', from = UNKNOWN, to = UNKNOWN, at = UNKNOWN } = point.tags
    let paths = this.#agents.get(agent)
    if (paths === undefined) {
      paths = new Map<string, Gathered>()
      this.#agents.set(copyOf(agent), paths)
    }
    const name = `${from}\n${to}\n${at}`
    let path = paths.get(name)
    if (path === undefined) {
      path = { limits: this.#limitsOf({ from, to, at }), shares: [] }
      paths.set(copyOf(name), path)
    }
    const interval = readInterval(point, path.limits)
    if (interval === undefined) return
    const { key, label, expected, lost } = interval
    path.shares.push({ key, label, expected, lost })
    this.#streams++
  }

  /** Ends the interval: on how many paths the drops could have made the loss. */
  take(agent: string, drops: number): number {
    const paths = this.#agents.get(agent)
    if (paths === undefined) return 0
    this.forget(agent)
    let tainted = 0
    for (const { limits, shares } of paths.values()) {
      const expected = shares.reduce((sum, share) => sum + share.expected, 0)
      const lost = shares.reduce((sum, share) => sum + share.lost, 0)
      if (judge({ expected, lost, drops, shares }, limits).word === 'tainted') tainted++
    }
    return tainted
  }

  forget(agent: string): void {
    for (const { shares } of this.#agents.get(agent)?.values() ?? []) this.#streams -= shares.length
    this.#agents.delete(agent)
  }
}
