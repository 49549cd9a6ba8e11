import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import tap, { test } from 'tap'
import { kindOf, pduPoints, transferSwitchPoint } from '../../agent/power/nut-devices.ts'
import { LineSplitter } from '../../agent/power/line-splitter.ts'
import { readNutVariables } from '../../agent/power/nut-reading.ts'
import { quoteWord, splitWords } from '../../agent/power/nut-words.ts'
import { upsNut } from '../../agent/probes/ups-nut.ts'
import type { Probe } from '../../agent/probe.ts'
import { createLogger } from '../../common/log.ts'
import { complaintAbout, type FieldValue, type Measurement } from '../../common/measurement.ts'
import { listen } from '../support/listen.ts'
import { startNut } from '../support/nut.ts'
import { SlowRelay } from '../support/slow-relay.ts'

tap.setTimeout(120_000)

const SIGNAL = new AbortController().signal
/** 2027-01-15. */
const NOW_US = 1_800_000_000_000_000
const INTERVAL = { endUs: NOW_US, durationMs: 5000 }
const NUMBERS = ['charge_ratio', 'runtime_s', 'load_ratio', 'load_w', 'input_v', 'output_v']
/** Everything this file's servers were asked. */
const everAsked = new Set<string>()

type Fields = Readonly<Record<string, FieldValue>>

const ON_MAINS = {
  'ups.status': 'OL CHRG',
  'ups.load': '34',
  'battery.charge': '97',
  'battery.runtime': '2410',
  'input.voltage': '231.4',
  'output.voltage': '230.1',
}

test('a real upsd is read through an outage, a frozen driver and a dead one', async (t) => {
  const nut = await startNut({
    exchange: { description: 'Exchange "north" \\ bay 2', values: ON_MAINS },
    core: { description: 'Core switch', values: ON_MAINS },
    nodriver: { description: 'driver never started' },
    three: {
      description: 'Three phase',
      values: {
        'ups.status': 'OL BYPASS OVER ALARM',
        'input.L1-N.voltage': '229.0',
        'input.L2-N.voltage': '230.5',
        'input.L3-N.voltage': '228.1',
        'output.L1.power.percent': '61',
        'output.L2.power.percent': '103',
        'output.L3.power.percent': '58',
      },
    },
  })
  if (nut === undefined) {
    t.pass('a real upsd', { skip: 'upsd is missing: apt-get install nut-server' })
    return
  }
  t.teardown(async () => nut.close())
  const probe = probeOf(nut.port)
  const unit = async (name: string): Promise<Fields> =>
    (await measure(probe)).get(`${name}@127.0.0.1:${nut.port}`) ?? {}
  const become = async (name: string, expected: (fields: Fields) => boolean): Promise<Fields> => {
    for (;;) {
      const fields = await unit(name)
      if (expected(fields)) return fields
      await delay(100)
    }
  }
  await become('exchange', ({ line }) => line === 'online')
  await become('core', ({ line }) => line === 'online')
  const mains = await unit('exchange')
  t.match(mains, { status: 'OL CHRG', comms_lost: false, low_battery: false })
  t.match(mains, { charge_ratio: 0.97, runtime_s: 2410, load_ratio: 0.34, input_v: 231.4 })
  t.match(await unit('nodriver'), {
    line: 'unknown',
    comms_lost: true,
    reason: 'the server says DRIVER-NOT-CONNECTED',
  })
  const three = await become('three', ({ line }) => line !== 'unknown')
  t.match(three, { line: 'bypass', overload: true, alarm: true, input_v: 228.1, load_ratio: 1.03 })

  nut.freeze('core')
  await nut.set('exchange', { ...ON_MAINS, 'ups.status': 'OB DISCHRG', 'input.voltage': '0.0' })
  t.match(await become('exchange', ({ line }) => line === 'battery'), {
    low_battery: false,
    input_v: 0,
  })
  await nut.set('exchange', {
    ...ON_MAINS,
    'ups.status': 'OB LB DISCHRG',
    'battery.charge': '12',
    'battery.runtime': '90',
  })
  const low = await become('exchange', (fields) => fields['low_battery'] === true)
  t.match(low, { line: 'battery', charge_ratio: 0.12, runtime_s: 90 })
  await nut.set('exchange', { ...ON_MAINS, 'battery.charge': '15' })
  t.match(await become('exchange', ({ line }) => line === 'online'), { low_battery: false })

  const stale = await become('core', (fields) => fields['comms_lost'] === true)
  t.match(stale, { line: 'unknown', reason: 'the server says DATA-STALE' })
  t.same(numbersOf(stale), [], 'old numbers are not repeated')
  nut.thaw('core')
  await become('core', ({ line }) => line === 'online')
  await nut.kill('core')
  const dead = await become('core', (fields) => fields['comms_lost'] === true)
  t.match(dead, { line: 'unknown', reason: 'the server says DRIVER-NOT-CONNECTED' })
  t.same(numbersOf(dead), [])
})

