import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import tap, { test, type Test } from 'tap'
import { apcAts, eatonAts } from '../../agent/power/ats-mib.ts'
import { rpdu, rpdu2 } from '../../agent/power/pdu-mib-apc.ts'
import { eatonEpdu } from '../../agent/power/pdu-mib-eaton.ts'
import { raritan } from '../../agent/power/pdu-mib-raritan.ts'
import type { PolledDevice } from '../../agent/power/snmp-fleet.ts'
import { SnmpProbe } from '../../agent/power/snmp-probe.ts'
import { SnmpTraps, type TrapCounts, type TrapSettings } from '../../agent/power/snmp-traps.ts'
import { UpsSnmpDevice } from '../../agent/power/ups-snmp-device.ts'
import type { Probe, ProbeKind } from '../../agent/probe.ts'
import { atsSnmp } from '../../agent/probes/ats-snmp.ts'
import { pduSnmp } from '../../agent/probes/pdu-snmp.ts'
import { poeSnmp } from '../../agent/probes/poe-snmp.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { poeMib } from '../support/poe-mib.ts'
import { damaged, randomBytes, randomOf } from '../support/random.ts'
import { startSnmpd, type MibValue, type MibValues, type Snmpd } from '../support/snmpd.ts'
import { upsMib } from '../support/ups-mib.ts'

/** On a busy machine; alone it takes a tenth of that. */
tap.setTimeout(180_000)

const SIGNAL = new AbortController().signal
const INTERVAL = { endUs: 1_800_000_000_000_000, durationMs: 15_000 }
const MISSING = 'snmpd is missing: apt-get install snmpd'

type Fields = Readonly<Record<string, FieldValue>>

test('PoE ports and budget of a real agent, member by member', async (t) => {
  const snmpd = await start(t, poeMib('ok', 2))
  if (snmpd === undefined) return
  const unit = polled(poeSnmp, snmpd.port)
  const first = await unit.poll()
  t.equal(first.size, 14, 'twelve ports and two supplies')
  t.strictSame(first.get('unit/1/1'), {
    delivering: true,
    status: 'delivering',
    priority: 'high',
    power_class: 2,
    label: 'IP phone',
    comms_lost: false,
  })
  t.strictSame(first.get('unit/2/6'), {
    delivering: false,
    status: 'disabled',
    priority: 'high',
    comms_lost: false,
  })
  t.strictSame(first.get('unit/2'), {
    state: 'on',
    nominal_w: 370,
    consumption_w: 14,
    threshold_ratio: 0.8,
    used_ratio: 14 / 370,
    ports_delivering: 3,
    comms_lost: false,
  })
  t.equal(unit.urgent.length, 0)
  const quiet = await unit.poll()
  t.match(quiet.get('unit/1/1'), { denied: 0, absences: 0, interval_ms: 15_000 })
  t.match(quiet.get('unit/1'), { ports_denied: 0 })

  await snmpd.set(poeMib('budget', 2))
  const budget = await unit.poll()
  t.ok(unit.urgent.length > 0, 'a port that fed something and no longer does is told at once')
  t.match(budget.get('unit/1/3'), {
    delivering: false,
    status: 'searching',
    denied: 7,
    priority: 'low',
  })
  t.notOk('power_class' in (budget.get('unit/1/3') ?? {}), 'the class says nothing now')
  t.match(budget.get('unit/1'), { ports_denied: 1, ports_delivering: 2, nominal_w: 15 })

  await snmpd.set(poeMib('fault', 2))
  const fault = await unit.poll()
  t.ok(unit.urgent.length > 0)
  t.match(fault.get('unit/1/2'), { delivering: false, status: 'fault' })
  t.match(fault.get('unit/1/3'), { status: 'other-fault', denied: 0 }, 'set to zero is no wrap')
  t.match(fault.get('unit/1'), { state: 'faulty' })

  snmpd.freeze()
  const lost = await unit.poll()
  t.ok(unit.urgent.length > 0)
  t.equal(lost.size, 14)
  t.strictSame(Object.keys(lost.get('unit/1/1') ?? {}), ['comms_lost', 'reason'])
  t.match(lost.get('unit/1'), { state: 'unknown', comms_lost: true })
  snmpd.thaw()
  t.match((await unit.poll()).get('unit/1/1'), { comms_lost: false, interval_ms: 30_000 })
  t.notOk(snmpd.wasWritten())
})

