import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, uptime } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { readNetworkInterfaces, readWifiSignals } from '../../agent/capture/network-interfaces.ts'
import { readPowerSupplies } from '../../agent/power/power-supply.ts'
import { host } from '../../agent/probes/host.ts'
import type { Probe } from '../../agent/probe.ts'
import { createLogger } from '../../common/log.ts'
import type { Measurement } from '../../common/measurement.ts'

const INTERVAL = { endUs: 1_800_000_000_000_000, durationMs: 10_000 }
const SIGNAL = new AbortController().signal
const NOT_LINUX = process.platform === 'linux' ? false : 'reads /sys: Linux only'

type Tree = { readonly [name: string]: string | Tree }

test('this machine is measured within a second, with ratios that are ratios', async (t) => {
  const probe = probeOf({})
  await probe.open?.(SIGNAL)
  await probe.measure(INTERVAL, SIGNAL)
  const start = performance.now()
  const points = await probe.measure(INTERVAL, SIGNAL)
  t.ok(performance.now() - start < 1000)
  const machine =
    points.find(({ name, tags }) => name === 'host' && !('target' in tags))?.fields ?? {}
  for (const field of ['load_ratio', 'memory_used_ratio', 'disk_used_ratio']) {
    const value = Number(machine[field])
    t.ok(value >= 0 && value <= 1, `${field} ${value}`)
  }
  t.ok(Math.abs(Number(machine['uptime_s']) - uptime()) < 2)
})

test(
  'bytes over an interface are counted from the second run on',
  { skip: NOT_LINUX },
  async (t) => {
    const probe = probeOf({})
    const loopback = (points: readonly Measurement[]): Measurement['fields'] =>
      points.find(({ tags }) => tags['target'] === 'lo')?.fields ?? {}
    const first = loopback(await probe.measure(INTERVAL, SIGNAL))
    t.match(first, { up: true, kind: 'loopback' })
    t.notOk('rx_bytes' in first, 'nothing to take a difference with yet')
    const [near, far] = [createSocket('udp4'), createSocket('udp4')]
    far.bind(0, '127.0.0.1')
    await once(far, 'listening')
    near.send(Buffer.alloc(20_000), far.address().port, '127.0.0.1')
    await once(far, 'message')
    near.close()
    far.close()
    const second = loopback(await probe.measure(INTERVAL, SIGNAL))
    t.ok(Number(second['rx_bytes']) >= 20_000, `${String(second['rx_bytes'])} bytes`)
    t.equal(second['rx_errors'], 0)
  },
)

test('interfaces are told apart by what the kernel says of them', async (t) => {
  const folder = await tree(t, {
    lo: link({ type: '772', flags: '0x9', operstate: 'unknown', carrier: '1' }),
    eth0: link({ operstate: 'up', speed: '1000', device: {} }),
    eth1: link({ operstate: 'down', speed: '-1', device: {} }),
    wlan0: link({ operstate: 'up', device: {}, phy80211: {} }),
    wg0: link({
      type: '65534',
      flags: '0x91',
      operstate: 'unknown',
      carrier: '1',
      uevent: 'DEVTYPE=wireguard',
    }),
    tun0: link({ type: '65534', flags: '0x1090', operstate: 'unknown', tun_flags: '0x1001' }),
    office: link({ type: '512', flags: '0x91', operstate: 'unknown' }),
    vnet3: link({ operstate: 'up', tun_flags: '0x1002' }),
    docker0: link({ operstate: 'lowerlayerdown', uevent: 'DEVTYPE=bridge' }),
    veth12ab: link({ operstate: 'up' }),
    wwan0: link({ type: '65534', operstate: 'up', device: {} }),
    bonding_masters: {},
  })
  const found = (await readNetworkInterfaces(folder)).map(({ name, kind, up, speedMbit }) => [
    name,
    kind,
    up,
    speedMbit,
  ])
  t.same(found, [
    ['docker0', 'virtual', false, undefined],
    ['eth0', 'wired', true, 1000],
    ['eth1', 'wired', false, undefined],
    ['lo', 'loopback', true, undefined],
    ['office', 'vpn', undefined, undefined],
    ['tun0', 'vpn', false, undefined],
    ['vnet3', 'virtual', true, undefined],
    ['wg0', 'vpn', true, undefined],
    ['wlan0', 'wireless', true, undefined],
    ['wwan0', 'unknown', true, undefined],
  ])
})

