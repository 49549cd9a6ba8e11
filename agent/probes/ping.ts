import { setTimeout as delay } from 'node:timers/promises'
import { isIPv6 } from 'node:net'
import { platform } from 'node:process'
import systemPing, { type PingResponse } from 'ping'
import { z } from 'zod'
import { reasonOf } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe } from '../probe.ts'
import { percentile } from '../rtp/percentile.ts'

/** More at once would be a burst of our own making, and a burst of processes. */
const MAX_AT_ONCE = 16
/** Starts are this far apart, for the same reason. */
const START_GAP_MS = 20
/** Shortest gap between two requests that every Linux ping grants an ordinary user. */
const REQUEST_GAP_S = 0.2
const MS_PER_S = 1000
const MAX_TARGETS = 256
const MAX_REQUESTS = 100
const P95 = 0.95
const MEDIAN = 0.5
const MAX_REASON_LENGTH = 200

/** Goes to a program's argument list: nothing that could be an option or mean something to a shell. */
const target = z
  .string()
  .regex(
    /^[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,252})(?:%[A-Za-z0-9._-]{1,15})?$/,
    'expected a host name or an address, such as gw.example.org, 10.0.0.1 or fe80::1%eth0',
  )

const options = z.strictObject({
  targets: z.array(target).min(1).max(MAX_TARGETS),
  /** Echo requests per target and interval. */
  count: z.int().min(1).max(MAX_REQUESTS).default(5),
  /** How long to wait for the last replies. */
  timeout: duration
    .pipe(
      z
        .int()
        .min(MS_PER_S)
        .max(60 * MS_PER_S),
    )
    .default(2 * MS_PER_S),
})
type Options = z.infer<typeof options>

/** What came of one run of the ping program. */
export interface PingResult {
  /** Absent when nothing could be sent. */
  readonly sent?: number
  readonly received?: number
  /** Of the individual replies, ascending. */
  readonly roundTripsMs: readonly number[]
  readonly reason?: string
}

/** ICMP echo by the system's own ping program, which has the right to send it where we have not. */
export const ping = defineProbe({
  name: 'ping',
  summary: 'ICMP echo: is a host there, how far, how much is lost',
  options,
  create: (read) => new PingProbe(read),
})

class PingProbe implements Probe {
  readonly #options: Options
  /** Runs that outlived their time, as when a name server does not answer: not started again until they end. */
  readonly #running = new Set<string>()

  constructor(read: Options) {
    this.#options = read
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    const targets = [...new Set(this.#options.targets)]
    const points: Measurement[] = []
    let next = 0
    // The package gives no handle on the program it starts: when time is up we leave it, and it ends by itself.
    let cutOff = (): void => undefined
    const timeIsUp = new Promise<PingResult>((resolve) => {
      cutOff = () => {
        resolve(failed('cut off at the time limit'))
      }
    })
    const work = async (worker: number): Promise<void> => {
      await Promise.race([delay(worker * START_GAP_MS), timeIsUp])
      for (let host = targets[next++]; host !== undefined; host = targets[next++]) {
        const result = signal.aborted
          ? failed('no time left in the interval')
          : await Promise.race([this.#pingUnlessRunning(host), timeIsUp])
        points.push(toPoint(host, interval, result))
      }
    }
    signal.addEventListener('abort', cutOff, { once: true })
    try {
      const workers = Math.min(MAX_AT_ONCE, targets.length)
      await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
      return points
    } finally {
      signal.removeEventListener('abort', cutOff)
    }
  }

  async #pingUnlessRunning(host: string): Promise<PingResult> {
    if (this.#running.has(host)) return failed('the ping before has not ended')
    this.#running.add(host)
    try {
      return await runPing(host, this.#options)
    } finally {
      this.#running.delete(host)
    }
  }
}

async function runPing(host: string, { count, timeout }: Options): Promise<PingResult> {
  const unix = platform !== 'win32'
  // The package hands our own environment on and sets only LANG, over which LC_ALL wins.
  process.env['LC_ALL'] = 'C'
  try {
    const response = await systemPing.promise.probe(host, {
      numeric: unix,
      min_reply: count,
      timeout: Math.ceil(timeout / MS_PER_S),
      // On Linux one program does both families; ping6 is missing on newer systems.
      v6: platform !== 'linux' && isIPv6(withoutZone(host)),
      extra: unix ? ['-i', String(REQUEST_GAP_S)] : [],
    })
    return readPing(response, count)
  } catch (error) {
    return failed(`the ping program cannot be run: ${reasonOf(error)}`)
  }
}

/** Reads what the package made of the program's output, and the counts in the output's own summary. */
export function readPing(response: PingResponse, count: number): PingResult {
  const { output } = response
  const summary =
    /(\d+) packets transmitted, (\d+)(?: packets)? received/.exec(output) ??
    /Sent = (\d+), Received = (\d+)/.exec(output)
  const answered = /unknown/.test(response.packetLoss) ? undefined : response.times.length
  const sent = summary ? Number(summary[1]) : answered === undefined ? undefined : count
  if (sent === undefined || sent === 0) return failed(complaintIn(output))
  const received = Math.min(sent, summary ? Number(summary[2]) : (answered ?? 0))
  const roundTripsMs = response.times.filter(Number.isFinite).sort((a, b) => a - b)
  return received > 0
    ? { sent, received, roundTripsMs }
    : { sent, received, roundTripsMs: [], reason: complaintIn(output) }
}

function toPoint(host: string, interval: Interval, result: PingResult): Measurement {
  const { sent, received, roundTripsMs, reason } = result
  return measurement(
    'ping',
    interval.endUs,
    { target: host },
    {
      interval_ms: interval.durationMs,
      sent,
      received,
      loss_ratio:
        sent === undefined || received === undefined ? undefined : (sent - received) / sent,
      round_trip_min_ms: roundTripsMs[0],
      round_trip_p50_ms: percentile(roundTripsMs, MEDIAN),
      round_trip_p95_ms: percentile(roundTripsMs, P95),
      round_trip_max_ms: roundTripsMs.at(-1),
      reason,
    },
  )
}

function failed(reason: string): PingResult {
  return { roundTripsMs: [], reason }
}

/** The line in which the program says what went wrong; it has no other way to tell. */
function complaintIn(output: string): string {
  const lines = output.split(/\r?\n/).map((line) => line.trim())
  const complaint =
    lines.find((line) => /^(?:\S*\/)?ping6?:/.test(line)) ??
    lines.find((line) => /unreachable|prohibited|exceeded|not permitted/i.test(line))
  return (complaint ?? 'no reply').slice(0, MAX_REASON_LENGTH)
}

function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? address
}