test('ports that carry the numbers of interfaces have their names; v1 gives the same', async (t) => {
  const snmpd = await start(t, poeMib('ok'))
  if (snmpd === undefined) return
  const named = await polled(poeSnmp, snmpd.port, { numbering: 'interfaces' }).poll()
  t.match(named.get('unit/1/1'), { label: 'Gi1/0/1 reception IP phone' })
  t.match(named.get('unit/1/4'), { label: 'Gi1/0/4' })
  const v1 = await polled(poeSnmp, snmpd.port, { version: 'v1', numbering: 'interfaces' }).poll()
  t.strictSame([...v1], [...named])
  const ups = await polled(poeSnmp, snmpd.port).poll()
  t.equal(ups.size, 7)
})

test('a switch of 384 ports is read whole, in few requests', async (t) => {
  const all: Record<string, MibValue> = {}
  for (const [oid, value] of Object.entries(poeMib('ok', 8))) all[oid] = value
  for (const [oid, value] of Object.entries(poeMib('ok', 8))) {
    const match = /^(1\.3\.6\.1\.2\.1\.105\.1\.1\.1\.\d+\.\d+)\.1$/.exec(oid)
    for (let port = 7; match?.[1] !== undefined && port <= 48; port++)
      all[`${match[1]}.${port}`] = value
  }
  const snmpd = await start(t, all)
  if (snmpd === undefined) return
  const read = await polled(poeSnmp, snmpd.port, { timeout: '2s' }).poll()
  t.equal(read.size, 8 * 48 + 8)
  t.equal([...read.values()].filter(({ delivering }) => delivering === true).length, 8 * 45)
})

