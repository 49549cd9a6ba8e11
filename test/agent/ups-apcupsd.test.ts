import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test, type Test } from 'tap'
import { NisFrames, nisRequest } from '../../agent/power/nis.ts'
import { nisFacts, readNisFacts } from '../../agent/power/nis-reading.ts'
import type { UpsReading } from '../../agent/power/ups-reading.ts'
import { upsApcupsd } from '../../agent/probes/ups-apcupsd.ts'
import type { Probe } from '../../agent/probe.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { startApcupsd } from '../support/apcupsd.ts'
import { listen } from '../support/listen.ts'
import { startSnmpd } from '../support/snmpd.ts'
import { upsMib } from '../support/ups-mib.ts'

tap.setTimeout(120_000)

const SIGNAL = new AbortController().signal
/** 2026-11-22 12:45:45 UTC. */
const NOW_US = 1_795_351_545_000_000
const ON_MAINS = readFileSync(
  new URL('../fixtures/power/nis-status.txt', import.meta.url),
  'latin1',
)
  .split('\n')
  .filter((line) => line !== '')
const NUMBERS = ['charge_ratio', 'runtime_s', 'load_ratio', 'input_v', 'output_v', 'battery_v']

type Fields = Readonly<Record<string, FieldValue>>

// ---- real

test('a real apcupsd is followed through an outage, a shutdown decision and a silent card', async (t) => {
  const snmpd = await startSnmpd(upsMib('normal'))
  const apcupsd = snmpd === undefined ? undefined : await startApcupsd(snmpd.port)
  if (snmpd === undefined || apcupsd === undefined) {
    await snmpd?.close()
    t.pass('a real apcupsd', { skip: 'apcupsd or snmpd is missing: npm test gets them on Debian' })
    return
  }
  t.teardown(async () => {
    await apcupsd.close()
    await snmpd.close()
  })
  // While it waits for a silent card it also lets those who ask wait.
  const { probe, reported } = probeOf(apcupsd.port, { timeout: '20s' })
  const poll = async (): Promise<Fields> => {
    reported.length = 0
    const interval = { endUs: Date.now() * 1000, durationMs: 500 }
    const points = await probe.measure(interval, SIGNAL)
    return [...reported, ...points][0]?.fields ?? {}
  }
  const become = async (expected: (fields: Fields) => boolean): Promise<Fields> => {
    for (;;) {
      const fields = await poll()
      if (expected(fields)) return fields
      await delay(500)
    }
  }
  const mains = await become(({ line }) => line === 'online')
  t.match(mains, {
    status: 'ONLINE',
    comms_lost: false,
    low_battery: false,
    no_battery: false,
    charge_ratio: 1,
    runtime_s: 2520,
    load_ratio: 0.23,
    input_v: 231,
    nominal_w: 2700,
    low_runtime_s: 300,
    model: 'Sim 3000',
    self_test: 'passed',
    self_test_failed: false,
  })
  t.match(await become((fields) => 'poll_ms' in fields), { poll_ms: apcupsd.pollS * 1000 })
  await snmpd.set(upsMib('onbattery'))
  const battery = await become(({ line }) => line === 'battery')
  t.match(battery, { charge_ratio: 0.71, runtime_s: 1620, input_v: 0, transfers: 1 })
  t.equal(reported.length, 1, 'told at once')
  await snmpd.set(upsMib('bypass'))
  t.match(await become(({ line }) => line === 'unknown'), {
    status: '',
    comms_lost: false,
    reason: /neither on line nor on battery/,
  })
  await snmpd.set(upsMib('lowbattery'))
  const low = await become((fields) => fields['shutdown_pending'] === true)
  t.match(low, { line: 'battery', low_battery: true, status: 'SHUTTING DOWN' })
  t.ok((await apcupsd.decisions()).includes('doshutdown'), 'told its script, which does nothing')
  await snmpd.set(upsMib('normal'))
  const back = await become(({ line }) => line === 'online')
  t.match(back, { status: 'SHUTTING DOWN', shutdown_pending: false, reason: /until it is restart/ })
  snmpd.freeze()
  const lost = await become((fields) => fields['comms_lost'] === true)
  t.match(lost, { line: 'unknown', reason: /lost contact|has not read the UPS for/ })
  t.same(numbersOf(lost), [], 'the numbers it still gives are old')
  snmpd.thaw()
  await become(({ line }) => line === 'online')
  await apcupsd.kill()
  t.match(await poll(), { line: 'unknown', comms_lost: true, reason: /ECONNREFUSED/ })
})

