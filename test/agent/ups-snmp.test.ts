import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import tap, { test, type Test } from 'tap'
import { upsNut } from '../../agent/probes/ups-nut.ts'
import { upsSnmp } from '../../agent/probes/ups-snmp.ts'
import {
  celsius,
  chargeRatio,
  fromMinutes,
  fromTicks,
  loadRatio,
  tenths,
  whole,
} from '../../agent/power/snmp-units.ts'
import { counterRise, valueOf } from '../../agent/power/snmp-values.ts'
import { mge } from '../../agent/power/ups-mib-mge.ts'
import { xups } from '../../agent/power/ups-mib-xups.ts'
import type { Probe } from '../../agent/probe.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { startNut } from '../support/nut.ts'
import { damaged, randomBytes, randomOf } from '../support/random.ts'
import { startSnmpd, type MibValues, type Snmpd, type SnmpdOptions } from '../support/snmpd.ts'
import { upsMib, type UPS_SCENES } from '../support/ups-mib.ts'

/** On a busy machine; alone it takes a tenth of that. */
tap.setTimeout(180_000)

const SIGNAL = new AbortController().signal
const INTERVAL = { endUs: 1_800_000_000_000_000, durationMs: 5000 }
const MISSING = 'snmpd is missing: apt-get install snmpd'
const UPS = '1.3.6.1.2.1.33.1'

const APC = '1.3.6.1.4.1.318.1.1.1'
const LINE_OF_SOURCE = ['', 'unknown', 'off', 'online', 'bypass', 'battery', 'online', 'online']

/** A Smart-UPS as its network card shows it, with UPS-MIB beside. */
const POWERNET: MibValues = {
  ...upsMib('normal'),
  [`${APC}.1.1.1.0`]: ['string', 'Smart-UPS 3000'],
  [`${APC}.1.2.3.0`]: ['string', 'AS123'],
  [`${APC}.2.1.1.0`]: ['integer', 2],
  [`${APC}.2.1.2.0`]: ['timeticks', 0],
  [`${APC}.2.1.3.0`]: ['string', '06/12/2024'],
  [`${APC}.2.2.1.0`]: ['gauge', 97],
  [`${APC}.2.2.2.0`]: ['gauge', 25],
  [`${APC}.2.2.3.0`]: ['timeticks', 252_000],
  [`${APC}.2.2.4.0`]: ['integer', 1],
  [`${APC}.2.3.1.0`]: ['gauge', 971],
  [`${APC}.2.3.4.0`]: ['integer', 546],
  [`${APC}.3.2.1.0`]: ['gauge', 231],
  [`${APC}.3.2.5.0`]: ['integer', 4],
  [`${APC}.3.3.1.0`]: ['gauge', 2314],
  [`${APC}.4.1.1.0`]: ['integer', 2],
  [`${APC}.4.2.1.0`]: ['gauge', 230],
  [`${APC}.4.2.3.0`]: ['gauge', 34],
  [`${APC}.5.2.8.0`]: ['timeticks', 12_000],
  [`${APC}.7.2.3.0`]: ['integer', 1],
  [`${APC}.8.1.0`]: ['integer', 1],
  [`${APC}.11.1.1.0`]: ['string', `000101${'0'.repeat(58)}`],
}

type Answer = (request: Buffer, random: () => number) => readonly Buffer[]

/** What a device may answer instead of what it should: each of them to every request. */
const ANSWERS: readonly Answer[] = [
  () => [],
  () => [Buffer.alloc(0)],
  (_, random) => [randomBytes(40, random)],
  (_, random) => [randomBytes(1400, random), randomBytes(3, random)],
  (request) => [request],
  (request) => [asResponse(request)],
  (request) => [asResponse(request).subarray(0, request.length >> 1)],
  (request) => Array.from({ length: request.length }, (_, i) => asResponse(request).subarray(0, i)),
  (request, random) => Array.from({ length: 30 }, () => damaged(asResponse(request), random)),
  (request, random) => Array.from({ length: 30 }, () => damaged(request, random)),
  (request) => [asReport(request)],
  (request, random) => Array.from({ length: 30 }, () => damaged(asReport(request), random)),
  (request) => [Buffer.concat([asResponse(request), Buffer.alloc(60_000)])],
  (request) => Array.from({ length: 300 }, () => asReport(request)),
]

