import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test, type Test } from 'tap'
import { Tcpdump } from '../../agent/capture/tcpdump.ts'
import { Capture } from '../../agent/media/capture.ts'
import type { Probe } from '../../agent/probe.ts'
import { rtpCapture } from '../../agent/probes/rtp-capture.ts'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { createLogger } from '../../common/log.ts'
import { complaintAbout, type Measurement } from '../../common/measurement.ts'
import { pcapFile, rtp, udpFrame, type CapturedFrame } from '../support/pcap-writer.ts'

tap.setTimeout(240_000)

const START_US = 1_750_000_000_000_000
const ALL = { ports: { from: 0, to: 65_535 }, networks: [], from: [], to: [] }
const POLLS = 200

test('a file gives one point per stream over the whole of it', async (t) => {
  const file = await write(t, pcapFile([...call(1, 100, [10, 11, 12]), ...call(2, 50, [])]))
  const points = await measureOnce(t, { file })
  for (const point of points) t.equal(complaintAbout(point), undefined, 'fits the vocabulary')
  t.equal(points.length, 3)
  const [first, second, agent] = points
  t.match(first, {
    tags: { codec: 'PCMA', source: 'file' },
    timeUs: START_US + 1_980_000,
    fields: {
      interval_ms: 1980,
      active_ms: 1980,
      first: true,
      ended: false,
      src_ip: '10.0.0.1',
      src_port: 20_000,
      dst_ip: '10.0.0.2',
      dst_port: 30_000,
      ssrc: '0x00000001',
      payload_type: 8,
      expected: 100,
      received: 97,
      lost: 3,
      lost_unique: 3,
      loss_ratio: 0.03,
      duplicates: 0,
      reordered: 0,
      late: 0,
      restarts: 0,
      rejected: 0,
      octets: 97 * 160,
      packet_ms: 20,
      gap_lost: 0,
      jitter_ms: 0,
      jitter_mean_ms: 0,
      jitter_p95_ms: 0,
      jitter_max_ms: 0,
      max_delta_ms: 80,
      delta_le_20: 95,
      delta_le_80: 1,
      loss_run_3: 1,
      bursts: 1,
      burst_density_ratio: 1,
      burst_duration_ms: 60,
      gap_density_ratio: 0,
      discard_ratio_50: 0,
      discard_ratio_200: 0,
      discard_ratio_adaptive: 0,
      effective_loss_ratio: 0.03,
      talkspurts: 0,
      comfort_noise: 0,
      events: 0,
      mos_scale: 'narrowband',
      mos_assumed: false,
      srtp: false,
      dscp: 46,
    },
  })
  // What nobody knows is absent: no receiver told a round trip, no call a Call-ID, and what is 0 in a histogram is not sent.
  const absent = ['round_trip_ms', 'mos_cq', 'call_id', 'tap', 'stalled_ms', 'gap_ms', 'loss_run_1']
  for (const field of absent) t.notOk(field in (first?.fields ?? {}), field)
  t.ok(Number(first?.fields['mos_lq']) < Number(second?.fields['mos_lq']), 'loss lowers the MOS')
  t.match(second, { fields: { ssrc: '0x00000002', expected: 50, lost: 0, loss_ratio: 0 } })
  t.strictSame(agent, {
    name: 'agent',
    tags: { target: 'rtp-capture' },
    timeUs: START_US + 1_980_000,
    fields: { interval_ms: 1980, ignored: 0, streams_evicted: 0 },
  })
})

test('with file-interval a file gives the points a live tap would have given, by packet time', async (t) => {
  const frames = [...call(1, 1000, [499, 500, 501]), ...call(2, 10, [], 3_600_000_000)]
  const file = await write(t, pcapFile(frames))
  const points = await measureOnce(t, { file, 'file-interval': '10s' })
  const streams = points.filter(({ name }) => name === 'rtp_stream')
  t.strictSame(
    streams.map(({ timeUs, fields }) => [
      (timeUs - START_US) / 1e6,
      fields['ssrc'],
      fields['interval_ms'],
      fields['expected'],
      fields['lost_unique'],
      fields['first'],
      fields['ended'],
    ]),
    [
      // The packets on either side of a boundary belong to either interval; the loss is seen by the first packet after it.
      [10, '0x00000001', 10_000, 499, 0, true, false],
      [20, '0x00000001', 10_000, 501, 3, false, false],
      // Silent for no reason, until it is over; the hour after that is passed over.
      [30, '0x00000001', 10_000, 0, 0, false, false],
      [40, '0x00000001', 10_000, 0, 0, false, false],
      [50, '0x00000001', 10_000, 0, 0, false, true],
      [3600.18, '0x00000002', 180, 10, 0, true, false],
    ],
  )
})