test(
  'a counter that went back, or an interface made anew, gives no difference',
  { skip: NOT_LINUX },
  async (t) => {
    const folder = await tree(t, { eth0: link({ operstate: 'up', device: {} }, 1000) })
    const probe = probeOf({ 'network-folder': folder })
    const eth0 = async (bytes: number, index: string): Promise<Measurement['fields']> => {
      await write(folder, { eth0: link({ operstate: 'up', device: {}, ifindex: index }, bytes) })
      const points = await probe.measure(INTERVAL, SIGNAL)
      return points.find(({ tags }) => tags['target'] === 'eth0')?.fields ?? {}
    }
    t.notOk('rx_bytes' in (await eth0(1000, '2')))
    t.match(await eth0(5000, '2'), { rx_bytes: 4000, rx_dropped: 4000 })
    t.notOk('rx_bytes' in (await eth0(100, '2')), 'it went back')
    t.match(await eth0(150, '2'), { rx_bytes: 50 })
    t.notOk('rx_bytes' in (await eth0(900, '7')), 'another interface of the same name')
  },
)

test('the signal of a wireless interface is given in dBm, or not at all', async (t) => {
  const folder = await tree(t, {
    wireless: [
      'Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE',
      ' face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22',
      ' wlan0: 0000   54.  -56.  -256        0      0      0      0     12        0',
      ' wlan1: 0000   70.   40.     0        0      0      0      0      0        0',
    ].join('\n'),
  })
  t.same([...(await readWifiSignals(join(folder, 'wireless')))], [['wlan0', -56]])
  t.equal((await readWifiSignals(join(folder, 'none'))).size, 0)
})

test('mains and batteries are read by what they are, whatever their name', async (t) => {
  const folder = await tree(t, {
    ADP1: supply({ TYPE: 'Mains', ONLINE: '0' }),
    BAT0: supply({
      TYPE: 'Battery',
      STATUS: 'Discharging',
      PRESENT: '1',
      CAPACITY: '81',
      ENERGY_NOW: '30000000',
      POWER_NOW: '10000000',
    }),
    BAT1: supply({ TYPE: 'Battery', PRESENT: '0', STATUS: 'Unknown' }),
    BAT2: supply({
      TYPE: 'Battery',
      STATUS: 'Discharging',
      CAPACITY: '50',
      CHARGE_NOW: '2000000',
      CURRENT_NOW: '-500000',
    }),
    BAT3: supply({
      TYPE: 'Battery',
      STATUS: 'Full',
      CAPACITY: '100',
      ENERGY_NOW: '50000000',
      POWER_NOW: '1000',
    }),
    'hid-mouse': supply({ TYPE: 'Battery', SCOPE: 'Device', STATUS: 'Discharging', CAPACITY: '3' }),
    'ups-usb': supply({
      TYPE: 'UPS',
      STATUS: 'Discharging',
      CAPACITY: '44',
      TIME_TO_EMPTY_NOW: '900',
    }),
    'ucsi-source': supply({ TYPE: 'USB', ONLINE: '1' }),
    old: { uevent: 'POWER_SUPPLY_NAME=old\nPOWER_SUPPLY_ONLINE=1', type: 'Mains\n' },
    strange: supply({
      TYPE: 'Battery',
      STATUS: 'Discharging',
      CAPACITY: '130',
      ENERGY_NOW: '1',
      POWER_NOW: '0',
    }),
    empty: {},
  })
  t.same(JSON.parse(JSON.stringify(await readPowerSupplies(folder))), [
    { name: 'ADP1', kind: 'mains', online: false },
    { name: 'BAT0', kind: 'battery', status: 'discharging', chargeRatio: 0.81, runtimeS: 10_800 },
    { name: 'BAT2', kind: 'battery', status: 'discharging', chargeRatio: 0.5, runtimeS: 14_400 },
    { name: 'BAT3', kind: 'battery', status: 'full', chargeRatio: 1 },
    { name: 'old', kind: 'mains', online: true },
    { name: 'strange', kind: 'battery', status: 'discharging' },
    { name: 'ups-usb', kind: 'ups', status: 'discharging', chargeRatio: 0.44, runtimeS: 900 },
  ])
})