test('APC rack PDUs: the two generations count outlets the other way round', async (t) => {
  const R = '1.3.6.1.4.1.318.1.1.12'
  const R2 = '1.3.6.1.4.1.318.1.1.26'
  const first: MibValues = {
    [`${R}.1.5.0`]: ['string', 'AP7920'],
    [`${R}.1.16.0`]: ['integer', 1587],
    [`${R}.2.3.1.1.2.1`]: ['gauge', 114],
    [`${R}.2.3.1.1.2.2`]: ['gauge', 58],
    [`${R}.2.3.1.1.2.3`]: ['gauge', 56],
    ...rows(`${R}.2.3.1.1.3`, [1, 3, 4]),
    ...rows(`${R}.2.3.1.1.4`, [1, 1, 1]),
    ...rows(`${R}.2.3.1.1.5`, [0, 1, 2]),
    ...rows(`${R}.3.5.1.1.4`, [1, 2]),
    [`${R}.3.5.1.1.2.1`]: ['string', 'core switch'],
  }
  const second: MibValues = {
    [`${R2}.2.1.8.1`]: ['string', 'AP8653'],
    ...rows(`${R2}.4.3.1.4`, [2]),
    ...rows(`${R2}.4.3.1.5`, [72]),
    ...rows(`${R2}.6.3.1.3`, [1]),
    ...rows(`${R2}.6.3.1.4`, [2]),
    ...rows(`${R2}.6.3.1.5`, [34]),
    ...rows(`${R2}.8.3.1.3`, [1, 2]),
    ...rows(`${R2}.8.3.1.4`, [1, 4]),
    ...rows(`${R2}.8.3.1.5`, [7, 27]),
    ...rows(`${R2}.9.2.3.1.5`, [2, 1]),
    ...rows(`${R2}.9.4.3.1.6`, [4, 0]),
    ...rows(`${R2}.9.4.3.1.7`, [92, 0]),
  }
  const snmpd = await start(t, first)
  if (snmpd === undefined) return
  const unit = polled(pduSnmp, snmpd.port)
  const old = await unit.poll()
  t.strictSame(old.get('unit'), {
    load_a: 11.4,
    load_w: 1587,
    near_overload: false,
    overload: false,
    comms_lost: false,
    outlets: 2,
    outlets_on: 1,
    model: 'APC AP7920',
  })
  t.match(old.get('unit/bank-1'), { load_a: 5.8, near_overload: true, overload: false })
  t.match(old.get('unit/bank-2'), { load_a: 5.6, overload: true })
  t.match(old.get('unit/1'), { on: true, label: 'core switch' })
  t.match(old.get('unit/2'), { on: false })

  // A card of the second generation goes on serving the first tree.
  await snmpd.set({ ...first, ...second })
  const fresh = polled(pduSnmp, snmpd.port)
  const both = await fresh.poll()
  t.strictSame(both.get('unit'), {
    load_a: 3.4,
    load_w: 720,
    near_overload: false,
    overload: false,
    comms_lost: false,
    outlets: 2,
    outlets_on: 1,
    model: 'APC AP8653',
  })
  t.match(both.get('unit/bank-1'), { load_a: 0.7, overload: false })
  t.match(both.get('unit/bank-2'), { load_a: 2.7, overload: true })
  t.strictSame(both.get('unit/1'), { on: true, load_a: 0.4, load_w: 92, comms_lost: false })
  t.match(both.get('unit/2'), { on: false })
  await fresh.poll()
  t.equal(fresh.urgent.length, 0)
  await snmpd.set({ ...first, ...second, [`${R2}.9.2.3.1.5.1`]: ['integer', 1] })
  await fresh.poll()
  t.ok(fresh.urgent.length > 0, 'an outlet that gave power and gives none is told at once')
  t.match(rpdu.read(new Map([[`${R}.3.5.1.1.4.1`, 9]])).outlets, [{ on: undefined }])
  t.match(rpdu2.read(new Map([[`${R2}.9.2.3.1.5.1`, 9]])).outlets, [{ on: undefined }])
  await snmpd.close()
  const lost = await fresh.poll()
  t.match(lost.get('unit/1'), { comms_lost: true, reason: /nothing listens there/ })
  t.notOk('on' in (lost.get('unit/1') ?? {}))
})

test('Raritan and Eaton PDUs: digits, milliamperes, pending states', (t) => {
  const P = '1.3.6.1.4.1.13742.6'
  const px = raritan.read(
    new Map<string, number | string>([
      [`${P}.3.2.1.1.3.1`, 'PX3-5190R'],
      [`${P}.5.2.3.1.4.1.1.1`, 3456],
      [`${P}.5.2.3.1.4.1.1.5`, 780],
      [`${P}.3.3.4.1.7.1.1.1`, 3],
      [`${P}.3.3.4.1.7.1.1.5`, 0],
      [`${P}.5.2.3.1.3.1.1.1`, 5],
      [`${P}.5.3.3.1.4.1.2.1`, 12],
      [`${P}.3.4.4.1.7.1.2.1`, 1],
      [`${P}.5.3.3.1.3.1.2.1`, 6],
      [`${P}.4.1.2.1.3.1.1`, 7],
      [`${P}.4.1.2.1.3.1.2`, 8],
      [`${P}.4.1.2.1.3.1.3`, 30],
      [`${P}.3.5.3.1.3.1.1`, 'router'],
      [`${P}.5.4.3.1.4.1.1.1`, 345],
      [`${P}.3.5.4.1.7.1.1.1`, 3],
    ]),
  )
  t.match(px.parts, [
    { part: undefined, loadA: 3.456, loadW: 780, nearOverload: true, overload: false },
    { part: 'bank-2', loadA: 1.2, overload: true },
  ])
  t.match(px.outlets, [
    { outlet: '1', on: true, label: 'router', loadA: 0.345 },
    { outlet: '2', on: false },
    { outlet: '3', on: undefined },
  ])
  const E = '1.3.6.1.4.1.534.6.6.7'
  const epdu = eatonEpdu.read(
    new Map<string, number | string>([
      [`${E}.1.2.1.2.0`, 'EPDU MA'],
      [`${E}.3.3.1.4.0.1.1`, 5120],
      [`${E}.3.3.1.5.0.1.1`, 3],
      [`${E}.5.4.1.3.0.1`, 2500],
      [`${E}.5.4.1.4.0.1`, 4],
      ...[0, 1, 2, 3, 9].map((state, i) => [`${E}.6.6.1.2.0.${i + 1}`, state] as const),
      [`${E}.6.1.1.3.0.2`, 'pbx'],
      [`${E}.6.4.1.3.0.2`, 1200],
      [`${E}.6.6.1.2.1.1`, 1],
    ]),
  )
  t.match(epdu.parts, [
    { part: undefined, loadA: 5.12, nearOverload: true, overload: false },
    { part: 'bank-1', loadA: 2.5, overload: true },
  ])
  t.match(epdu.outlets, [
    { outlet: '1', on: false },
    { outlet: '2', on: true, label: 'pbx', loadA: 1.2 },
    { outlet: '3', on: true },
    { outlet: '4', on: false },
    { outlet: '5', on: undefined },
    { outlet: '1-1', on: true },
  ])
  t.end()
})

