import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items } from './snapshot.ts'

const US_PER_MS = 1000
const DEFAULT_INTERVAL_MS = 10_000
/** A second interval overlaps the first by less than half. */
const SAME_SHARE = 0.5
/** Older than this it says nothing of the calls that are up now. */
const STALE_US = 60_000_000
const MAX_PATHS = 10_000
const HEX = 16

/** A path as one agent sees it. */
export interface PathName {
  readonly from: string
  readonly to: string
  readonly at: string
}

const pathSchema = z.tuple([z.string(), z.number(), z.number()])

interface Path {
  /** End of the interval being gathered. */
  endUs: number
  /** SSRCs that something came of in it. */
  alive: Set<number>
  /** How many there were in the interval before. */
  before: number
}

/** How many streams are up on each path, as each agent saw it in its last interval. */
export class LivePaths {
  /** By agent and path, the one seen first first. */
  readonly #paths = new Map<string, Path>()
  #evicted = 0

  constructor(restored: unknown) {
    for (const [key, endUs, before] of items(pathSchema, restored))
      this.#paths.set(key, { endUs, alive: new Set(), before })
  }

  /** Takes an rtp_stream point of which something was received. */
  observe({ tags, fields, timeUs }: Measurement): void {
    const { interval_ms: intervalMs, ssrc = '' } = fields
    const intervalUs =
      (typeof intervalMs === 'number' ? intervalMs : DEFAULT_INTERVAL_MS) * US_PER_MS
    const path = this.#pathOf(tags, timeUs)
    if (timeUs < path.endUs - SAME_SHARE * intervalUs) return
    if (timeUs > path.endUs + SAME_SHARE * intervalUs) {
      path.before = path.alive.size
      path.alive = new Set()
      path.endUs = timeUs
    }
    path.alive.add(Number.parseInt(String(ssrc), HEX))
  }

  /** As many as in the interval before, or as there are already in this one. */
  streams(agent: string, path: PathName, nowUs: number): number {
    const known = this.#paths.get(keyOf(agent, path))
    if (known === undefined || known.endUs < nowUs - STALE_US) return 0
    return Math.max(known.before, known.alive.size)
  }

  get memory(): unknown {
    return [...this.#paths].map(([key, { endUs, alive, before }]) => [
      key,
      endUs,
      Math.max(before, alive.size),
    ])
  }

  get evicted(): number {
    return this.#evicted
  }

  #pathOf(tags: Measurement['tags'], timeUs: number): Path {
    const { agent = '', from = '', to = '', at = '' } = tags
    const key = keyOf(agent, { from, to, at })
    const known = this.#paths.get(key)
    if (known !== undefined) return known
    for (const oldest of this.#paths.keys()) {
      if (this.#paths.size < MAX_PATHS) break
      this.#paths.delete(oldest)
      this.#evicted++
    }
    const path = { endUs: timeUs, alive: new Set<number>(), before: 0 }
    this.#paths.set(copyOf(key), path)
    return path
  }
}

function keyOf(agent: string, { from, to, at }: PathName): string {
  return `${agent}\n${from}\n${to}\n${at}`
}