// ---- reading

test('STATFLAG is trusted, not STATUS', (t) => {
  const unknown = { line: 'unknown', commsLost: false, reason: /neither on line nor on battery/ }
  const table: readonly (readonly [status: string, flags: string, expected: object])[] = [
    ['ONLINE ', '0x05000008', { line: 'online', commsLost: false, noBattery: false }],
    ['ONBATT ', '0x05060010', { line: 'battery', lowBattery: false, shutdownPending: false }],
    ['SHUTTING DOWN', '0x05060250', { line: 'battery', lowBattery: true, shutdownPending: true }],
    [
      'SHUTTING DOWN',
      '0x05000208',
      { line: 'online', shutdownPending: false, reason: /SHUTTING DOWN until it is restarted/ },
    ],
    ['SHUTTING DOWN', '0x05000200', unknown],
    ['', '0x05000000', unknown],
    ['SHUTTING DOWN', '0x05000248', { line: 'online', lowBattery: true, shutdownPending: false }],
    ['ONLINE LOWBATT ', '0x05000048', { line: 'online', lowBattery: true }],
    ['COMMLOST ', '0x05000108', { line: 'unknown', commsLost: true, reason: /lost contact/ }],
    ['SHUTTING DOWN', '0x05000308', { line: 'unknown', commsLost: true }],
    ['CAL ONBATT', '0x05000011', { line: 'battery', calibrating: true }],
    ['TRIM ONLINE', '0x0500000a', { line: 'online', trim: true, boost: false }],
    ['BOOST ONLINE', '0x0500000C', { line: 'online', trim: false, boost: true }],
    ['ONLINE OVERLOAD REPLACEBATT', '0x050000a8', { overload: true, replaceBattery: true }],
    ['ONLINE NOBATT', '0x01000008', { line: 'online', noBattery: true }],
    ['ONLINE', '0x05000018', { line: 'battery' }],
    ['ONBATT', '0x05800210', { line: 'battery', forcedShutdown: true }],
    ['ONLINE', '0x05800208', { line: 'online', forcedShutdown: false }],
    ['ONLINE', 'online', { line: 'unknown', commsLost: true, reason: 'apcupsd gives no STATFLAG' }],
    ['ONLINE', '0x', { line: 'unknown', commsLost: true }],
    ['ONLINE', '', { line: 'unknown', commsLost: true }],
  ]
  for (const [STATUS, STATFLAG, expected] of table) {
    const reading = read({ STATUS, STATFLAG })
    t.match(reading, { ...expected, status: STATUS.trim() }, `${STATUS} ${STATFLAG}`)
    if (reading.line === 'unknown')
      t.match(reading, { chargeRatio: undefined, inputV: undefined, runtimeS: undefined })
  }
  t.end()
})

test('numbers have their units, and what is not a number is absent', (t) => {
  t.match(read({}), {
    chargeRatio: 1,
    runtimeS: 2520,
    lowRuntimeS: 300,
    loadRatio: 0.23,
    nominalW: 2700,
    inputV: 231,
    inputHz: 50,
    outputV: 230,
    batteryV: 54.6,
    temperatureC: 25,
    transfers: 0,
    onBatteryS: undefined,
    staleS: 1,
    model: 'Sim 3000',
    firmware: 'fw 1.0',
    selfTest: 'passed',
  })
  t.match(read({ TIMELEFT: '3.5 Minutes' }), { runtimeS: 210 })
  t.match(read({ STATFLAG: '0x05000010', TONBATT: '95 Seconds' }), { onBatteryS: 95 })
  t.match(read({ ITEMP: '-4.5 C' }), { temperatureC: -4.5 })
  t.match(read({ LOADPCT: '112.0 Percent' }), { loadRatio: 1.12 })
  t.match(read({ BCHARGE: '97.0 Percent Load Capacity' }), { chargeRatio: 0.97 })
  for (const value of ['-1 Percent', '101 Percent', '97', '97 Volts', 'N/A', '9,7 Percent', ''])
    t.match(read({ BCHARGE: value }), { chargeRatio: undefined }, value)
  t.match(read({ TIMELEFT: '40 Seconds' }), { runtimeS: undefined }, 'not in minutes')
  t.match(read({ NUMXFERS: '1.5' }), { transfers: undefined })
  t.end()
})