test(
  'supplies become points, and a machine that knows of none gives none',
  { skip: NOT_LINUX },
  async (t) => {
    const folder = await tree(t, { AC: supply({ TYPE: 'Mains', ONLINE: '1' }) })
    const points = async (place: string): Promise<readonly object[]> =>
      (await probeOf({ 'power-supply-folder': place }).measure(INTERVAL, SIGNAL))
        .filter(({ name }) => name === 'power_supply')
        .map(({ tags, fields }) => ({ tags, fields }))
    t.same(await points(folder), [
      { tags: { target: 'AC' }, fields: { kind: 'mains', online: true } },
    ])
    t.same(await points(join(folder, 'none')), [])
  },
)

test(
  'a glance tells of a machine that goes on battery and back, and of nothing else',
  { skip: NOT_LINUX },
  async (t) => {
    const folder = await tree(t, {})
    const set = async (online: string, status: string, capacity = '80'): Promise<void> =>
      write(folder, {
        ADP1: supply({ TYPE: 'Mains', ONLINE: online }),
        BAT0: supply({ TYPE: 'Battery', STATUS: status, CAPACITY: capacity }),
      })
    const probe = probeOf({ 'power-supply-folder': folder })
    const look = async (): Promise<readonly unknown[]> =>
      ((await probe.glance?.look(1_800_000_000_000_000)) ?? []).map(({ tags, fields }) => [
        tags['target'],
        fields['online'] ?? fields['status'],
      ])
    t.equal(probe.glance?.everyMs, 2000)
    t.same(await look(), [], 'no supplies')
    await set('1', 'Full')
    t.same(await look(), [])
    await set('1', 'Not charging')
    t.same(await look(), [])
    await set('0', 'Not charging')
    t.same(await look(), [
      ['ADP1', false],
      ['BAT0', 'not charging'],
    ])
    await set('0', 'Discharging')
    t.same(await look(), [
      ['ADP1', false],
      ['BAT0', 'discharging'],
    ])
    await set('0', 'Discharging', '79')
    t.same(await look(), [], 'that is for the next measurement')
    await set('1', 'Charging')
    t.equal((await look()).length, 2)
    await probe.measure(INTERVAL, SIGNAL)
    t.same(await look(), [], 'a measurement told it')
    const begins = probeOf({ 'power-supply-folder': folder })
    await set('0', 'Discharging')
    t.equal((await begins.glance?.look(1))?.length, 2, 'it begins on battery')
  },
)

// ---------------------------------------------------------------------------------------------------------------------

function probeOf(options: object): Probe {
  return host.schema
    .parse(options)
    .create({ log: createLogger('test', 'silent'), nowUs: () => 0, report: () => undefined })
}

/** An interface as the kernel shows it, an Ethernet by default. */
function link(facts: Tree, count = 0): Tree {
  const counters = ['rx_bytes', 'tx_bytes', 'rx_errors', 'tx_errors', 'rx_dropped', 'tx_dropped']
  const statistics = Object.fromEntries(counters.map((name) => [name, `${count}\n`]))
  return { ifindex: '2', type: '1', flags: '0x1003', uevent: '', ...facts, statistics }
}

function supply(facts: Readonly<Record<string, string>>): Tree {
  return {
    uevent: Object.entries(facts)
      .map(([name, value]) => `POWER_SUPPLY_${name}=${value}\n`)
      .join(''),
  }
}

async function tree(t: Test, content: Tree): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'host-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  await write(folder, content)
  return folder
}

async function write(folder: string, content: Tree): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, value] of Object.entries(content)) {
    if (typeof value === 'string') await writeFile(join(folder, name), value)
    else await write(join(folder, name), value)
  }
}
