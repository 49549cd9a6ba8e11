import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import type { PathLabels } from './path-judgement.ts'
import { sourceOf } from './path-points.ts'
import { PathRounds } from './path-rounds.ts'
import { roundsSchema, type Round, type StreamInterval } from './round.ts'
import { items, parts } from './snapshot.ts'

/** Points further ahead than this, after the agent's clock was corrected, have no time to be judged by. */
const FUTURE_US = 60_000_000
const SWEEP_US = 30_000_000
/** A path nothing was heard of for this long, and without an alert, is forgotten. */
const FORGET_PATH_US = 3_600_000_000
const MAX_PATHS = 10_000
const MAX_STREAMS = 200_000
const UNKNOWN = 'unknown'

/** What a rule keeps of a path besides its rounds: its alerts. */
export interface PathState {
  readonly isIdle: boolean
  /** JSON-able; the state opened with it goes on where this one stood. */
  readonly memory: unknown
  /** Every stream of the path has said that it ended. */
  callsEnded(atUs: number, nowUs: number): void
  /** What is due because nothing judgeable came. */
  lapse(nowUs: number, listeningUs: number): void
  /** Nothing more will be judged: what is firing ends, and says why. */
  end(why: string, nowUs: number): void
}

export interface Path<State extends PathState> {
  readonly key: string
  readonly labels: PathLabels
  rounds: PathRounds
  readonly state: State
}

export interface Closed<State extends PathState> {
  readonly path: Path<State>
  /** Valid until the next point is taken. */
  readonly round: Round
}

interface Owner<State extends PathState> {
  readonly restored: unknown
  /** Undefined where the figures or names of a point cannot be. */
  readonly read: (point: Measurement, labels: PathLabels) => StreamInterval | undefined
  readonly open: (labels: PathLabels, memory?: unknown) => State
  /** Rounds closed at the same moment, each path at most once. */
  readonly judge: (closed: readonly Closed<State>[], nowUs: number) => void
}

const pathSchema = z.object({
  labels: z.object({
    from: z.string(),
    to: z.string(),
    at: z.string(),
    source: z.string(),
    site: z.string(),
    bearer: z.string(),
    owner: z.string(),
  }),
  rounds: roundsSchema,
  state: z.unknown(),
})

