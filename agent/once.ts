import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { ProbeEntry } from './config.ts'
import type { Probe } from './probe.ts'
import type { Clock } from './scheduler.ts'

/** For opening, and again for measuring. */
const LIMIT_MS = 20_000
const CLOSE_LIMIT_MS = 1000

export interface OnceResult {
  readonly points: readonly Measurement[]
  readonly failures: readonly { readonly probe: string; readonly reason: string }[]
}

/** Opens the probes, lets one interval pass, measures once, and closes them. A probe that fails is named; the others are not affected. */
export async function measureOnce(
  entries: readonly ProbeEntry[],
  options: { readonly intervalMs: number; readonly clock: Clock; readonly log: Logger },
): Promise<OnceResult> {
  const { intervalMs, clock, log } = options
  const results = await Promise.all(
    entries.map(async ({ label, create }): Promise<OnceResult> => {
      const points: Measurement[] = []
      const failures: { probe: string; reason: string }[] = []
      const probe = create({
        log: log.child({ probe: label }),
        nowUs: () => clock.nowUs(),
        report: (urgent) => points.push(...urgent),
      })
      try {
        points.push(...(await run(probe, intervalMs, clock)))
      } catch (error) {
        failures.push({ probe: label, reason: reasonOf(error) })
      }
      return { points, failures }
    }),
  )
  return {
    points: results.flatMap(({ points }) => points),
    failures: results.flatMap(({ failures }) => failures),
  }
}

async function run(
  probe: Probe,
  intervalMs: number,
  clock: Clock,
): Promise<readonly Measurement[]> {
  await within(LIMIT_MS, clock, async (signal) => probe.open?.(signal))
  try {
    const openedMs = clock.monotonicMs()
    await new Promise<void>((resolve) => clock.setTimer(resolve, intervalMs))
    const interval = { endUs: clock.nowUs(), durationMs: clock.monotonicMs() - openedMs }
    return await within(LIMIT_MS, clock, (signal) => probe.measure(interval, signal))
  } finally {
    await within(CLOSE_LIMIT_MS, clock, async () => probe.close?.()).catch(() => undefined)
  }
}

/** Leaves work behind that does not end, even when its signal fires. */
async function within<T>(
  limitMs: number,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  let cancel = (): void => undefined
  const tooLate = new Promise<never>((_, reject) => {
    cancel = clock.setTimer(() => {
      const error = new Error(`not done within ${limitMs} ms`)
      limit.abort(error)
      reject(error)
    }, limitMs)
  })
  try {
    return await Promise.race([work(limit.signal), tooLate])
  } finally {
    cancel()
  }
}