test('half a file is worth its half; what is no capture is a failure with a reason', async (t) => {
  const whole = pcapFile(call(1, 100, []))
  const half = await write(t, whole.subarray(0, whole.length / 2))
  t.match(await measureOnce(t, { file: half }), [
    { fields: { received: 49 } },
    { name: 'agent', fields: { reason: /cut off/ } },
  ])
  const text = await write(t, Buffer.from('this is no capture, but long enough to be one'))
  await t.rejects(measureOnce(t, { file: text }), {
    code: 'capture-file',
    message: /expected pcap or pcapng/,
  })
  await t.rejects(measureOnce(t, { file: '/nonexistent.pcap' }), {
    name: 'PermanentError',
    message: /cannot open \/nonexistent.pcap/,
  })
})

test('reading a long file tells how far it is', async (t) => {
  const octets = pcapFile(Array.from({ length: 40 }, (_, ssrc) => call(ssrc, 1000, [])).flat())
  const file = await write(t, octets)
  const seen: number[] = []
  const monitor = { filter: ALL, maxStreams: 100, probation: 3 }
  const task = { source: { file: { path: file, intervalMs: undefined } }, monitor }
  const capture = await Capture.start(task, AbortSignal.timeout(60_000), {
    onProgress: (read, total) => {
      t.equal(total, octets.length)
      seen.push(read)
    },
  })
  const [interval] = await capture.take(0)
  t.equal(interval?.streams.length, 40)
  t.equal(interval?.octets, 40_000 * 214)
  await capture.close()
  t.ok(seen.length > 0 && seen.every((read) => read > 0 && read <= octets.length), seen.join())
})

test('a file of which no packet is RTP gives no stream and says how many were ignored', async (t) => {
  const frames = call(1, 10, []).map(({ timeUs }) => ({
    timeUs,
    frame: udpFrame(Buffer.alloc(30)),
  }))
  t.match(await measureOnce(t, { file: await write(t, pcapFile(frames)) }), [
    { name: 'agent', fields: { ignored: 10 } },
  ])
})

test('after its end a file gives nothing more', async (t) => {
  const probe = create({ file: await write(t, pcapFile(call(1, 10, []))) })
  await probe.open?.(AbortSignal.timeout(60_000))
  t.equal((await measure(probe)).length, 2)
  t.strictSame(await measure(probe), [])
  await probe.close?.()
})

test('options that make no sense are refused with what was expected', async (t) => {
  const complaint = (options: unknown): string =>
    rtpCapture.schema
      .safeParse(options)
      .error?.issues.map(({ message }) => message)
      .join() ?? ''
  t.match(complaint({}), /either an interface or a mirror or a file/)
  t.match(
    complaint({ interface: 'lo', file: 'x.pcap' }),
    /either an interface or a mirror or a file/,
  )
  t.match(complaint({ interface: '-w/etc/x' }), /interface such as eth0/)
  t.match(complaint({ interface: 'lo', networks: ['10.0.0.0/99'] }), /network such as/)
  t.match(complaint({ interface: 'lo', direction: { to: ['or 1=1'] } }), /network such as/)
  t.match(complaint({ interface: 'lo', ports: '9-1' }), /range of ports/)
  t.not(complaint({ interface: 'lo', 'sip-ports': ['5070-5060'] }), '')
  t.not(complaint({ interface: 'lo', 'sip-ports': [0] }), '')
  t.not(complaint({ interface: 'lo', codecs: { PCMA: { ie: -1, bpl: 4 } } }), '')
  t.match(complaint({ interface: 'lo', filter: 'udp or tcp' }), /filter/)
  t.equal(
    complaint({ interface: 'lo', ports: '10000-20000', networks: ['10.0.0.0/8'], buffer: '64MiB' }),
    '',
  )
  t.equal(
    complaint({
      interface: 'lo',
      'sip-ports': [5060, '5080-5090'],
      codecs: { X: { ie: 0, bpl: 4 } },
      promiscuous: true,
    }),
    '',
  )
  t.match(complaint({ mirror: { kind: 'tzsp', host: 'switch' } }), /an address of this machine/)
  t.match(complaint({ mirror: { kind: 'tzsp' }, file: 'x.pcap' }), /either an interface/)
  t.equal(complaint({ mirror: { kind: 'vxlan', host: '::', from: ['10.0.0.1'] } }), '')
})