type Fields = Readonly<Record<string, FieldValue>>

test('a real agent with UPS-MIB is read in every scene', async (t) => {
  const snmpd = await start(t, upsMib('normal'))
  if (snmpd === undefined) return
  const probe = probeOf({ community: 'public' }, snmpd.port)
  const scene = async (name: keyof typeof UPS_SCENES, lines?: number): Promise<Fields> => {
    await snmpd.set(upsMib(name, lines))
    return await fieldsOf(probe)
  }
  const mains = await scene('normal')
  t.strictSame(mains, {
    line: 'online',
    status: 'normal',
    low_battery: false,
    replace_battery: false,
    charger_fault: false,
    overload: false,
    over_temperature: false,
    alarm: false,
    shutdown_pending: false,
    self_testing: false,
    boost: false,
    trim: false,
    comms_lost: false,
    charge_ratio: 1,
    runtime_s: 2520,
    runtime_left_s: 2520,
    low_runtime_s: 300,
    on_battery_s: 0,
    transfers: 4,
    load_ratio: 0.23,
    load_w: 640,
    nominal_w: 2700,
    input_v: 231,
    input_hz: 50,
    output_v: 230,
    battery_v: 54.6,
    temperature_c: 25,
    self_test: 'passed: passed',
    self_test_failed: false,
    model: 'LabPower Sim 3000',
    firmware: 'fw 1.0',
  })
  t.match(await scene('onbattery'), {
    line: 'battery',
    low_battery: false,
    alarm: true,
    alarms: 'on battery, input bad',
    charge_ratio: 0.71,
    runtime_s: 1620,
    on_battery_s: 95,
    input_v: 0,
    frozen: false,
  })
  t.match(await scene('lowbattery'), {
    line: 'battery',
    low_battery: true,
    charge_ratio: 0.11,
    runtime_s: 180,
    alarms: 'on battery, low battery, input bad',
  })
  t.match(await scene('depleted'), { line: 'online', low_battery: true, charge_ratio: 0.02 })
  t.match(await scene('bypass'), { line: 'bypass', alarms: 'on bypass' })
  t.match(await scene('off'), { line: 'off', output_v: 0 })
  const lost = await scene('commlost')
  t.strictSame(
    lost,
    {
      line: 'unknown',
      comms_lost: true,
      status: 'other',
      reason: 'the network card has lost the UPS (upsAlarmCommunicationsLost)',
    },
    'and the numbers it still gives are not repeated',
  )
  t.match(await scene('normal', 3), {
    line: 'online',
    input_v: 229,
    load_ratio: 0.25,
    load_w: 1920,
    output_v: 230,
  })
  snmpd.freeze()
  const silent = await fieldsOf(probe)
  t.match(silent, {
    line: 'unknown',
    comms_lost: true,
    reason: `SNMP 127.0.0.1:${snmpd.port}: no answer (1 x 2000 ms): unreachable, or a wrong community`,
  })
  t.equal(silent['runtime_s'], undefined)
  snmpd.thaw()
  t.match(await fieldsOf(probe), { line: 'online' })
  t.notOk(snmpd.wasWritten(), 'nothing was ever set')
})

test('a unit built to the compliance clause of RFC 1628 is read by its other objects, or by its style', async (t) => {
  const snmpd = await start(t, upsMib('legacyenum'))
  if (snmpd === undefined) return
  const read = async (style?: string): Promise<Fields> =>
    await fieldsOf(probeOf({ community: 'public', 'output-source-style': style }, snmpd.port))
  t.match(await read(), {
    line: 'online',
    status: 'normal',
    comms_lost: false,
    reason:
      'suspicious enum: upsOutputSource says none, but the output has voltage; set output-source-style',
  })
  t.match(await read('standard'), { line: 'off', status: 'none' })
  const compliant = await read('compliance')
  t.match(compliant, { line: 'online' })
  t.notOk('reason' in compliant)
  await snmpd.set({ ...upsMib('onbattery'), [`${UPS}.4.1.0`]: ['integer', 4] })
  t.match(await read(), { line: 'battery', reason: /^suspicious enum: .* says bypass/ })
  t.match(await read('compliance'), { line: 'battery' })
  t.match(await read('standard'), { line: 'bypass' })
})