test('twenty units of a real upsd are asked ahead, eight at a time, and answered in order', async (t) => {
  const names = Array.from({ length: 20 }, (_, nr) => `ups-${nr}`)
  const nut = await startNut(
    Object.fromEntries(
      names.map((name, nr) => [
        name,
        // Of a unit without a driver the answer is ERR, in the middle of the others.
        {
          description: name,
          ...(nr === 7 ? {} : { values: { ...ON_MAINS, 'battery.charge': String(50 + nr) } }),
        },
      ]),
    ),
  )
  if (nut === undefined) {
    t.pass('a real upsd', { skip: 'upsd is missing: apt-get install nut-server' })
    return
  }
  t.teardown(async () => nut.close())
  const relay = new SlowRelay(nut.port, 20)
  const port = await relay.open()
  t.teardown(() => {
    relay.close()
  })
  const direct = probeOf(nut.port, { timeout: '3s' })
  const isRead = ({ line }: Fields): boolean => line === 'online'
  while ([...(await measure(direct)).values()].filter(isRead).length < 19) await delay(100)
  const begunMs = performance.now()
  const points = await measure(probeOf(port, { timeout: '3s' }))
  t.comment(`${Math.round(performance.now() - begunMs)} ms at 40 ms a round trip`)
  t.same(
    names.map((name) => points.get(`${name}@127.0.0.1:${port}`)?.['charge_ratio']),
    names.map((_, nr) => (nr === 7 ? undefined : (50 + nr) / 100)),
    'each has its own figures',
  )
  t.match(points.get(`ups-7@127.0.0.1:${port}`), {
    comms_lost: true,
    reason: 'the server says DRIVER-NOT-CONNECTED',
  })
  t.equal(relay.mostOutstanding, 8)
  t.ok(relay.turns <= 5, `${relay.turns} round trips; one after the other it would be 22`)
})

test('the line follows from ups.status, and nothing but mains is called online', (t) => {
  const read = (status: string): object =>
    readNutVariables(new Map([['ups.status', status]]), NOW_US)
  const unknown = { line: 'unknown', commsLost: true }
  const table: readonly (readonly [string, object])[] = [
    ['OL', { line: 'online', commsLost: false }],
    ['OL TRIM', { line: 'online' }],
    ['BOOST OL', { line: 'online' }],
    ['LB OL', { line: 'online', lowBattery: true }],
    ['OL CHRG RB', { line: 'online', replaceBattery: true }],
    ['OB DISCHRG', { line: 'battery', lowBattery: false }],
    ['OB LB', { line: 'battery', lowBattery: true }],
    ['OB CAL', { line: 'battery', calibrating: true }],
    ['OL BYPASS', { line: 'bypass' }],
    ['OL OFF', { line: 'off' }],
    ['OFF BYPASS', { line: 'off' }],
    [
      'FSD OL BYPASS OVER ALARM',
      { line: 'bypass', forcedShutdown: true, overload: true, alarm: true },
    ],
    ['FSD OB LB', { line: 'battery', forcedShutdown: true }],
    ['OL SOMETHINGNEW', { line: 'online' }],
    ['CHRG', { line: 'unknown', commsLost: false, reason: 'ups.status says neither OL nor OB' }],
    ['', unknown],
    ['  ', unknown],
    ['WAIT', unknown],
    ['NOCOMM OL', unknown],
  ]
  for (const [status, expected] of table) t.match(read(status), expected, `"${status}"`)
  t.match(readNutVariables(new Map(), NOW_US), unknown, 'no ups.status at all')
  t.end()
})

