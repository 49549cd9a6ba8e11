import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'tap'
import { createLogger } from '../../common/log.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { Distinct } from '../../agent/distinct.ts'
import type { Interval, Probe } from '../../agent/probe.ts'
import { Scheduler, phaseOf, type ScheduledProbe } from '../../agent/scheduler.ts'
import { SelfProbe, type Vitals } from '../../agent/self.ts'
import { tellsOfFailure } from '../../agent/failing.ts'
import { Isolation } from '../../agent/isolation.ts'
import { subnetsOf } from '../../agent/subnets.ts'
import { FakeClock } from '../support/fake-clock.ts'

const log = createLogger('test', 'silent')
const START_US = 1_700_000_000_000_000

test('a probe runs at its interval, and its intervals join without a gap', async (t) => {
  const clock = new FakeClock(START_US)
  const seen: Interval[] = []
  const scheduler = schedule(clock, [probe('p', async (interval) => remember(seen, interval))])
  scheduler.start()
  await clock.advance(30_000)
  t.same(seen, [
    { endUs: START_US + 10_000_000, durationMs: 10_000 },
    { endUs: START_US + 20_000_000, durationMs: 10_000 },
    { endUs: START_US + 30_000_000, durationMs: 10_000 },
  ])
  await scheduler.stop(1000)
})

test('a late run does not move the ones after it', async (t) => {
  const clock = new FakeClock(START_US)
  const seen: Interval[] = []
  const scheduler = schedule(clock, [probe('p', async (interval) => remember(seen, interval))])
  scheduler.start()
  await clock.advance(9000)
  clock.block(1250)
  await clock.advance(9750)
  t.same(seen, [
    { endUs: START_US + 10_250_000, durationMs: 10_250 },
    { endUs: START_US + 20_000_000, durationMs: 9750 },
  ])
  t.match(scheduler.takeHealth(), [{ runs: 2, lateMs: 250, skipped: 0 }])
  await scheduler.stop(1000)
})

test('intervals missed altogether are skipped, not made up for in a burst', async (t) => {
  const clock = new FakeClock(START_US)
  const seen: Interval[] = []
  const scheduler = schedule(clock, [probe('p', async (interval) => remember(seen, interval))])
  scheduler.start()
  await clock.advance(10_000)
  clock.block(35_000)
  await clock.advance(5000)
  t.same(
    seen.map(({ durationMs }) => durationMs),
    [10_000, 35_000, 5000],
  )
  t.match(scheduler.takeHealth(), [{ runs: 3, skipped: 2, lateMs: 25_000 }])
  await scheduler.stop(1000)
})

test('a run that outlasts its interval is cut off at 80 % of it, and the next is left out, never overlapped', async (t) => {
  const clock = new FakeClock(START_US)
  let calls = 0
  let cutOffAfterMs = 0
  let end = (): void => undefined
  const scheduler = schedule(clock, [
    probe('p', async (_, signal) => {
      calls++
      const begunMs = clock.monotonicMs()
      signal.addEventListener('abort', () => (cutOffAfterMs = clock.monotonicMs() - begunMs))
      await new Promise<void>((resolve) => (end = resolve))
      return []
    }),
  ])
  scheduler.start()
  await clock.advance(35_000)
  t.equal(calls, 1, 'the first run is still going')
  t.equal(cutOffAfterMs, 8000)
  t.match(scheduler.takeHealth(), [
    { runs: 1, timeouts: 1, skipped: 2, failures: 0, reason: 'not done within 8000 ms' },
  ])
  end()
  await clock.advance(5000)
  t.equal(calls, 2, 'it goes on once the first has ended')
  end()
  await clock.advance(0)
  await scheduler.stop(1000)
})

test('what a run cut off still measured is delivered', async (t) => {
  const clock = new FakeClock(START_US)
  const delivered: Measurement[] = []
  const scheduler = schedule(
    clock,
    [
      probe('p', async ({ endUs }, signal) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve)
        })
        return [measurement('ping', endUs, { target: 'a' }, { sent: 3, received: 3 })]
      }),
    ],
    delivered,
  )
  scheduler.start()
  await clock.advance(19_000)
  t.match(delivered, [{ name: 'ping', fields: { sent: 3 }, timeUs: START_US + 10_000_000 }])
  t.match(scheduler.takeHealth(), [{ timeouts: 1, failures: 0 }])
  await scheduler.stop(1000)
})

