import { tickUs } from '../rtp/jitter.ts'
import { BAD_PADDING, IS_RTP, RTP_VERDICTS, RtpPacket, parseRtp } from '../rtp/packet.ts'
import { isComfortNoise, isInterlude, staticPayload } from '../rtp/payload.ts'
import { beginProbation, goesOn, type Probation } from '../rtp/probation.ts'
import { NOTHING, Reception, type Totals } from '../rtp/reception.ts'
import { Datagram, FRAME_VERDICTS, IS_UDP, decodeFrame } from './frame.ts'
import type { FrameHandler } from './pcap.ts'
import { passes, type StreamFilter } from './stream-filter.ts'
import { KEY_WORDS, hashKey, writeKey } from './stream-key.ts'
import { streamRow, type StreamRow } from './stream-row.ts'
import { StreamTable } from './stream-table.ts'

/** A stream is over when nothing came for so long. */
const IDLE_US = 30_000_000
/** When there are too many, this share gives way at once, the least recently seen first. */
const EVICTED_SHARE = 1 / 16
/** Sources not yet known to be streams: at least so many, or a flood of SSRCs would keep newcomers from passing their probation. */
const MIN_SOURCES = 20_000
const PAYLOAD_TYPES = 128

/** Length of a tick by payload type; 0 where the clock is unknown, and for comfort noise, which is no audio to measure. */
const TICKS_US = Float64Array.from({ length: PAYLOAD_TYPES }, (_, payloadType) => {
  const payload = staticPayload(payloadType)
  return payload === undefined || isComfortNoise(payloadType) ? 0 : tickUs(payload.clockRate)
})

export interface StreamMonitorOptions {
  readonly filter: StreamFilter
  /** Streams watched at the same time. */
  readonly maxStreams: number
  /** Packets in sequence that make a stream. */
  readonly probation: number
  /** Any 32 bits nobody else knows. */
  readonly seed: number
}

/** What became of the frames since the monitor began; streams take the rest. */
export interface MonitorCounts {
  readonly frames: number
  /** Frames that are no RTP, by reason. */
  readonly ignored: Readonly<Record<string, number>>
  /** Packets of sources not yet known to be streams. */
  readonly pending: number
  readonly streams: number
  /** Streams dropped because the table was full, with what was counted of them since their last interval. */
  readonly evicted: number
}

/** What the monitor knows of a stream, or a source that may become one, besides its reception. */
interface StreamState extends Probation {
  payloadType: number
  usPerTick: number
  dscp: number
  isNew: boolean
  reported: Totals
}

/**
 * From captured frames to streams. A source is counted from its first packet, but is a stream, and reported, only when its probation
 * is over; sources have a limit of their own, so that a flood of new SSRCs drives out no stream. Per packet nothing is allocated.
 */
export class StreamMonitor {
  readonly #options: StreamMonitorOptions
  readonly #maxSources: number
  readonly #datagram = new Datagram()
  readonly #packet = new RtpPacket()
  readonly #key = new Int32Array(KEY_WORDS)
  /** Streams and sources on probation alike. */
  readonly #table: StreamTable
  readonly #reception: Reception
  /** By the number of the stream. */
  readonly #states: StreamState[] = []
  readonly #notUdp = new Float64Array(FRAME_VERDICTS.length)
  readonly #notRtp = new Float64Array(RTP_VERDICTS.length)
  #streams = 0
  #frames = 0
  #filtered = 0
  #unconfirmed = 0
  #evicted = 0

  constructor(options: StreamMonitorOptions) {
    this.#options = options
    this.#maxSources = Math.max(MIN_SOURCES, options.maxStreams)
    this.#table = new StreamTable(options.maxStreams + this.#maxSources)
    this.#reception = new Reception(this.#table.capacity)
  }