test('self-tests, transfers and battery dates are read', (t) => {
  t.match(read({ SELFTEST: 'NG' }), { selfTestFailed: true, selfTesting: false })
  t.match(read({ SELFTEST: 'IP', STATFLAG: '0x05000010' }), { selfTesting: true })
  const onTest = { LASTXFER: 'Automatic or explicit self test', STATFLAG: '0x05000010' }
  t.match(read(onTest), { line: 'battery', selfTesting: true })
  t.match(read({ ...onTest, STATFLAG: '0x05000008' }), { line: 'online', selfTesting: false })
  t.match(read({ LASTXFER: 'Low line voltage', LASTSTEST: 'N/A' }), {
    lastTransfer: 'Low line voltage',
    selfTestDate: undefined,
  })
  t.match(read({ BATTDATE: '2025-11-22' }), { batteryDate: '2025-11-22', batteryAgeDays: 365 })
  t.match(read({ BATTDATE: '10/11/26' }), { batteryAgeDays: 42 })
  t.match(read({ BATTDATE: 'N/A' }), { batteryDate: undefined, batteryAgeDays: undefined })
  t.match(read({ SERIALNO: 'JS1234567890  ' }), { serial: 'JS1234567890' })
  t.end()
})

test('a reading apcupsd has not renewed is stale, by its own clock and its own rhythm', (t) => {
  const aged = (seconds: number, pollMs?: number): UpsReading =>
    read(
      {
        DATE: '2026-11-22 12:45:00 +0000  ',
        'END APC': `2026-11-22 12:${45 + Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} +0000  `,
      },
      pollMs,
    )
  t.match(aged(180), { line: 'online', staleS: 180 }, 'three of 60 s, as nobody knows better')
  t.match(aged(181), {
    line: 'unknown',
    commsLost: true,
    staleS: 181,
    reason: 'apcupsd has not read the UPS for 181 s',
    chargeRatio: undefined,
  })
  t.match(aged(15, 2000), { line: 'online' })
  t.match(aged(16, 2000), { commsLost: true })
  t.match(aged(90, 30_000), { line: 'online' })
  t.match(aged(91, 30_000), { commsLost: true })
  const moved = { DATE: '2026-11-22 14:45:44 +0200', 'END APC': '2026-11-22 06:45:46 -0600' }
  t.match(read(moved), { staleS: 2 }, 'zones count')
  t.match(read({ DATE: 'Sun Nov 22 12:45:44 UTC 2026' }), { line: 'online', staleS: undefined })
  t.match(read({ DATE: '2026-11-22 12:45:50 +0000' }), { staleS: 0 }, 'a clock set back')
  t.end()
})

// ---- framing

test('frames come out the same wherever the stream is cut', (t) => {
  const bytes = replyOf(ON_MAINS)
  const expected = ON_MAINS.map((line) => line.trimEnd())
  const wrong: number[] = []
  for (let cut = 0; cut <= bytes.length; cut++) {
    const frames = new NisFrames()
    const texts = [bytes.subarray(0, cut), bytes.subarray(cut)].flatMap(
      (part) => frames.push(part) ?? ['refused'],
    )
    if (texts.join('\n') !== expected.join('\n') || !frames.isEnded) wrong.push(cut)
  }
  t.same(wrong, [])
  t.same(nisRequest('status').toString('hex'), '0006737461747573')
  t.end()
})

