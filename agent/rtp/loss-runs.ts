import { LOSS_RUNS, RUN_END, RUN_LENGTH, RUN_PACKETS, SETTLED_COUNT, add } from './stream-state.ts'

/** Runs of consecutive loss by their length; the last count is for that length and more. */
const LENGTHS = 10

/** Takes `count` lost packets in a row, the first of them being number `at` since the stream began. */
export function takeLost(ints: Int32Array, row: number, at: number, count: number): void {
  const length = ints[row + RUN_LENGTH] ?? 0
  if (length > 0 && at === ints[row + RUN_END]) {
    ints[row + RUN_LENGTH] = length + count
  } else {
    closeRun(ints, row)
    ints[row + RUN_LENGTH] = count
  }
  ints[row + RUN_END] = at + count
}

/** Counts the last run if it is known to be over: a packet after it came, or nothing more will. */
export function closeRuns(ints: Int32Array, row: number, ended: boolean): void {
  if (ended || ints[row + SETTLED_COUNT] !== ints[row + RUN_END]) closeRun(ints, row)
}

/** The counts of the interval. */
export function readRuns(ints: Int32Array, row: number): number[] {
  return Array.from(ints.subarray(row + LOSS_RUNS, row + LOSS_RUNS + LENGTHS))
}

function closeRun(ints: Int32Array, row: number): void {
  const length = ints[row + RUN_LENGTH] ?? 0
  if (length === 0) return
  add(ints, row + LOSS_RUNS + Math.min(length, LENGTHS) - 1, 1)
  add(ints, row + RUN_PACKETS, length)
  ints[row + RUN_LENGTH] = 0
}
