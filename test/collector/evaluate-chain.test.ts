import { test } from 'tap'
import { Evaluator } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { messageOf } from '../../collector/notify/message.ts'
import { isToldOf } from '../../collector/notify/route.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import type { FieldValue } from '../../common/measurement.ts'
import { MONDAY } from '../support/sip-site.ts'
import { PowerSite } from '../support/power-readings.ts'

type Fields = Readonly<Record<string, FieldValue>>

/** Two feeds to everything but the switch of floor 1; a branch that depends on head office. */
const SITE = `
parties: { ict: { name: Network team }, facilities: { name: Facilities }, telco: {} }
networks: { hq-phones: { cidr: [10.1.0.0/16], site: hq } }
agents: { gw-1: { at: hq-phones, runs-on: gw-1-host } }
components:
  mains-a: { kind: mains, owner: facilities }
  mains-b: { kind: mains, owner: facilities }
  battery-1: { kind: battery }
  battery-2: { kind: battery }
  ups-1: { kind: ups, owner: facilities, place: B1/2.14/rack 3, circuit: L3-7, serial: AS1, contract: S-77,
    needs: [{ any: [mains-a, battery-1] }], watch: { measurement: ups, target: ups-1 } }
  ups-2: { kind: ups, owner: facilities, needs: [{ any: [mains-b, battery-2] }], watch: { measurement: ups, target: ups-2 } }
  sw-core: { kind: switch, owner: ict, needs: [{ any: [ups-1, ups-2] }], watch: { measurement: ping, target: sw-core } }
  sw-1: { kind: switch, owner: ict, boot: 3min, needs: [ups-1, sw-core], watch: { measurement: ping, target: sw-1 } }
  sw-2: { kind: switch, owner: ict, needs: [ups-2, sw-core], watch: { measurement: ping, target: sw-2 } }
  pbx: { kind: pbx, owner: ict, needs: [{ any: [ups-1, ups-2] }, sw-core] }
  trunk-a: { kind: trunk, owner: telco, needs: [sw-1], watch: { measurement: sip_options, target: trunk-a } }
  trunk-b: { kind: trunk, owner: telco, needs: [sw-2], watch: { measurement: sip_options, target: trunk-b } }
  gw-1-host: { kind: server, owner: ict, needs: [sw-core] }
  gw-2-host: { kind: server, owner: ict, needs: [sw-1] }
  phones-1: { kind: phone, count: 10, needs: [sw-1] }
  phones-2: { kind: phone, count: 10, needs: [sw-2] }
services:
  call-out: { label: Calls to outside, serves: hq, hold-up: 20min,
    needs: [pbx, { any: [trunk-a, trunk-b] }, { any: [phones-1, phones-2] }] }
  emergency-112: { label: Calls to 112, serves: hq, hold-up: 60min,
    needs: [pbx, { any: [trunk-a, trunk-b] }, { any: [phones-1, phones-2] }] }
  floor-1: { label: Floor 1, serves: hq, needs: [phones-1, pbx] }
sites: { hq: { expected-registrations: 20 } }
`
const ONLY_CHAIN = { 'emergency-readiness': 'off', 'battery-old': 'off' }
const BATTERY: Fields = { line: 'battery', charge_ratio: 0.9, runtime_left_s: 5400 }

function site(options: Readonly<Record<string, unknown>> = {}, file = SITE): PowerSite {
  const made = new PowerSite({ ...ONLY_CHAIN, ...options }, file)
  made.agents = ['gw-1']
  for (const target of ['ups-1', 'ups-2']) made.ups(target, {})
  for (const target of ['sw-core', 'sw-1', 'sw-2']) ping(made, target, true)
  for (const target of ['trunk-a', 'trunk-b']) trunk(made, target, true)
  made.go(30)
  return made
}

function ping(to: PowerSite, target: string, isThere: boolean): string {
  return to.read('ping', target, { sent: 5, received: isThere ? 5 : 0 })
}

function trunk(to: PowerSite, target: string, isAlive: boolean): string {
  const failed = { alive: false, failures_in_row: 3, reason: 'no answer in 4 s' }
  return to.read('sip_options', target, isAlive ? { alive: true, failures_in_row: 0 } : failed)
}