test('transfer switches: the source that feeds, and whether the other could', async (t) => {
  const A = '1.3.6.1.4.1.318.1.1.8'
  const good: MibValues = {
    [`${A}.1.5.0`]: ['string', 'AP4423'],
    [`${A}.4.2.0`]: ['integer', 1],
    [`${A}.5.1.1.0`]: ['integer', 2],
    [`${A}.5.1.2.0`]: ['integer', 1],
    [`${A}.5.1.3.0`]: ['integer', 2],
    [`${A}.5.1.4.0`]: ['integer', 2],
    [`${A}.5.1.8.0`]: ['integer', 2],
    [`${A}.5.1.12.0`]: ['integer', 2],
    [`${A}.5.1.13.0`]: ['integer', 2],
    [`${A}.5.1.15.0`]: ['integer', 2],
    [`${A}.5.3.3.1.3.1.1.1`]: ['integer', 231],
    [`${A}.5.3.3.1.3.2.1.1`]: ['integer', 229],
  }
  const snmpd = await start(t, good)
  if (snmpd === undefined) return
  const unit = polled(atsSnmp, snmpd.port)
  t.strictSame((await unit.poll()).get('unit'), {
    selected: 'a',
    preferred: 'a',
    source_a_ok: true,
    source_b_ok: true,
    redundancy_lost: false,
    output_ok: true,
    overload: false,
    alarm: false,
    comms_lost: false,
    input_a_v: 231,
    input_b_v: 229,
    model: 'APC AP4423',
  })
  t.equal(unit.urgent.length, 0)
  t.equal(unit.last[0]?.tags['source'], 'snmp-apc-ats')
  await snmpd.set({
    ...good,
    [`${A}.5.1.2.0`]: ['integer', 2],
    [`${A}.5.1.3.0`]: ['integer', 1],
    [`${A}.5.1.12.0`]: ['integer', 1],
    [`${A}.5.1.8.0`]: ['integer', 1],
    [`${A}.5.3.3.1.3.1.1.1`]: ['integer', 0],
  })
  t.match((await unit.poll()).get('unit'), {
    selected: 'b',
    source_a_ok: false,
    redundancy_lost: true,
    output_ok: true,
    alarm: true,
    input_a_v: 0,
  })
  t.equal(unit.urgent.length, 1, 'told at once')
  await snmpd.set({ ...good, [`${A}.5.1.1.0`]: ['integer', 1] })
  t.strictSame((await unit.poll()).get('unit'), {
    comms_lost: true,
    reason: 'the network card has lost the ATS',
  })
  t.match(apcAts.read(new Map()), {
    commsLost: false,
    selected: undefined,
    redundancyLost: undefined,
  })

  const E = '1.3.6.1.4.1.534.10.2'
  const eaton = (changes: Readonly<Record<string, number>> = {}): object =>
    eatonAts.read(
      new Map(
        Object.entries({
          '2.4.0': 4,
          '2.2.1.2.1': 2304,
          '2.2.1.2.2': 2291,
          '3.2.1.3.1': 2,
          '3.2.1.3.2': 2,
          '3.3.2.0': 2,
          '4.5.0': 1,
          ...changes,
        }).map(([oid, value]) => [`${E}.${oid}`, value]),
      ),
    )
  t.match(eaton(), {
    selected: 'a',
    preferred: 'a',
    redundancyLost: false,
    outputOk: true,
    inputAV: 230.4,
    inputBV: 229.1,
  })
  t.match(eaton({ '2.4.0': 5, '3.2.1.3.1': 1 }), {
    selected: 'b',
    sourceAOk: false,
    redundancyLost: true,
  })
  t.match(eaton({ '2.4.0': 7 }), { selected: undefined, alarm: true })
  t.match(eaton({ '3.3.2.0': 1 }), { outputOk: false })
})