test('a probe that fails, throws at once or hangs takes nothing from the others', async (t) => {
  const clock = new FakeClock(START_US)
  let runs = 0
  const scheduler = schedule(clock, [
    probe('rejects', () => Promise.reject(new Error('no route'))),
    probe('throws', () => {
      throw new Error('broken')
    }),
    probe('hangs', () => new Promise(() => undefined)),
    probe('works', async () => {
      runs++
      return []
    }),
  ])
  scheduler.start()
  await clock.advance(30_000)
  t.equal(runs, 3)
  t.match(scheduler.takeHealth(), [
    { label: 'rejects', runs: 3, failures: 3, reason: 'no route' },
    { label: 'throws', runs: 3, failures: 3, reason: 'broken' },
    { label: 'hangs', runs: 1, failures: 0, timeouts: 1, skipped: 2 },
    { label: 'works', runs: 3, failures: 0, timeouts: 0, skipped: 0 },
  ])
  t.match(scheduler.takeHealth(), [{ runs: 0, failures: 0, reason: undefined }, {}, {}, {}])
  const stopped = scheduler.stop(1000)
  await clock.advance(1000)
  await stopped
})

test('in a hurry what measures power runs at once, at most every 2 s, and keeps its own times', async (t) => {
  const clock = new FakeClock(START_US)
  const ranAtMs: number[] = []
  const covered: number[] = []
  const others: number[] = []
  const scheduler = schedule(clock, [
    {
      ...probe('ups', async ({ durationMs }) => {
        ranAtMs.push(clock.monotonicMs())
        covered.push(durationMs)
        return []
      }),
      isPower: true,
    },
    probe('ping', async () => {
      others.push(clock.monotonicMs())
      return []
    }),
  ])
  scheduler.hurry()
  scheduler.start()
  await clock.advance(13_000)
  scheduler.hurry()
  scheduler.hurry()
  await clock.advance(500)
  t.same(ranAtMs, [10_000, 13_000])
  scheduler.hurry()
  await clock.advance(1000)
  t.same(ranAtMs, [10_000, 13_000], 'not before 15 s')
  await clock.advance(4500)
  t.same(ranAtMs, [10_000, 13_000, 15_000])
  scheduler.hurry()
  await clock.advance(0)
  t.same(ranAtMs, [10_000, 13_000, 15_000, 19_000])
  await clock.advance(500)
  scheduler.hurry()
  await clock.advance(2500)
  t.same(ranAtMs, [10_000, 13_000, 15_000, 19_000, 20_000], 'the one that was due made it needless')
  t.same(covered, [10_000, 3000, 2000, 4000, 1000], 'the intervals join')
  t.same(others, [10_000, 20_000])
  t.match(scheduler.takeHealth(), [{ label: 'ups', runs: 5, skipped: 0, lateMs: 0 }, {}])
  scheduler.hurry()
  await scheduler.stop(1000)
  t.equal(clock.timers, 0)
})

test('a run in a hurry that still goes on when the next is due counts as that one', async (t) => {
  const clock = new FakeClock(START_US)
  let runs = 0
  let end = (): void => undefined
  const slow: ScheduledProbe = {
    ...probe('ups', async () => {
      runs++
      await new Promise<void>((resolve) => (end = resolve))
      return []
    }),
    isPower: true,
  }
  const scheduler = schedule(clock, [slow])
  scheduler.start()
  await clock.advance(10_000)
  end()
  await clock.advance(8000)
  scheduler.hurry()
  await clock.advance(1000)
  scheduler.hurry()
  await clock.advance(3000)
  t.equal(runs, 2, 'one hurries, none beside it')
  t.match(scheduler.takeHealth(), [{ runs: 2, skipped: 0 }])
  end()
  await scheduler.stop(1000)
})