/** The open alert of a rule as it is shown now. */
function shown(of: PowerSite, rule: string) {
  return of.evaluator.breaches().find((breach) => breach.rule === rule && breach.state === 'firing')
}

// ---- power events

test('mains lost on one feed: within 5 s one alert says what one more failure would stop, and no other', async (t) => {
  const hq = site()
  t.same(hq.told(), [])
  hq.ups('ups-1', BATTERY)
  t.equal(hq.go(2), '')
  t.equal(hq.go(1), 'firing power-event power of hq')
  t.match(hq.breach('power-event'), {
    severity: 'warning',
    labels: {
      ...{ site: 'hq', owner: 'facilities', component: 'ups-1', place: 'B1/2.14/rack 3' },
      ...{ circuit: 'L3-7', serial: 'AS1', contract: 'S-77' },
    },
    evidence: { causes: 'ups-1', services: 'floor-1', new_singles: 'battery-1' },
  })
  t.equal(
    hq.breach('power-event')?.summary,
    'redundancy lost: one more failure of battery-1 stops Floor 1; because ups-1 (B1/2.14/rack 3, circuit L3-7): on battery, 90 % charge, 90 min left; input of ups-1 lost: mains-a or something between',
  )
  hq.go(60)
  t.same(hq.told(), ['firing power-event'])
  t.same(hq.muted(), ['firing ups-on-battery: power of hq'])
  hq.ups('ups-1', {})
  hq.go(120)
  t.same(
    hq.told(),
    ['firing power-event', 'resolved power-event'],
    'its end is told, that of the muted is not',
  )
  t.same(hq.firing(), [])
})

test('both feeds on battery are the same event; low time and low batteries make it worse, not another', async (t) => {
  const hq = site()
  const both = (fields: Fields): void => {
    for (const target of ['ups-1', 'ups-2']) hq.ups(target, { ...BATTERY, ...fields })
  }
  both({})
  hq.go(30)
  t.same(hq.told(), ['firing power-event'])
  both({ runtime_left_s: 3000, charge_ratio: 0.5 })
  hq.go(5)
  t.same(hq.told(), ['firing power-event', 'escalated power-event'], '112 should last 60 min')
  t.match(hq.breach('power-event'), {
    severity: 'critical',
    summary:
      /^Calls to 112 (49|50) min left \(should be 60 min\); redundancy lost: one more failure of/,
    labels: { class: 'emergency' },
    evidence: { minutes_left: /^(49|50)$/ },
  })
  both({ runtime_left_s: 840, charge_ratio: 0.2 })
  hq.go(5)
  t.match(
    shown(hq, 'power-event')?.summary,
    /^Calls to 112 1[34] min left \(should be 60 min\), .*Calls to outside 1[34] min left \(should be 20 min\)/,
  )
  t.equal(hq.told().length, 3, 'less than 15 min: told again')
  both({ runtime_left_s: 700, charge_ratio: 0.1, low_battery: true })
  hq.go(5)
  t.match(shown(hq, 'power-event')?.summary, /^battery low: ups-1, ups-2; Calls to 112 11 min left/)
  t.same(
    hq.muted().map((line) => line.split(' ')[1]),
    ['ups-on-battery:', 'ups-low-battery:'],
  )
  both({ line: 'online', runtime_left_s: 300, charge_ratio: 0.1 })
  hq.go(120)
  t.equal(hq.told().at(-1), 'resolved power-event')
  t.same(hq.firing(), [])
})

test('what is fragile already and runs low at once is told at once, and low battery within the reading', async (t) => {
  const hq = site()
  t.equal(
    hq.ups('ups-1', { ...BATTERY, low_battery: true, runtime_left_s: 100 }),
    'firing power-event power of hq\nfiring ups-low-battery UPS ups-1',
  )
  t.equal(hq.breach('power-event')?.severity, 'critical')
  t.same(hq.told(), ['firing power-event'])
})

test('a dip that is over by the next look is nobody’s business', async (t) => {
  const hq = site()
  hq.ups('ups-1', BATTERY)
  hq.go(2)
  hq.ups('ups-1', {})
  hq.go(60)
  t.same(
    hq.told().filter((word) => !word.includes('ups-transfers')),
    [],
  )
})

