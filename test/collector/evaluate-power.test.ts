import { test } from 'tap'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { PowerSite } from '../support/power-readings.ts'

const SITE = `
parties: { ict: { name: Network team }, facilities: { name: Facilities } }
agents: { gw-1: { runs-on: gw-1-host } }
components:
  mains-a: { kind: mains, owner: facilities }
  ups-1-battery: { kind: battery }
  ups-1:
    kind: ups
    owner: facilities
    label: Exchange room north
    place: B1/2.14/rack 3
    circuit: L3-7
    serial: AS1234
    contract: S-77, 24x7, +31 20 555 0100
    battery-installed: 2021-05-31
    needs: [{ any: [mains-a, ups-1-battery] }]
    watch: { measurement: ups, target: ups-1 }
  gw-1-host: { kind: server, owner: ict, needs: [ups-1] }
services:
  call-out: { needs: [gw-1-host], serves: hq }
`
const QUIET = { 'battery-old': 'off' }
const BATTERY = { line: 'battery', charge_ratio: 0.62, runtime_left_s: 660 }

// ---- on battery

test('a UPS on battery is told by the first reading that is 10 s after the one that saw it', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(20)
  t.equal(site.ups('ups-9', BATTERY), '')
  t.equal(site.go(9), '')
  t.equal(site.go(1), 'firing ups-on-battery UPS ups-9', 'two polls of 5 s')
  t.match(site.breach('ups-on-battery'), {
    severity: 'warning',
    summary: 'on battery, 62 % charge, 11 min left: its input is lost since 2026-11-23 08:00 UTC',
    labels: { site: 'hq', agent: 'gw-1', target: 'ups-9', owner: 'unknown' },
    evidence: { charge_ratio: 0.62, runtime_left_s: 660 },
  })
  t.equal(site.go(30), '', 'it is said once')
  t.equal(site.ups('ups-9', {}), '', 'one reading does not prove it well')
  t.equal(site.go(10), 'resolved ups-on-battery UPS ups-9')
})

test('the time on battery runs by readings: one poll that happened to see a dip is no outage', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.wait(30)
  site.ups('ups-9', BATTERY)
  t.equal(site.wait(29), '')
  t.equal(site.ups('ups-9', {}), '')
  t.equal(site.wait(60), '')
})

test('a self-test and a calibration are no outage, and end none', async (t) => {
  const site = new PowerSite({ ...QUIET, 'ups-transfers': 'off' })
  site.ups('ups-9', {})
  site.go(10)
  site.ups('ups-9', { ...BATTERY, self_testing: true })
  t.equal(site.go(60), '')
  site.ups('ups-9', { ...BATTERY, calibrating: true, low_battery: true })
  t.equal(site.go(60), '')
  site.ups('ups-9', BATTERY)
  t.equal(site.go(10), 'firing ups-on-battery UPS ups-9')
  site.ups('ups-9', { ...BATTERY, self_testing: true })
  t.equal(site.go(60), '')
})

test('all UPSes of a site that lose their input together are one alert', async (t) => {
  const site = new PowerSite(QUIET)
  for (const name of ['ups-7', 'ups-8', 'ups-9']) site.ups(name, {})
  site.go(10)
  for (const name of ['ups-7', 'ups-8', 'ups-9']) site.ups(name, BATTERY)
  t.equal(site.go(10), 'firing ups-on-battery UPSes of hq')
  t.match(site.breach('ups-on-battery')?.summary, /^3 of 3 since .*: UPS ups-7 \(on battery, 62 %/)
  for (const name of ['ups-7', 'ups-8']) site.ups(name, {})
  t.equal(site.go(30), '')
  t.same(site.firing(), ['ups-on-battery UPS ups-9'])
  site.ups('ups-9', {})
  t.equal(site.go(15), 'resolved ups-on-battery UPS ups-9')
})

test('a hold goes on through a restart, and nothing is told twice', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', BATTERY)
  site.go(5)
  site.restart()
  t.equal(site.go(5), 'firing ups-on-battery UPS ups-9')
  site.restart()
  t.equal(site.go(30), '')
  t.same(site.firing(), ['ups-on-battery UPS ups-9'])
  site.ups('ups-9', {})
  site.restart()
  t.equal(site.go(10), 'resolved ups-on-battery UPS ups-9')
})