test('a glance between measurements is delivered at once, and its failures harm nobody', async (t) => {
  const clock = new FakeClock(START_US)
  const delivered: Measurement[] = []
  const looks: number[] = []
  const glance = {
    everyMs: 1000,
    look: async (nowUs: number): Promise<readonly Measurement[]> => {
      looks.push((nowUs - START_US) / 1_000_000)
      if (looks.length === 2) throw new Error('cannot look')
      const point = measurement('power_supply', nowUs, { target: 'AC' }, { online: false })
      return looks.length === 3 ? [point] : []
    },
  }
  const scheduler = schedule(
    clock,
    [{ label: 'host', intervalMs: 10_000, probe: { measure: async () => [], glance } }],
    delivered,
  )
  scheduler.start()
  await clock.advance(4500)
  t.same(looks, [1, 2, 3, 4])
  t.match(delivered, [{ name: 'power_supply', timeUs: START_US + 3_000_000 }])
  await scheduler.stop(1000)
  t.equal(clock.timers, 0)
})

test('a probe that cannot be opened is tried again, later each time, and runs once it can', async (t) => {
  const clock = new FakeClock(START_US)
  const openedAtMs: number[] = []
  const seen: Interval[] = []
  const scheduler = schedule(clock, [
    {
      label: 'p',
      intervalMs: 10_000,
      probe: {
        open: async () => {
          openedAtMs.push(clock.monotonicMs())
          if (openedAtMs.length < 4) throw new Error('no permission')
        },
        measure: async (interval) => remember(seen, interval),
      },
    },
  ])
  scheduler.start()
  await clock.advance(17_000)
  t.same(openedAtMs, [0, 1000, 3000, 7000])
  t.match(scheduler.takeHealth(), [{ failures: 3, runs: 1, reason: 'no permission' }])
  t.same(seen, [{ endUs: START_US + 17_000_000, durationMs: 10_000 }])
  await scheduler.stop(1000)
})

test('stopping ends the runs, delivers what they give, closes the probes and leaves no timer', async (t) => {
  const clock = new FakeClock(START_US)
  const delivered: Measurement[] = []
  let isClosed = false
  const scheduler = schedule(
    clock,
    [
      {
        label: 'p',
        intervalMs: 10_000,
        probe: {
          measure: async ({ endUs }, signal) => {
            await new Promise((resolve) => {
              signal.addEventListener('abort', resolve)
            })
            return [measurement('ping', endUs, { target: 'a' }, { sent: 1 })]
          },
          close: async () => {
            isClosed = true
          },
        },
      },
    ],
    delivered,
  )
  scheduler.start()
  await clock.advance(12_000)
  await scheduler.stop(1000)
  t.equal(delivered.length, 1)
  t.equal(isClosed, true)
  t.equal(clock.timers, 0)
})

test('probes run apart, each in its own place: by the names of agent and probe', async (t) => {
  const clock = new FakeClock(START_US)
  const firstMs = new Map<string, number>()
  const probes = ['ping', 'host', 'ups-nut'].map((label) =>
    probe(label, async () => {
      if (!firstMs.has(label)) firstMs.set(label, clock.monotonicMs())
      return []
    }),
  )
  const scheduler = new Scheduler(probes, { agent: 'gw-1', clock, log, deliver: () => undefined })
  scheduler.start()
  await clock.advance(20_000)
  await scheduler.stop(1000)
  for (const [label, ms] of firstMs) {
    t.equal(Math.round(ms), Math.round(1000 + 9000 * phaseOf('gw-1', label)), label)
  }
  t.equal(new Set(firstMs.values()).size, 3)
  const quarters = [0, 0, 0, 0]
  for (let n = 0; n < 400; n++) {
    const quarter = Math.floor(phaseOf(`gw-${n}`, 'ping') * 4)
    quarters[quarter] = (quarters[quarter] ?? 0) + 1
  }
  t.ok(Math.min(...quarters) > 70, `400 agents spread over the interval: ${quarters.join(' ')}`)
})

test('a stepped wall clock moves the stamps at once and leaves the durations alone', async (t) => {
  const clock = new FakeClock(START_US)
  const seen: Interval[] = []
  const scheduler = schedule(clock, [probe('p', async (interval) => remember(seen, interval))])
  scheduler.start()
  await clock.advance(15_000)
  clock.stepWall(-3_600_000)
  await clock.advance(5000)
  t.same(seen, [
    { endUs: START_US + 10_000_000, durationMs: 10_000 },
    { endUs: START_US + 20_000_000 - 3_600_000_000, durationMs: 10_000 },
  ])
  await scheduler.stop(1000)
})

