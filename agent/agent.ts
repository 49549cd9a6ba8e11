import { networkInterfaces, uptime } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { memoryUsage } from 'node:process'
import type { Logger } from '../common/log.ts'
import { measurement, type Measurement } from '../common/measurement.ts'
import type { EndReason, RunningService } from '../common/service.ts'
import { Spool } from '../common/spool.ts'
import type { AgentConfig } from './config.ts'
import { causeOfEnd } from './ending.ts'
import { tellsOfFailure } from './failing.ts'
import { Farewell } from './farewell.ts'
import { Feed, type PowerFailure } from './feed.ts'
import { Isolation } from './isolation.ts'
import { Outbox } from './outbox.ts'
import type { ProbeContext } from './probe.ts'
import { Pusher, type PushLimits } from './push.ts'
import { Scheduler, systemClock, type Clock, type ScheduledProbe } from './scheduler.ts'
import { SELF, SelfProbe, type Vitals } from './self.ts'
import { subnetsOf } from './subnets.ts'

/** Closing takes three steps, each at most this long: end the runs, close the probes, push once more. */
const GRACE_MS = 1000
const LAST_PUSH_MS = 2000
/** While probes end, together with finding out why. */
const LAST_WORD_MS = 1500
/** On battery there are seconds at least; a switch that reboots on another supply is back by then. */
const POWER_WORD_MS = 10_000
/** By then every probe has given its targets. */
const ALL_HEARD_MS = 60_000
const LOOP_DELAY_RESOLUTION_MS = 50
const LOOP_DELAY_PERCENTILE = 99
const NS_PER_MS = 1e6
const US_PER_MS = 1000
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/

export interface AgentOptions {
  readonly clock?: Clock
  readonly random?: () => number
  /** First runs after exactly one interval, instead of spread. */
  readonly aligned?: boolean
  readonly pushLimits?: Partial<PushLimits>
}

interface Parts {
  readonly schedulers: readonly Scheduler[]
  readonly outbox: Outbox
  readonly pusher: Pusher
  readonly spool: Spool
  readonly feed: Feed
  readonly farewell: Farewell
  readonly release: () => void
}