test('SNMP v1, v2c and v3 read alike, and a wrong key is said to be one', async (t) => {
  const snmpd = await start(t, upsMib('onbattery', 3))
  if (snmpd === undefined) return
  const read = async (access: object): Promise<Fields> =>
    await fieldsOf(probeOf(access, snmpd.port))
  const expected = await read({ community: 'public' })
  t.match(expected, { line: 'battery', load_ratio: 0.25 })
  const doors: Readonly<Record<string, object>> = {
    v1: { version: 'v1', community: 'public' },
    noAuthNoPriv: { user: 'nobody' },
    authNoPriv: { user: 'sha-only', auth: 'sha', 'auth-key': 'authpass-only' },
    'MD5 and DES': v3('md5-des', 'md5', 'authpass-md5', 'des', 'privpass-des'),
    'SHA and AES': v3('sha-aes', 'sha', 'authpass-sha', 'aes', 'privpass-aes'),
    'SHA-256 and AES': v3('sha256-aes', 'sha256', 'authpass-256', 'aes', 'privpass-aes'),
    'SHA-512 and AES-256': v3(
      'sha512-aes256',
      'sha512',
      'authpass-512',
      'aes256',
      'privpass-aes256',
    ),
  }
  for (const [name, access] of Object.entries(doors))
    t.strictSame(await read(access), expected, name)

  const refused: readonly (readonly [access: object, reason: RegExp])[] = [
    [{ community: 'private' }, /no answer .*: unreachable, or a wrong community$/],
    [{ version: 'v1', community: 'private' }, /no answer .*: unreachable, or a wrong community$/],
    [v3('stranger', 'sha', 'authpass-sha', 'aes', 'privpass-aes'), /it does not know this user$/],
    [
      v3('sha-aes', 'sha', 'wrongpass', 'aes', 'privpass-aes'),
      /wrong authentication key or protocol$/,
    ],
    [
      v3('sha-aes', 'md5', 'authpass-sha', 'aes', 'privpass-aes'),
      /wrong authentication key or protocol$/,
    ],
    [
      v3('sha-aes', 'sha', 'authpass-sha', 'aes', 'wrongpass'),
      /keeps silent: a wrong privacy key or protocol$/,
    ],
    [
      v3('md5-des', 'md5', 'authpass-md5', 'des', 'wrongpass'),
      /keeps silent: a wrong privacy key or protocol$/,
    ],
    [{ user: 'sha-aes' }, /it does not let us read this$/],
  ]
  for (const [access, reason] of refused) {
    const fields = await read(access)
    t.match(fields, { line: 'unknown', comms_lost: true, reason }, String(reason))
  }
  await snmpd.close()
  t.match(await read({ community: 'public' }), { reason: /: nothing listens there$/ })
})

test('half of the objects missing leaves the other half; numbers not supported are absent', async (t) => {
  const full = upsMib('onbattery')
  const half: MibValues = Object.fromEntries(
    Object.entries(full).filter(([oid], i) => i % 2 === 0 || oid.startsWith(`${UPS}.4.1.`)),
  )
  const snmpd = await start(t, half)
  if (snmpd === undefined) return
  for (const version of ['v1', 'v2c']) {
    const fields = await fieldsOf(probeOf({ version, community: 'public' }, snmpd.port))
    t.match(fields, { line: 'battery', comms_lost: false, on_battery_s: 95, charge_ratio: 0.71 })
    t.notOk('runtime_s' in fields, version)
  }
  const minusOne = [
    `2.3.0`,
    `2.4.0`,
    '2.5.0',
    '2.7.0',
    '3.3.1.2.1',
    '3.3.1.3.1',
    '4.4.1.4.1',
    '4.4.1.5.1',
  ]
  await snmpd.set({
    ...full,
    ...Object.fromEntries(minusOne.map((oid) => [`${UPS}.${oid}`, ['integer', -1]])),
  })
  const fields = await fieldsOf(probeOf({ community: 'public' }, snmpd.port))
  t.match(fields, { line: 'battery', output_v: 230 })
  for (const field of [
    'runtime_s',
    'charge_ratio',
    'battery_v',
    'temperature_c',
    'input_hz',
    'input_v',
    'load_w',
    'load_ratio',
  ]) {
    t.notOk(field in fields, field)
  }
  const withoutSource = Object.entries(full).filter(([oid]) => oid !== `${UPS}.4.1.0`)
  await snmpd.set(Object.fromEntries(withoutSource))
  t.match(await fieldsOf(probeOf({ community: 'public', mib: 'rfc1628' }, snmpd.port)), {
    line: 'battery',
    reason: 'the unit has no upsOutputSource: told by its alarms',
  })
  t.match(await fieldsOf(probeOf({ community: 'public' }, snmpd.port)), {
    line: 'unknown',
    comms_lost: true,
    reason: 'it answers, but has none of rfc1628, powernet, xups, mge',
  })
})