test('history pages nobody', async (t) => {
  const site = new PowerSite(QUIET)
  for (let s = 0; s < 600; s += 5)
    site.tell(site.point('ups', { target: 'ups-9' }, { ...BATTERY, low_battery: true }, s - 1000))
  t.same(site.firing(), [])
})

test('a rule may be off, and its hold another', async (t) => {
  const off = new PowerSite({ ...QUIET, 'ups-on-battery': 'off' })
  off.ups('ups-9', BATTERY)
  t.equal(off.go(60), '')
  const slow = new PowerSite({ ...QUIET, 'ups-on-battery': { hold: '30s', severity: 'notice' } })
  slow.ups('ups-9', BATTERY)
  t.equal(slow.go(29), '')
  t.equal(slow.go(1), 'firing ups-on-battery UPS ups-9')
  t.equal(slow.breach('ups-on-battery')?.severity, 'notice')
  t.throws(() => rulesOptions.parse({ 'ups-on-battery': { hold: 'soon' } }))
})

test('a UPS that is drawn is called what the site file calls it, and is one thing however many read it', async (t) => {
  const site = new PowerSite({ ...QUIET, 'power-event': 'off' }, SITE)
  site.agents = ['gw-1', 'gw-2']
  site.ups('ups-1@10.0.0.5', BATTERY)
  site.ups('ups-1', BATTERY, 'gw-2')
  t.equal(site.go(10), 'firing ups-on-battery UPS ups-1 (Exchange room north)')
  t.match(site.breach('ups-on-battery')?.labels, {
    ...{ owner: 'facilities', component: 'ups-1', place: 'B1/2.14/rack 3', circuit: 'L3-7' },
    ...{ serial: 'AS1234', contract: 'S-77, 24x7, +31 20 555 0100' },
    battery_installed: '2021-05-31',
  })
})

// ---- short transfers

test('transfers that are too short to be an outage are counted, and told as a notice', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(10)
  site.ups('ups-9', BATTERY)
  site.go(4)
  t.equal(site.ups('ups-9', {}), 'firing ups-transfers UPS ups-9')
  t.match(site.breach('ups-transfers'), {
    severity: 'notice',
    summary: '1 short transfer to battery in 60 min: on battery for less than 4 s',
  })
  t.equal(site.go(3610), 'resolved ups-transfers UPS ups-9')
  t.equal(site.evaluator.counters()['ups_transfers_transfers'], 1)
  t.ok(site.points.some(({ name, tags }) => name === 'event' && tags['rule'] === 'ups-transfers'))
})

test('transfers between two readings show in the UPS’s own counter; its trials do not count', async (t) => {
  const site = new PowerSite(QUIET)
  const counted = (transfers: number, cause = 'Line voltage notch or spike') =>
    site.ups('ups-9', { transfers, last_transfer: cause })
  counted(7)
  site.go(10)
  t.equal(counted(8, 'Automatic or explicit self test'), '')
  t.equal(counted(2), '', 'set back: a new card')
  site.go(10)
  t.equal(counted(5), 'firing ups-transfers UPS ups-9')
  t.match(
    site.breach('ups-transfers')?.summary,
    /counter says 3 transfers to battery that no reading shows; the last one for: Line voltage/,
  )
})

// ---- about to give up

test('a low battery is told with the reading that says so', async (t) => {
  for (const [fields, reason] of [
    [{ low_battery: true }, 'it says that its battery is low'],
    [{ forced_shutdown: true }, 'a shutdown was ordered'],
    [{ runtime_left_s: 120, low_runtime_s: 120 }, 'its own limit is 2 min'],
    [{ charge_ratio: 0.1, low_charge_ratio: 0.1 }, 'its own limit is 10 %'],
  ] as const) {
    const site = new PowerSite({ ...QUIET, 'ups-on-battery': 'off' })
    site.ups('ups-9', BATTERY)
    site.go(30)
    t.equal(site.ups('ups-9', { ...BATTERY, ...fields }), 'firing ups-low-battery UPS ups-9')
    const { severity, summary } = site.breach('ups-low-battery') ?? {}
    t.equal(severity, 'critical')
    t.match(summary, `; ${reason} since`)
    site.ups('ups-9', { charge_ratio: 0.1 })
    t.equal(site.go(10), 'resolved ups-low-battery UPS ups-9')
  }
})