test('live: what is sent over loopback is counted to the packet', async (t) => {
  const port = await receiver(t)
  // Only this test's own packets: others send RTP over loopback at the same time.
  const ports = `${port}-${port}`
  const probe = create({ interface: 'lo', ports, direction: { to: ['127.0.0.1/32'] } })
  if (!(await opens(t, probe))) return
  const socket = sender(t)
  for (let number = 0; number < 400; number++) {
    // Two streams; of the second every 20th packet is missing and every 50th is sent twice.
    socket.send(packet(number, 1), port, '127.0.0.1')
    if (number % 20 !== 10) socket.send(packet(number, 2), port, '127.0.0.1')
    if (number % 50 === 5) socket.send(packet(number, 2), port, '127.0.0.1')
    if (number % 10 === 0) await delay(5)
  }
  const points = await measureUntil(probe, (all) => sum(all, 'received') === 400 + 380 + 8)
  for (const point of points) t.equal(complaintAbout(point), undefined)
  const of = (ssrc: string) => points.filter(({ fields }) => fields['ssrc'] === ssrc)
  t.equal(sum(of('0x00000001'), 'expected'), 400)
  t.equal(sum(of('0x00000001'), 'lost_unique'), 0)
  t.equal(sum(of('0x00000002'), 'expected'), 400)
  t.equal(sum(of('0x00000002'), 'lost_unique'), 20)
  t.equal(sum(of('0x00000002'), 'lost'), 12)
  t.equal(sum(of('0x00000002'), 'duplicates'), 8)
  t.match(of('0x00000001')[0], {
    tags: { codec: 'PCMA', source: 'capture' },
    fields: { first: true, src_ip: '127.0.0.1', dst_port: port, sensor_drops: 0, payload_type: 8 },
  })
  t.equal(sum(points, 'sensor_drops'), 0)
  await probe.close?.()
  t.strictSame(children(), [], 'tcpdump has ended')
})

test('live: a stream that falls silent is reported without waiting for the interval', async (t) => {
  const port = await receiver(t)
  const reported: Measurement[] = []
  let onReport: () => void = () => undefined
  const probe = create({ interface: 'lo', ports: `${port}-${port}` }, (points) => {
    reported.push(...points)
    onReport()
  })
  const until = async (count: number) => {
    await new Promise<void>((resolve) => {
      onReport = () => {
        if (reported.length >= count) resolve()
      }
      onReport()
    })
  }
  if (!(await opens(t, probe))) return
  const socket = sender(t)
  for (let number = 0; number < 200; number++) socket.send(packet(number, 5), port, '127.0.0.1')
  await until(1)
  socket.send(packet(400, 5), port, '127.0.0.1')
  await until(2)
  for (const point of reported) t.equal(complaintAbout(point), undefined)
  const isClose = (value: unknown) => typeof value === 'number' && value >= 3000 && value < 5000
  const [began, ended] = reported
  t.match(began, {
    name: 'rtp_stall',
    tags: { codec: 'PCMA', source: 'capture' },
    fields: { ssrc: '0x00000005', dst_port: port, tap: 'lo', over: false },
  })
  t.ok(isClose(began?.fields['stalled_ms']), String(began?.fields['stalled_ms']))
  t.match(ended, { fields: { over: true, silent_since_ms: began?.fields['silent_since_ms'] } })
  t.match(await measureUntil(probe, (all) => sum(all, 'gap_ms') > 3000), [
    { fields: { tap: 'lo' } },
  ])
})

test("live: what the kernel drops is the sensor's loss, counted to the packet", async (t) => {
  // Not on loopback: there the kernel counts every drop twice, as it shows every packet going out and coming in.
  const link = await veth(t)
  if (link === undefined) return
  const probe = create({ interface: link.name, buffer: '1MiB' })
  if (!(await opens(t, probe))) return
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const tcpdump of children()) process.kill(tcpdump, name)
  }
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  // Eight streams, so that no gap in one is a restart (3000 packets or more).
  const send = async (from: number, to: number): Promise<void> => {
    for (let number = from; number < to; number++)
      for (let ssrc = 0; ssrc < 8; ssrc++)
        await new Promise((resolve) => {
          socket.send(packet(number, ssrc), 30_000, link.peer, resolve)
        })
  }
  const expected = (points: readonly Measurement[]) => sum(streams(points), 'expected')
  await send(0, 10)
  const before = await measureUntil(probe, (all) => expected(all) === 80)
  // Nobody reads: the megabyte fills up, and the rest is dropped.
  signal('SIGSTOP')
  await send(10, 1500)
  signal('SIGCONT')
  before.push(...(await measureUntil(probe, (all) => expected(all) > 0)))
  before.push(...(await measureUntilQuiet(probe)))
  await send(1500, 1510)
  const points = await measureUntil(probe, (all) => expected([...before, ...all]) === 12_080)
  points.push(...before)
  const dropped = sum(agents(points), 'sensor_drops')
  t.ok(dropped > 1000, `${dropped} dropped`)
  t.equal(sum(streams(points), 'lost_unique'), dropped)
  t.equal(sum(streams(points), 'restarts'), 0)
})