test('a trap or inform of a known device makes it be polled at once, in every version', async (t) => {
  const snmpd = await start(t, upsMib('normal'))
  if (snmpd === undefined) return
  if (!existsSync('/usr/bin/snmptrap')) {
    t.pass('snmptrap', { skip: 'snmptrap is missing: apt-get install snmp' })
    return
  }
  const reported: Measurement[] = []
  const { probe, send } = await trapProbe(t, snmpd.port, reported)
  await probe.measure(INTERVAL, SIGNAL)
  const RFC1628 = ['.1.3.6.1.2.1.33.2.1', '.1.3.6.1.2.1.33.1.2.3.0', 'i', '27']
  const APC = ['.1.3.6.1.4.1.318.0.5']
  const v1 = ['-v1', '-cpublic']
  const v3 = [
    '-v3',
    '-usha-aes',
    '-lauthPriv',
    '-aSHA',
    '-Aauthpass-sha',
    '-xAES',
    '-Xprivpass-aes',
  ]
  const sent: readonly (readonly [name: string, args: readonly string[]])[] = [
    ['v2c trap of UPS-MIB', ['-v2c', '-cpublic', 'TO', '', ...RFC1628]],
    ['v2c trap of PowerNet', ['-v2c', '-cpublic', 'TO', '', ...APC]],
    ['v1 trap', [...v1, 'TO', '.1.3.6.1.2.1.33.2', '127.0.0.1', '6', '1', '']],
    ['v2c inform', ['-Ci', '-v2c', '-cpublic', 'TO', '', ...RFC1628]],
    ['v3 trap', ['-e0x8000000001020304', ...v3, 'TO', '', ...RFC1628]],
    ['v3 inform', ['-Ci', ...v3, 'TO', '', ...RFC1628]],
    ['trap with a community of its own', ['-v2c', '-ctraps-only', 'TO', '', ...RFC1628]],
  ]
  for (const [index, [name, args]] of sent.entries()) {
    await snmpd.set(upsMib(index % 2 === 0 ? 'onbattery' : 'normal'))
    reported.length = 0
    await send(args)
    while (reported.length === 0) await delay(5)
    t.match(reported[0]?.fields, { line: index % 2 === 0 ? 'battery' : 'online' }, name)
    t.notMatch(reported[0]?.fields, { runtime_s: 27 * 60 + 1 }, 'a trap is no reading')
  }
})