  /** Takes one frame. */
  readonly handleFrame: FrameHandler = (view, offset, end, timeUs, linkType) => {
    this.#frames++
    const datagram = this.#datagram
    const frame = decodeFrame(view, offset, end, linkType, datagram)
    if (frame !== IS_UDP) {
      this.#notUdp[frame] = (this.#notUdp[frame] ?? 0) + 1
      return
    }
    if (!passes(this.#options.filter, datagram)) {
      this.#filtered++
      return
    }
    const { payloadAt, payloadOctets, capturedOctets } = datagram
    const verdict = parseRtp(view, payloadAt, payloadOctets, capturedOctets, this.#packet)
    // The sequence rule decides better than a padding count, which SRTP encrypts and a short snap length leaves out.
    if (verdict !== IS_RTP && verdict !== BAD_PADDING) {
      this.#notRtp[verdict] = (this.#notRtp[verdict] ?? 0) + 1
      return
    }
    writeKey(this.#key, datagram, this.#packet.ssrc)
    const hash = hashKey(this.#key, this.#options.seed)
    const found = this.#table.find(this.#key, hash)
    this.#receive(found < 0 ? this.#open(hash) : found, timeUs)
  }

  get counts(): MonitorCounts {
    const ignored: Record<string, number> = {}
    const add = (reason: string, count: number) => {
      if (count > 0) ignored[reason] = count
    }
    FRAME_VERDICTS.forEach((reason, verdict) => {
      add(reason, this.#notUdp[verdict] ?? 0)
    })
    RTP_VERDICTS.forEach((reason, verdict) => {
      add(reason, this.#notRtp[verdict] ?? 0)
    })
    add('filtered', this.#filtered)
    add('unconfirmed', this.#unconfirmed)
    let pending = 0
    for (const stream of this.#table.streams) {
      const state = this.#states[stream]
      if (state !== undefined && state.remaining > 0) pending += state.packets
    }
    return {
      frames: this.#frames,
      ignored,
      pending,
      streams: this.#streams,
      evicted: this.#evicted,
    }
  }

  /**
   * The interval that ends here: a row for every stream that something came of since the last one, or that is over, in the order of
   * their first packets. Streams that are over leave the table.
   */
  takeInterval(endUs: number): readonly StreamRow[] {
    const isOver = (stream: number) => this.#reception.lastArrivalUs(stream) <= endUs - IDLE_US
    const rows: StreamRow[] = []
    for (const stream of this.#table.streams) {
      const row = this.#takeRow(stream, isOver(stream))
      if (row !== undefined) rows.push(row)
    }
    this.#remove(isOver)
    return rows
  }

  #receive(stream: number, timeUs: number): void {
    const state = this.#states[stream]
    if (state === undefined) return
    const { sequenceNumber, timestamp, payloadOctets } = this.#packet
    if (state.remaining > 0) this.#try(stream, state, sequenceNumber)
    state.dscp = this.#datagram.dscp
    const usPerTick = this.#usPerTick(stream, state)
    this.#reception.receive(stream, sequenceNumber, timestamp, timeUs, payloadOctets, usPerTick)
  }

  /** The tick of this packet, 0 to keep it out of the jitter. Follows the stream when it changes its codec. */
  #usPerTick(stream: number, state: StreamState): number {
    const { payloadType, payloadOctets } = this.#packet
    if (payloadType === state.payloadType) return state.usPerTick
    if (isInterlude(payloadType, payloadOctets)) return 0
    state.payloadType = payloadType
    state.usPerTick = usPerTickOf(payloadType)
    // Two codecs, two clocks: no D from one to the other.
    this.#reception.breakJitter(stream)
    return state.usPerTick
  }

  /** A source not seen before; its first packet is still to be received. */
  #open(hash: number): number {
    if (this.#table.size - this.#streams >= this.#maxSources)
      this.#evict((other) => !this.#isStream(other))
    const capacity = this.#table.capacity
    const stream = this.#table.add(this.#key, hash)
    if (this.#table.capacity > capacity) this.#reception.grow(this.#table.capacity)
    const { payloadType, sequenceNumber } = this.#packet
    const usPerTick = usPerTickOf(payloadType)
    const state = (this.#states[stream] ??= newState())
    state.payloadType = payloadType
    state.usPerTick = usPerTick
    state.isNew = true
    state.reported = NOTHING
    state.packets = 0
    state.remaining = this.#options.probation
    state.previous = sequenceNumber
    return stream
  }

  #try(stream: number, state: StreamState, sequenceNumber: number): void {
    const { probation, maxStreams } = this.#options
    if (state.packets === 0 || !goesOn(state, sequenceNumber, probation)) {
      this.#unconfirmed += state.packets
      beginProbation(state, sequenceNumber, probation)
      this.#reception.open(stream, sequenceNumber)
    }
    if (state.remaining > 0) return
    if (this.#streams >= maxStreams)
      this.#evict((other) => other !== stream && this.#isStream(other))
    this.#streams++
  }

  /** Makes room: of those that `may` leave, the least recently seen do; many at a time, as that builds the index anew. */
  #evict(may: (stream: number) => boolean): void {
    const lastSeen = (stream: number) => this.#reception.lastArrivalUs(stream)
    const times = Float64Array.from(this.#table.streams.filter(may), lastSeen).sort()
    let left = Math.ceil(times.length * EVICTED_SHARE)
    const lastUs = times[left - 1] ?? Infinity
    const before = this.#streams
    this.#remove((stream) => may(stream) && lastSeen(stream) <= lastUs && left-- > 0)
    this.#evicted += before - this.#streams
  }

  #isStream(stream: number): boolean {
    return this.#states[stream]?.remaining === 0
  }

  #remove(isLeaving: (stream: number) => boolean): void {
    this.#table.remove((stream) => {
      const state = this.#states[stream]
      if (state === undefined || !isLeaving(stream)) return false
      if (state.remaining === 0) this.#streams--
      else this.#unconfirmed += state.packets
      return true
    })
  }

  #takeRow(stream: number, ended: boolean): StreamRow | undefined {
    const state = this.#states[stream]
    const times = this.#reception.interval(stream)
    if (state === undefined || state.remaining > 0) return undefined
    if (times.activeUs === undefined && !ended) return undefined
    const now = { ...NOTHING }
    this.#reception.read(stream, now)
    const key = this.#table.keyOf(stream)
    const row = streamRow({ key, ...state, ended, before: state.reported, now, times })
    state.reported = now
    state.isNew = false
    this.#reception.startInterval(stream)
    return row
  }
}

function usPerTickOf(payloadType: number): number {
  return TICKS_US[payloadType] ?? 0
}

function newState(): StreamState {
  return {
    payloadType: 0,
    usPerTick: 0,
    dscp: 0,
    isNew: true,
    reported: NOTHING,
    remaining: 0,
    steps: 0,
    packets: 0,
    previous: 0,
  }
}