test('contact lost on battery keeps the event open, and its clock runs on', async (t) => {
  const hq = site()
  hq.ups('ups-1', { ...BATTERY, runtime_left_s: 1000 })
  hq.go(20)
  const last = hq.told().length
  hq.ups('ups-1', { line: 'unknown', comms_lost: true, reason: 'DRIVER-NOT-CONNECTED' })
  hq.go(300)
  t.ok(hq.firing().includes('power-event power of hq'))
  t.match(shown(hq, 'power-event')?.summary, /Floor 1 (9|10|11) min left \(should be 15 min\)/)
  t.ok(hq.told().slice(last).includes('firing power-blind'), 'and that contact was lost is told')
  t.notOk(hq.told().some((word) => word.startsWith('resolved')))
})

test('a restart neither forgets an event nor tells it again', async (t) => {
  const hq = site()
  hq.ups('ups-1', BATTERY)
  hq.go(20)
  hq.restart()
  hq.go(30)
  t.same(hq.told(), ['firing power-event'])
  t.same(
    hq.evaluator
      .breaches()
      .map((breach) => hq.evaluator.explanationOf(breach))
      .sort(),
    ['power of hq', undefined],
  )
  hq.ups('ups-1', {})
  hq.restart()
  hq.go(60)
  t.same(hq.told(), ['firing power-event', 'resolved power-event'])
})

test('a UPS that gave up on its battery is not on mains again', async (t) => {
  const hq = site()
  hq.ups('ups-1', BATTERY)
  hq.go(20)
  hq.ups('ups-1', { line: 'off' })
  hq.go(30)
  t.ok(hq.told().includes('ended power-event'))
  t.equal(hq.breach('power-event')?.summary, 'not on battery any more: ups-1 gives no power')
  t.notOk(hq.told().includes('resolved power-event'))
  t.match(
    shown(hq, 'service-down'),
    {
      summary:
        /^down: Floor 1; because ups-1 .*; redundancy lost: one more failure of .* stops .*Calls to 112/,
      labels: { class: 'emergency' },
    },
    'and what is left of 112 is said with it',
  )
})

// ---- causes and consequences

test('a UPS that gives no power: one alert on what is down and why, whatever dies with it', async (t) => {
  const hq = site()
  hq.agents = ['gw-1', 'gw-2']
  hq.go(30)
  const before = hq.told().length
  hq.ups('ups-1', { line: 'off' })
  ping(hq, 'sw-1', false)
  trunk(hq, 'trunk-a', false)
  hq.agents = ['gw-1']
  hq.tell(
    hq.point('sip_bindings', { target: 'pbx' }, { active: 10, complete: true, watched_s: 4000 }),
  )
  hq.go(180)
  t.same(
    hq.told().slice(before),
    ['firing service-down', 'firing redundancy-lost', 'firing ups-no-output'].slice(
      0,
      hq.told().length - before,
    ),
  )
  t.match(shown(hq, 'service-down'), {
    severity: 'critical',
    summary: /^down: Floor 1; because ups-1 \(B1\/2\.14\/rack 3, circuit L3-7\): its output is off/,
    evidence: {
      causes: 'ups-1',
      services: 'floor-1',
      explains: 'sw-1, gw-2-host, phones-1, trunk-a',
    },
  })
  const explained = hq.muted().join('\n')
  for (const rule of ['component-down', 'trunk-down', 'ups-no-output', 'redundancy-lost'])
    t.match(explained, `firing ${rule}: `, rule)
  hq.ups('ups-1', {})
  ping(hq, 'sw-1', true)
  trunk(hq, 'trunk-a', true)
  hq.go(300)
  t.same(hq.firing(), [])
})

test('what is still there when its cause is gone is told, after the time it takes to boot', async (t) => {
  const hq = site()
  hq.ups('ups-1', { line: 'off' })
  ping(hq, 'sw-1', false)
  hq.go(60)
  const before = hq.told().length
  hq.ups('ups-1', {})
  hq.go(200)
  t.same(hq.told().slice(before), [], 'it boots')
  hq.go(60)
  t.same(hq.told().slice(before), ['escalated service-down'], 'it does not come back')
  t.match(hq.breach('service-down'), {
    summary: /^down: Floor 1; because sw-1: no answer to 5 pings/,
    labels: { owner: 'ict' },
  })
})

