import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { Agent, type AgentOptions } from '../../agent/agent.ts'
import type { AgentConfig, ProbeEntry } from '../../agent/config.ts'
import { measureOnce } from '../../agent/once.ts'
import type { Probe, ProbeContext } from '../../agent/probe.ts'
import { systemClock } from '../../agent/scheduler.ts'
import { tableOf } from '../../agent/table.ts'
import { defaultGateway } from '../../agent/this-machine.ts'
import { decodeLines, type DecodedPoint } from '../../common/line-protocol.ts'
import { createLogger } from '../../common/log.ts'
import { complaintAbout, measurement } from '../../common/measurement.ts'
import { Secret } from '../../common/settings.ts'
import { always, ScriptedCollector, until, type Push } from '../support/scripted-collector.ts'

const log = createLogger('test', 'silent')
const INTERVAL_MS = 100

test('what probes measure arrives at the collector with site and agent, each point once, and nothing the vocabulary lacks', async (t) => {
  const collector = await startCollector(t)
  const streams = probeEntry('streams', async ({ endUs }) =>
    ['a', 'b', 'c'].map((ssrc) => measurement('rtp_stream', endUs, { codec: 'PCMA' }, { ssrc })),
  )
  await startAgent(t, collector.url, [streams])
  await until(() => points(collector, 'rtp_stream').length >= 6, 'two intervals')
  const [first, second, third] = points(collector, 'rtp_stream')
  t.same(first?.tags, { codec: 'PCMA', site: 'hq', agent: 'gw-1' })
  t.same(
    [second, third].map((point) => (point?.timeUs ?? 0) - (first?.timeUs ?? 0)),
    [1, 2],
  )
  const identities = points(collector).map(({ name, tags, timeUs }) =>
    JSON.stringify([name, tags, timeUs]),
  )
  t.equal(new Set(identities).size, identities.length)
  t.same(points(collector).map(complaintAbout).filter(Boolean), [])
})

test('an interval is at the collector within 200 ms of its end', async (t) => {
  const arrivals: number[] = []
  const collector = await ScriptedCollector.start((response) => {
    arrivals.push(performance.now())
    response.writeHead(204).end()
  })
  t.teardown(() => collector.close())
  const ends: number[] = []
  const probe = probeEntry('p', async ({ endUs }) => {
    ends.push(performance.now())
    return [measurement('ping', endUs, { target: 'a' }, { sent: 1 })]
  })
  await startAgent(t, collector.url, [probe], { ownIntervalMs: 60_000 })
  await collector.received(9)
  const delays = ends
    .slice(0, arrivals.length)
    .map((end, index) => (arrivals[index] ?? Infinity) - end)
    .sort((a, b) => a - b)
  t.ok((delays[4] ?? Infinity) < 200, `median ${(delays[4] ?? NaN).toFixed(1)} ms`)
})

test('an agent that sees nothing any more says so at once, behind what it comes from', async (t) => {
  const collector = await startCollector(t)
  let received = 5
  const entry = probeEntry('ping', async ({ endUs }) =>
    ['gw', 'pbx'].map((target) =>
      measurement('ping', endUs, { target }, { interval_ms: INTERVAL_MS, sent: 5, received }),
    ),
  )
  await startAgent(t, collector.url, [entry], { ownIntervalMs: 60_000 })
  await until(() => points(collector, 'ping').length >= 2, 'an answer')
  received = 0
  const isolated = () => points(collector, 'agent').filter(({ fields }) => 'isolated' in fields)
  await until(() => isolated().length === 1, 'its word')
  t.same(isolated()[0]?.fields, { isolated: true })
  t.same(isolated()[0]?.tags, { site: 'hq', agent: 'gw-1' })
  received = 5
  await until(() => isolated().length === 2, 'its second word')
  t.same(isolated()[1]?.fields, { isolated: false })
})

test('what a probe reports at once does not wait for the end of the interval', async (t) => {
  const collector = await startCollector(t)
  const reporter: ProbeEntry = {
    ...probeEntry('p', async () => []),
    intervalMs: 3_600_000,
    create: (context) => ({
      open: async () => {
        const fields = { line: 'battery' }
        context.report([measurement('ups', context.nowUs(), { target: 'ups-1' }, fields)])
      },
      measure: async () => [],
    }),
  }
  await startAgent(t, collector.url, [reporter])
  await until(() => points(collector, 'ups').length === 1, 'the report')
  t.match(points(collector, 'ups'), [{ fields: { line: 'battery' }, tags: { agent: 'gw-1' } }])
})

