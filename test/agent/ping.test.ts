import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { test } from 'tap'
import { z } from 'zod'
import { ping, readPing } from '../../agent/probes/ping.ts'
import type { Probe } from '../../agent/probe.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue } from '../../common/measurement.ts'

const INTERVAL = { endUs: 1_800_000_000_000_000, durationMs: 10_000 }
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MISSING = ['/usr/bin/ping', '/bin/ping'].some((file) => existsSync(file))
  ? false
  : 'ping is missing: apt-get install iputils-ping'

type Fields = Readonly<Record<string, FieldValue>>

test(
  'targets that answer get counts and ordered round trips, in both families',
  { skip: MISSING },
  async (t) => {
    const six = (networkInterfaces()['lo'] ?? []).some(({ family }) => family === 'IPv6')
    const targets = ['127.0.0.1', 'localhost', ...(six ? ['::1'] : [])]
    const points = await measure(probeOf({ targets, count: 4 }))
    t.same([...points.keys()].sort(), targets.sort())
    for (const [target, fields] of points) {
      t.match(fields, { sent: 4, received: 4, loss_ratio: 0, interval_ms: 10_000 }, target)
      const { round_trip_min_ms: min, round_trip_p50_ms: p50 } = fields
      const { round_trip_p95_ms: p95, round_trip_max_ms: max } = fields
      t.ok(Number(min) > 0 && Number(min) <= Number(p50), target)
      t.ok(Number(p50) <= Number(p95) && Number(p95) <= Number(max), target)
      t.notOk('reason' in fields, target)
    }
  },
)

test(
  'a name that does not resolve is named, and nothing counts as sent',
  { skip: MISSING },
  async (t) => {
    const points = await measure(probeOf({ targets: ['no-such-host.invalid', '127.0.0.1'] }))
    const unknown = points.get('no-such-host.invalid') ?? {}
    t.match(unknown['reason'], /no-such-host\.invalid/)
    t.same(Object.keys(unknown).sort(), ['interval_ms', 'reason'])
    t.match(points.get('127.0.0.1'), { received: 5 }, 'the others are measured all the same')
  },
)

test('without a ping program the reason says so', async (t) => {
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  t.teardown(() => {
    process.env['PATH'] = path
  })
  const fields = (await measure(probeOf({ targets: ['127.0.0.1'] }))).get('127.0.0.1') ?? {}
  t.match(fields['reason'], /ping program cannot be run/)
  t.equal(fields['sent'], undefined)
})

test(
  'silence is loss without a round trip, and partial loss is counted exactly',
  { skip: MISSING },
  async (t) => {
    const points = await measureInNamespace(
      [
        'ip link set lo up',
        'nft add table ip t',
        "nft add chain ip t in '{ type filter hook input priority 0; }'",
        'nft add rule ip t in icmp type echo-request ip daddr 127.0.0.5 numgen inc mod 5 4 drop',
        'nft add rule ip t in icmp type echo-request ip daddr 127.0.0.6 drop',
      ],
      { targets: ['127.0.0.6', '127.0.0.5'], count: 10, timeout: '1s' },
    )
    if (points === undefined) {
      t.pass('loss', { skip: 'needs a network namespace of its own, ip and nft: run as root' })
      return
    }
    const silent = points.get('127.0.0.6') ?? {}
    t.match(silent, { sent: 10, received: 0, loss_ratio: 1, reason: 'no reply' })
    t.same(
      Object.keys(silent).filter((field) => field.startsWith('round_trip')),
      [],
      'a timeout is not a round trip',
    )
    const lossy = points.get('127.0.0.5') ?? {}
    t.match(lossy, { sent: 10, received: 8, loss_ratio: 0.2 })
    t.ok('round_trip_p95_ms' in lossy)
  },
)

test(
  'when time is up what is unfinished says so, and is not started twice',
  { skip: MISSING },
  async (t) => {
    const probe = probeOf({ targets: ['127.0.0.1'], count: 8 })
    const start = performance.now()
    const cut = (await measure(probe, AbortSignal.timeout(200))).get('127.0.0.1')
    t.ok(performance.now() - start < 1000)
    t.same(cut, { interval_ms: 10_000, reason: 'cut off at the time limit' })
    const again = (await measure(probe)).get('127.0.0.1')
    t.same(again, { interval_ms: 10_000, reason: 'the ping before has not ended' })
    const late = (await measure(probe, AbortSignal.abort())).get('127.0.0.1')
    t.same(late, { interval_ms: 10_000, reason: 'no time left in the interval' })
    for (;;) {
      const fields = (await measure(probe)).get('127.0.0.1')
      if (fields?.['received'] === 8) break
      await delay(50)
    }
    t.pass('measured again once it has ended')
  },
)