test('numbers are read strictly: what is not one is absent', (t) => {
  const read = (name: string, value: string): object =>
    readNutVariables(
      new Map([
        ['ups.status', 'OL'],
        [name, value],
      ]),
      NOW_US,
    )
  t.match(read('battery.charge', '097.50'), { chargeRatio: 0.975 })
  for (const value of [
    '97,5',
    '1e2',
    '',
    ' 97',
    '97 %',
    'NaN',
    '0x10',
    '255',
    '-1',
    '.5',
    '1.2.3',
  ]) {
    t.match(read('battery.charge', value), { chargeRatio: undefined }, `charge "${value}"`)
  }
  t.match(read('battery.runtime', '-1'), { runtimeS: undefined })
  t.match(read('ups.load', '112'), { loadRatio: 1.12 })
  t.match(read('ups.temperature', '-4.5'), { temperatureC: -4.5 })
  t.match(read('ups.test.result', 'Done and passed'), { selfTest: 'Done and passed' })
  t.end()
})

test('words are split as the server quotes them', (t) => {
  t.same(splitWords('UPS steady "Exchange UPS \\"north\\" \\\\ bay 2"'), [
    'UPS',
    'steady',
    'Exchange UPS "north" \\ bay 2',
  ])
  t.same(splitWords('VAR a ups.status ""'), ['VAR', 'a', 'ups.status', ''])
  t.same(splitWords('  a\tb  '), ['a', 'b'])
  t.same(splitWords(''), [])
  t.equal(splitWords('VAR a "no end'), undefined)
  t.equal(splitWords('ends with \\'), undefined)
  t.equal(splitWords('x'.repeat(513)), undefined)
  t.equal(splitWords('w '.repeat(33)), undefined)
  t.equal(quoteWord('a "b" \\c'), '"a \\"b\\" \\\\c"')
  t.end()
})

test('lines come out the same wherever the stream is cut', (t) => {
  const bytes = Buffer.from('BEGIN LIST UPS\r\nUPS é "x"\n\nEND LIST UPS\n')
  const expected = ['BEGIN LIST UPS', 'UPS é "x"', '', 'END LIST UPS']
  const wrong = Array.from({ length: bytes.length + 1 }, (_, cut) => {
    const splitter = new LineSplitter(64)
    return [
      ...(splitter.push(bytes.subarray(0, cut)) ?? []),
      ...(splitter.push(bytes.subarray(cut)) ?? []),
    ]
  }).filter((lines) => lines.join('|') !== expected.join('|'))
  t.same(wrong, [])
  t.equal(new LineSplitter(64).push(Buffer.alloc(65, 'x')), undefined, 'a line that never ends')
  t.equal(new LineSplitter(64).push(Buffer.from(`${'x'.repeat(65)}\n`)), undefined)
  t.end()
})

test('a server that trickles byte by byte is read, and only ever asked to read', async (t) => {
  const server = await startServer({ cut: /(?=[^])/ })
  t.teardown(() => {
    server.close()
  })
  const points = await measure(probeOf(server.port))
  t.match(points.get(`a@127.0.0.1:${server.port}`), { line: 'online', charge_ratio: 0.97 })
  t.match(points.get(`b@127.0.0.1:${server.port}`), { line: 'online' })
  t.same(server.asked, ['LIST UPS', 'LIST VAR "a"', 'LIST VAR "b"', 'LOGOUT'])
})

