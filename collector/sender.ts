import { z } from 'zod'
import type { Measurement } from '../common/measurement.ts'
import { ClockOffset } from './clock-offset.ts'
import type { Cidr } from './topology/address.ts'
import { ownSubnets, type Observer, type Segment, type Site } from './topology/site.ts'

/** Addresses whose network is kept; when full, all are looked up anew. */
const MAX_ADDRESSES = 4096
/** A guard against tags that grow without end is itself not allowed to forbid a series for good. */
const SERIES_RESET_US = 24 * 3_600_000_000
/** More probes than an agent has; when full, the complaint that is oldest goes. */
const MAX_PROBES = 64
/** A probe that is no longer complained about, or no longer there, fails no more. */
const COMPLAINT_US = 300_000_000
/** FNV-1a, 32 bits: two series on one hash only means that one series more is let in. */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** What is known of an agent after a restart. */
export const senderState = z.object({
  agent: z.string(),
  site: z.string(),
  version: z.string(),
  lastSeenMs: z.number(),
  points: z.number(),
  rejected: z.number(),
  spoolPoints: z.number().nullable(),
  /** In force, so that a retry is stamped as before. */
  clockCorrectionMs: z.number(),
})
export type SenderState = z.output<typeof senderState>

/** A probe, or the tap it listens on, that does not do what it should, and why. */
export interface FailingProbe {
  readonly probe: string
  readonly reason: string
}

/** One agent that pushes: its clock, its machine's subnets, what it sent. */
export class Sender implements Observer {
  readonly agent: string
  readonly site: string
  readonly clock: ClockOffset
  version: string
  lastSeenMs: number
  points: number
  rejected: number
  spoolPoints: number | null
  /** Resolves when everything of this agent that came before is judged: the next batch is judged behind it. */
  judged: Promise<void> = Promise.resolve()
  /** By probe and tap, the one that complained least lately first. */
  readonly #complaints = new Map<
    string,
    { readonly failing: FailingProbe; readonly timeUs: number }
  >()
  #subnets: readonly Cidr[] = []
  #subnetsText = ''
  #knownSite: Site | undefined
  #networks = new Map<string, string>()
  #segments = new Map<string, Map<string, Segment>>()
  #series = new Set<number>()
  #seriesSinceUs = 0

  constructor(agent: string, site: string, state?: Omit<SenderState, 'agent' | 'site'>) {
    this.agent = agent
    this.site = site
    this.clock = new ClockOffset(state?.clockCorrectionMs)
    this.version = state?.version ?? ''
    this.lastSeenMs = state?.lastSeenMs ?? 0
    this.points = state?.points ?? 0
    this.rejected = state?.rejected ?? 0
    this.spoolPoints = state?.spoolPoints ?? null
  }

  get subnets(): readonly Cidr[] {
    return this.#subnets
  }

  get state(): SenderState {
    const { agent, site, version, lastSeenMs, points, rejected, spoolPoints } = this
    const clockCorrectionMs = this.clock.appliedMs
    return { agent, site, version, lastSeenMs, points, rejected, spoolPoints, clockCorrectionMs }
  }

  /** What the agent's probes complained of last. */
  failingProbes(nowUs: number): readonly FailingProbe[] {
    return [...this.#complaints.values()]
      .filter(({ timeUs }) => timeUs > nowUs - COMPLAINT_US)
      .map(({ failing }) => failing)
      .sort((a, b) => (a.probe < b.probe ? -1 : 1))
  }

  /** Takes what the agent says of itself. */
  learn(point: Measurement): void {
    const { tags, fields } = point
    if (tags['target'] !== undefined) {
      this.#learnOfProbe(tags['target'], point)
      return
    }
    const { version, subnets, spool_points: spoolPoints } = fields
    if (typeof version === 'string') this.version = copyOf(version)
    if (typeof spoolPoints === 'number') this.spoolPoints = spoolPoints
    if (typeof subnets !== 'string' || subnets === this.#subnetsText) return
    this.#subnetsText = copyOf(subnets)
    this.#subnets = ownSubnets(subnets)
    this.#networks.clear()
  }

  /** The segment a quality point judges, by the addresses it carries; `whole`: the path itself, not up to the agent. */
  segment(site: Site, source: string, destination: string, whole: boolean): Segment {
    if (this.#knownSite !== site) {
      this.#knownSite = site
      this.#networks.clear()
      this.#segments.clear()
    }
    const from = this.#network(site, source)
    const to = this.#network(site, destination)
    const key = whole ? `${from} ` : from
    let towards = this.#segments.get(key)
    if (towards === undefined) {
      towards = new Map()
      this.#segments.set(key, towards)
    }
    let segment = towards.get(to)
    if (segment === undefined) {
      segment = site.segment(from, to, whole ? to : site.observedAt(this))
      towards.set(to, segment)
    }
    return segment
  }

  /** Whether a point's series is one of the first `limit` of this agent today. */
  admits(
    name: string,
    tags: Readonly<Record<string, string>>,
    limit: number,
    nowUs: number,
  ): boolean {
    if (nowUs - this.#seriesSinceUs > SERIES_RESET_US) {
      this.#series = new Set()
      this.#seriesSinceUs = nowUs
    }
    const hash = seriesHash(name, tags)
    if (this.#series.has(hash)) return true
    if (this.#series.size >= limit) return false
    this.#series.add(hash)
    return true
  }

  /** A probe that was not due says neither that it works nor that it fails. */
  #learnOfProbe(target: string, { fields, timeUs }: Measurement): void {
    const { runs, failures, timeouts, reason, tap } = fields
    const probe = [target, tap].filter((part) => typeof part === 'string').join(' ')
    const key = `${probe}\n${typeof runs}`
    const isFailing = Number(failures ?? 0) + Number(timeouts ?? 0) > 0 || reason !== undefined
    if (!isFailing && runs === 0) return
    this.#complaints.delete(key)
    if (!isFailing) return
    const [oldest] = this.#complaints.keys()
    if (this.#complaints.size >= MAX_PROBES && oldest !== undefined) this.#complaints.delete(oldest)
    const why = typeof reason === 'string' ? reason : 'it was cut off at its time limit'
    this.#complaints.set(copyOf(key), {
      failing: { probe: copyOf(probe), reason: copyOf(why) },
      timeUs,
    })
  }

  #network(site: Site, address: string): string {
    const known = this.#networks.get(address)
    if (known !== undefined) return known
    if (this.#networks.size >= MAX_ADDRESSES) this.#networks.clear()
    const network = site.locate(address, this)
    this.#networks.set(copyOf(address), network)
    return network
  }
}

/** A string of its own: a slice of a batch, kept, would keep the whole batch in memory. */
function copyOf(text: string): string {
  return Buffer.from(text).toString()
}

/** The same for the same name and tags in whatever order: the tags' hashes are added up. */
function seriesHash(name: string, tags: Readonly<Record<string, string>>): number {
  let sum = hashOf(FNV_OFFSET, name)
  for (const tag in tags) sum = (sum + hashOf(hashOf(FNV_OFFSET, tag), tags[tag] ?? '')) >>> 0
  return sum
}

function hashOf(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash >>> 0
}
