import { test } from 'tap'
import type { FieldValue } from '../../common/measurement.ts'
import { PowerSite } from '../support/power-readings.ts'

type Fields = Readonly<Record<string, FieldValue>>

/** A service that is checked by test calls, and one whose exchange is. */
const CALLED = `
parties: { ict: {} }
components:
  ups-1: { kind: ups, owner: ict, needs: [], watch: { measurement: ups, target: ups-1 } }
  sw-1: { kind: switch, owner: ict, needs: [ups-1], watch: { measurement: ping, target: sw-1 } }
  pbx: { kind: pbx, owner: ict, needs: [sw-1] }
  gate: { kind: trunk, owner: ict, needs: [sw-1], watch: { measurement: sip_call, target: far } }
services:
  calls: { label: Calls, serves: hq, needs: [pbx], watch: { measurement: sip_call, target: echo } }
  far: { label: Far calls, serves: hq, needs: [gate] }
`
const WELL: Fields = { answered: true, no_audio: false, failures_in_row: 0 }
const BUSY: Fields = { answered: false, outcome: 'busy', status_code: 486 }
const REST = { 'emergency-readiness': 'off', 'battery-old': 'off', 'redundancy-lost': 'off' }

function site(options: Readonly<Record<string, unknown>> = {}, file = CALLED): PowerSite {
  const made = new PowerSite({ ...REST, ...options }, file)
  made.ups('ups-1', {})
  ping(made, 'sw-1', true)
  for (const target of ['echo', 'far']) call(made, WELL, target)
  made.go(30)
  return made
}

function ping(to: PowerSite, target: string, isThere: boolean): string {
  return to.read('ping', target, { sent: 5, received: isThere ? 5 : 0 })
}

/** One test call, a minute after the one before. */
function call(to: PowerSite, fields: Fields, target = 'echo', agent = 'gw-1'): void {
  to.tell(to.point('sip_call', { target, agent }, { interval_ms: 60_000, ...fields }))
}

function calls(to: PowerSite, fields: readonly Fields[], target = 'echo', agent = 'gw-1'): void {
  for (const one of fields) {
    to.go(60)
    call(to, one, target, agent)
  }
}

function failing(...inRow: readonly number[]): Fields[] {
  return inRow.map((count) => ({ ...BUSY, failures_in_row: count }))
}

test('a service whose own test calls fail is told once, as down, with what the calls say', async (t) => {
  const hq = site()
  calls(hq, failing(1, 2))
  hq.go(20)
  t.same(hq.told(), ['firing service-down'])
  t.same(hq.muted(), ['firing test-call: services of hq'])
  t.equal(
    hq.breach('service-down')?.summary,
    'down: Calls; the check of Calls fails (no call comes up: busy (486)), while nothing it needs is known to have failed',
  )
  calls(hq, [WELL])
  hq.go(200)
  t.same(
    hq.told(),
    ['firing service-down', 'resolved service-down'],
    'one good call: up, and what waits for a second one tells nobody meanwhile',
  )
  calls(hq, [WELL])
  t.same(hq.firing(), [])
  t.same(hq.told().length, 2)
})

test('the cause behind failing test calls is told with the service, whichever is noticed first', async (t) => {
  const cut = (hq: PowerSite): void => {
    hq.ups('ups-1', { line: 'off' })
    ping(hq, 'sw-1', false)
  }
  const callsFirst = site({ 'service-down': { hold: '3s' } })
  calls(callsFirst, failing(1, 2))
  callsFirst.go(1)
  cut(callsFirst)
  callsFirst.go(30)
  const causeFirst = site()
  cut(causeFirst)
  causeFirst.go(30)
  calls(causeFirst, failing(1, 2))
  for (const hq of [callsFirst, causeFirst]) {
    const down = hq.told().filter((word) => word.endsWith('service-down'))
    t.match(down[0], 'firing service-down')
    t.notOk(hq.told().some((word) => word.endsWith('test-call')))
    t.equal(hq.explanationOf('test-call'), 'services of hq')
    t.match(
      hq.evaluator.breaches().find(({ rule }) => rule === 'service-down')?.summary,
      /^down: Calls, Far calls; because .*ups-1: its output is off; the check of Calls says so too: no call comes up: busy \(486\)/,
    )
    hq.ups('ups-1', {})
    ping(hq, 'sw-1', true)
    calls(hq, [WELL, WELL])
    hq.go(120)
    t.same(hq.firing(), [])
    t.equal(hq.told().at(-1), 'resolved service-down')
  }
})