test("NUT's snmp-ups and snmpget read the same agent and agree with us", async (t) => {
  const snmpd = await start(t, upsMib('normal'))
  if (snmpd === undefined) return
  const source = `127.0.0.1:${snmpd.port}`
  const nut = await startNut({
    card: {
      description: 'read by SNMP',
      driver: {
        name: 'snmp-ups',
        port: source,
        settings: { community: 'public', snmp_version: 'v2c', mibs: 'ietf', pollfreq: 1 },
      },
    },
  })
  if (nut === undefined) {
    t.pass("NUT's snmp-ups", { skip: 'snmp-ups is missing: apt-get install nut-snmp nut-server' })
    return
  }
  t.teardown(async () => nut.close())
  const ours = probeOf({ community: 'public' }, snmpd.port)
  const theirs = upsNut.schema.parse({ server: `127.0.0.1:${nut.port}` }).create({
    log: createLogger('test', 'silent'),
    nowUs: () => INTERVAL.endUs,
    report: (points) => {
      reported.push(...points)
    },
  })
  const reported: Measurement[] = []
  for (const scene of ['onbattery', 'lowbattery', 'bypass', 'normal'] as const) {
    await snmpd.set(upsMib(scene))
    const own = await fieldsOf(ours)
    const [source, battery, charge] = await snmpget(snmpd.port, ['4.1.0', '2.1.0', '2.4.0'])
    t.equal(own['charge_ratio'], Number(charge) / 100, `${scene}: charge`)
    t.equal(own['low_battery'], Number(battery) > 2, `${scene}: low battery`)
    t.equal(own['line'], LINE_OF_SOURCE[Number(source)], `${scene}: line`)
    const agrees = (nutSays: Fields): boolean =>
      ['line', 'low_battery', 'charge_ratio', 'runtime_s'].every((key) => nutSays[key] === own[key])
    for (;;) {
      const points = [...(await theirs.measure(INTERVAL, SIGNAL)), ...reported.splice(0)]
      const fields = points[0]?.fields ?? {}
      if (agrees(fields)) break
      await delay(100)
    }
    t.pass(`${scene}: NUT agrees on line, low battery, charge and runtime`)
  }
})