test('live: when tcpdump dies the probe says so, and goes on when it is back', async (t) => {
  const port = await receiver(t)
  const probe = create({ interface: 'lo', ports: `${port}-${port}` })
  if (!(await opens(t, probe))) return
  const call = sender(t)
  for (let number = 0; number < 50; number++) call.send(packet(number, 7), port, '127.0.0.1')
  t.ok(await measureUntil(probe, (all) => sum(all, 'received') === 50))
  for (const child of children()) process.kill(child, 'SIGKILL')
  await t.rejects(
    measureUntil(probe, () => false),
    { name: 'TransientError', message: /the tap is down: tcpdump ended with SIGKILL/ },
  )
  const back = async () =>
    await measure(probe).then(
      () => true,
      () => false,
    )
  let isBack = false
  for (let poll = 0; poll < POLLS && !isBack; poll++) {
    await delay(50)
    isBack = await back()
  }
  t.ok(isBack)
  for (let number = 80; number < 100; number++) call.send(packet(number, 7), port, '127.0.0.1')
  const after = await measureUntil(probe, (all) => sum(all, 'received') === 20)
  t.equal(sum(streams(after), 'lost_unique'), 30)
  t.equal(sum(agents(after), 'sensor_drops'), 30, 'what passed meanwhile is the loss of the sensor')
  const socket = sender(t)
  for (let number = 0; number < 50; number++) socket.send(packet(number, 9), port, '127.0.0.1')
  t.ok(await measureUntil(probe, (all) => sum(all, 'received') === 50))
  await probe.close?.()
  t.strictSame(children(), [])
})

test('live: no program, no right and no interface are told apart, with the remedy', async (t) => {
  const started = async (options: { interface?: string; program?: string }) => {
    const tap = { interface: 'lo', filter: ALL, bufferKib: 1024, ...options }
    const tcpdump = await Tcpdump.start(tap, 'media', () => undefined, AbortSignal.timeout(60_000))
    await tcpdump.stop(AbortSignal.timeout(1000))
  }
  await t.rejects(started({ program: 'no-such-program' }), {
    code: 'tcpdump-missing',
    message: /apt-get install tcpdump/,
  })
  const usual = create({ interface: 'lo' })
  if (!(await opens(t, usual))) return
  await usual.close?.()
  const failure = started({ interface: 'nosuch0' })
  await t.rejects(failure, TransientError)
  await t.rejects(failure, { message: /cannot capture on nosuch0: .*No such device/ })
  if (process.getuid?.() !== 0) return
  const folder = await temporary(t)
  await chmod(folder, 0o755)
  const program = join(folder, 'as-nobody')
  await writeFile(program, '#!/bin/sh\nexec setpriv --reuid=65534 --clear-groups tcpdump "$@"\n', {
    mode: 0o755,
  })
  const refused = started({ program })
  await t.rejects(refused, PermanentError)
  await t.rejects(refused, { code: 'capture-not-permitted', message: /setcap cap_net_raw/ })
})

test('live: a capture cut off at any moment of its start leaves no process behind', async (t) => {
  for (const ms of [0, 50, 100, 150, 200, 300]) {
    const probe = create({ interface: 'lo' })
    const cut = new AbortController()
    const timer = setTimeout(() => {
      cut.abort(new Error('the agent is ending'))
    }, ms)
    await probe.open?.(cut.signal).catch((error: unknown) => {
      t.type(error, cut.signal.aborted ? TransientError : PermanentError)
    })
    clearTimeout(timer)
    await probe.close?.()
    t.strictSame(children(), [])
  }
  const aborted = create({ interface: 'lo' }).open?.(AbortSignal.abort(new Error('too late')))
  await t.rejects(aborted ?? Promise.resolve(), { code: 'capture-cut-off', message: /too late/ })
})