test('a frame or a reply larger than makes sense is refused', (t) => {
  t.equal(new NisFrames().push(Buffer.from([0xff, 0xff, 65])), undefined, 'length 65535')
  t.equal(new NisFrames().push(Buffer.from([0x10, 0x01])), undefined, '4097 octets')
  t.same(new NisFrames().push(Buffer.from([0x10, 0x00])), [])
  t.equal(new NisFrames().push(Buffer.from([0, 0, 0, 0])), undefined, 'on behind the end')
  const frames = new NisFrames()
  const full = frame('x'.repeat(4096))
  const taken = Array.from({ length: 16 }, () => frames.push(full)).filter(Boolean)
  t.equal(taken.length, 15, '64 KiB in all')
  t.end()
})

test('whatever a server sends that is no whole status leaves the state unknown', async (t) => {
  const status = replyOf(ON_MAINS)
  const cases: readonly (readonly [string, Buffer | 'hang up' | 'silence', RegExp])[] = [
    ['an error with its NUL', replyOf(['Invalid command\n\0']), /it says "Invalid command"/],
    ['nothing there', replyOf(['Not available\n\0']), /it says "Not available"/],
    ['an empty reply', replyOf([]), /it says ""/],
    ['length 65535', Buffer.from([0xff, 0xff]), /an answer that is none of apcupsd/],
    ['another server', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), /none of apcupsd/],
    ['half a status', status.subarray(0, 400), /no whole answer in 300 ms/],
    ['hanging up', 'hang up', /closed the connection before the end/],
    ['silence', 'silence', /no whole answer in 300 ms/],
  ]
  for (const [what, answer, reason] of cases) {
    const server = await startServer(t, () => answer)
    const [point] = await measureAll(probeOf(server.port))
    t.match(point?.fields, { line: 'unknown', comms_lost: true, reason }, what)
    t.same(numbersOf(point?.fields ?? {}), [], what)
  }
})

test('without the frame that ends it, a status with its last line is whole', async (t) => {
  const server = await startServer(t, () => replyOf(ON_MAINS).subarray(0, -2), 'end')
  t.match(await measureAll(probeOf(server.port)), [{ fields: { line: 'online' } }])
  const cut = await startServer(t, () => replyOf(ON_MAINS.slice(0, -1)).subarray(0, -2), 'end')
  t.match(await measureAll(probeOf(cut.port)), [{ fields: { comms_lost: true } }])
})

test('a server that trickles octet by octet is read, and asked for its status only', async (t) => {
  const server = await startServer(t, () => replyOf(ON_MAINS), 'trickle')
  const [point] = await measureAll(probeOf(server.port))
  t.match(point, {
    tags: { target: 'ups-1', source: 'nis' },
    fields: { line: 'online', charge_ratio: 1 },
  })
  t.same(server.asked, ['0006737461747573'])
})

// ---- probe

test('a change is reported at once, beside a server that hangs, and told once', async (t) => {
  let flags = '0x05000008'
  const server = await startServer(t, () => replyOf(linesOf({ STATFLAG: flags })))
  const slow = await startServer(t, () => 'silence')
  const { probe, reported } = probeOf(server.port, {
    targets: [
      { name: 'ups-1', address: `127.0.0.1:${server.port}` },
      { name: 'slow', address: `127.0.0.1:${slow.port}` },
    ],
  })
  const measure = async (): Promise<readonly Measurement[]> =>
    probe.measure({ endUs: NOW_US, durationMs: 5000 }, SIGNAL)
  const targets = (points: readonly Measurement[]): readonly unknown[] =>
    points.map(({ tags }) => tags['target'])
  t.same(targets(await measure()), ['ups-1'])
  t.same(targets(reported), ['slow'], 'not heard of from the beginning')
  flags = '0x05000010'
  const measuring = measure()
  while (reported.length < 2) await delay(5)
  t.match(reported[1], { tags: { target: 'ups-1' }, fields: { line: 'battery' } })
  t.same(targets(await measuring), ['slow'])
  t.same(targets(await measure()), ['ups-1', 'slow'])
  t.equal(reported.length, 2)
})