test('when a target fails the power is looked at at once', async (t) => {
  const collector = await startCollector(t)
  const ping = (target: string, received: number) =>
    probeEntry(target, async ({ endUs }) => [
      measurement('ping', endUs, { target }, { sent: 5, received }),
    ])
  const ups: ProbeEntry = {
    ...probeEntry('ups', async ({ endUs }) => [
      measurement('ups', endUs, { target: 'ups-1' }, { line: 'battery' }),
    ]),
    intervalMs: 3_600_000,
    isPower: true,
  }
  await startAgent(t, collector.url, [ping('up', 5), ups])
  await until(() => points(collector, 'ping').length > 3, 'answers')
  t.same(points(collector, 'ups'), [], 'nothing failed')
  const other = await startCollector(t)
  await startAgent(t, other.url, [ping('down', 0), ups])
  await until(() => points(other, 'ups').length === 1, 'the power')
})

test('the agent says how it and each of its probes are', async (t) => {
  const collector = await startCollector(t)
  await startAgent(t, collector.url, [
    probeEntry('bad', () => Promise.reject(new Error('no such host'))),
    probeEntry('good', async () => []),
  ])
  const failed = (): DecodedPoint | undefined =>
    points(collector, 'agent').find(({ fields }) => fields['failures'] === 1)
  await until(() => failed() !== undefined, 'a failure to be told')
  const [own] = points(collector, 'agent')
  t.match(own?.fields, {
    interval_ms: Number,
    version: /^\d+\.\d+\.\d+/,
    subnets: String,
    uptime_s: Number,
    rss_bytes: Number,
    cpu_ratio: Number,
    loop_delay_ms: Number,
    spool_points: Number,
    spool_dropped: 0,
    push_failures: 0,
  })
  t.match(failed(), { tags: { target: 'bad' }, fields: { reason: 'no such host', timeouts: 0 } })
  const good = points(collector, 'agent').filter(({ tags }) => tags['target'] === 'good')
  t.match(good[0]?.fields, { runs: Number, failures: 0, skipped: Number })
  t.ok(good.every(({ fields }) => !('reason' in fields)))
})

test('while the disk is full measuring goes on, the loss is counted, and it heals', async (t) => {
  const folder = await temporaryFolder(t)
  const disk = join(folder, 'disk')
  await mkdir(disk)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]).status === 0
  if (!mounted) {
    t.pass('a full disk', { skip: 'cannot mount a small tmpfs: run the tests as root' })
    return
  }
  t.teardown(() => spawnSync('umount', [disk]))
  const collector = await startCollector(t)
  collector.script = always(503)
  let runs = 0
  const probe = probeEntry('p', async ({ endUs }) => {
    runs++
    return Array.from({ length: 20 }, () =>
      measurement('event', endUs, {}, { text: randomBytes(300).toString('hex') }),
    )
  })
  const agent = await startAgent(t, collector.url, [probe], { folder: disk })
  // 20 times 300 random octets do not compress below 6000: 16 intervals are 96 000, of which 64 KiB fit.
  await until(() => runs > 16, 'the disk to be full')
  collector.script = always(204)
  const hasToldLoss = (): boolean =>
    points(collector, 'agent').some(({ fields }) => Number(fields['spool_dropped']) >= 60)
  await until(hasToldLoss, 'the loss to be told')
  const before = points(collector, 'event').length
  await until(() => points(collector, 'event').length >= before + 60, 'three more intervals')
  await agent.close()
  t.equal(spawnSync('umount', [disk]).status, 0, 'nothing is left open')
})

test('closing spools what a run still gives, pushes it, and may be done twice', async (t) => {
  const collector = await startCollector(t)
  let hasBegun = false
  let closed = 0
  const slow: ProbeEntry = {
    ...probeEntry('slow', async () => []),
    intervalMs: 1000,
    create: () => ({
      measure: async ({ endUs }, signal) => {
        hasBegun = true
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve)
        })
        return [measurement('ping', endUs, { target: 'last' }, { sent: 1 })]
      },
      close: async () => {
        closed++
      },
    }),
  }
  const agent = await startAgent(t, collector.url, [slow])
  await until(() => hasBegun, 'the run to begin')
  await Promise.all([agent.close(), agent.close()])
  t.equal(points(collector, 'ping').length, 1)
  t.equal(closed, 1)
})