function create(
  options: unknown,
  report: (points: readonly Measurement[]) => void = () => undefined,
): Probe {
  const configured = rtpCapture.schema.parse(options)
  return configured.create({
    log: createLogger('test', 'silent'),
    nowUs: () => START_US,
    report,
  })
}

async function measure(probe: Probe): Promise<readonly Measurement[]> {
  return await probe.measure({ endUs: START_US, durationMs: 1000 }, AbortSignal.timeout(60_000))
}

async function measureOnce(t: Test, options: unknown): Promise<readonly Measurement[]> {
  const probe = create(options)
  t.teardown(async () => {
    await probe.close?.()
  })
  await probe.open?.(AbortSignal.timeout(60_000))
  return await measure(probe)
}

/** Measures again and again until the points so far are enough. */
async function measureUntil(
  probe: Probe,
  isEnough: (points: readonly Measurement[]) => boolean,
): Promise<Measurement[]> {
  const points: Measurement[] = []
  for (let poll = 0; poll < POLLS; poll++) {
    points.push(...(await measure(probe)))
    if (isEnough(points)) return points
    await delay(50)
  }
  throw new Error(`not enough in time: ${JSON.stringify(streams(points))}`)
}

/** Measures until nothing new has come: the tap has caught up. */
async function measureUntilQuiet(probe: Probe): Promise<Measurement[]> {
  const points: Measurement[] = []
  for (;;) {
    await delay(50)
    const more = await measure(probe)
    points.push(...more)
    if (streams(more).length === 0) return points
  }
}

/** Opens a live probe; without the right to capture the test is skipped. */
async function opens(t: Test, probe: Probe): Promise<boolean> {
  try {
    await probe.open?.(AbortSignal.timeout(15_000))
    t.teardown(async () => probe.close?.())
    return true
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error
    t.pass('live capture', { skip: error.message })
    return false
  }
}

function sender(t: Test): Socket {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  return socket
}

/** Someone must listen, or ICMP errors come back. */
async function receiver(t: Test): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve)
  })
  t.teardown(() => socket.close())
  return socket.address().port
}

/** A link out of this machine's network and a host at its other end; undefined where that takes rights we lack. */
async function veth(t: Test): Promise<{ name: string; peer: string } | undefined> {
  const name = `kt${process.pid}`
  const ip = (...list: string[]) => execFileSync('ip', list, { stdio: 'pipe' })
  try {
    ip('netns', 'add', name)
  } catch {
    t.pass('network namespace', { skip: 'no right to make a network namespace' })
    return undefined
  }
  t.teardown(() => ip('netns', 'delete', name))
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'far', 'netns', name)
  ip('address', 'add', '198.18.77.1/30', 'dev', name)
  ip('link', 'set', name, 'up')
  ip('-n', name, 'address', 'add', '198.18.77.2/30', 'dev', 'far')
  ip('-n', name, 'link', 'set', 'far', 'up')
  return { name, peer: '198.18.77.2' }
}

/** The tcpdumps this process has started. */
function children(): number[] {
  try {
    const list = execFileSync('pgrep', ['-P', String(process.pid), '-x', 'tcpdump'], {
      encoding: 'utf8',
    })
    return list.trim().split('\n').map(Number)
  } catch {
    return []
  }
}

function streams(points: readonly Measurement[]): readonly Measurement[] {
  return points.filter(({ name }) => name === 'rtp_stream')
}

function agents(points: readonly Measurement[]): readonly Measurement[] {
  return points.filter(({ name }) => name === 'agent')
}

function sum(points: readonly Measurement[], field: string): number {
  return points.reduce((total, { fields }) => total + Number(fields[field] ?? 0), 0)
}

function packet(number: number, ssrc: number): Buffer {
  return rtp({ timeUs: 0, sequenceNumber: number, timestamp: number * 160, payloadType: 8, ssrc })
}

/** G.711 A-law, 20 ms. */
function call(ssrc: number, count: number, lost: readonly number[], delayUs = 0): CapturedFrame[] {
  return Array.from({ length: count }, (_, number) => ({
    timeUs: START_US + delayUs + number * 20_000,
    frame: udpFrame(packet(number, ssrc)),
  })).filter((_, number) => !lost.includes(number))
}

async function write(t: Test, octets: Uint8Array): Promise<string> {
  const file = join(await temporary(t), 'call.pcap')
  await writeFile(file, octets)
  return file
}

async function temporary(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-capture-'))
  t.teardown(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}