test('a limit of 0 is no limit, and what is low on mains is not about to give up', async (t) => {
  const site = new PowerSite({ ...QUIET, 'ups-on-battery': 'off' })
  site.ups('ups-9', { ...BATTERY, charge_ratio: 0, low_charge_ratio: 0 })
  t.equal(site.go(10), '')
  site.ups('ups-9', { low_battery: true, charge_ratio: 0.05 })
  t.equal(site.go(70), 'firing ups-no-backup UPS ups-9')
  t.match(site.breach('ups-no-backup'), {
    severity: 'notice',
    summary: /^would hold less long than it should: its battery is not charged yet/,
  })
})

// ---- protects nothing

test('an output that is off is told at once, as what it is', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(10)
  t.equal(site.ups('ups-9', { line: 'off' }), 'firing ups-no-output UPS ups-9')
  t.match(site.breach('ups-no-output'), {
    severity: 'critical',
    summary: /^its output is off since/,
  })
  t.equal(site.go(30), '')
  site.ups('ups-9', {})
  t.equal(site.go(10), 'resolved ups-no-output UPS ups-9')
})

test('a UPS that would not hold is told after a minute: bypass, battery, charger, self-test', async (t) => {
  for (const [fields, words] of [
    [{ line: 'bypass' }, 'on bypass: its load is on the bare mains'],
    [{ no_battery: true }, 'it has no battery'],
    [{ charger_fault: true }, 'its charger failed'],
    [{ self_test_failed: true, self_test: 'NG' }, 'its last self-test failed (NG)'],
  ] as const) {
    const site = new PowerSite(QUIET)
    site.ups('ups-9', fields)
    t.equal(site.go(59), '')
    t.equal(site.go(1), 'firing ups-no-backup UPS ups-9')
    t.match(site.breach('ups-no-backup'), {
      severity: 'warning',
      summary: `would not hold without mains: ${words} since 2026-11-23 08:00 UTC`,
    })
    site.ups('ups-9', {})
    t.equal(site.go(60), 'resolved ups-no-backup UPS ups-9')
  }
})

test('a battery to be replaced wakes nobody', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', { replace_battery: true })
  t.equal(site.go(60), 'firing ups-no-backup UPS ups-9')
  t.equal(site.breach('ups-no-backup')?.severity, 'notice')
  t.equal(
    site.ups('ups-9', { replace_battery: true, no_battery: true }),
    'escalated ups-no-backup UPS ups-9',
  )
})

// ---- strain

test('overload and heat are told over their limits, and over when they are well under', async (t) => {
  const site = new PowerSite({ ...QUIET, 'ups-over-temperature': { 'clear-below': 40 } })
  site.ups('ups-9', { load_ratio: 1.05, temperature_c: 51 })
  t.equal(site.go(30), 'firing ups-overload UPS ups-9')
  t.match(site.breach('ups-overload')?.summary, /^overloaded: load 105 %, limit 100 % since/)
  t.equal(site.go(30), 'firing ups-over-temperature UPS ups-9')
  t.match(site.breach('ups-over-temperature')?.summary, /^too hot: 51 °C, limit 50 °C since/)
  site.ups('ups-9', { load_ratio: 0.98, temperature_c: 45 })
  t.equal(site.go(600), '', 'between the limits nothing heals')
  site.ups('ups-9', { load_ratio: 0.5, temperature_c: 30 })
  t.equal(site.go(300), 'resolved ups-overload UPS ups-9\nresolved ups-over-temperature UPS ups-9')
})

// ---- blind

test('a UPS without contact is unknown: neither on battery nor well, and told after 3 polls', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(20)
  const lost = { line: 'unknown', comms_lost: true, reason: 'DRIVER-NOT-CONNECTED' }
  t.equal(site.ups('ups-9', lost), '')
  t.equal(site.go(14), '')
  t.equal(site.go(1), 'firing power-blind UPS ups-9')
  t.match(site.breach('power-blind'), {
    severity: 'warning',
    summary: 'no contact: DRIVER-NOT-CONNECTED since 2026-11-23 08:00 UTC',
  })
  site.ups('ups-9', {})
  t.equal(site.go(10), 'resolved power-blind UPS ups-9')
})

test('contact lost while on battery is told at once, and the alert on the battery is not healed by it', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', BATTERY)
  site.go(20)
  t.equal(
    site.ups('ups-9', { line: 'unknown', comms_lost: true, reason: 'DATA-STALE' }),
    'firing power-blind UPS ups-9',
  )
  t.match(site.breach('power-blind'), {
    severity: 'critical',
    summary: /^no contact: DATA-STALE; it was on battery when last heard of/,
  })
  t.equal(site.go(60), '')
  t.same(site.firing().sort(), ['ups-on-battery UPS ups-9', 'power-blind UPS ups-9'].sort())
  t.equal(site.go(1800), 'ended ups-on-battery UPS ups-9')
})