test('a list cut before, behind and within its line ends is the same list', async (t) => {
  for (const cut of [/(?=\n)/, /(?<=\n)/, /(?="\n)/, /(?<=^BEGIN LIST)/]) {
    const server = await startServer({ cut })
    const points = await measure(probeOf(server.port))
    server.close()
    t.match([...points.values()], [{ line: 'online' }, { line: 'online' }], String(cut))
  }
})

test('each poll has a connection of its own, so a server that drops who is idle drops nothing', async (t) => {
  const server = await startServer({})
  t.teardown(() => {
    server.close()
  })
  const probe = probeOf(server.port)
  for (let polls = 1; polls <= 3; polls++) {
    t.match([...(await measure(probe)).values()], [{ line: 'online' }, { line: 'online' }])
    t.equal(server.connections(), polls)
    server.dropAll()
  }
})

test('a change is reported before the rest of the poll, and told once', async (t) => {
  const server = await startServer({ b: '' })
  t.teardown(() => {
    server.close()
  })
  const probe = probeOf(server.port, { ups: ['a', 'b'] })
  const reported = reports.get(probe) ?? []
  const targets = (points: readonly Measurement[]) => points.map(({ tags }) => tags['target']?.[0])
  t.same(targets(await probe.measure(INTERVAL, SIGNAL)), ['a'])
  t.same(targets(reported), ['b'], 'silent from the beginning')
  server.script.a = 'BEGIN LIST VAR a\nVAR a ups.status "OB LB"\nEND LIST VAR a'
  const measuring = probe.measure(INTERVAL, SIGNAL)
  while (reported.length < 2) await delay(5)
  t.match(reported[1], { tags: { source: 'nut' }, fields: { line: 'battery', low_battery: true } })
  t.same(targets(await measuring), ['b'], 'which kept the poll waiting')
  t.same(targets(await probe.measure(INTERVAL, SIGNAL)), ['a', 'b'])
  t.equal(reported.length, 2)
})

test('a power strip and a transfer switch are what they are, also when the server is away', async (t) => {
  const server = await startServer({
    a: 'VAR a device.type "ats"\nVAR a input.source "2"\nVAR a input.1.voltage.status "good"',
    b: 'VAR b device.type "pdu"\nVAR b outlet.count "1"\nVAR b outlet.1.status "off"',
  })
  const probe = probeOf(server.port)
  const names = async (): Promise<readonly unknown[]> =>
    (await probe.measure(INTERVAL, SIGNAL)).map(({ name, tags, fields }) => [
      name,
      tags['target']?.replace(/@[^/]*/, ''),
      fields['comms_lost'],
    ])
  t.same(await names(), [
    ['transfer_switch', 'a', false],
    ['pdu', 'b', false],
    ['pdu_outlet', 'b/1', undefined],
  ])
  server.script.a = 'ERR DATA-STALE'
  t.match((await measure(probe)).get(`a@127.0.0.1:${server.port}`), {
    comms_lost: true,
    reason: 'the server says DATA-STALE',
  })
  server.close()
  t.same(await names(), [
    ['transfer_switch', 'a', true],
    ['pdu', 'b', true],
  ])
  t.same(reports.get(probe), [])
})

test('a transfer switch is read: which source, which are good, what is lost', (t) => {
  const read = (variables: Record<string, string>) => {
    const place = { target: 'ats', timeUs: NOW_US }
    const point = transferSwitchPoint(new Map(Object.entries(variables)), place)
    t.equal(complaintAbout(point), undefined)
    return point.fields
  }
  const apc = {
    'device.mfr': 'APC',
    'device.model': 'AP7723',
    'input.source': '1',
    'input.source.preferred': '2',
    'input.1.voltage': '231',
    'input.2.voltage': '0',
    'input.voltage.nominal': '230',
    'output.voltage': '230',
    'ups.status': 'OL',
  }
  t.match(read(apc), {
    selected: 'a',
    preferred: 'b',
    source_a_ok: true,
    source_b_ok: false,
    redundancy_lost: true,
    output_ok: true,
    alarm: false,
    overload: false,
    input_a_v: 231,
    input_b_v: 0,
    model: 'APC AP7723',
  })
  t.match(read({ ...apc, 'input.2.voltage': '229' }), { redundancy_lost: false })
  t.notOk('source_b_ok' in read({ ...apc, 'input.2.voltage': '150' }), 'between dead and good')
  const eaton = {
    'input.source': '2',
    'input.1.voltage.status': 'out-of-range',
    'input.2.voltage.status': 'derated-range',
  }
  t.match(read(eaton), { selected: 'b', source_a_ok: false, source_b_ok: true })
  const broken = read({ 'input.source': 'fault', 'ups.status': 'OFF' })
  t.match(broken, { alarm: true, output_ok: false })
  for (const absent of ['selected', 'redundancy_lost', 'preferred', 'source_a_ok', 'input_a_v'])
    t.notOk(absent in broken, absent)
  t.match(read({ 'input.1.voltage': '118', 'input.2.voltage': '3' }), {
    source_a_ok: true,
    source_b_ok: false,
  })
  t.equal(kindOf(new Map([['device.type', 'scd']])), 'other')
  t.equal(kindOf(new Map()), 'ups')
  t.end()
})

test('a power strip is read: its load, and each outlet', (t) => {
  const read = (variables: Record<string, string>) =>
    pduPoints(new Map(Object.entries(variables)), { target: 'pdu', timeUs: NOW_US })
  const points = read({
    'device.type': 'pdu',
    'outlet.count': '3',
    'outlet.current': '7.5',
    'outlet.current.status': 'warning-high',
    'outlet.realpower': '1650',
    'outlet.1.status': 'on',
    'outlet.1.desc': 'PBX left',
    'outlet.1.current': '1.2',
    'outlet.2.status': 'off',
    'outlet.2.realpower': '0',
  })
  t.ok(points.every((point) => complaintAbout(point) === undefined))
  t.match(points, [
    {
      name: 'pdu',
      fields: {
        load_a: 7.5,
        load_w: 1650,
        near_overload: true,
        overload: false,
        outlets: 3,
        outlets_on: 1,
      },
    },
    { tags: { target: 'pdu/1' }, fields: { on: true, label: 'PBX left', load_a: 1.2 } },
    { tags: { target: 'pdu/2' }, fields: { on: false, load_w: 0 } },
  ])
  t.equal(points.length, 3, 'of the third nothing is known')
  const [dumb] = read({ 'device.type': 'pdu' })
  t.same(dumb?.fields, { comms_lost: false })
  t.equal(read({ 'outlet.count': '1000000' }).length, 1, 'no strip has a million')
  t.match(read({ 'input.current.status': 'critical-high' }), [{ fields: { overload: true } }])
  t.end()
})

test('what drivers tell in words is read', (t) => {
  const read = (variables: Record<string, string>) =>
    readNutVariables(new Map(Object.entries({ 'ups.status': 'OL', ...variables })), NOW_US)
  const alarm = (text: string) => read({ 'ups.status': 'OL ALARM', 'ups.alarm': text })
  t.match(alarm('Battery charger fail!'), { chargerFault: true, alarms: 'Battery charger fail!' })
  t.match(alarm('Battery charger fault.'), { chargerFault: true })
  t.match(alarm('No battery installed!'), { noBattery: true, chargerFault: false })
  t.match(alarm('Temperature too high! Fan failure!'), { overTemperature: true })
  t.match(alarm('Over temperature fault.'), { overTemperature: true, chargerFault: false })
  t.match(alarm('Replace battery! Shutdown imminent!'), {
    replaceBattery: true,
    shutdownPending: true,
  })
  t.match(alarm('Communication fault!'), { line: 'unknown', commsLost: true, reason: /alarm is/ })
  t.match(alarm('Fuse fault!'), { line: 'online', chargerFault: false, overTemperature: false })
  t.match(read({ 'ups.status': 'OL BOOST CHRG' }), { boost: true, trim: false, charging: true })
  t.match(read({ 'ups.status': 'OL TRIM' }), { trim: true, charging: undefined })
  t.match(read({ 'battery.charger.status': 'discharging' }), { discharging: true, charging: false })
  t.match(read({ 'battery.charger.status': 'resting' }), { discharging: false, charging: false })
  t.match(read({ 'ups.timer.shutdown': '20' }), { shutdownPending: true })
  t.match(read({ 'ups.timer.shutdown': '-1' }), { shutdownPending: false })
  t.match(read({ 'ups.timer.shutdown': '0' }), { shutdownPending: false })
  t.match(read({ 'ups.status': 'OB TEST' }), { selfTesting: true, calibrating: false })
  t.match(read({ 'ups.test.result': 'In progress' }), { selfTesting: true })
  t.match(read({ 'ups.status': 'OB CAL' }), { selfTesting: false, calibrating: true })
  t.match(read({ 'ups.test.result': 'Done and error', 'ups.test.date': '2026-12-01' }), {
    selfTestFailed: true,
    selfTestDate: '2026-12-01',
  })
  t.match(
    read({
      'battery.charge.low': '20',
      'battery.runtime.low': '300',
      'input.transfer.reason': 'input voltage out of range',
      'input.frequency': '49.9',
      'ups.realpower.nominal': '1000',
      'driver.parameter.pollinterval': '2',
      'device.mfr': 'EATON',
      'device.model': '5P 1150',
      'device.serial': 'G123',
      'ups.firmware': '1.18',
    }),
    {
      lowChargeRatio: 0.2,
      lowRuntimeS: 300,
      lastTransfer: 'input voltage out of range',
      inputHz: 49.9,
      nominalW: 1000,
      pollMs: 2000,
      model: 'EATON 5P 1150',
      serial: 'G123',
      firmware: '1.18',
    },
  )
  t.match(read({ 'ups.mfr': 'APC', 'ups.model': 'APC Smart-UPS' }), { model: 'APC Smart-UPS' })
  t.match(read({ 'battery.date': '2026/01/15' }), { batteryAgeDays: 365 })
  t.match(read({ 'battery.date': '01/05/27' }), { batteryAgeDays: undefined }, 'May or January')
  const american = { 'battery.date': '01/05/27', 'device.mfr': 'American Power Conversion' }
  t.match(read(american), { batteryAgeDays: 10 })
  t.match(read({ 'driver.name': 'apcupsd-ups', 'ups.status': 'OFF' }), {
    line: 'unknown',
    commsLost: true,
    reason: /read apcupsd itself/,
  })
  t.match(read({ 'driver.name': 'apcupsd-ups', 'ups.status': 'OL BYPASS' }), {
    line: 'online',
    noBattery: true,
  })
  t.end()
})

test('every server error and every breach of the protocol leaves the state unknown and without numbers', async (t) => {
  /** Of b, and what is known of a where that is more than that it is online. */
  const cases: readonly (readonly [string, Script, RegExp, Fields?])[] = [
    ['stale', { b: 'ERR DATA-STALE' }, /DATA-STALE/],
    ['unknown unit', { b: 'ERR UNKNOWN-UPS' }, /UNKNOWN-UPS/],
    [
      'stale in the middle of the list',
      { b: 'BEGIN LIST VAR b\nVAR b battery.charge "97"\nERR DATA-STALE' },
      /DATA-STALE/,
    ],
    [
      'waiting for the driver',
      { b: 'BEGIN LIST VAR b\nVAR b ups.status "WAIT"\nEND LIST VAR b' },
      /WAIT/,
    ],
    ['empty status', { b: 'BEGIN LIST VAR b\nVAR b ups.status ""\nEND LIST VAR b' }, /empty/],
    [
      'end of another list',
      { b: 'BEGIN LIST VAR b\nVAR b ups.status "OL"\nEND LIST VAR a' },
      /END of the same list/,
    ],
    [
      'list of another unit',
      { b: 'BEGIN LIST VAR a\nVAR a ups.status "OL"\nEND LIST VAR a' },
      /BEGIN of the list/,
    ],
    [
      'row of another unit',
      { b: 'BEGIN LIST VAR b\nVAR a ups.status "OL"\nEND LIST VAR b' },
      /a row of the list/,
    ],
    [
      'a quote that does not end',
      { b: 'BEGIN LIST VAR b\nVAR b ups.status "OL\nEND LIST VAR b' },
      /a line of words/,
    ],
    ['a line of 1 MiB', { b: 'x'.repeat(1 << 20) }, /larger than any/],
    [
      'an answer of 5 MiB',
      { b: `BEGIN LIST VAR b\n${'VAR b x "y"\n'.repeat(450_000)}` },
      /larger than any/,
    ],
    ['silence', { b: '' }, /no answer in 300 ms/],
    ['hanging up', { b: 'HANG UP' }, /closed the connection/],
    [
      'ERR in the middle of a list, which goes on',
      { a: 'BEGIN LIST VAR a\nVAR a ups.status "OL"\nERR DATA-STALE\nEND LIST VAR a' },
      /expected BEGIN of the list, got "END/,
      { line: 'unknown', comms_lost: true, reason: 'the server says DATA-STALE' },
    ],
    [
      'the answer to b before the answer to a is whole',
      { a: 'BEGIN LIST VAR a\nVAR b ups.status "OL"\nEND LIST VAR a' },
      /expected a row of the list, got "VAR b/,
      { line: 'unknown', comms_lost: true },
    ],
    [
      'answers in the wrong order',
      { a: 'BEGIN LIST VAR b\nVAR b ups.status "OL"\nEND LIST VAR b' },
      /expected BEGIN of the list, got "BEGIN LIST VAR b/,
      { line: 'unknown', comms_lost: true },
    ],
    [
      'an answer too many',
      { a: 'BEGIN LIST VAR a\nVAR a ups.status "OL"\nEND LIST VAR a\nOK' },
      /expected BEGIN of the list, got "OK"/,
    ],
  ]
  for (const [what, script, reason, a = { line: 'online' }] of cases) {
    const server = await startServer(script)
    const points = await measure(probeOf(server.port, { ups: ['a', 'b'] }))
    server.close()
    const b = points.get(`b@127.0.0.1:${server.port}`) ?? {}
    t.match(b, { line: 'unknown', comms_lost: true, reason }, what)
    t.same(numbersOf(b), [], what)
    t.match(points.get(`a@127.0.0.1:${server.port}`), a, `${what}: the unit before is what it says`)
  }
})

test('a server that is away leaves known units unknown, and without any the run fails', async (t) => {
  const server = await startServer({})
  const { port } = server
  const probe = probeOf(port)
  await measure(probe)
  server.close()
  const points = await measure(probe)
  t.match(points.get(`a@127.0.0.1:${port}`), {
    line: 'unknown',
    comms_lost: true,
    reason: /ECONNREFUSED/,
  })
  t.same(numbersOf(points.get(`a@127.0.0.1:${port}`) ?? {}), [])
  t.match((await measure(probeOf(port, { ups: ['x'] }))).get(`x@127.0.0.1:${port}`), {
    comms_lost: true,
  })
  await t.rejects(measure(probeOf(port)), /NUT server 127.0.0.1:\d+: .*ECONNREFUSED/)
  const again = await startServer({}, port)
  t.teardown(() => {
    again.close()
  })
  t.match((await measure(probe)).get(`a@127.0.0.1:${port}`), { line: 'online' }, 'and recovers')
})

test('TLS that is required is never given up, TLS that is tried may be', async (t) => {
  const without = await startServer({ starttls: 'ERR FEATURE-NOT-CONFIGURED' })
  const injected = await startServer({ starttls: 'OK STARTTLS\nVAR a ups.status "OL"' })
  t.teardown(() => {
    without.close()
    injected.close()
  })
  const target = (port: number): string => `a@127.0.0.1:${port}`
  const read = async (port: number, tls: string): Promise<Fields> =>
    (await measure(probeOf(port, { ups: ['a'], tls }))).get(target(port)) ?? {}
  t.match(await read(without.port, 'required'), {
    comms_lost: true,
    reason: /no TLS: ERR FEATURE-NOT-CONF/,
  })
  t.notOk(
    without.asked.some((line) => line.startsWith('LIST')),
    'nothing was asked in clear text',
  )
  t.match(await read(without.port, 'try'), { line: 'online' })
  t.match(await read(injected.port, 'try'), { comms_lost: true, reason: /nothing in clear text/ })
})

test('with TLS the certificate is checked', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nut-tls-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
  ]
  const subject = ['-days', '2', '-subj', '/CN=ups', '-addext', 'subjectAltName=IP:127.0.0.1']
  try {
    execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    })
  } catch {
    t.pass('TLS', { skip: 'openssl is missing: apt-get install openssl' })
    return
  }
  const pair = { key: await readFile(key), cert: await readFile(cert) }
  const server = await startServer({ starttls: 'OK STARTTLS', secure: pair })
  t.teardown(() => {
    server.close()
  })
  const options = { ups: ['a'], tls: 'required' }
  const target = `a@127.0.0.1:${server.port}`
  t.match((await measure(probeOf(server.port, { ...options, ca: cert }))).get(target), {
    line: 'online',
  })
  t.match((await measure(probeOf(server.port, options))).get(target), {
    comms_lost: true,
    reason: /TLS: self-signed certificate/,
  })
})