test('many targets are pinged, sixteen at a time', { skip: MISSING }, async (t) => {
  const targets = Array.from({ length: 40 }, (_, i) => `127.0.1.${i + 1}`)
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, pingsRunning())
  }, 10)
  const points = await measure(probeOf({ targets, count: 2 }))
  clearInterval(watch)
  t.equal(points.size, 40)
  t.equal([...points.values()].filter(({ received }) => received === 2).length, 40)
  t.ok(most <= 16, `${most} at once`)
})

test('doubled replies are one reply, and programs that word it differently are understood', (t) => {
  const response = {
    inputHost: 'a',
    host: 'a',
    alive: true,
    time: 1,
    min: '1',
    max: '2',
    avg: '1',
    stddev: '0',
    packetLoss: '50.000',
  }
  const doubled = '2 packets transmitted, 1 received, +1 duplicates, 50% packet loss, time 1001ms'
  t.same(readPing({ ...response, times: [2, 1], output: doubled }, 2), {
    sent: 2,
    received: 1,
    roundTripsMs: [1, 2],
  })
  const busybox = '2 packets transmitted, 1 packets received, 50% packet loss'
  t.match(readPing({ ...response, times: [1], output: busybox }, 2), { sent: 2, received: 1 })
  const windows = 'Packets: Sent = 4, Received = 4, Lost = 0 (0% loss),'
  t.match(readPing({ ...response, times: [1], output: windows }, 4), { sent: 4, received: 4 })
  const unreachable =
    'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable\n\n2 packets transmitted, 0 received, +2 errors'
  t.match(readPing({ ...response, times: [], output: unreachable }, 2), {
    received: 0,
    reason: 'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable',
  })
  t.end()
})

test('targets that a program could take for something else are refused', (t) => {
  const accepted = (target: string): boolean => ping.schema.safeParse({ targets: [target] }).success
  for (const target of [
    '-f',
    '--help',
    '10.0.0.1;reboot',
    '$(id)',
    'a b',
    '',
    'a\n-f',
    'x'.repeat(300),
  ]) {
    t.notOk(accepted(target), JSON.stringify(target))
  }
  for (const target of ['gw-1.example.org', '10.0.0.1', 'fe80::1%eth0', '::1']) {
    t.ok(accepted(target), target)
  }
  t.end()
})

// ---------------------------------------------------------------------------------------------------------------------

function probeOf(options: object): Probe {
  return ping.schema
    .parse(options)
    .create({ log: createLogger('test', 'silent'), nowUs: () => 0, report: () => undefined })
}

async function measure(
  probe: Probe,
  signal: AbortSignal = AbortSignal.timeout(10_000),
): Promise<ReadonlyMap<string, Fields>> {
  const points = await probe.measure(INTERVAL, signal)
  return new Map(points.map(({ tags, fields }) => [tags['target'] ?? '', fields]))
}

/** Measures in a child process with a network of its own, set up by these commands. */
async function measureInNamespace(
  commands: readonly string[],
  options: object,
): Promise<ReadonlyMap<string, Fields> | undefined> {
  const program = `
    import { ping } from './agent/probes/ping.ts'
    const probe = ping.schema.parse(${JSON.stringify(options)}).create({})
    const points = await probe.measure(${JSON.stringify(INTERVAL)}, AbortSignal.timeout(9000))
    console.log(JSON.stringify(points.map(({ tags, fields }) => [tags.target, fields])))`
  const typescript = './test/support/typescript.js'
  const script = `${commands.join(' && ')} && exec "$0" --import ${typescript} --input-type=module --eval "$1"`
  try {
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['--net', 'sh', '-c', script, process.execPath, program],
      { cwd: ROOT, encoding: 'utf8' },
    )
    const fields = z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]))
    return new Map(z.array(z.tuple([z.string(), fields])).parse(JSON.parse(stdout)))
  } catch (error) {
    if (process.getuid?.() === 0) throw error
    return undefined
  }
}

function pingsRunning(): number {
  const children = readFileSync('/proc/thread-self/children', 'utf8').trim()
  return children === '' ? 0 : children.split(/\s+/).length
}
