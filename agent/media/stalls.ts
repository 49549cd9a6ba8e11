import type { WatchedStream } from './watched-stream.ts'

/** How long a stream may be silent before it is said, and said again. */
const STEPS_US: readonly number[] = [3_000_000, 5_000_000]
/** No longer is a silence watched. */
const GIVE_UP_US = 30_000_000
/** Said for the last time; begins anew when the stream comes back. */
const SAID_ALL = STEPS_US.length + 1

/** A stream as it is now. */
export interface Silence {
  readonly lastArrivalUs: number
  /** How long it has been silent without a reason; 0 while it is not. */
  readonly stalledUs: number
  /** Length of its newest silence of that kind that is over. */
  readonly endedStallUs: number
}

/** What there is to say of a silence. */
export interface StallNews {
  readonly silentSinceUs: number
  readonly stalledUs: number
  readonly isOver: boolean
}

/** Whether a silence was reported and its end was not. */
export function hasOpenStall({ stallSteps }: WatchedStream): boolean {
  return stallSteps > 0 && stallSteps < SAID_ALL
}

/** Says once when a silence has reached each step, and once that it is over: the stream came back, its call ended, or time is up. */
export function stallNews(
  stream: WatchedStream,
  { lastArrivalUs, stalledUs, endedStallUs }: Silence,
  nowUs: number,
): StallNews | undefined {
  const { stallSteps, silentSinceUs } = stream
  const isBack = stallSteps > 0 && lastArrivalUs > silentSinceUs
  if (isBack || stalledUs === 0) {
    const isOpen = hasOpenStall(stream)
    stream.stallSteps = 0
    if (!isOpen) return undefined
    const lengthUs = isBack ? endedStallUs : nowUs - silentSinceUs
    return { silentSinceUs, stalledUs: lengthUs, isOver: true }
  }
  if (stallSteps === SAID_ALL) return undefined
  if (hasOpenStall(stream) && stalledUs >= GIVE_UP_US) {
    stream.stallSteps = SAID_ALL
    return { silentSinceUs, stalledUs, isOver: true }
  }
  const steps = STEPS_US.filter((step) => stalledUs >= step).length
  if (steps <= stallSteps) return undefined
  stream.stallSteps = steps
  stream.silentSinceUs = lastArrivalUs
  return { silentSinceUs: lastArrivalUs, stalledUs, isOver: false }
}