test('a real upsd with TLS is read only by who trusts its certificate', async (t) => {
  const nut = await startNut({ core: { description: 'Core', values: ON_MAINS } }, { tls: true })
  if (nut === undefined) {
    t.pass('a real upsd', { skip: 'missing: apt-get install nut-server libnss3-tools' })
    return
  }
  t.teardown(async () => nut.close())
  const read = async (options: object): Promise<Fields> => {
    const server = `localhost:${nut.port}`
    const probe = probeOf(nut.port, { server, ups: ['core'], timeout: '3s', ...options })
    return (await measure(probe)).get(`core@localhost:${nut.port}`) ?? {}
  }
  for (;;) {
    if ((await read({ tls: 'off' }))['line'] === 'online') break
    await delay(100)
  }
  t.match(await read({ tls: 'required', ca: nut.ca }), { line: 'online', charge_ratio: 0.97 })
  t.match(await read({ tls: 'try', ca: nut.ca }), { line: 'online' })
  for (const tls of ['try', 'required'])
    t.match(await read({ tls }), { comms_lost: true, reason: /TLS: self-signed certificate/ }, tls)
  const other = await startNut({ core: { description: 'Core', values: ON_MAINS } })
  if (other === undefined) return
  t.teardown(async () => other.close())
  const plain = probeOf(other.port, { ups: ['core'], tls: 'required' })
  t.match(
    [...(await measure(plain)).values()],
    [{ comms_lost: true, reason: /no TLS: ERR FEATURE-NOT-CONFIGURED/ }],
  )
})