test('APC PowerNet: status, runtime in hundredths of a second, lost contact, modules', async (t) => {
  const snmpd = await start(t, POWERNET, { sysObjectId: '1.3.6.1.4.1.318.1.3.27' })
  if (snmpd === undefined) return
  const unit = probeOf({ community: 'public' }, snmpd.port)
  const become = async (changes: MibValues): Promise<Fields> => {
    await snmpd.set({ ...POWERNET, ...changes })
    return await fieldsOf(unit)
  }
  const [point] = await unit.poll()
  t.equal(point?.tags['source'], 'snmp-powernet', 'its own tree before UPS-MIB, which it has too')
  t.match(point?.fields, {
    line: 'online',
    status: 'on line',
    charge_ratio: 0.971,
    runtime_s: 2520,
    low_runtime_s: 120,
    load_ratio: 0.34,
    input_v: 231.4,
    output_v: 230,
    battery_v: 54.6,
    temperature_c: 25,
    last_transfer: 'blackout',
    battery_date: '06/12/2024',
    self_test: 'ok',
    self_test_failed: false,
    model: 'APC Smart-UPS 3000',
    serial: 'AS123',
    replace_battery: false,
    overload: false,
  })
  const table: readonly (readonly [status: number, expected: object])[] = [
    [3, { line: 'battery', self_testing: false }],
    [15, { line: 'battery', self_testing: true }],
    [4, { line: 'online', boost: true }],
    [12, { line: 'online', trim: true }],
    [6, { line: 'bypass', status: 'software bypass' }],
    [9, { line: 'bypass' }],
    [16, { line: 'bypass' }],
    [7, { line: 'off' }],
    [11, { line: 'off' }],
    [13, { line: 'online', status: 'eco mode' }],
    [8, { line: 'unknown', comms_lost: false, reason: /is 8: rebooting/ }],
    [99, { line: 'unknown', reason: /is 99/ }],
  ]
  for (const [status, expected] of table) {
    t.match(await become({ [`${APC}.4.1.1.0`]: ['integer', status] }), expected, String(status))
  }
  const flags = (...set: readonly number[]): MibValues => ({
    [`${APC}.11.1.1.0`]: [
      'string',
      Array.from({ length: 64 }, (_, i) => (set.includes(i + 1) ? '1' : '0')).join(''),
    ],
  })
  t.match(await become(flags(6, 3, 9, 26)), {
    low_battery: true,
    overload: true,
    over_temperature: true,
    comms_lost: false,
  })
  t.match(await become(flags(4)), { line: 'unknown', comms_lost: true })
  t.match(await become({ [`${APC}.8.1.0`]: ['integer', 2] }), { line: 'unknown', comms_lost: true })
  t.match(await become({ [`${APC}.11.1.1.0`]: ['string', '0101'] }), { line: 'online' })
  t.match(await become({ [`${APC}.2.2.4.0`]: ['integer', 2] }), { replace_battery: true })
  t.match(await become({ [`${APC}.2.1.1.0`]: ['integer', 5] }), { no_battery: true })
  const modules = { [`${APC}.4.2.6.0`]: ['gauge', 16] } satisfies MibValues
  t.match(await become({ ...modules, [`${APC}.4.2.5.0`]: ['gauge', 1] }), {
    redundancy_lost: false,
  })
  t.match(await become({ ...modules, [`${APC}.4.2.5.0`]: ['gauge', 0] }), { redundancy_lost: true })
  t.match(
    await become({ [`${APC}.2.3.1.0`]: ['integer', -1], [`${APC}.2.2.3.0`]: ['integer', -1] }),
    {
      charge_ratio: 0.97,
    },
  )
  t.notOk('redundancy_lost' in (await become({ [`${APC}.4.2.5.0`]: ['gauge', 0] })))
})