/** A running agent: probes, by the scheduler, into the spool, by the pusher, to a collector. */
export class Agent implements RunningService {
  readonly #parts: Parts
  #closing: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /** @throws when the spool cannot be opened; whatever fails later is retried */
  static async start(config: AgentConfig, log: Logger, options: AgentOptions = {}): Promise<Agent> {
    const { clock = systemClock, random = Math.random, aligned = false } = options
    const { agent, site, collectors, pushLimits = {} } = { ...config, ...options }
    warnOfPlainTokens(config, log)
    const spool = await Spool.open(config.spool)
    const monotonicMs = (): number => clock.monotonicMs()
    const outbox = new Outbox({ agent, site, spool, log, monotonicMs })
    const pusher = new Pusher({ collectors, spool, clock, log, random, limits: pushLimits })
    const feed = new Feed(config.farewell)
    const farewell = new Farewell({ agent, site, collectors, clock, log })
    const loopDelay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS })
    loopDelay.enable()
    const startedMs = monotonicMs()
    const isolation = new Isolation()
    let failuresSeen = 0
    const readVitals = (): Vitals => {
      const cpu = process.cpuUsage()
      const delayMs = loopDelay.percentile(LOOP_DELAY_PERCENTILE) / NS_PER_MS
      loopDelay.reset()
      const { failures } = pusher.counters
      const isFailing = failures > failuresSeen && spool.counters.points > 0
      failuresSeen = failures
      isolation.pushed(isFailing, config.intervalMs, clock.nowUs())
      return {
        uptimeS: (monotonicMs() - startedMs) / 1000,
        machineUptimeS: uptime(),
        rssBytes: memoryUsage.rss(),
        cpuMs: (cpu.user + cpu.system) / US_PER_MS,
        loopDelayMs: Math.max(0, delayMs - LOOP_DELAY_RESOLUTION_MS),
        subnets: subnetsOf(networkInterfaces()),
        monotonicMs: monotonicMs(),
        spoolPoints: spool.counters.points,
        spoolBytes: spool.counters.bytes,
        droppedPoints: spool.counters.droppedPoints + outbox.droppedPoints,
        rejectedPoints: pusher.counters.rejectedPoints,
        pushFailures: failures,
        isIsolated: isolation.isIsolated,
      }
    }
    let hurry = (): void => undefined
    const powerFailing = (failure: PowerFailure): void => {
      void farewell.say(failure.cause, failure, POWER_WORD_MS).then((unheard) => {
        if (unheard !== undefined) void outbox.put([unheard])
      })
      pusher.hurry()
    }
    const deliver = (points: readonly Measurement[]): void => {
      void outbox.put(points)
      const failure = feed.observe(points)
      if (failure !== undefined) powerFailing(failure)
      if (points.some(tellsOfFailure)) hurry()
      if (!isolation.observe(points)) return
      // Said at once, and behind the points it comes from: what follows from them must not be judged without it.
      const { isIsolated: isolated } = isolation
      void outbox.put([measurement('agent', clock.nowUs(), {}, { isolated })])
    }
    const schedule = { agent, clock, log, aligned, deliver }
    const scheduler = new Scheduler(makeProbes(config, log, clock, deliver), schedule)
    hurry = () => {
      scheduler.hurry()
    }
    const self = new SelfProbe(readVitals, () => scheduler.takeHealth(), clock.nowUs())
    const own = new Scheduler([{ label: SELF, intervalMs: config.intervalMs, probe: self }], {
      ...schedule,
      deliver: (points) => {
        void outbox.put(points).then((isSpooled) => {
          if (!isSpooled) self.sayAgain()
        })
      },
    })
    pusher.start()
    scheduler.start()
    own.start()
    const cancelCheck = clock.setTimer(() => {
      if (feed.unheard.length > 0)
        log.warn({ ups: feed.unheard }, 'farewell names UPSes that no probe gives: misspelt?')
    }, ALL_HEARD_MS)
    const release = (): void => {
      cancelCheck()
      loopDelay.disable()
    }
    const schedulers = [scheduler, own]
    return new Agent({ schedulers, outbox, pusher, spool, feed, farewell, release })
  }

  /** Says farewell, stops measuring, spools what was still measured, pushes once more, and lets go of everything. May be called again. */
  async close(reason?: EndReason): Promise<void> {
    this.#closing ??= this.#close(reason)
    await this.#closing
  }

  async #close(reason: EndReason | undefined): Promise<void> {
    const { schedulers, outbox, pusher, spool, release } = this.#parts
    await Promise.all([
      this.#sayFarewell(reason),
      ...schedulers.map((scheduler) => scheduler.stop(GRACE_MS)),
    ])
    await outbox.drain()
    await pusher.stop(LAST_PUSH_MS)
    await spool.close()
    release()
  }

  async #sayFarewell(reason: EndReason | undefined): Promise<void> {
    const { outbox, feed, farewell } = this.#parts
    const unheard = await farewell.say(await causeOfEnd(reason), feed.failure, LAST_WORD_MS)
    if (unheard !== undefined) await outbox.put([unheard])
  }
}

function makeProbes(
  config: AgentConfig,
  log: Logger,
  clock: Clock,
  report: ProbeContext['report'],
): readonly ScheduledProbe[] {
  return config.probes.map(({ label, intervalMs, isPower, create }) => {
    const context = { log: log.child({ probe: label }), nowUs: () => clock.nowUs(), report }
    return { label, intervalMs, isPower, probe: create(context) }
  })
}

function warnOfPlainTokens({ collectors }: AgentConfig, log: Logger): void {
  for (const { url } of collectors) {
    const { protocol, hostname } = new URL(url)
    if (protocol === 'https:' || LOOPBACK.test(hostname)) continue
    log.warn({ url }, 'the token goes over the network in the clear: use https')
  }
}