test('the options say what is wrong with them', (t) => {
  const complaint = (options: object): string =>
    upsNut.schema.safeParse(options).error?.issues[0]?.message ?? ''
  t.equal(complaint({}), '')
  t.match(complaint({ server: 'upsd' }), /host:port/)
  t.match(complaint({ ups: ['a b'] }), /name of a UPS/)
  t.match(complaint({ ups: ['a\nSET'] }), /name of a UPS/)
  t.match(complaint({ ca: '/no/such/file' }), /ENOENT/)
  t.end()
})

test('of all servers in these tests nothing was asked but to read', (t) => {
  const commands = [...everAsked].filter((line) => !/^LIST VAR "[ab]"$/.test(line)).sort()
  t.same(commands, ['LIST UPS', 'LOGOUT', 'STARTTLS'])
  t.end()
})

// ---------------------------------------------------------------------------------------------------------------------

/** What probes reported since they were last measured. */
const reports = new WeakMap<Probe, Measurement[]>()

function probeOf(port: number, options: object = {}): Probe {
  const reported: Measurement[] = []
  const probe = upsNut.schema
    .parse({ server: `127.0.0.1:${port}`, timeout: '300ms', ...options })
    .create({
      log: createLogger('test', 'silent'),
      nowUs: () => 0,
      report: (points) => reported.push(...points),
    })
  reports.set(probe, reported)
  return probe
}