test('Eaton XUPS and MGE: seconds, tenths of a volt, alarms by identifier', (t) => {
  const context = { outputSourceStyle: 'auto', nowUs: INTERVAL.endUs } as const
  const X = '1.3.6.1.4.1.534.1'
  const xupsValues = (source: number, ...alarms: readonly number[]): Map<string, number | string> =>
    new Map<string, number | string>([
      [`${X}.2.1.0`, 1800],
      [`${X}.2.2.0`, 54],
      [`${X}.2.4.0`, 80],
      [`${X}.3.1.0`, 499],
      [`${X}.3.4.1.2.1`, 229],
      [`${X}.3.4.1.2.2`, 228],
      [`${X}.4.1.0`, 40],
      [`${X}.4.4.1.4.1`, 500],
      [`${X}.4.4.1.4.2`, 250],
      [`${X}.4.5.0`, source],
      ...alarms.map((alarm, i) => [`${X}.7.2.1.2.${i + 1}`, `${X}.7.${alarm}`] as const),
    ])
  t.match(xups.read(xupsValues(3), context), {
    line: 'online',
    alarm: false,
    runtimeS: 1800,
    chargeRatio: 0.8,
    batteryV: 54,
    inputHz: 49.9,
    inputV: 228,
    loadRatio: 0.4,
    loadW: 750,
  })
  t.match(xups.read(xupsValues(5, 3, 4), context), {
    line: 'battery',
    lowBattery: true,
    alarms: 'on battery, low battery',
  })
  for (const source of [6, 7, 8, 9, 10])
    t.match(xups.read(xupsValues(source), context), { line: 'online' })
  t.match(xups.read(xupsValues(4), context), { line: 'bypass' })
  t.match(xups.read(xupsValues(2), context), { line: 'off' })
  t.match(xups.read(xupsValues(3, 26), context), { line: 'unknown', commsLost: true })
  t.match(xups.read(xupsValues(77), context), {
    line: 'unknown',
    reason: 'xupsOutputSource is 77: source 77',
  })

  const M = '1.3.6.1.4.1.705.1'
  const mgeValues = (
    changes: Readonly<Record<string, number>> = {},
  ): Map<string, number | string> =>
    new Map<string, number | string>(
      Object.entries({
        '5.1.0': 900,
        '5.2.0': 55,
        '5.14.0': 2,
        '6.2.1.2.1': 2304,
        '7.2.1.2.1': 2299,
        '7.2.1.4.1': 61,
        '7.3.0': 2,
        '7.4.0': 2,
        ...changes,
      }).map(([oid, value]) => [`${M}.${oid}`, value]),
    )
  t.match(mge.read(mgeValues(), context), {
    line: 'online',
    lowBattery: false,
    runtimeS: 900,
    chargeRatio: 0.55,
    inputV: 230.4,
    outputV: 229.9,
    loadRatio: 0.61,
  })
  t.match(mge.read(mgeValues({ '7.3.0': 1, '7.7.0': 1, '5.14.0': 1 }), context), {
    line: 'battery',
    lowBattery: true,
  })
  t.match(mge.read(mgeValues({ '7.4.0': 1 }), context), { line: 'bypass' })
  t.match(mge.read(mgeValues({ '7.7.0': 1, '7.2.1.2.1': 0 }), context), { line: 'off' })
  t.match(mge.read(new Map(), context), { line: 'unknown' })
  t.end()
})

test('each unit of a MIB becomes ours in one way', (t) => {
  t.equal(fromMinutes(42), 2520, 'UPS-MIB: minutes')
  t.equal(fromTicks(252_000), 2520, 'PowerNet: hundredths of a second')
  t.equal(whole(2520), 2520, 'XUPS and MGE: seconds')
  t.equal(tenths(2304), 230.4, 'tenths of a volt, ampere or hertz')
  t.equal(chargeRatio(71), 0.71, 'percent')
  t.equal(loadRatio(130), 1.3, 'load in percent may be more than all')
  t.equal(celsius(-5), -5)
  for (const read of [fromMinutes, fromTicks, whole, tenths, chargeRatio, loadRatio, celsius]) {
    t.equal(read(-1), undefined, 'not supported')
    t.equal(read(undefined), undefined)
  }
  t.equal(chargeRatio(255), undefined)
  t.equal(loadRatio(65_535), undefined)
  t.equal(counterRise(10, 25), 15)
  t.equal(counterRise(4_294_967_290, 4), 10, 'through its wrap')
  t.equal(counterRise(4_000_000, 3), 3, 'set to zero by a restart')
  t.equal(valueOf(70, Buffer.from('0000000100000000', 'hex')), 4_294_967_296, 'a Counter64')
  t.equal(valueOf(70, Buffer.from('00ffffffffffffffff', 'hex')), undefined, 'beyond what is exact')
  t.equal(
    valueOf(4, Buffer.from('rack\u0000 "A"\r\n')),
    'rack "A"',
    'text without control characters',
  )
  t.equal(valueOf(4, Buffer.from([0x47, 0xe9, 0x6e])), 'G\u00e9n', 'Latin-1')
  t.equal(valueOf(129, null), undefined, 'noSuchInstance')
  t.end()
})