test('a dead switch is told once, with what hangs on it, and explains trunk and phones', async (t) => {
  const hq = site()
  ping(hq, 'sw-2', false)
  trunk(hq, 'trunk-b', false)
  hq.go(120)
  t.same(hq.told(), ['firing redundancy-lost'])
  t.match(hq.breach('redundancy-lost')?.summary, /because sw-2: no answer to 5 pings$/)
  t.match(hq.muted().sort(), [/^firing component-down: redundancy of hq/, /^firing trunk-down: /])
  ping(hq, 'sw-2', true)
  trunk(hq, 'trunk-b', true)
  hq.go(120)
  t.same(hq.firing(), [])
  t.same(hq.told(), ['firing redundancy-lost', 'resolved redundancy-lost'])
})

test('what is unknown mutes nothing, and is named as what may be the reason', async (t) => {
  const hq = site()
  hq.ups('ups-1', { line: 'unknown', comms_lost: true, reason: 'no answer' })
  ping(hq, 'sw-1', false)
  hq.go(60)
  t.same(
    hq.told().sort(),
    ['firing power-blind', 'firing redundancy-lost', 'firing service-down']
      .filter((word) => hq.told().includes(word))
      .sort(),
  )
  t.match(
    hq.breach('service-down')?.summary,
    /^down: Floor 1; because sw-1: no answer to 5 pings; nothing is known of ups-1: perhaps that is why/,
  )
})

test('a UPS on battery explains no dead phone', async (t) => {
  const hq = site()
  hq.ups('ups-1', BATTERY)
  hq.go(30)
  ping(hq, 'sw-1', false)
  hq.go(60)
  t.ok(hq.told().includes('firing service-down'))
  t.match(hq.breach('service-down')?.summary, /^down: Floor 1; because sw-1: no answer/)
})

test('a service that fails its own check while all it needs works is down too', async (t) => {
  const watched = SITE.replace(
    'floor-1: { label: Floor 1,',
    'floor-1: { label: Floor 1, watch: { measurement: ping, target: floor },',
  )
  const hq = site({}, watched)
  ping(hq, 'floor', true)
  hq.go(20)
  t.equal(ping(hq, 'floor', false), 'firing service-down services of hq')
  t.match(
    hq.breach('service-down')?.summary,
    'down: Floor 1; the check of Floor 1 fails (no answer to 5 pings), while nothing it needs is known to have failed',
  )
  ping(hq, 'floor', true)
  t.equal(hq.go(15), 'resolved service-down services of hq')
})

test('a service-down names the power behind a dead switch when its reading comes within 5 s', async (t) => {
  const hq = site()
  hq.lose('ups', 'ups-1')
  hq.go(10)
  t.equal(ping(hq, 'sw-1', false), '', 'the UPS was read before: its next reading is waited for')
  hq.go(2)
  t.same(hq.told(), [])
  hq.ups('ups-1', { line: 'off' })
  t.match(hq.breach('service-down')?.summary, /^down: Floor 1; because ups-1 .*: its output is off/)
})

test('waiting for a reading ends after 5 s', async (t) => {
  const hq = site()
  hq.lose('ups', 'ups-1')
  hq.go(10)
  ping(hq, 'sw-1', false)
  hq.go(5)
  t.match(hq.breach('service-down')?.summary, /^down: Floor 1; because sw-1: no answer/)
})

// ---- who is told what

test('a message says what somebody needs who has to go there', async (t) => {
  const hq = site()
  hq.ups('ups-1', { ...BATTERY, runtime_left_s: 500 })
  hq.go(10)
  const breach = shown(hq, 'power-event')
  t.ok(breach)
  if (breach === undefined) return
  const names = new Map([['facilities', 'Facilities']])
  const { title, text } = messageOf('firing', breach, 'https://k/#a', (id) => names.get(id) ?? id)
  t.match(title, /^CRITICAL power of hq: Floor 1 8 min left \(should be 15 min\); redundancy lost/)
  t.match(
    text,
    /\nWhat: at B1\/2\.14\/rack 3, circuit L3-7, serial AS1\nContract: S-77\nMinutes left: 8\n/,
  )
  t.match(text, /\nOwner: Facilities\nTo do: see whether the whole street is dark/)
})

