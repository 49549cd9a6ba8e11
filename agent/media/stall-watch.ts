import { QUIET_US, type Lookout } from './lookout.ts'
import type { StallRow } from './stall-row.ts'
import { hasOpenStall, stallNews, type StallNews } from './stalls.ts'
import { SSRC_WORD } from './stream-key.ts'
import { endsOf, ssrcText } from './stream-row.ts'
import type { Streams } from './streams.ts'
import type { WatchedStream } from './watched-stream.ts'

const US_PER_MS = 1000
/** Told at once; the others come with the next call. */
const MAX_ROWS = 4000

/** Looks for streams that fell silent without a reason. */
export class StallWatch {
  readonly #streams: Streams
  readonly #lookout: Lookout
  /** Of streams that have left. */
  #untold: StallRow[] = []
  #dropped = 0
  /** To which time all is known. */
  nowUs = -Infinity

  constructor(streams: Streams, lookout: Lookout) {
    this.#streams = streams
    this.#lookout = lookout
  }

  /** Stalls nobody was told the end of, as there were too many at once. */
  get dropped(): number {
    return this.#dropped
  }

  /** Stalls that began, went on or ended since the last call, as far as they need to be told. */
  take(nowUs: number): readonly StallRow[] {
    this.nowUs = nowUs
    const rows = this.#untold
    this.#untold = []
    for (const stream of this.#streams.all) {
      const watched = this.#streams.watched(stream)
      if (watched === undefined || watched.remaining > 0 || watched.isResting) continue
      const lastArrivalUs = this.#streams.reception.lastArrivalUs(stream)
      if (watched.stallSteps === 0 && nowUs - lastArrivalUs < QUIET_US) continue
      if (rows.length >= MAX_ROWS) break
      const news = this.#newsOf(stream, watched, lastArrivalUs, nowUs)
      if (news !== undefined) rows.push(this.#rowOf(stream, watched, news))
    }
    return rows
  }

  /** A stream is over: nobody will look at it again, unless it comes back. */
  leave(stream: number, watched: WatchedStream): void {
    const isOpen = hasOpenStall(watched)
    watched.stallSteps = 0
    if (!isOpen) return
    if (this.#untold.length >= MAX_ROWS) {
      this.#dropped++
      return
    }
    const { silentSinceUs } = watched
    const endUs = Math.max(this.nowUs, this.#streams.reception.lastArrivalUs(stream))
    const news = { silentSinceUs, stalledUs: endUs - silentSinceUs, isOver: true }
    this.#untold.push(this.#rowOf(stream, watched, news))
  }

  #newsOf(
    stream: number,
    watched: WatchedStream,
    lastArrivalUs: number,
    nowUs: number,
  ): StallNews | undefined {
    const { reception } = this.#streams
    this.#lookout.look(stream, watched, nowUs)
    const stalledUs = reception.stalledUs(stream, nowUs)
    const endedStallUs = reception.endedStallUs(stream)
    return stallNews(watched, { lastArrivalUs, stalledUs, endedStallUs }, nowUs)
  }

  #rowOf(stream: number, { toward, from, payload }: WatchedStream, news: StallNews): StallRow {
    const key = this.#streams.keyOf(stream)
    return {
      ...endsOf(key),
      ssrc: ssrcText(key[SSRC_WORD] ?? 0),
      codec: payload?.name,
      callId: (toward ?? from)?.callId,
      silentSinceUs: news.silentSinceUs,
      stalledMs: news.stalledUs / US_PER_MS,
      isOver: news.isOver,
    }
  }
}