test('the n-th point of a series with the same stamp is moved by n microseconds, in the order given', (t) => {
  const distinct = new Distinct({ site: 'hq', agent: 'gw-1' })
  const stream = (ssrc: string, codec: string, timeUs = 5_000_000): Measurement =>
    measurement('rtp_stream', timeUs, { codec }, { ssrc })
  const points = distinct.complete([
    stream('a', 'PCMA'),
    stream('b', 'PCMA'),
    stream('c', 'PCMU'),
    stream('d', 'PCMA'),
    stream('e', 'PCMA', 5_000_002),
    stream('f', 'PCMA', 4_000_000),
  ])
  t.same(
    points.map(({ fields, timeUs }) => [fields['ssrc'], timeUs]),
    [
      ['a', 5_000_000],
      ['b', 5_000_001],
      ['c', 5_000_000],
      ['d', 5_000_002],
      ['e', 5_000_003],
      ['f', 4_000_000],
    ],
  )
  t.same(points[0]?.tags, { codec: 'PCMA', site: 'hq', agent: 'gw-1' })
  t.end()
})

test('two batches that end within a second of each other do not overwrite each other', (t) => {
  const distinct = new Distinct({ site: 'hq', agent: 'gw-1' })
  const streams = (count: number, timeUs: number): Measurement[] =>
    Array.from({ length: count }, () => measurement('rtp_stream', timeUs, {}, { lost: 0 }))
  const stamps = [
    ...distinct.complete(streams(800, 5_000_000)),
    ...distinct.complete(streams(800, 5_000_400)),
    ...distinct.complete(streams(800, 4_999_900)),
  ].map(({ timeUs }) => timeUs)
  t.equal(new Set(stamps).size, 2400)
  t.equal(Math.max(...stamps), 5_002_399)
  const [later] = distinct.complete(streams(1, 15_000_000))
  t.equal(later?.timeUs, 15_000_000)
  t.end()
})

test("the agent's own health says what happened since the last time, and nothing about probes that did not run", async (t) => {
  const vitals: Vitals = {
    uptimeS: 100,
    machineUptimeS: 86_400,
    rssBytes: 60_000_000,
    cpuMs: 1000,
    loopDelayMs: 1.5,
    subnets: ['10.1.0.0/16', '10.2.0.0/16'],
    monotonicMs: 100_000,
    spoolPoints: 0,
    spoolBytes: 0,
    droppedPoints: 7,
    rejectedPoints: 1,
    pushFailures: 3,
    isIsolated: undefined,
  }
  const readings = [
    vitals,
    {
      ...vitals,
      uptimeS: 110,
      cpuMs: 1050,
      monotonicMs: 110_000,
      spoolPoints: 12,
      spoolBytes: 900,
      droppedPoints: 9,
      rejectedPoints: 1,
      pushFailures: 5,
    },
  ]
  const self = new SelfProbe(
    () => readings.shift() ?? vitals,
    () => [
      { label: 'ping', runs: 1, failures: 1, timeouts: 0, skipped: 0, lateMs: 0.5, reason: 'no' },
      {
        label: 'host',
        runs: 0,
        failures: 0,
        timeouts: 0,
        skipped: 1,
        lateMs: 0,
        reason: undefined,
      },
    ],
    START_US,
  )
  const points = await self.measure({ endUs: START_US + 13_000_000, durationMs: 10_000 })
  const [own, ping, host] = points
  t.match(own, {
    name: 'agent',
    timeUs: START_US + 13_000_000,
    fields: {
      interval_ms: 10_000,
      subnets: '10.1.0.0/16 10.2.0.0/16',
      uptime_s: 110,
      rss_bytes: 60_000_000,
      cpu_ratio: 0.005,
      loop_delay_ms: 1.5,
      clock_step_ms: 3000,
      spool_points: 12,
      spool_bytes: 900,
      spool_dropped: 2,
      push_rejected: 0,
      push_failures: 2,
    },
  })
  t.match(ping, { tags: { target: 'ping' }, fields: { runs: 1, failures: 1, reason: 'no' } })
  t.same(host?.fields, { interval_ms: 10_000, runs: 0, failures: 0, timeouts: 0, skipped: 1 })
})