test('who was told of the test calls is not told again that the service is down, but of a cause', async (t) => {
  const hq = site({ 'test-call': { checks: 1 } })
  calls(hq, failing(1))
  t.same(hq.told(), ['firing test-call'])
  calls(hq, failing(2))
  hq.go(20)
  t.same(hq.told(), ['firing test-call'])
  t.same(hq.muted(), ['firing service-down: test call echo'])
  hq.restart()
  hq.go(20)
  t.same(hq.told(), ['firing test-call'])
  calls(hq, [WELL, WELL])
  t.same(hq.told(), ['firing test-call', 'resolved test-call'])
  t.same(hq.firing(), [])

  calls(hq, failing(1, 2))
  hq.ups('ups-1', { line: 'off' })
  hq.go(5)
  t.same(hq.told().slice(2), ['firing test-call', 'escalated service-down'])
  calls(hq, [WELL, WELL])
  hq.ups('ups-1', {})
  hq.go(30)
  t.same(hq.told().slice(4).sort(), ['resolved service-down', 'resolved test-call'])
})

test('that the last caller gets no call either is news', async (t) => {
  const hq = site()
  hq.agents = ['gw-1', 'gw-2']
  call(hq, WELL, 'echo', 'gw-2')
  for (const count of [1, 2, 3]) {
    calls(hq, failing(count))
    call(hq, WELL, 'echo', 'gw-2')
  }
  t.same(hq.told(), ['firing test-call'], 'one of two reaches it: the service is up')
  for (const count of [1, 2]) {
    calls(hq, failing(3 + count))
    call(hq, { ...BUSY, failures_in_row: count }, 'echo', 'gw-2')
  }
  t.same(hq.told(), ['firing test-call', 'firing service-down'])
})

test('that calls to 112 are down is always told', async (t) => {
  const hq = site(
    { 'test-call': { checks: 1 } },
    CALLED.replace('label: Calls', 'label: Calls to 112'),
  )
  calls(hq, failing(1, 2))
  t.same(hq.told(), ['firing test-call', 'firing service-down'])
})

test('a call that comes up without sound is its own alert: the service is not down', async (t) => {
  const hq = site()
  const silent: Fields = { answered: true, no_audio: true, heard: false }
  calls(hq, [silent, silent])
  hq.go(20)
  t.same(hq.told(), ['firing test-call'])
})

test('that a battery is old explains nothing that fails', async (t) => {
  const quiet = { 'ups-no-output': 'off', 'ups-no-backup': 'off', 'power-event': 'off' }
  const rules = {
    ...quiet,
    'service-down': 'off',
    'component-down': 'off',
    'test-unanswered': 'off',
  }
  const hq = site({ ...rules, 'battery-old': { severity: 'warning' } })
  hq.ups('ups-1', { line: 'off', battery_age_days: 1800 })
  hq.go(120)
  t.same(hq.told(), ['firing battery-old'])
  calls(hq, failing(1, 2), 'far')
  hq.go(120)
  t.same(hq.told(), ['firing battery-old', 'firing test-call'], 'nobody is told of the UPS')
})

test('a component that is watched by test calls is told once too', async (t) => {
  const hq = site()
  calls(hq, failing(1, 2), 'far')
  hq.go(20)
  t.same(hq.told(), ['firing service-down'])
  t.equal(hq.explanationOf('test-call'), 'services of hq')
  t.match(hq.breach('service-down')?.summary, /because gate: no call comes up: busy \(486\)$/)
  calls(hq, [WELL, WELL], 'far')
  t.same(hq.told(), ['firing service-down', 'resolved service-down'])
  t.same(hq.firing(), [])
})

test('where nobody tells that a service is down, its check does', async (t) => {
  const hq = site({ 'service-down': 'off' })
  calls(hq, failing(1, 2))
  hq.go(6)
  t.same(hq.told(), ['firing test-call'])
  calls(hq, [WELL, WELL])
  t.same(hq.told(), ['firing test-call', 'resolved test-call'])
})

// ---- alerts that grow

const TWO = `
components:
${[1, 2, 3].map((at) => `  sw-${at}: { kind: switch, needs: [], watch: { measurement: ping, target: sw-${at} } }`).join('\n')}
services:
  one: { label: One, serves: hq, needs: [sw-1] }
  two: { label: Two, serves: hq, needs: [sw-2] }
  emergency-112: { label: Calls to 112, serves: hq, needs: [sw-3] }
`

test('another service that goes down is told again, also when one came back meanwhile; the same one is not', async (t) => {
  const hq = new PowerSite(REST, TWO)
  for (const target of ['sw-1', 'sw-2', 'sw-3']) ping(hq, target, true)
  hq.go(20)
  for (const target of ['sw-1', 'sw-2']) ping(hq, target, false)
  hq.go(20)
  t.same(hq.told(), ['firing service-down', 'escalated service-down'])
  ping(hq, 'sw-1', true)
  hq.go(20)
  ping(hq, 'sw-1', false)
  hq.go(20)
  t.equal(hq.told().length, 2, 'people know of it: nobody told them that it was back')
  ping(hq, 'sw-1', true)
  hq.go(20)
  ping(hq, 'sw-3', false)
  hq.restart()
  hq.go(20)
  t.equal(hq.told().length, 3)
  t.match(hq.breach('service-down'), {
    summary: /^down: Calls to 112, Two; because/,
    labels: { class: 'emergency' },
  })
})