test('a device that is not reported any more though its agent is heard is blind too', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(20)
  site.lose('ups', 'ups-9')
  t.equal(site.wait(29), '')
  t.match(site.wait(30), 'firing power-blind UPS ups-9')
  t.match(site.breach('power-blind')?.summary, /^not reported since 2026-11-23 08:00 UTC/)
})

test('what one agent cannot reach and another reads is not blind', async (t) => {
  const site = new PowerSite({ ...QUIET }, SITE)
  site.agents = ['gw-1', 'gw-2']
  site.ups('ups-1', { comms_lost: true, line: 'unknown' })
  site.ups('ups-1', {}, 'gw-2')
  t.equal(site.go(120), '')
})

test('an agent that is itself cut off makes nobody blind', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-9', {})
  site.go(20)
  site.tell(site.point('agent', {}, { isolated: true }))
  site.ups('ups-9', { comms_lost: true, line: 'unknown' })
  t.equal(
    site
      .go(60)
      .split('\n')
      .filter((word) => word.includes('power-blind'))
      .join(),
    '',
  )
})

test('stale and frozen readings are no state', async (t) => {
  const site = new PowerSite(QUIET)
  site.ups('ups-8', { stale_s: 200, poll_ms: 60_000 })
  site.ups('ups-9', { line: 'battery', frozen: true, reason: 'frozen: not one number changed' })
  t.equal(site.go(60), 'firing power-blind power devices of hq')
  t.match(
    site.breach('power-blind')?.summary,
    /^2 of 2 since .*UPS ups-8 \(no contact: its reading is 200 s old\), UPS ups-9 \(no state to be believed: frozen/,
  )
})

// ---- batteries past their date

test('a battery past its date is told when people are at work', async (t) => {
  const site = new PowerSite({ 'battery-old': { 'business-hours': 'mo-fr 09:00-17:00' } }, SITE)
  t.equal(site.wait(3500), '', 'at eight nobody is there yet')
  t.equal(site.wait(160), 'firing battery-old UPS ups-1 (Exchange room north)')
  t.match(site.breach('battery-old'), {
    severity: 'notice',
    summary: 'its battery is 5.4 years old, limit 4 years: it may not hold when it is needed',
    labels: { owner: 'facilities', component: 'ups-1' },
  })
})

test('the age a UPS tells is used where the site file has none', async (t) => {
  const site = new PowerSite()
  t.equal(site.ups('ups-9', { battery_age_days: 2500 }), 'firing battery-old UPS ups-9')
  t.equal(site.breach('battery-old')?.severity, 'warning')
  site.ups('ups-9', { battery_age_days: 3 })
  t.equal(site.go(60), 'resolved battery-old UPS ups-9')
})

// ---- PoE, PDU, transfer switch

test('PoE supplies: failed at once, ports refused, and nearly all given as a notice', async (t) => {
  const site = new PowerSite()
  const budget = (fields: Record<string, string | number>) =>
    site.read('poe_budget', 'sw-1/1', { state: 'on', nominal_w: 370, ...fields })
  budget({ used_ratio: 0.5 })
  site.go(10)
  t.equal(budget({ state: 'faulty' }), 'firing poe-budget PoE supply sw-1/1')
  budget({ used_ratio: 0.5 })
  t.equal(site.go(300), 'resolved poe-budget PoE supply sw-1/1')
  budget({ used_ratio: 0.95 })
  t.equal(site.go(60), 'firing poe-budget PoE supply sw-1/1')
  t.match(site.breach('poe-budget'), {
    severity: 'notice',
    summary: /^95 % of 370 W given, limit 90 % since/,
  })
  t.equal(budget({ used_ratio: 0.97, ports_denied: 2 }), 'escalated poe-budget PoE supply sw-1/1')
  t.match(site.breach('poe-budget')?.summary, /^2 ports refused power; 97 % of 370 W/)
})

test('one phone that is unplugged is a notice, several ports of a switch at once are not', async (t) => {
  const site = new PowerSite({ 'poe-port': { hold: '10s' } })
  const port = (number: number, delivering: boolean) =>
    site.read('poe_port', `sw-1/1/${number}`, {
      delivering,
      status: delivering ? 'delivering' : 'searching',
      denied: 0,
    })
  for (const number of [1, 2, 3, 4, 5]) port(number, number < 5)
  site.go(20, 10)
  t.same(site.firing(), [], 'port 5 never fed anything')
  port(1, false)
  t.equal(site.go(20, 10), 'firing poe-port PoE port sw-1/1/1')
  t.match(site.breach('poe-port'), {
    severity: 'notice',
    summary: /^stopped feeding: nothing draws power any more since/,
  })
  site.go(600, 10)
  port(2, false)
  t.equal(site.go(120, 10), '', 'another one later is another desk')
  port(3, false)
  port(4, false)
  t.equal(site.go(120, 10), '', 'two together are not three')
  for (const number of [1, 2, 3, 4]) port(number, true)
  site.go(120, 10)
  t.same(site.firing(), [])
  for (const number of [1, 2, 3]) port(number, false)
  t.equal(site.go(60, 10), 'firing poe-port PoE ports of sw-1')
  t.equal(site.breach('poe-port')?.severity, 'warning')
})

test('a port that has fed nothing for a day is taken to be meant so', async (t) => {
  const site = new PowerSite({ 'poe-port': { 'give-up': '1h' } })
  const port = (delivering: boolean) =>
    site.read('poe_port', 'sw-1/1/1', { delivering, status: 'searching' })
  port(true)
  site.go(10)
  port(false)
  t.equal(site.go(60), 'firing poe-port PoE port sw-1/1/1')
  t.equal(site.go(3600), 'ended poe-port PoE port sw-1/1/1')
  t.equal(site.go(600), '')
})

test('an outlet that gave power and is off is told; a spare one is not', async (t) => {
  const site = new PowerSite()
  site.read('pdu_outlet', 'pdu-a/1', { on: true, label: 'switch floor 2' })
  site.read('pdu_outlet', 'pdu-a/2', { on: false })
  site.go(10)
  site.read('pdu_outlet', 'pdu-a/1', { on: false, label: 'switch floor 2' })
  t.equal(site.go(10), 'firing pdu-outlet-off outlet pdu-a/1')
  t.match(site.breach('pdu-outlet-off')?.summary, /^switched off \(switch floor 2\) since/)
})

test('a PDU is overloaded by its own word; its warning is a notice', async (t) => {
  const site = new PowerSite()
  site.read('pdu', 'pdu-a', { near_overload: true, overload: false, load_a: 13 })
  t.equal(site.go(30), 'firing pdu-overload PDU pdu-a')
  t.equal(site.breach('pdu-overload')?.severity, 'notice')
  t.equal(
    site.read('pdu', 'pdu-a', { near_overload: true, overload: true, load_a: 17 }),
    'escalated pdu-overload PDU pdu-a',
  )
  t.match(site.breach('pdu-overload')?.summary, /^overloaded: 17 A; its breaker may trip since/)
})

test('a transfer switch with one source left is told, and one that gives no power at once', async (t) => {
  const site = new PowerSite()
  const ats = (fields: Record<string, boolean>) =>
    site.read('transfer_switch', 'ats-1', {
      ...{ selected: 'a', source_a_ok: true, source_b_ok: true, output_ok: true },
      ...fields,
    })
  ats({})
  site.go(10)
  ats({ source_b_ok: false, redundancy_lost: true })
  t.equal(site.go(10), 'firing ats-redundancy transfer switch ats-1')
  t.match(
    site.breach('ats-redundancy')?.summary,
    /^source B is lost; its load is on source A since/,
  )
  t.equal(ats({ output_ok: false }), 'escalated ats-redundancy transfer switch ats-1')
  ats({})
  t.equal(site.go(30), 'resolved ats-redundancy transfer switch ats-1')
})

// ---- what is not known any more

test('a site that was cut off and an agent that was revoked leave nothing behind', async (t) => {
  const site = new PowerSite({ ...QUIET })
  site.agents = ['gw-1', 'far']
  site.ups('ups-9', BATTERY)
  site.tell(site.point('agent', { agent: 'far', site: 'branch' }, {}))
  site.go(10)
  t.same(site.firing(), ['ups-on-battery UPS ups-9'])
  site.evaluator.forgetAgent('gw-1')
  site.wait(1)
  t.same(site.firing(), [])
})