test('subnets are told as networks, each once, without loopback and link-local', (t) => {
  const at = (cidr: string, internal = false): NetworkInterfaceInfo[] => {
    const address = cidr.split('/')[0] ?? ''
    const common = { address, netmask: '', mac: '', internal, cidr }
    return [
      address.includes(':')
        ? { ...common, family: 'IPv6', scopeid: 0 }
        : { ...common, family: 'IPv4' },
    ]
  }
  t.same(
    subnetsOf({
      lo: at('127.0.0.1/8', true),
      eth0: [...at('10.1.2.3/16'), ...at('fe80::1/64')],
      eth1: [...at('192.168.7.9/30'), ...at('2001:db8:1:2ff:3::9/56')],
      eth2: at('10.1.9.9/16'),
      wg0: at('10.9.0.2/32'),
    }),
    ['10.1.0.0/16', '10.9.0.2/32', '192.168.7.8/30', '2001:db8:1:200::/56'],
  )
  t.end()
})

function probe(label: string, measure: Probe['measure']): ScheduledProbe {
  return { label, intervalMs: 10_000, probe: { measure } }
}

function schedule(
  clock: FakeClock,
  probes: readonly ScheduledProbe[],
  delivered: Measurement[] = [],
): Scheduler {
  return new Scheduler(probes, {
    agent: 'gw-1',
    clock,
    log,
    deliver: (points) => delivered.push(...points),
    aligned: true,
  })
}

function remember(seen: Interval[], interval: Interval): readonly Measurement[] {
  seen.push(interval)
  return []
}

test('a target without an answer and a check that failed are failures, nothing else is', (t) => {
  const failing = (name: 'ping' | 'sip_options' | 'sip_registration', fields: object): boolean =>
    tellsOfFailure({ name, tags: { target: 'a' }, fields: { ...fields }, timeUs: START_US })
  t.ok(failing('ping', { sent: 5, received: 0 }))
  t.notOk(failing('ping', { sent: 5, received: 1 }))
  t.ok(failing('ping', { reason: 'Network is unreachable' }))
  t.notOk(failing('ping', { reason: 'there is no ping program' }))
  t.ok(failing('sip_options', { failures_in_row: 1, timeout: true }))
  t.notOk(failing('sip_options', { failures_in_row: 0 }))
  t.ok(failing('sip_registration', { failures_in_row: 3, status_code: 503 }))
  t.ok(tellsOfFailure(tested(10, false)))
  t.notOk(tellsOfFailure(tested(10, true)))
  t.notOk(tellsOfFailure(heard(10, 0)))
  t.end()
})

// ---- isolation

function pinged(s: number, target: string, received: number): Measurement {
  return measurement(
    'ping',
    START_US + s * 1_000_000,
    { target },
    { interval_ms: 10_000, sent: 5, received },
  )
}

function tested(s: number, answered: boolean): Measurement {
  return measurement(
    'rtp_test',
    START_US + s * 1_000_000,
    { target: 'far', direction: 'forward' },
    { interval_ms: 10_000, dst_ip: '10.2.0.9', sent: 500, answered },
  )
}

function heard(s: number, received: number, source = 'capture'): Measurement {
  return measurement(
    'rtp_stream',
    START_US + s * 1_000_000,
    { codec: 'PCMA', source },
    { interval_ms: 10_000, received },
  )
}

/** What an agent that watched this says of itself. */
function isolatedAfter(...points: readonly Measurement[]): boolean | undefined {
  const isolation = new Isolation()
  for (const point of points) isolation.observe([point])
  return isolation.isIsolated
}