test('an owner’s channels are told of what is theirs, if it is severe enough for them', async (t) => {
  const hq = site()
  hq.ups('ups-1', BATTERY)
  hq.go(10)
  const breach = shown(hq, 'power-event')
  t.ok(breach)
  if (breach === undefined) return
  const channels = new Set(['oncall', 'facilities'])
  const facilities = { name: 'facilities', rules: [] }
  t.notOk(isToldOf(facilities, breach, channels), 'only what names it')
  t.ok(isToldOf(facilities, breach, channels, ['facilities']))
  t.notOk(isToldOf({ ...facilities, severity: 'critical' }, breach, channels, ['facilities']))
  t.ok(
    isToldOf({ name: 'oncall' }, breach, channels, ['facilities']),
    'and everybody else as before',
  )
})

// ---- emergency calls and power

test('a site is ready for an emergency call only with power for as long as it should last', async (t) => {
  const hq = site(
    { 'emergency-readiness': {} },
    `${SITE}emergency: { sites: { hq: { trunk: trunk-b, account: main, caller-id: '1', location: x } } }\n`,
  )
  const well = { registered: true, accepted: true, status_code: 200, failures_in_row: 0 }
  hq.read('sip_registration', 'main', well)
  hq.go(10)
  const state = () =>
    hq.points
      .filter(({ name, tags }) => name === 'service' && tags['source'] === 'readiness')
      .at(-1)?.fields
  t.match(state(), { ready: true, reason: 'power is well' })
  for (const target of ['ups-1', 'ups-2']) hq.ups(target, { ...BATTERY, runtime_left_s: 1200 })
  hq.go(15)
  t.match(state(), { ready: false, reason: /^power for 20 min left, should be 60 min/ })
  t.equal(hq.breach('emergency-readiness')?.severity, 'notice', 'the power event wakes people')
  for (const target of ['ups-1', 'ups-2']) hq.ups(target, { line: 'off' })
  hq.go(60)
  t.match(state(), { ready: false, reason: /emergency-112 is down: / })
  t.match(hq.breach('emergency-readiness'), { severity: 'critical' })
  for (const target of ['ups-1', 'ups-2']) hq.ups(target, {})
  hq.go(30)
  t.match(state(), { ready: true })
})

// ---- agents that are not heard any more

test('an agent that says nothing: its machine without power, crashed, or cut off, as others see it', async (t) => {
  const file = SITE.replace('agents: { ', 'agents: { gw-2: { runs-on: gw-2-host }, ').replace(
    'gw-2-host: { kind: server, owner: ict, needs: [sw-1] }',
    'gw-2-host: { kind: server, owner: ict, needs: [sw-1], watch: { measurement: ping, target: gw-2 } }',
  )
  const silence = (end: (hq: PowerSite) => void): string => {
    const hq = site({ 'agent-silent': {} }, file)
    hq.agents = ['gw-1', 'gw-2']
    ping(hq, 'gw-2', true)
    hq.go(60)
    hq.agents = ['gw-1']
    end(hq)
    hq.go(60)
    return hq.evaluator.breaches().find(({ rule }) => rule === 'agent-silent')?.summary ?? ''
  }
  t.match(
    silence(() => undefined),
    /the agent crashed, for its machine gw-2-host is seen by others: answers ping$/,
  )
  t.match(
    silence((hq) => {
      ping(hq, 'gw-2', false)
      hq.ups('ups-1', { line: 'off' })
      ping(hq, 'sw-1', false)
    }),
    /power lost: its machine has nothing to run on: ups-1 .*: its output is off$/,
  )
  t.match(
    silence((hq) => {
      ping(hq, 'gw-2', false)
    }),
    /its own line is cut; what feeds its machine is read by others: ups-\d.*: on mains$/,
  )
})

// ---- designs