test('of twenty devices one hangs: the others are not delayed, and what is urgent is told at once', async (t) => {
  const snmpd = await start(t, upsMib('normal'))
  if (snmpd === undefined) return
  const silent = createSocket('udp4')
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const targets = Array.from({ length: 20 }, (_, i) => ({
    name: `ups-${i}`,
    address: `127.0.0.1:${i === 7 ? silent.address().port : snmpd.port}`,
  }))
  const fleet = polled({ community: 'public', timeout: '200ms', retries: 1, targets })
  const first = await fleet.poll()
  t.equal(first.length, 20)
  t.equal(first.filter(({ fields }) => fields['line'] === 'online').length, 19)
  t.strictSame(
    fleet.urgent.map(({ tags }) => tags['target']),
    ['ups-7'],
    'on the first poll only what is not as it should be is urgent',
  )
  await snmpd.set(upsMib('onbattery'))
  fleet.urgent.length = 0
  const run = fleet.probe.measure(INTERVAL, SIGNAL)
  const told = await Promise.race([
    run.then(() => 'late'),
    (async () => {
      while (fleet.urgent.length < 19) await delay(5)
      return 'before the silent one was given up'
    })(),
  ])
  t.equal(told, 'before the silent one was given up')
  t.ok(fleet.urgent.every(({ fields }) => fields['line'] === 'battery'))
  await run
  t.strictSame((await fleet.poll()).length, 20)
  t.strictSame(fleet.urgent, [], 'nothing changed')
})

test('a card that calls most answers too big is asked for less, until it gives all', async (t) => {
  const snmpd = await start(t, upsMib('onbattery', 3))
  if (snmpd === undefined) return
  const card = createSocket('udp4')
  card.on('message', (request, from) => {
    const agent = createSocket('udp4')
    agent.once('message', (answer) => {
      card.send(answer.length > 90 ? tooBig(request) : answer, from.port, from.address)
      agent.close()
    })
    agent.send(request, snmpd.port, '127.0.0.1')
  })
  card.bind(0, '127.0.0.1')
  await once(card, 'listening')
  t.teardown(() => card.close())
  const direct = await fieldsOf(probeOf({ community: 'public' }, snmpd.port))
  const narrow = await fieldsOf(probeOf({ community: 'public' }, card.address().port))
  t.match(direct, { line: 'battery', load_ratio: 0.25, alarms: 'on battery, input bad' })
  t.strictSame(narrow, direct)
})

test('an agent that answers with anything at all is survived, and given up with a reason', async (t) => {
  const random = randomOf(20_261_201)
  let kind = 0
  const device = createSocket('udp4')
  device.on('message', (request, from) => {
    for (const answer of ANSWERS[kind % ANSWERS.length]?.(request, random) ?? []) {
      device.send(answer, from.port, from.address)
    }
  })
  device.bind(0, '127.0.0.1')
  await once(device, 'listening')
  t.teardown(() => device.close())
  const { port } = device.address()
  const doors = [
    { community: 'public', timeout: '50ms' },
    { version: 'v1', community: 'public', timeout: '50ms' },
    { ...v3('u', 'sha', 'authpass-sha', 'aes', 'privpass-aes'), timeout: '50ms' },
    { ...v3('u', 'md5', 'authpass-md5', 'des', 'privpass-des'), timeout: '50ms' },
    { user: 'u', timeout: '50ms' },
  ]
  let polls = 0
  for (kind = 0; kind < ANSWERS.length; kind++) {
    const runs = doors.flatMap((door) => Array.from({ length: 8 }, () => probeOf(door, port)))
    for (const fields of await Promise.all(runs.map(fieldsOf))) {
      polls++
      if (fields['comms_lost'] !== true || fields['reason'] === undefined) {
        t.match(fields, { line: 'unknown', comms_lost: true, reason: /./ }, `answer ${kind}`)
      }
    }
  }
  t.equal(polls, ANSWERS.length * 40)
})