/** The paths a rule judges: gathers points into rounds, hands over what is closed, forgets what is gone. */
export class PathBook<State extends PathState> {
  readonly #owner: Owner<State>
  /** Least recently judged first. */
  readonly #paths = new Map<string, Path<State>>()
  readonly #touched = new Set<Path<State>>()
  readonly #counters = {
    late: 0,
    from_the_future: 0,
    malformed: 0,
    evicted_paths: 0,
    evicted_streams: 0,
  }
  #streams = 0
  #listeningUs: number | undefined
  #sweptUs = 0

  constructor(owner: Owner<State>) {
    this.#owner = owner
    for (const { labels, rounds, state } of items(pathSchema, parts(owner.restored)['paths']))
      this.#addPath(keyOf(labels), labels, new PathRounds(rounds), 0, state)
  }

  get paths(): Iterable<Path<State>> {
    return this.#paths.values()
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#listeningUs ??= arrivalUs
    for (const point of points) {
      const source = sourceOf(point)
      if (source === undefined) continue
      if (point.timeUs > arrivalUs + FUTURE_US) this.#counters.from_the_future++
      else this.#gather(point, source, arrivalUs)
    }
    this.#close(
      [...this.#touched].filter(({ rounds }) => rounds.isComplete()),
      arrivalUs,
    )
    this.#touched.clear()
  }

  tick(nowUs: number): void {
    this.#listeningUs ??= nowUs
    const isSweep = nowUs - this.#sweptUs >= SWEEP_US
    this.#close(
      [...this.#paths.values()].filter(({ rounds }) => rounds.isDue(nowUs)),
      nowUs,
    )
    for (const path of this.#paths.values()) {
      if (isSweep) this.#sweep(path, nowUs)
      if (path.state.isIdle) continue
      if (path.rounds.isOver) path.state.callsEnded(path.rounds.endUs, nowUs)
      path.state.lapse(nowUs, this.#listeningUs)
    }
    if (isSweep) this.#sweptUs = nowUs
  }

  siteLost(site: string, nowUs: number): void {
    const why = `nothing is heard from ${site} any more, not proven healed`
    for (const { labels, state } of this.#paths.values())
      if (labels.site === site && !state.isIdle) state.end(why, nowUs)
  }

  get memory(): unknown {
    return {
      paths: [...this.#paths.values()].map(({ labels, rounds, state }) => ({
        labels,
        rounds: rounds.memory,
        state: state.memory,
      })),
    }
  }

  /** What was not judged, and why. */
  get losses(): Readonly<Record<string, number>> {
    return this.#counters
  }

  /** How much there is. */
  get sizes(): Readonly<Record<string, number>> {
    return { paths: this.#paths.size, streams: this.#streams }
  }

  #gather(point: Measurement, source: string, arrivalUs: number): void {
    const path = this.#pathOf(point, source, arrivalUs)
    // No point is taken from so far ahead: our clock has been set back since, and everything would be older than that for as long.
    if (path.rounds.endUs > arrivalUs + FUTURE_US) this.#beginAnew(path)
    const interval = this.#owner.read(point, path.labels)
    if (interval === undefined) {
      this.#counters.malformed++
      return
    }
    if (!path.rounds.isNew(interval)) {
      this.#counters.late++
      return
    }
    if (path.rounds.isTaken(interval.key)) this.#close([path], arrivalUs)
    const before = path.rounds.streams.size
    path.rounds.add(interval, arrivalUs)
    this.#streams += path.rounds.streams.size - before
    if (this.#streams > MAX_STREAMS) this.#evictStream()
    this.#touched.add(path)
  }

  #beginAnew(path: Path<State>): void {
    this.#streams -= path.rounds.streams.size
    path.rounds = new PathRounds()
  }

  #close(paths: readonly Path<State>[], nowUs: number): void {
    const closed = paths.flatMap((path) => {
      const before = path.rounds.streams.size
      const round = path.rounds.close()
      this.#streams += path.rounds.streams.size - before
      if (round === undefined) return []
      this.#paths.delete(path.key)
      this.#paths.set(path.key, path)
      return [{ path, round }]
    })
    if (closed.length > 0) this.#owner.judge(closed, nowUs)
  }

  #pathOf({ tags }: Measurement, source: string, nowUs: number): Path<State> {
    const { from = UNKNOWN, to = UNKNOWN, at = UNKNOWN } = tags
    const { site = UNKNOWN, bearer = UNKNOWN, owner = UNKNOWN } = tags
    const key = keyOf({ from, to, at, source })
    const known = this.#paths.get(key)
    if (known === undefined) {
      const labels = { from, to, at, source, site, bearer, owner }
      return this.#addPath(key, labels, new PathRounds(), nowUs)
    }
    known.labels.bearer = bearer
    known.labels.owner = owner
    return known
  }

  #addPath(
    key: string,
    labels: PathLabels,
    rounds: PathRounds,
    nowUs: number,
    memory?: unknown,
  ): Path<State> {
    if (this.#paths.size >= MAX_PATHS) this.#evictPath(nowUs)
    const path = { key, labels, rounds, state: this.#owner.open(labels, memory) }
    this.#paths.set(key, path)
    this.#streams += rounds.streams.size
    return path
  }

  #sweep(path: Path<State>, nowUs: number): void {
    const before = path.rounds.streams.size
    path.rounds.sweep(nowUs)
    this.#streams += path.rounds.streams.size - before
    const isForgotten = path.rounds.isEmpty && path.rounds.endUs < nowUs - FORGET_PATH_US
    if (isForgotten && path.state.isIdle) this.#paths.delete(path.key)
  }

  /** The path not judged for longest goes, one without an alert if there is one. */
  #evictPath(nowUs: number): void {
    const all = [...this.#paths.values()]
    const victim = all.find(({ state }) => state.isIdle) ?? all[0]
    if (victim === undefined) return
    this.#counters.evicted_paths++
    victim.state.end('too many paths to follow, not proven healed', nowUs)
    this.#streams -= victim.rounds.streams.size
    this.#paths.delete(victim.key)
    this.#touched.delete(victim)
  }

  #evictStream(): void {
    for (const { rounds } of this.#paths.values()) {
      if (!rounds.evictOldest()) continue
      this.#counters.evicted_streams++
      this.#streams--
      return
    }
  }
}

function keyOf({ from, to, at, source }: Omit<PathLabels, 'site' | 'bearer' | 'owner'>): string {
  return `${from}\n${to}\n${at}\n${source}`
}