test('drawn single points wake nobody; a change of the site file that adds one is told by day, to its owner', async (t) => {
  const one = 'services: { s: { label: All, needs: [{ any: [a, b] }] }, r: { needs: [x] } }'
  const base = `
parties: { ict: { notify: [network] } }
components: { a: { kind: switch, owner: ict, place: room 1 }, b: { kind: switch }, x: { kind: pbx } }
`
  const rules = rulesOptions.parse({ 'design-change': { 'business-hours': 'mo-fr 09:00-17:00' } })
  const read = (text: string) => new Site(readConfig(siteFile, text, 'site.yaml'))
  let file = read(base + one)
  const evaluator = new Evaluator(rules, undefined, () => file)
  const at = (minutes: number) =>
    evaluator.tick(MONDAY + minutes * 60_000_000).changes.map(({ kind, breach }) => ({
      ...{ kind, object: breach.object, summary: breach.summary, labels: breach.labels },
    }))
  t.same(at(0), [], 'x stops r: that is how it was drawn')
  file = read(base + one.replace('{ any: [a, b] }', 'a'))
  t.same(at(10), [], 'at eight nobody is there')
  t.match(at(70), [
    {
      kind: 'firing',
      object: 'switch a',
      summary: 'by a change of the site file its failure alone stops All',
      labels: { owner: 'ict', notify: 'network', place: 'room 1' },
    },
  ])
  t.same(at(130), [])
  const restored = new Evaluator(
    rules,
    JSON.parse(JSON.stringify(evaluator.snapshot())),
    () => file,
  )
  t.same(restored.tick(MONDAY + 140 * 60_000_000).changes, [], 'a restart does not tell it again')
  file = read(
    `${base}${one.replace('{ any: [a, b] }', 'a')}\naccepted: { a: { by: R, reason: soon, review: 2026-11-24 } }`,
  )
  t.match(at(150), [{ kind: 'resolved', summary: 'accepted until 2026-11-24' }])
  t.match(at(60 * 26), [{ kind: 'firing', summary: /^accepted by R \(soon\) until 2026-11-24/ }])
  file = read(base + one)
  t.match(at(60 * 27), [{ kind: 'resolved', summary: 'no single point of failure any more' }])
})

// ---- what is stored

test('components and services are stored when they change, and every minute', async (t) => {
  const hq = site()
  const stored = (name: string, target: string) =>
    hq.points.filter((point) => point.name === name && point.tags['target'] === target)
  const before = stored('component', 'ups-1').length
  hq.go(60)
  t.equal(stored('component', 'ups-1').length - before, 1)
  hq.ups('ups-1', BATTERY)
  hq.go(1)
  t.match(stored('component', 'ups-1').at(-1)?.fields, {
    ...{ state: 'degraded', state_code: 1, stops: 'floor-1' },
    reason: 'on battery, 90 % charge, 90 min left',
  })
  t.match(stored('service', 'emergency-112').at(-1), {
    tags: { source: 'chain' },
    fields: { state: 'up', up: true, hold_up_min: 60 },
  })
  t.match(stored('service', 'floor-1').at(-1)?.fields, { new_singles: 'battery-1' })
})

// ---- watches

test('what nobody hears of any more is unknown, never up', async (t) => {
  const hq = site()
  const state = (id: string) => hq.evaluator.chain.now?.observations.get(id)
  t.match(state('sw-1'), { state: 'up', reason: 'answers ping' })
  t.equal(state('trunk-c'), undefined)
  t.equal(state('mains-a'), undefined, 'not watched')
  t.match(state('gw-1-host'), { state: 'up', reason: 'heard from' }, 'its agent is heard')
  hq.lose('ping', 'sw-1')
  hq.go(29)
  t.equal(state('sw-1')?.state, 'up')
  hq.go(10)
  t.match(state('sw-1'), { state: 'unknown', reason: /^no news for 3\d s$/ })
  hq.agents = []
  hq.go(200)
  t.equal(state('gw-1-host')?.state, 'unknown')
})