test('settings that nobody could be let in with are refused, with what to write', (t) => {
  const complaints = (settings: object): readonly string[] => {
    const read = upsSnmp.schema.safeParse(settings)
    return read.success ? [] : read.error.issues.map(({ message }) => message)
  }
  const one = [{ name: 'a', address: '192.0.2.1' }]
  t.strictSame(complaints({ community: 'public', targets: one }), [])
  t.strictSame(complaints({ targets: one }), [
    'expected a community, or a user of SNMPv3, here or beside targets',
  ])
  t.strictSame(complaints({ user: 'u', auth: 'sha', targets: one }), [
    'expected both auth and auth-key, or none',
  ])
  t.strictSame(complaints({ user: 'u', auth: 'sha', 'auth-key': 'short', targets: one }), [
    'expected keys of at least 8 characters',
  ])
  t.strictSame(complaints({ user: 'u', priv: 'aes', 'priv-key': 'long enough', targets: one }), [
    'priv needs auth too',
  ])
  t.strictSame(complaints({ version: 'v3', targets: one }), ['expected a user for SNMPv3'])
  t.strictSame(complaints({ community: 'public', targets: [...one, ...one] }), [
    'there are two targets called a',
  ])
  for (const address of ['192.0.2.1', 'ups.example.org:1161', '[2001:db8::1]:161', '2001:db8::1']) {
    t.strictSame(complaints({ community: 'c', targets: [{ name: 'a', address }] }), [], address)
  }
  for (const address of ['', 'a b', '192.0.2.1:0', '192.0.2.1:70000', 'a:b:c']) {
    t.equal(complaints({ community: 'c', targets: [{ name: 'a', address }] }).length, 1, address)
  }
  t.strictSame(
    complaints({
      community: 'public',
      targets: [
        ...one,
        { name: 'b', address: 'b', user: 'u' },
        { name: 'c', address: 'c', version: 'v1' },
      ],
    }),
    [],
    'a target may have a door of its own',
  )
  t.end()
})

async function start(
  t: Test,
  values: MibValues,
  options?: SnmpdOptions,
): Promise<Snmpd | undefined> {
  const snmpd = await startSnmpd(values, options)
  if (snmpd === undefined) t.pass('a real snmpd', { skip: MISSING })
  else t.teardown(async () => snmpd.close())
  return snmpd
}

function v3(user: string, auth: string, authKey: string, priv: string, privKey: string): object {
  return { user, auth, 'auth-key': authKey, priv, 'priv-key': privKey }
}

interface Polled {
  /** One poll: everything told, at once or at its end. */
  poll(): Promise<readonly Measurement[]>
  /** What was told at once, in the last poll and since. */
  readonly urgent: Measurement[]
  readonly probe: Probe
}

function polled(settings: object): Polled {
  const urgent: Measurement[] = []
  const probe = upsSnmp.schema.parse({ timeout: '2s', retries: 0, ...settings }).create({
    log: createLogger('test', 'silent'),
    nowUs: () => INTERVAL.endUs,
    report: (points) => {
      urgent.push(...points)
    },
  })
  const poll = async (): Promise<readonly Measurement[]> => {
    urgent.length = 0
    const points = await probe.measure(INTERVAL, SIGNAL)
    return [...urgent, ...points]
  }
  return { poll, urgent, probe }
}

function probeOf(settings: object, port: number): Polled {
  return polled({ targets: [{ name: 'ups-1', address: `127.0.0.1:${port}` }], ...settings })
}

async function fieldsOf(unit: Polled): Promise<Fields> {
  return (await unit.poll())[0]?.fields ?? {}
}

/** The plain values of objects of UPS-MIB, as Debian's snmpget has them. */
async function snmpget(port: number, oids: readonly string[]): Promise<readonly string[]> {
  const names = oids.map((oid) => `${UPS}.${oid}`)
  const options = ['-v2c', '-cpublic', '-Oqv', '-On', `127.0.0.1:${port}`, ...names]
  const env = { ...process.env, MIBS: '' }
  const { stdout } = await promisify(execFile)('snmpget', options, { env })
  return stdout.trim().split('\n')
}

/** The request sent back as a GetResponse: the right number, and no values. */
function asResponse(request: Buffer): Buffer {
  return withPduType(request, 0xa2)
}

function asReport(request: Buffer): Buffer {
  return withPduType(request, 0xa8)
}

function withPduType(request: Buffer, type: number): Buffer {
  const answer = Buffer.from(request)
  const at = answer.findIndex((octet) => octet >= 0xa0 && octet <= 0xa5)
  if (at >= 0) answer[at] = type
  return answer
}

/** The request sent back as a GetResponse with the error-status tooBig (RFC 3416 section 3). */
function tooBig(request: Buffer): Buffer {
  const answer = asResponse(request)
  let at = answer.indexOf(0xa2) + 1
  const length = answer[at] ?? 0
  at += length < 0x80 ? 1 : 1 + (length & 0x7f)
  // Behind the request-id.
  at += 2 + (answer[at + 1] ?? 0)
  answer.set([0x02, 0x01, 0x01, 0x02, 0x01, 0x00], at)
  return answer
}