test('one more device in trouble only renews the alert of its group; one that is worse is told again', async (t) => {
  const hq = new PowerSite({ ...REST, 'ups-on-battery': 'off' })
  const lost: Fields = { line: 'unknown', comms_lost: true, reason: 'no answer' }
  const shown = () => hq.evaluator.breaches().find(({ rule }) => rule === 'power-blind')
  for (const target of ['ups-7', 'ups-8']) hq.ups(target, {})
  hq.ups('ups-9', { line: 'battery', charge_ratio: 0.9, runtime_left_s: 5400 })
  hq.go(20)
  hq.ups('ups-7', lost)
  hq.go(30)
  hq.ups('ups-8', lost)
  hq.go(30)
  t.same(hq.told(), ['firing power-blind'])
  t.match(shown(), { object: 'power devices of hq', summary: /^2 of 3 since/, severity: 'warning' })
  hq.ups('ups-9', lost)
  hq.go(5)
  t.same(hq.told(), ['firing power-blind', 'escalated power-blind'], 'it was on its battery')
  t.match(shown(), { summary: /^3 of 3 since/, severity: 'critical' })
})

// ---- phones and sites without power

const FLOORS = `
parties: { ict: {} }
components:
  ups-1: { kind: ups, owner: ict, needs: [], watch: { measurement: ups, target: ups-1 } }
  sw-1: { kind: switch, owner: ict, needs: [ups-1], watch: { measurement: ping, target: sw-1 } }
  sw-2: { kind: switch, owner: ict, needs: [], watch: { measurement: ping, target: sw-2 } }
  phones-1: { kind: phone, count: 10, needs: [sw-1] }
  phones-2: { kind: phone, count: 10, needs: [sw-2] }
services: { calls: { serves: hq, needs: [{ any: [phones-1, phones-2] }] } }
sites: { hq: { expected-registrations: 20 } }
`

/** Ten of twenty phones are not registered any more, while their switch ... */
function floors(end: (hq: PowerSite) => void): PowerSite {
  const hq = new PowerSite(REST, FLOORS)
  const bindings = (active: number) =>
    hq.read('sip_bindings', 'pbx', { active, accounts: active, complete: true, watched_s: 4000 })
  for (const target of ['sw-1', 'sw-2']) ping(hq, target, true)
  hq.ups('ups-1', {})
  bindings(20)
  hq.go(120)
  end(hq)
  hq.go(90)
  bindings(10)
  hq.go(180)
  return hq
}

test('missing phones behind a switch that is seen to be dark are explained by it; behind one that is merely unknown they are not', async (t) => {
  const dark = floors((hq) => {
    ping(hq, 'sw-1', false)
  })
  t.same(dark.told(), ['firing component-down'])
  t.same(dark.muted(), ['firing registrations-below-expected: switch sw-1'])
  const fed = floors((hq) => {
    hq.ups('ups-1', { line: 'off' })
    ping(hq, 'sw-1', false)
  })
  t.notOk(fed.told().some((word) => word.includes('registrations')))
  t.equal(fed.explanationOf('registrations-below-expected'), 'UPS ups-1')
  const unknown = floors((hq) => {
    hq.lose('ping', 'sw-1')
    hq.ups('ups-1', { line: 'unknown', comms_lost: true, reason: 'no answer' })
  })
  t.ok(unknown.told().includes('firing registrations-below-expected'))
  t.same(unknown.muted(), [])
})

const BRANCH = `
agents: { gw-1: {}, far: { runs-on: far-host } }
components:
  far-ups: { kind: ups, site: branch, needs: [], watch: { measurement: ups, target: far-ups, agent: gw-1 } }
  far-host: { kind: server, site: branch, needs: [far-ups] }
services: { branch: { serves: branch, needs: [far-host] } }
`

test('a site that falls silent: what agents elsewhere read of its power tells whether that is gone', async (t) => {
  const cutWhile = (reading: Fields): string => {
    const hq = new PowerSite({ ...REST, 'site-cut-off': {}, 'service-down': 'off' }, BRANCH)
    hq.ups('far-ups', {})
    for (let s = 0; s < 60; s += 10) {
      hq.tell(hq.point('agent', { agent: 'far', site: 'branch' }, { uptime_s: 1e6 }))
      hq.go(10)
    }
    hq.ups('far-ups', reading)
    hq.go(90)
    return hq.evaluator.breaches().find(({ rule }) => rule === 'site-cut-off')?.summary ?? ''
  }
  t.match(cutWhile({ line: 'off' }), /power lost: .*far-ups.*: its output is off/)
  t.match(cutWhile({}), /network cut: .*far-ups.*: on mains/)
  t.notMatch(
    cutWhile({ line: 'unknown', comms_lost: true, reason: 'x' }),
    /power lost|network cut:/,
  )
})