test('readings become states: what each measurement says of what watches it', async (t) => {
  const file = `
components:
  x: { kind: thing, watch: { measurement: MEASURE, target: x } }
services: { s: { needs: [x] } }
`
  const rows: [string, Fields, string, string][] = [
    ['ups', { line: 'online' }, 'up', 'on mains'],
    ['ups', { line: 'off' }, 'down', 'its output is off'],
    ['ups', { line: 'bypass' }, 'degraded', 'on bypass: it protects nothing'],
    ['ups', { line: 'battery', self_testing: true }, 'up', 'on battery for a test'],
    ['ups', { line: 'online', comms_lost: true }, 'unknown', 'nothing is heard of it'],
    ['ups', { line: 'battery', frozen: true, reason: 'frozen' }, 'unknown', 'frozen'],
    [
      'ups',
      { line: 'online', charger_fault: true },
      'degraded',
      'on mains, but the charger failed',
    ],
    ['power_supply', { kind: 'mains', online: false }, 'down', 'mains absent'],
    ['power_supply', { kind: 'mains' }, 'unknown', 'it does not say'],
    ['power_supply', { kind: 'battery', status: 'discharging' }, 'degraded', 'on battery'],
    ['transfer_switch', { selected: 'a', output_ok: true }, 'up', 'on source A'],
    ['transfer_switch', { selected: 'a', source_b_ok: false }, 'degraded', 'source B is lost'],
    ['transfer_switch', { output_ok: false }, 'down', 'it feeds nothing'],
    ['pdu', { load_a: 3 }, 'up', 'it has power'],
    ['pdu', { outlets: 8, outlets_on: 0 }, 'down', 'all its outlets are off'],
    ['pdu_outlet', { on: false }, 'down', 'switched off'],
    ['poe_port', { delivering: true }, 'up', 'gives power'],
    ['poe_port', { status: 'searching' }, 'unknown', 'it does not say'],
    ['poe_budget', { state: 'faulty' }, 'down', 'PoE supply faulty'],
    ['poe_budget', { state: 'on', ports_denied: 2 }, 'degraded', '2 ports refused power'],
    ['ping', { sent: 5, received: 1 }, 'up', 'answers ping'],
    ['ping', { sent: 5, received: 0 }, 'down', 'no answer to 5 pings'],
    ['ping', { sent: 0, reason: 'no route' }, 'unknown', 'no route'],
    ['sip_options', { alive: true }, 'up', 'answers'],
    ['sip_options', { alive: false, failures_in_row: 2, reason: '503' }, 'down', '503'],
    ['sip_registration', { registered: false, failures_in_row: 2 }, 'down', 'not registered'],
    ['sip_call', { answered: true }, 'up', 'a test call comes up'],
    [
      'sip_call',
      { answered: false, outcome: 'busy', failures_in_row: 2 },
      'down',
      'no call comes up: busy',
    ],
    ['sip_call', { answered: true, no_audio: true }, 'degraded', 'answered, and nothing is heard'],
    ['host', { up: false }, 'down', 'the interface is down'],
  ]
  for (const [name, fields, state, reason] of rows) {
    const one = new PowerSite(ONLY_CHAIN, file.replace('MEASURE', name))
    const known = Object.keys(one.point('ping', {}, {}).fields)
    t.ok(known.length > 0)
    if (isName(name)) one.read(name, 'x', fields)
    const seen = one.evaluator.chain.now?.observations.get('x')
    t.match(seen, { state, reason }, `${name} ${JSON.stringify(fields)}`)
  }
})

test('of several servers of a trunk one that answers is enough; of several agents one that reaches it', async (t) => {
  const hq = site()
  const state = () => hq.evaluator.chain.now?.observations.get('trunk-a')
  const server = (name: string, isAlive: boolean, agent = 'gw-1') =>
    hq.tell(
      hq.point(
        'sip_options',
        { target: 'trunk-a', server: name, agent },
        { alive: isAlive, failures_in_row: isAlive ? 0 : 3 },
      ),
    )
  hq.lose('sip_options', 'trunk-a')
  hq.go(60)
  server('one', true)
  server('two', false)
  t.match(state(), { state: 'degraded', reason: 'no answer from two' })
  server('one', false)
  t.equal(state()?.state, 'down')
  server('one', true, 'gw-2')
  t.equal(state()?.state, 'up')
})

test('a transfer switch tells which of its sources is lost to it', async (t) => {
  const file = `
components:
  a: { kind: breaker }
  b: { kind: breaker }
  ats: { kind: ats, needs: [{ any: [a, b] }], watch: { measurement: transfer_switch, target: ats } }
services: { s: { needs: [ats], label: All } }
`
  const rack = new PowerSite(ONLY_CHAIN, file)
  rack.read('transfer_switch', 'ats', { selected: 'a', source_a_ok: true, source_b_ok: true })
  rack.go(10)
  rack.read('transfer_switch', 'ats', { selected: 'a', redundancy_lost: true })
  rack.go(10)
  t.match(rack.breach('power-event') ?? rack.breach('redundancy-lost'), {
    summary: 'redundancy lost: one more failure of a stops All; because ats: source B is lost',
  })
})

function isName(name: string): name is Parameters<PowerSite['read']>[0] {
  return name !== ''
}