test('traps of strangers, and of those who know no key, are counted and otherwise ignored', async (t) => {
  if (!existsSync('/usr/bin/snmptrap')) {
    t.pass('snmptrap', { skip: 'snmptrap is missing: apt-get install snmp' })
    return
  }
  let isKnown = true
  let nowUs = 0
  const from: string[] = []
  const traps = await SnmpTraps.listen(doors(0), {
    nowUs: () => nowUs,
    knows: () => isKnown,
    onTrap: (address) => {
      from.push(address)
    },
  })
  t.teardown(() => {
    traps.close()
  })
  const send = snmptrap(traps.port)
  const OID = ['TO', '', '.1.3.6.1.2.1.33.2.1']
  const v3 = ['-e0x8000000001020304', '-v3']
  const refused: readonly (readonly string[])[] = [
    ['-v2c', '-cwrong'],
    [...v3, '-unobody-known', '-lnoAuthNoPriv'],
    [...v3, '-usha-aes', '-lnoAuthNoPriv'],
    [...v3, '-usha-aes', '-lauthNoPriv', '-aSHA', '-Aauthpass-sha'],
    [...v3, '-usha-aes', '-lauthPriv', '-aSHA', '-Awrong-password', '-xAES', '-Xprivpass-aes'],
    [...v3, '-usha-aes', '-lauthPriv', '-aSHA', '-Aauthpass-sha', '-xAES', '-Xwrong-password'],
  ]
  for (const args of refused) {
    await send([...args, ...OID])
    let counts = traps.takeCounts()
    while (total(counts) === 0) {
      await delay(5)
      counts = traps.takeCounts()
    }
    t.match(counts, { taken: 0, unknown: 0 }, args.join(' '))
  }
  isKnown = false
  await send(['-v2c', '-cpublic', ...OID])
  let unknown = 0
  while (unknown === 0) {
    await delay(5)
    unknown = traps.takeCounts().unknown
  }
  t.equal(unknown, 1)
  t.strictSame(from, [])

  isKnown = true
  const random = randomOf(20_261_202)
  const good = await captured(async (port) => snmptrap(port)(['-v2c', '-cpublic', ...OID]))
  const signed = await captured(async (port) =>
    snmptrap(port)([
      ...v3,
      '-usha-aes',
      '-lauthPriv',
      '-aSHA',
      '-Aauthpass-sha',
      '-xAES',
      '-Xprivpass-aes',
      ...OID,
    ]),
  )
  const sender = createSocket('udp4')
  t.teardown(() => sender.close())
  const datagrams: Buffer[] = [Buffer.alloc(0), Buffer.alloc(65_000, 0x30)]
  for (const whole of [good, signed]) {
    for (let length = 0; length < whole.length; length++) datagrams.push(whole.subarray(0, length))
    for (let i = 0; i < 2000; i++) datagrams.push(damaged(whole, random))
  }
  for (let i = 0; i < 2000; i++) datagrams.push(randomBytes(1 + Math.floor(random() * 200), random))
  let seen = 0
  for (const [index, datagram] of datagrams.entries()) {
    if (index % 50 === 0) {
      nowUs += 1_000_000
      while (seen < index) {
        await delay(1)
        seen += total(traps.takeCounts())
      }
    }
    sender.send(datagram, traps.port, '127.0.0.1')
  }
  while (seen < datagrams.length) {
    await delay(1)
    seen += total(traps.takeCounts())
  }
  t.equal(seen, datagrams.length, 'every one of them is counted')
  let [taken, dropped] = [0, 0]
  for (let sent = 1; sent <= 300; sent++) {
    sender.send(good, traps.port, '127.0.0.1')
    // No more at a time than the socket holds.
    while (sent % 50 === 0 && taken + dropped < sent) {
      await delay(1)
      const counts = traps.takeCounts()
      taken += counts.taken
      dropped += counts.dropped
    }
  }
  t.ok(taken <= 100, 'a flood is cut')
  t.equal(taken + dropped, 300)
})