test('once measures each probe over the interval asked for, and names those that fail', async (t) => {
  const closed: string[] = []
  const create =
    (name: string, measure: Probe['measure']): ((context: ProbeContext) => Probe) =>
    () => ({
      measure,
      close: async () => {
        closed.push(name)
      },
    })
  const entries: ProbeEntry[] = [
    {
      ...probeEntry('good', async () => []),
      create: create('good', async ({ endUs, durationMs }) => [
        measurement('ping', endUs, { target: 'a' }, { interval_ms: durationMs, sent: 5 }),
      ]),
    },
    {
      ...probeEntry('bad', async () => []),
      create: create('bad', () => Promise.reject(new Error('no such host'))),
    },
  ]
  const result = await measureOnce(entries, { intervalMs: 50, clock: systemClock, log })
  t.same(result.failures, [{ probe: 'bad', reason: 'no such host' }])
  t.equal(result.points.length, 1)
  t.ok(Number(result.points[0]?.fields['interval_ms']) >= 49)
  t.same(closed.sort(), ['bad', 'good'])
})

test('the table has a row for each field with its unit, and as many columns as fit', (t) => {
  const ping = (target: string, p50: number | undefined): ReturnType<typeof measurement> =>
    measurement(
      'ping',
      1,
      { target, site: 'hq', agent: 'gw-1' },
      { sent: 5, round_trip_p50_ms: p50, reason: p50 === undefined ? 'no\nreply' : undefined },
    )
  t.equal(
    tableOf([ping('10.0.0.1', 0.123456), ping('b', undefined)], 100),
    `ping: ICMP echo to one target over one interval
                              10.0.0.1  b
  sent               packets  5         5
  round_trip_p50_ms  ms       0.1235
  reason                                no reply
`,
  )
  t.equal(tableOf([ping('10.0.0.1', 1), ping('b', 2)], 40).split('10.0.0.1').length, 2)
  t.match(tableOf([ping('10.0.0.1', 1), ping('b', 2)], 40), /ms {7}1\n\n {30}b\n/)
  t.end()
})

test('the default gateway is read from the kernel, the one with the lowest metric', (t) => {
  const header =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
  t.equal(
    defaultGateway(
      header +
        'eth0\t00000000\t0102A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n' +
        'wg0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n' +
        'eth1\t00000000\tFE01000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n' +
        'eth1\t0001000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n',
    ),
    '10.0.1.254',
  )
  t.equal(defaultGateway(header), undefined)
  t.equal(defaultGateway(''), undefined)
  t.end()
})

interface StartOptions extends AgentOptions {
  readonly folder?: string
  readonly ownIntervalMs?: number
}

async function startAgent(
  t: Test,
  url: string,
  probes: readonly ProbeEntry[],
  options: StartOptions = {},
): Promise<Agent> {
  const { folder = await temporaryFolder(t), ownIntervalMs = INTERVAL_MS, ...rest } = options
  const config: AgentConfig = {
    agent: 'gw-1',
    site: 'hq',
    collectors: [{ url, token: new Secret('s3cret') }],
    intervalMs: ownIntervalMs,
    spool: { folder: join(folder, 'spool'), maxBytes: 1_000_000 },
    logLevel: 'silent',
    farewell: { ups: ['ups-1'], on: ['on-battery', 'low-battery'], lowChargeRatio: 0.1 },
    probes,
  }
  const pushLimits = { backoffMaxMs: 50 }
  const agent = await Agent.start(config, log, { aligned: true, pushLimits, ...rest })
  t.teardown(() => agent.close())
  return agent
}

async function startCollector(t: Test): Promise<ScriptedCollector> {
  const collector = await ScriptedCollector.start(always(204))
  t.teardown(() => collector.close())
  return collector
}

function probeEntry(label: string, measure: Probe['measure']): ProbeEntry {
  return { kind: label, label, intervalMs: INTERVAL_MS, create: () => ({ measure }) }
}

const decoded = new WeakMap<Push, readonly DecodedPoint[]>()

function points(collector: ScriptedCollector, name?: string): readonly DecodedPoint[] {
  return collector.pushes
    .flatMap((push) => {
      const known = decoded.get(push) ?? decode(push)
      decoded.set(push, known)
      return known
    })
    .filter((point) => name === undefined || point.name === name)
}

function decode({ text }: Push): readonly DecodedPoint[] {
  const options = { precision: 'us', nowUs: 0, maxPoints: 10_000 } as const
  return decodeLines(text, options).points.map(({ point }) => point)
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-agent-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}