test('how often apcupsd looks is seen in its stamps', async (t) => {
  const stamps = [
    '12:00:00',
    '12:00:00',
    '12:01:00',
    '12:01:00',
    '12:02:01',
    '11:00:00',
    '11:01:00',
  ]
  let n = 0
  const server = await startServer(t, () => {
    const stamp = `2026-11-22 ${stamps[n++] ?? ''} +0000`
    return replyOf(linesOf({ DATE: stamp, 'END APC': stamp }))
  })
  const probe = probeOf(server.port)
  const seen: unknown[] = []
  for (let i = 0; i < stamps.length; i++)
    seen.push((await measureAll(probe))[0]?.fields['poll_ms'] ?? 'unknown')
  t.same(seen, ['unknown', 'unknown', 60_000, 60_000, 60_000, 60_000, 60_000])
})

test('the options say what is wrong with them', (t) => {
  const complaint = (options: object): string =>
    upsApcupsd.schema.safeParse(options).error?.issues[0]?.message ?? ''
  t.equal(complaint({}), '')
  t.equal(complaint({ targets: [{ name: 'a', address: '192.0.2.1' }] }), '')
  t.match(complaint({ targets: [{ name: 'a b', address: '192.0.2.1' }] }), /a name of letters/)
  t.match(complaint({ targets: [{ name: 'a', address: 'x y' }] }), /a name or an address/)
  const twice = { name: 'a', address: '192.0.2.1' }
  t.match(complaint({ targets: [twice, twice] }), /two targets are named "a"/)
  t.end()
})

// ---------------------------------------------------------------------------------------------------------------------

type Facts = Readonly<Record<string, string>>

/** The status on mains, with other values. */
function linesOf(changed: Facts): readonly string[] {
  const known = ON_MAINS.map((line) => {
    const key = line.slice(0, 9).trim()
    return key in changed ? `${key.padEnd(9)}: ${changed[key] ?? ''}` : line
  })
  const keys = new Set(ON_MAINS.map((line) => line.slice(0, 9).trim()))
  const added = Object.entries(changed).filter(([key]) => !keys.has(key))
  return [
    ...known.slice(0, -1),
    ...added.map(([key, value]) => `${key.padEnd(9)}: ${value}`),
    ...known.slice(-1),
  ]
}

function read(changed: Facts, pollMs?: number): UpsReading {
  return readNisFacts(nisFacts(linesOf(changed)), { nowUs: NOW_US, pollMs })
}

function frame(text: string): Buffer {
  const octets = Buffer.from(text, 'latin1')
  return Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 0xff]), octets])
}

function replyOf(lines: readonly string[]): Buffer {
  return Buffer.concat([
    ...lines.map((line) => frame(line.endsWith('\0') ? line : `${line}\n`)),
    Buffer.alloc(2),
  ])
}

function numbersOf(fields: Fields): readonly string[] {
  return NUMBERS.filter((name) => name in fields)
}

interface Reporting {
  readonly probe: Probe
  readonly reported: Measurement[]
}

function probeOf(port: number, options: object = {}): Reporting {
  const reported: Measurement[] = []
  const targets = [{ name: 'ups-1', address: `127.0.0.1:${port}` }]
  const probe = upsApcupsd.schema.parse({ targets, timeout: '300ms', ...options }).create({
    log: createLogger('test', 'silent'),
    nowUs: () => NOW_US,
    report: (points) => reported.push(...points),
  })
  return { probe, reported }
}

async function measureAll({ probe, reported }: Reporting): Promise<readonly Measurement[]> {
  reported.length = 0
  const points = await probe.measure({ endUs: NOW_US, durationMs: 5000 }, SIGNAL)
  return [...reported, ...points]
}

async function startServer(
  t: Test,
  answer: () => Buffer | 'hang up' | 'silence',
  how: 'at once' | 'trickle' | 'end' = 'at once',
): Promise<{ readonly port: number; readonly asked: readonly string[] }> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      asked.push(chunk.toString('hex'))
      const said = answer()
      if (said === 'hang up') socket.destroy()
      else if (said !== 'silence') void send(socket, said, how)
    })
  })
  const port = await listen(server)
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { port, asked }
}

async function send(socket: Socket, answer: Buffer, how: string): Promise<void> {
  if (how === 'trickle') {
    for (const octet of answer) {
      socket.write(Buffer.of(octet))
      await new Promise((resolve) => setImmediate(resolve))
    }
    return
  }
  socket.write(answer)
  if (how === 'end') socket.end()
}