test('without its port for traps a probe polls on, and says what it needs', async (t) => {
  const snmpd = await start(t, upsMib('normal'))
  if (snmpd === undefined) return
  const taken = createSocket('udp4')
  taken.bind(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { probe } = await trapProbe(t, snmpd.port, [], taken.address().port)
  t.equal(probe.trapPort, undefined)
  t.match(await probe.measure(INTERVAL, SIGNAL), [{ fields: { line: 'online' } }])
})

function rows(column: string, values: readonly number[]): Record<string, MibValue> {
  return Object.fromEntries(values.map((value, i) => [`${column}.${i + 1}`, ['integer', value]]))
}

async function start(t: Test, values: MibValues): Promise<Snmpd | undefined> {
  const snmpd = await startSnmpd(values)
  if (snmpd === undefined) t.pass('a real snmpd', { skip: MISSING })
  else t.teardown(async () => snmpd.close())
  return snmpd
}

interface Polled {
  /** Fields by target, of everything told at once or at the end of the poll. */
  poll(): Promise<ReadonlyMap<string, Fields>>
  /** What was told at once. */
  readonly urgent: Measurement[]
  last: readonly Measurement[]
}

function polled(kind: ProbeKind, port: number, settings: object = {}): Polled {
  const urgent: Measurement[] = []
  const targets = [{ name: 'unit', address: `127.0.0.1:${port}` }]
  const probe: Probe = kind.schema
    .parse({ community: 'public', timeout: '2s', retries: 0, targets, ...settings })
    .create({
      log: createLogger('test', 'silent'),
      nowUs: () => INTERVAL.endUs,
      report: (points) => {
        urgent.push(...points)
      },
    })
  const unit: Polled = {
    urgent,
    last: [],
    poll: async () => {
      urgent.length = 0
      const points = await probe.measure(INTERVAL, SIGNAL)
      unit.last = [...urgent, ...points]
      return new Map(unit.last.map(({ tags, fields }) => [tags['target'] ?? '', fields]))
    },
  }
  return unit
}

/** The doors of a device read by community and user, with a community for traps beside. */
function doors(port: number): TrapSettings {
  return {
    host: '127.0.0.1',
    port,
    access: [
      { version: 'v2c', revealCommunity: () => 'public' },
      { version: 'v2c', revealCommunity: () => 'traps-only' },
      {
        version: 'v3',
        user: 'sha-aes',
        auth: { protocol: 'sha', revealKey: () => 'authpass-sha' },
        priv: { protocol: 'aes', revealKey: () => 'privpass-aes' },
      },
    ],
  }
}

async function trapProbe(
  t: Test,
  port: number,
  reported: Measurement[],
  trapPort = 0,
): Promise<{ probe: SnmpProbe; send: (args: readonly string[]) => Promise<void> }> {
  const device: PolledDevice = new UpsSnmpDevice({
    target: 'ups-1',
    options: {
      host: 'localhost',
      port,
      timeoutMs: 500,
      retries: 0,
      access: { version: 'v2c', revealCommunity: () => 'public' },
    },
    mib: undefined,
    outputSourceStyle: 'auto',
  })
  const context = {
    log: createLogger('test', 'silent'),
    nowUs: () => INTERVAL.endUs,
    report: (points: readonly Measurement[]) => {
      reported.push(...points)
    },
  }
  const probe = new SnmpProbe([device], context, doors(trapPort))
  await probe.open()
  t.teardown(async () => probe.close())
  return { probe, send: snmptrap(probe.trapPort ?? 0) }
}

/** Debian's snmptrap; `TO` stands for the receiver. */
function snmptrap(port: number): (args: readonly string[]) => Promise<void> {
  return async (args) => {
    const words = args.map((word) => (word === 'TO' ? `127.0.0.1:${port}` : word))
    await promisify(execFile)('snmptrap', ['-r0', '-t2', ...words], {
      env: {
        PATH: process.env['PATH'],
        MIBS: '',
        SNMP_PERSISTENT_FILE: '/dev/null',
      },
    })
  }
}

/** The datagram a program sends to the port it is given. */
async function captured(send: (port: number) => Promise<void>): Promise<Buffer> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const datagram = new Promise<Buffer>((resolve) => {
    socket.once('message', resolve)
  })
  await send(socket.address().port)
  const whole = await datagram
  socket.close()
  return whole
}

function total(counts: TrapCounts): number {
  const { taken, unknown, refused, malformed, dropped, discoveries } = counts
  return taken + unknown + refused + malformed + dropped + discoveries
}