/** By target, what was reported and what was measured. */
async function measure(probe: Probe): Promise<ReadonlyMap<string, Fields>> {
  const reported = reports.get(probe) ?? []
  reported.length = 0
  const points = [...(await probe.measure(INTERVAL, SIGNAL)), ...reported]
  return new Map(points.map(({ tags, fields }) => [tags['target'] ?? '', fields]))
}

function numbersOf(fields: Fields): readonly string[] {
  return NUMBERS.filter((name) => name in fields)
}

/** What a scripted server answers to `LIST VAR` of its two units and to STARTTLS, instead of what it should. */
interface Script {
  a?: string
  b?: string
  readonly starttls?: string
  /** Where an answer is cut into packets. */
  readonly cut?: RegExp
  readonly secure?: { readonly key: Buffer; readonly cert: Buffer }
}

interface ScriptedServer {
  readonly port: number
  readonly asked: readonly string[]
  /** May be changed as it runs. */
  readonly script: Script
  connections(): number
  dropAll(): void
  close(): void
}

async function startServer(script: Script, port?: number): Promise<ScriptedServer> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const answer = (line: string): string => {
    const unit = /^LIST VAR "([ab])"$/.exec(line)?.[1]
    if (unit === 'a') return complete(script.a, 'a')
    if (unit === 'b') return complete(script.b, 'b')
    if (line === 'STARTTLS') return script.starttls ?? 'ERR FEATURE-NOT-SUPPORTED'
    if (line === 'LIST UPS') return 'BEGIN LIST UPS\nUPS a "Unit a"\nUPS b "Unit b"\nEND LIST UPS'
    return line === 'LOGOUT' ? 'OK Goodbye' : 'ERR UNKNOWN-COMMAND'
  }
  const serve = (socket: Socket): void => {
    let received = ''
    let sent = Promise.resolve()
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString()
      for (let end = received.indexOf('\n'); end !== -1; end = received.indexOf('\n')) {
        const line = received.slice(0, end)
        received = received.slice(end + 1)
        asked.push(line)
        everAsked.add(line)
        const text = answer(line)
        if (text === 'HANG UP') sent = sent.then(() => void socket.destroy())
        else if (text !== '') sent = sent.then(async () => send(socket, `${text}\n`, script.cut))
        if (line === 'STARTTLS' && script.secure) {
          socket.removeAllListeners('data')
          serve(new TLSSocket(socket, { isServer: true, ...script.secure }))
        }
      }
    })
  }
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    connections++
    socket.setNoDelay(true)
    serve(socket)
  })
  let bound = port
  if (bound === undefined) bound = await listen(server)
  else {
    server.listen(bound, '127.0.0.1')
    await once(server, 'listening')
  }
  return {
    port: bound,
    asked,
    script,
    connections: () => connections,
    dropAll: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A single row stands for a whole list with it. */
function complete(text: string | undefined, unit: string): string {
  if (text !== undefined && !text.startsWith('VAR')) return text
  const rows = Object.entries(ON_MAINS).map(([name, value]) => `VAR ${unit} ${name} "${value}"`)
  return [`BEGIN LIST VAR ${unit}`, ...rows, ...(text ? [text] : []), `END LIST VAR ${unit}`].join(
    '\n',
  )
}

async function send(socket: Socket, text: string, cut: RegExp | undefined): Promise<void> {
  for (const part of cut === undefined ? [text] : text.split(cut)) {
    socket.write(part)
    if (cut !== undefined) await new Promise((resolve) => setImmediate(resolve))
  }
}
