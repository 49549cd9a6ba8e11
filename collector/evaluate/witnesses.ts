import { z } from 'zod'
import type { Topology } from '../topology/site.ts'
import { stepOf, type Counts, type Shared } from './observers.ts'
import type { Findings, PathLabels } from './path-judgement.ts'
import { items } from './snapshot.ts'
import { isAbove, ratioOf } from './verdict.ts'
import { count, percent } from './words.ts'

const counts = z.object({ expected: z.number(), lost: z.number() })
const witnessSchema = z.object({
  at: z.string(),
  source: z.string(),
  mine: counts,
  theirs: counts,
  /** For how long without a break more than the limit was lost behind them. */
  behindUs: z.number(),
})

/** What somebody else counted of the streams of an alert, since it is pending. */
type Witness = z.output<typeof witnessSchema>

/** A point on the way of the packets, and what had been lost when they came there. */
interface Stop {
  readonly place: string
  readonly lost: number
}

/** Who else saw the streams an alert is about, at another place or as their receiver. */
export class Witnesses {
  readonly #labels: PathLabels
  readonly #limitRatio: number
  readonly #witnesses = new Map<string, Witness>()

  constructor(labels: PathLabels, limitRatio: number, restored?: unknown) {
    this.#labels = labels
    this.#limitRatio = limitRatio
    for (const witness of items(witnessSchema, restored))
      this.#witnesses.set(`${witness.source} ${witness.at}`, witness)
  }

  get memory(): unknown {
    return [...this.#witnesses.values()]
  }

  clear(): void {
    this.#witnesses.clear()
  }

  add({ at, source }: PathLabels, { mine, theirs }: Shared, coveredUs: number): void {
    const key = `${source} ${at}`
    const known = this.#witnesses.get(key)
    const behind = {
      expected: mine.expected,
      lost: mine.lost - ratioOf(theirs) * mine.expected,
    }
    const isLossBehind = isAbove(behind, this.#limitRatio)
    this.#witnesses.set(key, {
      at,
      source,
      mine: sumOf(known?.mine, mine),
      theirs: sumOf(known?.theirs, theirs),
      behindUs: isLossBehind ? (known?.behindUs ?? 0) + coveredUs : 0,
    })
  }

  /** How long it has been that this other observer cannot have seen enough of the loss; reports come later than packets. */
  behindUs({ at, source }: PathLabels): number {
    return this.#witnesses.get(`${source} ${at}`)?.behindUs ?? 0
  }

  /** Which stretch of the way lost most of it, and whether somebody who must have missed those packets did not. */
  findings(sums: Counts, topology: Topology): Findings {
    const doubt = this.#doubt(topology)
    if (doubt !== undefined) return doubt
    const stops = this.#stops(sums, topology)
    if (stops.length < 3) return NOTHING
    const stretches = stops.slice(1).map((stop, index) => {
      const before = stops[index] ?? stop
      return { from: before.place, to: stop.place, lost: stop.lost - before.lost }
    })
    const worst = stretches.reduce((one, other) => (other.lost > one.lost ? other : one))
    const last = stretches.at(-1) ?? worst
    const seenBefore = { expected: sums.expected, lost: stops.at(-2)?.lost ?? 0 }
    // A report covers the whole way: with our own part of it well, the rest is behind us.
    const isBehindUs = this.#labels.source === 'report' && !isAbove(seenBefore, this.#limitRatio)
    const { from, to, lost } = isBehindUs ? last : worst
    const { bearer, owner } = topology.segment(from, to, to)
    const where = from === to ? `within ${to}` : `between ${from} and ${to}`
    return {
      labels: { segment: `${from} -> ${to}`, bearer, owner },
      evidence: { lost_there: lost, lost_between: `${from} -> ${to}` },
      note: `; of ${count(sums.lost)} lost, ${count(lost)} ${where}`,
      isDoubtful: false,
    }
  }

  /** From the sender on: where somebody counted, and what was lost up to there of as many packets as `sums` has. */
  #stops({ expected, lost }: Counts, topology: Topology): readonly Stop[] {
    const { from, to, at } = this.#labels
    const before = [...this.#witnesses.values()]
      .filter((witness) => witness.source === 'stream' && this.#isBefore(witness, topology))
      .map(({ at: place, theirs }) => ({
        place,
        step: stepOf({ from, to, at: place }, topology),
        lost: Math.min(lost, Math.max(0, Math.round(ratioOf(theirs) * expected))),
      }))
      .sort((a, b) => a.step - b.step || a.lost - b.lost)
    return [{ place: from, lost: 0 }, ...before, { place: at, lost }]
  }

  #isBefore({ at, mine, theirs }: Witness, topology: Topology): boolean {
    if (this.#labels.source === 'report') return true
    const own = stepOf(this.#labels, topology)
    const other = stepOf({ ...this.#labels, at }, topology)
    return own === other ? ratioOf(theirs) <= ratioOf(mine) : other < own
  }

  /** What is lost on the way to us does not come to anybody behind us. */
  #doubt(topology: Topology): Findings | undefined {
    const { from, to, at, source } = this.#labels
    if (source !== 'stream') return undefined
    const own = stepOf(this.#labels, topology)
    for (const { at: place, source: who, mine, theirs } of this.#witnesses.values()) {
      const isBehind = who === 'report' || stepOf({ from, to, at: place }, topology) > own
      if (!isBehind || !isAbove(mine, this.#limitRatio) || isAbove(theirs, this.#limitRatio))
        continue
      const they = who === 'report' ? 'their receivers report' : `the tap at ${place} counts`
      return {
        labels: { owner: topology.ownerOf(at) },
        evidence: { contradicted_by: who === 'report' ? 'report' : place },
        note: `; sensor suspected: of the same streams ${they} ${percent(Math.max(0, ratioOf(theirs)))} lost`,
        isDoubtful: true,
      }
    }
    return undefined
  }
}

const NOTHING: Findings = { labels: {}, evidence: {}, note: '', isDoubtful: false }

function sumOf(one: Counts | undefined, other: Counts): Counts {
  return {
    expected: (one?.expected ?? 0) + other.expected,
    lost: (one?.lost ?? 0) + other.lost,
  }
}