test('an agent whose targets fall silent at once may be cut off itself, until one answers', async (t) => {
  const isolation = new Isolation()
  t.equal(isolation.observe([pinged(10, 'gw', 5), pinged(10, 'pbx', 5)]), false)
  t.equal(isolation.isIsolated, false)
  t.equal(isolation.observe([tested(12, true)]), false)
  t.equal(isolation.observe([pinged(20, 'gw', 0), pinged(20, 'pbx', 0)]), false)
  t.equal(isolation.isIsolated, false, 'the test stream is answered yet')
  t.equal(isolation.observe([tested(22, false)]), true, 'now nothing is')
  t.equal(isolation.isIsolated, true)
  t.equal(isolation.observe([pinged(30, 'gw', 0), pinged(30, 'pbx', 0)]), false)
  t.equal(isolation.observe([pinged(40, 'gw', 1), pinged(40, 'pbx', 0)]), true)
  t.equal(isolation.isIsolated, false)
})

test('one target says nothing about the agent, nor do targets that fell silent one after the other or never answered', async (t) => {
  const one = [pinged(10, 'gw', 5), pinged(20, 'gw', 0)]
  t.equal(isolatedAfter(...one), undefined, 'too little to tell')
  t.equal(isolatedAfter(...one, pinged(10, '127.0.0.1', 5), pinged(20, '127.0.0.1', 0)), undefined)
  const slowly = [pinged(10, 'gw', 5), pinged(10, 'pbx', 5), pinged(20, 'gw', 0)]
  t.equal(
    isolatedAfter(...slowly, pinged(30, 'pbx', 5), pinged(40, 'gw', 0), pinged(40, 'pbx', 0)),
    false,
  )
  t.equal(isolatedAfter(pinged(10, 'gw', 0), pinged(10, 'pbx', 0)), false)
  const dead = [pinged(0, 'old', 0), pinged(10, 'old', 0), pinged(20, 'old', 0)]
  t.equal(
    isolatedAfter(...slowly.slice(0, 2), ...dead, pinged(20, 'gw', 0), pinged(20, 'pbx', 0)),
    true,
    'a target that never answered does not hide it',
  )
})

test('an agent that hears streams is not cut off, and a file is not heard', async (t) => {
  const silent = [
    ...[pinged(10, 'gw', 5), pinged(10, 'pbx', 5), heard(15, 500)],
    ...[pinged(20, 'gw', 0), pinged(20, 'pbx', 0)],
  ]
  t.equal(isolatedAfter(...silent, heard(25, 200)), true, 'heard before the silence began')
  t.equal(isolatedAfter(...silent, heard(25, 200), heard(35, 500)), false)
  t.equal(isolatedAfter(...silent, heard(35, 0)), true)
  t.equal(isolatedAfter(...silent, heard(35, 500, 'file')), true)
})

test('what was not asked is not silent, unless there is no way out', async (t) => {
  const failed = (target: string, reason: string) =>
    measurement('ping', START_US + 20_000_000, { target }, { interval_ms: 10_000, reason })
  const answered = [pinged(10, 'gw', 5), pinged(10, 'pbx', 5)]
  const after = (reason: string) =>
    isolatedAfter(...answered, failed('gw', reason), failed('pbx', reason))
  t.equal(after('the ping program cannot be run: ENOENT'), false)
  t.equal(after('cut off at the time limit'), false)
  t.equal(after('ping: connect: Network is unreachable'), true)
  t.equal(after('ping: pbx: Temporary failure in name resolution'), true)
})

test('the collector counts when it is not reached, and says nothing when it is', async (t) => {
  const isolation = new Isolation()
  const nowUs = START_US + 25_000_000
  isolation.observe([pinged(10, 'gw', 5)])
  isolation.observe([pinged(20, 'gw', 0)])
  isolation.pushed(false, 10_000, nowUs)
  t.equal(isolation.isIsolated, undefined)
  isolation.pushed(true, 10_000, nowUs)
  t.equal(isolation.isIsolated, true)
  isolation.pushed(false, 10_000, nowUs + 10_000_000)
  t.equal(isolation.isIsolated, undefined)
})

test('a target taken out of the configuration is forgotten', async (t) => {
  const points = [pinged(10, 'old', 5), pinged(10, 'gw', 5), pinged(10, 'pbx', 5)]
  for (let s = 20; s <= 100; s += 10) points.push(pinged(s, 'gw', 5), pinged(s, 'pbx', 5))
  t.equal(isolatedAfter(...points, pinged(110, 'gw', 0), pinged(110, 'pbx', 0)), true)
})
