import { test } from 'tap'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { collectorConfig } from '../../collector/config.ts'
import { messageOf } from '../../collector/notify/message.ts'
import { BusinessHours } from '../../collector/topology/business-hours.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { readConfig } from '../../common/config.ts'
import { complaintAbout, type FieldValue, type Measurement } from '../../common/measurement.ts'
import { MONDAY, SipSite } from '../support/sip-site.ts'

const S = 1_000_000
type Fields = Readonly<Record<string, FieldValue>>

const SITE = `
parties: { ict: {}, telco: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, owner: ict }
  carrier-a: { cidr: [203.0.113.0/24], owner: telco }
agents: { gw-1: { at: hq } }
`

const WELL = { registered: true, accepted: true, status_code: 200, failures_in_row: 0 }
const NOT_FOUND = {
  registered: false,
  accepted: false,
  status_code: 404,
  reason: '404 Not Found from 203.0.113.5:5060/udp',
}
const TIMEOUT = { accepted: false, timeout: true, reason: 'no answer in 4 s' }

/** A check of an account, once a minute. */
function account(site: SipSite, name: string, fields: Fields, agent = 'gw-1'): Measurement {
  return site.point(
    'sip_registration',
    { agent, target: name },
    {
      interval_ms: 60_000,
      aor: '***23@pbx.example.org',
      server: '203.0.113.5:5060',
      paused: false,
      ...fields,
    },
  )
}

function trunk(site: SipSite, server: string, fields: Fields, target = 'carrier-a'): Measurement {
  return site.point(
    'sip_options',
    { target, ...(server === '' ? {} : { server }) },
    { interval_ms: 30_000, server_address: '203.0.113.9:5060', ...fields },
  )
}

const ALIVE = { alive: true, status_code: 200, failures_in_row: 0 }
function dead(failures: number): Fields {
  return { alive: false, timeout: true, failures_in_row: failures, reason: 'no answer in 4 s' }
}

// ---- registrations

test('an account that was deleted is told of after the hold, with site, masked account and owner', async (t) => {
  const site = new SipSite({}, SITE)
  t.equal(site.tell(account(site, 'desk-1', WELL)), '')
  t.equal(site.wait(60), '')
  t.equal(site.tell(account(site, 'desk-1', { ...NOT_FOUND, failures_in_row: 1 })), '')
  t.equal(site.wait(9), '')
  t.equal(site.wait(1), 'firing registration-lost account desk-1')
  const breach = site.breach('registration-lost')
  t.match(breach, {
    severity: 'warning',
    summary:
      'refused by the registrar since 2026-11-23 08:00 UTC: 404 Not Found from 203.0.113.5:5060/udp',
    labels: {
      ...{ site: 'hq', agent: 'gw-1', account: 'desk-1', aor: '***23@pbx.example.org' },
      owner: 'telco',
    },
    evidence: { status_code: 404, checks_failed: 1 },
  })
  if (breach) {
    const { title, text } = messageOf('firing', breach, '')
    t.match(title, /^account desk-1: refused by the registrar/)
    t.match(text, /Owner: telco\nTo do: see whether the registrar knows the account/)
  }
  t.equal(site.wait(50), '')
  t.equal(site.tell(account(site, 'desk-1', WELL)), 'resolved registration-lost account desk-1')
  t.equal(site.breach('registration-lost')?.summary, 'registered again after 2 min')
})

test('a check that fails and succeeds again within the hold is nobody’s business', async (t) => {
  const site = new SipSite()
  site.tell(account(site, 'desk-1', NOT_FOUND))
  site.wait(5)
  t.equal(site.tell(account(site, 'desk-1', WELL)), '')
  t.equal(site.wait(60), '')
})

test('one check without an answer is a lost packet, two are a lost registration', async (t) => {
  const site = new SipSite()
  for (const name of ['a', 'b']) site.tell(account(site, name, WELL))
  site.wait(60)
  t.equal(site.tell(account(site, 'a', TIMEOUT), account(site, 'b', WELL)), '')
  t.equal(site.wait(60), '')
  t.equal(
    site.tell(account(site, 'a', TIMEOUT), account(site, 'b', WELL)),
    'firing registration-lost account a',
  )
  t.match(site.breach('registration-lost')?.summary, /^the registrar does not answer since/)
})

test('fifty accounts that get no answer at once are one alert about the registrar', async (t) => {
  const site = new SipSite({}, SITE)
  const names = Array.from({ length: 50 }, (_, index) => `phone-${index}`)
  const all = (fields: Fields) => names.map((name) => account(site, name, fields))
  site.tell(...all(WELL))
  site.wait(60)
  t.equal(site.tell(...all(TIMEOUT)), '')
  site.wait(60)
  t.equal(site.tell(...all(TIMEOUT)), 'firing registration-lost registrar pbx.example.org')
  t.match(site.breach('registration-lost'), {
    severity: 'critical',
    summary:
      'does not answer for 50 of 50 accounts since 2026-11-23 08:00 UTC: no answer in 4 s (phone-0, phone-1, phone-2 ...)',
    evidence: { accounts: 50, accounts_lost: 50, accounts_silent: 50 },
    labels: { owner: 'telco', registrar: 'pbx.example.org' },
  })
  site.wait(60)
  t.equal(site.tell(...all(TIMEOUT)), '', 'it is said once')
  site.wait(60)
  t.equal(
    site.tell(...all(WELL).slice(1), account(site, 'phone-0', NOT_FOUND)),
    'firing registration-lost account phone-0\nresolved registration-lost registrar pbx.example.org',
    'the one that stays away is told by itself',
  )
})

test('a sixth refused account of a registrar makes one alert of the five before', async (t) => {
  const site = new SipSite()
  const names = Array.from({ length: 20 }, (_, index) => `p${index}`)
  const check = (lost: number) =>
    names.map((name, index) => account(site, name, index < lost ? NOT_FOUND : WELL))
  site.tell(...check(5))
  t.equal(site.wait(10).split('\n').length, 5)
  site.wait(50)
  site.tell(...check(6))
  const said = site.wait(10).split('\n')
  t.equal(said.at(-1), 'firing registration-lost registrar pbx.example.org')
  t.equal(said.filter((line) => line.startsWith('ended')).length, 5)
  t.strictSame(site.firing(), ['registration-lost registrar pbx.example.org'])
})

test('while a check pauses so as not to lock the account out, its alert stays', async (t) => {
  const site = new SipSite()
  site.tell(account(site, 'desk-1', { ...NOT_FOUND, status_code: 403 }))
  site.wait(10)
  for (let minute = 0; minute < 15; minute++) {
    site.wait(60)
    const paused = { paused: true, pause_left_s: 600, failures_in_row: 1, reason: 'not checked' }
    t.equal(site.tell(account(site, 'desk-1', paused)), '')
  }
  t.strictSame(site.firing(), ['registration-lost account desk-1'])
})

test('what an isolated agent finds silent is unknown, not lost', async (t) => {
  const site = new SipSite({}, SITE)
  site.tell(account(site, 'desk-1', WELL))
  site.wait(60)
  site.tell(account(site, 'desk-1', TIMEOUT))
  site.wait(60)
  const isolated = site.point('agent', {}, { isolated: true })
  t.equal(site.tell(account(site, 'desk-1', TIMEOUT), isolated), '')
  const late = new SipSite()
  late.tell(account(late, 'desk-1', TIMEOUT))
  late.wait(60)
  t.equal(late.tell(account(late, 'desk-1', TIMEOUT)), 'firing registration-lost account desk-1')
  late.wait(3)
  const word = late.point('agent', {}, { isolated: true, interval_ms: 60_000 })
  t.equal(late.tell(word), 'ended registration-lost account desk-1', 'the word came a moment later')
  t.match(late.breach('registration-lost')?.summary, /cut off: unknown/)
})

test('a restart neither loses nor repeats the alert of an account', async (t) => {
  const site = new SipSite()
  site.tell(account(site, 'a', NOT_FOUND), account(site, 'b', WELL))
  site.wait(5)
  site.restart()
  t.equal(site.wait(5), 'firing registration-lost account a', 'the hold goes on')
  site.restart()
  t.equal(site.wait(40), '')
  t.strictSame(site.firing(), ['registration-lost account a'])
  site.wait(10)
  t.equal(site.tell(account(site, 'a', WELL)), 'resolved registration-lost account a')
})

test('history is not paged, a revoked agent’s alerts end, a cut-off site’s too', async (t) => {
  const site = new SipSite()
  site.nowS = 1000
  const old = site.point(
    'sip_registration',
    { target: 'a' },
    { ...NOT_FOUND, aor: '***1@pbx' },
    900,
  )
  t.equal(site.tell(old), '')
  t.equal(site.wait(30), '')
  site.tell(account(site, 'a', NOT_FOUND), trunk(site, 's1', dead(3)))
  site.wait(10)
  t.equal(site.firing().length, 2)
  site.evaluator.forgetAgent('gw-1')
  site.wait(1)
  t.strictSame(site.firing(), [])
  const cut = new SipSite()
  cut.wait(30)
  cut.tell(account(cut, 'a', NOT_FOUND), trunk(cut, 's1', dead(3)))
  cut.wait(10)
  cut.agents = []
  // site-cut-off after three intervals without a word.
  t.match(cut.wait(200), /ended registration-lost account a/)
  t.strictSame(cut.firing(), [])
})

test('a registration with less than a tenth of its time left is about to lapse', async (t) => {
  const site = new SipSite({}, SITE)
  const left = (marginS: number) => account(site, 'desk-1', { ...WELL, margin_s: marginS })
  t.equal(site.tell(left(3600)), '')
  for (const marginS of [2700, 1800, 900, 360]) {
    site.wait(60)
    t.equal(site.tell(left(marginS)), '')
  }
  site.wait(60)
  t.equal(site.tell(left(300)), 'firing registration-lapsing account desk-1')
  t.match(site.breach('registration-lapsing'), {
    summary: 'lapses in 5 min unless it is refreshed, limit 6 min of 60 min granted',
    evidence: { margin_s: 300, limit_s: 360, granted_s: 3600 },
  })
  site.wait(60)
  t.equal(site.tell(left(3600)), 'resolved registration-lapsing account desk-1')
  site.wait(60)
  site.tell(left(100))
  site.wait(60)
  t.equal(
    site.tell(account(site, 'desk-1', { registered: false, accepted: true })),
    'ended registration-lapsing account desk-1',
    'it lapsed: that is the matter of registration-lost',
  )
})

test('a phone that refreshes late by habit, on a short time, is not lapsing', async (t) => {
  const site = new SipSite()
  for (const marginS of [60, 12, 55, 7, 60, 6]) {
    t.equal(site.tell(account(site, 'a', { ...WELL, margin_s: marginS })), '')
    site.wait(60)
  }
})

// ---- registrations seen on a tap

function bindings(site: SipSite, fields: Fields, of: Readonly<Record<string, string>> = {}) {
  return site.point('sip_bindings', { target: 'pbx', ...of }, { complete: true, ...fields })
}

test('fewer phones than the site file expects are told of, once all can be known', async (t) => {
  const site = new SipSite({}, `${SITE}\nsites: { hq: { expected-registrations: 100 } }`)
  const seen = (accounts: number, complete = true) => {
    const said = site.tell(bindings(site, { accounts, active: accounts, complete }))
    return [said, site.wait(10)].filter((word) => word !== '').join('\n')
  }
  for (let s = 0; s < 120; s += 10) t.equal(seen(20, false), '', 'the tap has just begun')
  for (let s = 0; s < 60; s += 10) t.equal(seen(96), '')
  for (let s = 0; s < 50; s += 10) t.equal(seen(80), '')
  t.equal(seen(80), 'firing registrations-below-expected phones of hq')
  t.match(site.breach('registrations-below-expected'), {
    summary: '80 of 100 expected phones are registered since 2026-11-23 08:02 UTC, 20 are missing',
    labels: { site: 'hq', owner: 'ict' },
    evidence: { accounts: 80, expected: 100, missing: 20 },
  })
  t.equal(seen(79), '')
  t.equal(seen(95), 'resolved registrations-below-expected phones of hq')
  for (let s = 0; s < 60; s += 10) seen(50)
  t.equal(site.firing().length, 1)
  t.match(site.wait(60), /ended registrations-below-expected phones of hq/, 'no tap tells any more')
})

test('two taps that see the same phones are not added up, two registrars are', async (t) => {
  const site = new SipSite({ 'registrations-below-expected': { expected: { hq: 100 } } })
  const both = () =>
    site.tell(
      bindings(site, { accounts: 60, tap: 'eth0' }),
      bindings(site, { accounts: 40, tap: 'eth0' }, { target: 'pbx-2' }),
      bindings(site, { accounts: 50, tap: 'eth1' }),
    ) + site.wait(10)
  for (let s = 0; s < 100; s += 10) t.equal(both(), '')
  const one = () => site.tell(bindings(site, { accounts: 60, tap: 'eth1' })) + site.wait(10)
  let said = ''
  for (let s = 0; s < 120; s += 10) said += one()
  t.match(said, /firing registrations-below-expected/)
})

test('many phones that do not refresh are told of before they lapse; one is not', async (t) => {
  const site = new SipSite()
  const seen = (fields: Fields) =>
    site.tell(bindings(site, { active: 100, accounts: 100, ...fields }))
  t.equal(seen({ overdue: 2 }), '')
  site.wait(10)
  t.equal(seen({ overdue: 4 }), '', 'fewer than 5 %')
  site.wait(10)
  t.equal(
    seen({ overdue: 12, next_lapse_s: 45 }),
    'firing registrations-overdue registrations at pbx',
  )
  t.match(site.breach('registrations-overdue'), {
    summary: '12 of 100 will lapse, the next in 45 s: they were not refreshed',
    evidence: { overdue: 12, next_lapse_s: 45 },
  })
  site.wait(10)
  t.equal(seen({ active: 88, expired: 12 }), '')
  for (let s = 0; s < 120; s += 10) {
    site.wait(10)
    seen({ active: 88 })
  }
  t.strictSame(site.firing(), [])
})

// ---- test calls

test('a number that is not answered twice in a row is an alert, until two calls are well again', (t) => {
  const site = new SipSite({}, SITE)
  site.agents = ['gw-1', 'gw-2']
  const call = (fields: Fields): string => {
    const told = site.wait(60)
    const more = site.tell(
      site.point('sip_call', { target: 'echo' }, { interval_ms: 60_000, ...fields }),
    )
    return [told, more].filter((words) => words !== '').join()
  }
  const well = { answered: true, outcome: 'answered', no_audio: false, heard: true }
  const busy = { answered: false, outcome: 'busy', status_code: 486, reason: '486 Busy Here' }
  t.equal(call(well), '')
  t.equal(call(busy), '', 'once may be chance')
  t.equal(call({ outcome: 'interrupted' }), '', 'nobody knows')
  t.equal(call({ paused: true }), '')
  t.equal(call(busy), 'firing test-call test call echo')
  t.match(site.breach('test-call'), {
    severity: 'critical',
    summary: /^no call comes up: busy \(486\); 2 calls in a row since /,
    labels: { target: 'echo', site: 'hq', agent: 'gw-1' },
    evidence: { fault: 'set-up', outcome: 'busy', reason: '486 Busy Here' },
  })
  site.restart()
  t.equal(call(well), '')
  t.equal(call(busy), '', 'and again')
  t.equal(call(well), '')
  t.equal(call(well), 'resolved test-call test call echo')
  t.end()
})

test('a silent call and a lossy one are told apart, and each direction has its name', (t) => {
  const told = (fields: Fields, options: object = {}): string => {
    const site = new SipSite({ 'test-call': { checks: 1, ...options } }, SITE)
    site.tell(site.point('sip_call', { target: 'echo' }, { answered: true, ...fields }))
    const { summary = '', severity = '' } = site.breach('test-call') ?? {}
    return `${severity} ${summary.split(';', 1)[0] ?? ''}`
  }
  t.equal(told({ no_audio: true, heard: false }), 'critical answered, and nothing is heard')
  t.equal(told({ no_audio: true, heard: false }, { sound: false }), ' ')
  t.equal(
    told({ no_audio: false, one_way_audio: true, heard: true, heard_by_peer: false }),
    'critical audio one way only: the far end does not hear us',
  )
  t.equal(
    told({ no_audio: false, one_way_audio: true, heard: false, heard_by_peer: true }),
    'critical audio one way only: we do not hear it',
  )
  t.equal(
    told({ received_expected: 400, received_lost: 40 }),
    'warning 10 % of 400 packets lost from the far end to here, limit 3 %',
  )
  t.equal(
    told({ received_expected: 400, received_lost: 0, reported_expected: 250, reported_lost: 25 }),
    'warning 10 % of 250 packets lost from here to the far end, as it reports, limit 3 %',
  )
  t.equal(
    told({ round_trip_expected: 400, round_trip_lost: 40 }),
    'warning 10 % of 400 packets lost there and back, limit 3 %',
  )
  t.equal(
    told({ received_expected: 400, received_lost: 14 }),
    ' ',
    '3.5 % of so few proves nothing',
  )
  t.equal(told({ received_expected: 40_000, received_lost: 1400 }).slice(0, 13), 'warning 3.5 %')
  t.end()
})

test('a number nobody calls any more is not said to be well', (t) => {
  const site = new SipSite({ 'test-call': { checks: 1 } }, SITE)
  const failed = { answered: false, outcome: 'timeout', interval_ms: 60_000 }
  t.equal(
    site.tell(site.point('sip_call', { target: 'echo' }, failed)),
    'firing test-call test call echo',
  )
  t.equal(site.wait(299), '')
  t.equal(site.wait(2), 'ended test-call test call echo')
  t.end()
})

// ---- trunks

test('a trunk is down when three checks in a row failed, on all its servers', async (t) => {
  const site = new SipSite({}, SITE)
  const check = (one: Fields, two: Fields) => {
    const said = site.tell(
      trunk(site, 'sip1.example.net', one),
      trunk(site, 'sip2.example.net', two),
    )
    site.wait(30)
    return said
  }
  t.equal(check(ALIVE, ALIVE), '')
  t.equal(check(dead(1), ALIVE), '')
  t.equal(check(dead(2), ALIVE), '')
  t.equal(check(dead(3), ALIVE), 'firing trunk-down trunk carrier-a')
  t.match(site.breach('trunk-down'), {
    severity: 'warning',
    summary:
      'no answer to 3 checks since 2026-11-23 08:00 UTC; 1 of 2 servers: sip1.example.net (no answer in 4 s)',
    labels: { trunk: 'carrier-a', owner: 'telco', site: 'hq' },
    evidence: { servers: 2, servers_down: 1 },
  })
  check(dead(4), dead(1))
  check(dead(5), dead(2))
  t.equal(check(dead(6), dead(3)), 'escalated trunk-down trunk carrier-a')
  t.equal(site.breach('trunk-down')?.severity, 'critical')
  t.equal(check(dead(7), ALIVE), '', 'one of them is still down')
  t.equal(check(ALIVE, ALIVE), 'resolved trunk-down trunk carrier-a')
})

test('a name that leads to no server is a trunk down, and up again with the first answer', async (t) => {
  const site = new SipSite()
  site.tell(trunk(site, 's1', ALIVE))
  for (const failures of [1, 2, 3]) {
    site.wait(30)
    site.tell(trunk(site, '', { ...dead(failures), reason: 'DNS: no such name' }))
  }
  t.match(site.breach('trunk-down')?.summary, /no server is known: DNS: no such name/)
  site.wait(30)
  t.equal(site.tell(trunk(site, 's1', ALIVE)), 'resolved trunk-down trunk carrier-a')
})

test('a restart in the middle of the checks, and a cut-off agent, are not taken for the trunk', async (t) => {
  const site = new SipSite()
  for (const failures of [1, 2]) {
    site.tell(trunk(site, 's1', dead(failures)))
    site.wait(30)
  }
  site.restart()
  t.equal(site.tell(trunk(site, 's1', dead(3))), 'firing trunk-down trunk carrier-a')
  const word = site.point('agent', {}, { isolated: true, interval_ms: 90_000 })
  t.equal(site.tell(word), 'ended trunk-down trunk carrier-a')
  site.wait(30)
  t.equal(site.tell(trunk(site, 's1', dead(4))), '', 'still isolated')
})

// ---- calls that cannot be set up

function traffic(site: SipSite, fields: Fields, of: Readonly<Record<string, string>> = {}) {
  return site.point('sip_traffic', { target: 'carrier-a', direction: 'to', ...of }, fields)
}

test('too many attempts the servers fail are told of by peer, when chance is ruled out', async (t) => {
  const site = new SipSite({}, SITE)
  const interval = (attempts: number, ineffective: number) => {
    const said = site.tell(
      traffic(site, {
        session_attempts: attempts,
        session_ineffective: ineffective,
        session_failed: ineffective,
      }),
    )
    return [said, site.wait(10)].filter((word) => word !== '').join('\n')
  }
  t.equal(interval(10, 5), '', 'too few to judge')
  t.equal(interval(10, 2), 'firing setup-failures calls to carrier-a', '7 of 20')
  t.match(site.breach('setup-failures'), {
    severity: 'warning',
    summary: '35 % of 20 call attempts failed for the servers (ISA) in 5 min, limit 5 %',
    labels: { trunk: 'carrier-a', owner: 'telco' },
  })
  t.equal(interval(50, 40), 'escalated setup-failures calls to carrier-a')
  let said = ''
  for (let s = 0; s < 900; s += 10) said += interval(20, 0)
  t.equal(said, 'resolved setup-failures calls to carrier-a')
})

test('chance is no alert, and neither is a stranger whose calls fail; without calls nothing is proven healed', async (t) => {
  const site = new SipSite()
  const failing = { session_attempts: 30, session_ineffective: 30, session_failed: 30 }
  t.equal(
    site.tell(traffic(site, { session_attempts: 40, session_ineffective: 3, session_failed: 3 })),
    '',
    '7.5 % of 40 may be 2 %',
  )
  t.equal(site.tell(traffic(site, failing, { target: '198.51.100.7', direction: 'from' })), '')
  t.equal(
    site.tell(traffic(site, failing, { target: 'pbx' })),
    'firing setup-failures calls to pbx',
  )
  t.equal(site.wait(310), 'ended setup-failures calls to pbx')
  t.match(site.breach('setup-failures')?.summary, /not proven healed/)
})

// ---- certificates

test('a certificate is a notice a month before, in business hours, and a warning a week before', async (t) => {
  const site = new SipSite(
    {},
    `${SITE}\nsites: { hq: { business-hours: 'mo-fr 09:30-17:00', time-zone: Europe/Amsterdam } }`,
  )
  const seen = (days: number) => {
    const said = site.tell(trunk(site, 'sip1:5061', { ...ALIVE, certificate_days: days }))
    site.wait(60)
    return said
  }
  t.equal(seen(40), '')
  t.equal(seen(20.9), '', '09:01 in Amsterdam: nobody is there yet')
  site.nowS = 1800
  t.equal(seen(20.9), 'firing certificate-expiring certificate of sip1:5061')
  t.match(site.breach('certificate-expiring'), {
    severity: 'notice',
    summary: 'expires in 20 days, limit 30 days',
    labels: { server: 'sip1:5061', owner: 'telco' },
  })
  t.equal(seen(6.5), 'escalated certificate-expiring certificate of sip1:5061')
  t.equal(seen(-1.2), 'escalated certificate-expiring certificate of sip1:5061')
  t.match(site.breach('certificate-expiring')?.summary, /^expired a day ago/)
  t.equal(seen(89), 'resolved certificate-expiring certificate of sip1:5061')
  site.nowS = 15 * 3600
  t.equal(
    seen(3),
    'firing certificate-expiring certificate of sip1:5061',
    'a warning waits for nobody',
  )
})

// ---- emergency calls

const EMERGENCY = `${SITE}
emergency:
  sites:
    hq:
      trunk: carrier-a
      account: hq-main
      caller-id: '+31201234567'
      location: Main street 1, Utrecht
      notify: [reception]
`

function states(site: SipSite): string[] {
  return site.points
    .filter(({ name }) => name === 'service')
    .map(({ fields }) => String(fields['state']))
}

test('a site is ready for an emergency call when trunk and account are known to be well', async (t) => {
  const site = new SipSite({}, EMERGENCY)
  const check = (one: Fields, two: Fields) => {
    const said = site.tell(trunk(site, 's1', one), account(site, 'hq-main', two))
    return [said, site.wait(30)].filter((word) => word !== '').join('\n')
  }
  site.wait(30)
  t.strictSame(states(site), ['unknown'], 'nothing is known: never ready for want of news')
  t.equal(check(ALIVE, WELL), '')
  t.strictSame(states(site), ['unknown', 'ready'])
  const ready = site.points.filter(({ name }) => name === 'service').at(-1)
  t.match(ready, {
    tags: { target: 'emergency-112', site: 'hq' },
    fields: {
      ready: true,
      trunk_answers: true,
      reason: 'power not judged: the site file does not draw what it needs',
    },
  })
  t.equal(ready && complaintAbout(ready), undefined)
  t.equal(check(dead(1), WELL), '')
  t.equal(states(site).at(-1), 'unknown', 'it may have been unlucky')
  t.equal(check(dead(2), WELL), 'firing emergency-readiness emergency calls from hq')
  t.equal(states(site).at(-1), 'not-ready')
  t.match(site.breach('emergency-readiness'), {
    severity: 'critical',
    summary:
      'would not be ready since 2026-11-23 08:01 UTC: trunk carrier-a: no answer in 4 s; power not judged: the site file does not draw what it needs',
    labels: { class: 'emergency', site: 'hq', trunk: 'carrier-a', owner: 'telco' },
  })
  t.equal(check(ALIVE, NOT_FOUND), 'firing registration-lost account hq-main')
  t.match(check(ALIVE, WELL), 'resolved emergency-readiness emergency calls from hq')
  t.equal(states(site).at(-1), 'ready')
})

test('without news a site is not ready but unknown, and after ten minutes somebody is told', async (t) => {
  const site = new SipSite({}, EMERGENCY)
  site.tell(trunk(site, 's1', ALIVE), account(site, 'hq-main', WELL))
  t.equal(states(site).at(-1), 'ready')
  t.equal(site.wait(600), '')
  t.equal(states(site).at(-1), 'unknown')
  t.equal(site.wait(180), 'firing emergency-readiness emergency calls from hq')
  t.match(site.breach('emergency-readiness'), {
    severity: 'warning',
    summary: /nobody knows .*no news of trunk carrier-a; no news of account hq-main/,
  })
  const apart = new SipSite({}, EMERGENCY)
  const elsewhere = apart.point(
    'sip_options',
    { target: 'carrier-a', site: 'shop', server: 's' },
    ALIVE,
  )
  apart.tell(elsewhere, account(apart, 'hq-main', WELL))
  t.equal(states(apart).at(-1), 'unknown', 'an agent of another site goes another way')
})

test('a site without caller id or location in the site file is not ready', async (t) => {
  const site = new SipSite(
    {},
    `emergency: { sites: { hq: { trunk: carrier-a, account: hq-main, location: here } } }`,
  )
  site.tell(trunk(site, 's1', ALIVE), account(site, 'hq-main', WELL))
  t.equal(states(site).at(-1), 'not-ready')
  t.equal(site.wait(10), 'firing emergency-readiness emergency calls from hq')
  t.match(site.breach('emergency-readiness'), {
    severity: 'warning',
    summary:
      /no caller id in the site file; power not judged: the site file does not draw what it needs$/,
  })
})

test('the readiness of a site outlives a restart, and a cut-off site is unknown', async (t) => {
  const site = new SipSite({}, EMERGENCY)
  site.wait(20)
  site.tell(trunk(site, 's1', ALIVE), account(site, 'hq-main', WELL))
  site.restart()
  t.equal(site.wait(1), '')
  t.equal(states(site).at(-1), 'ready')
  site.agents = []
  site.wait(200)
  t.equal(states(site).at(-1), 'unknown')
})

function call(site: SipSite, state: string, callId = 'a', more: Fields = {}): Measurement {
  return site.point(
    'sip_event',
    { kind: 'emergency-call' },
    { state, number: '112', caller: '***23', src_ip: '10.1.2.3', call_id: callId, ...more },
  )
}

test('an emergency call is told at once, to the staff of the site, once', async (t) => {
  const site = new SipSite({}, EMERGENCY)
  t.equal(site.tell(call(site, 'calling')), 'firing emergency-call emergency call from hq')
  t.match(site.breach('emergency-call'), {
    severity: 'warning',
    summary: '***23 at 10.1.2.3 calls 112 since 2026-11-23 08:00 UTC; Main street 1, Utrecht',
    labels: { class: 'emergency', notify: 'reception', site: 'hq', owner: 'ict' },
  })
  site.wait(1)
  t.equal(site.tell(call(site, 'calling', 'b'), call(site, 'answered')), '', 'its second hop')
  site.wait(60)
  t.equal(site.tell(call(site, 'ended')), '')
  t.equal(site.tell(call(site, 'ended', 'b')), 'resolved emergency-call emergency call from hq')
  t.equal(site.tell(call(site, 'ended', 'b')), '', 'said again')
})

test('an emergency call that fails is worse; the next one that gets through is not', async (t) => {
  const site = new SipSite()
  site.tell(call(site, 'calling'))
  t.equal(
    site.tell(call(site, 'failed', 'a', { status_code: 503 })),
    'escalated emergency-call emergency call from hq',
  )
  t.match(site.breach('emergency-call'), {
    severity: 'critical',
    summary: /calls 112 since .*: it failed \(503\)$/,
  })
  site.restart()
  t.equal(site.tell(call(site, 'ended')), '')
  site.wait(20)
  site.tell(call(site, 'calling', 'c'))
  site.tell(call(site, 'answered', 'c'))
  site.wait(20)
  t.equal(site.tell(call(site, 'ended', 'c')), 'resolved emergency-call emergency call from hq')
})

test('the site file may say which numbers are emergency numbers', async (t) => {
  const site = new SipSite({}, `emergency: { numbers: ['112'] }`)
  t.equal(site.tell(call(site, 'calling', 'a', { number: '110' })), '')
  t.match(site.tell(call(site, 'calling')), /firing emergency-call/)
})

// ---- configuration

test('rules can be switched off, and channels be for some rules only', async (t) => {
  const off = new SipSite({ 'registration-lost': 'off', 'trunk-down': false })
  off.tell(account(off, 'a', NOT_FOUND), trunk(off, 's1', dead(3)))
  t.equal(off.wait(30), '')
  const read = (text: string) => () => readConfig(rulesOptions, text, 'c.yaml')
  t.throws(read('trunk-down: {cheks: 4}'), {
    message: 'c.yaml:1:14: trunk-down: unknown key "cheks", did you mean "checks"?',
  })
  t.throws(read('trunk-down: never'), { message: /^c\.yaml:1:13: trunk-down: expected object/ })
  t.throws(read("toll-fraud: {business-hours: 'from nine to five'}"), {
    message: /toll-fraud\.business-hours: expected hours such as mo-fr 08:00-18:00/,
  })
  t.throws(read('toll-fraud: {time-zone: Europe/Utrecht}'), { message: /expected a time zone/ })
  const channel = (rules: string) => () =>
    readConfig(collectorConfig, `notify: [{notifier: log, rules: ${rules}}]`, 'c.yaml')
  t.doesNotThrow(channel('[fraud, emergency, trunk-down]'))
  t.throws(channel('[frauds]'), {
    message:
      'c.yaml:1:33: notify.0.rules: "frauds" is no rule, and no class of rules (fraud, emergency)',
  })
})

test('the site file complains about what is not written as it should be', async (t) => {
  const complaint = (text: string) => () => readConfig(siteFile, text, 's')
  t.throws(complaint("sites: {hq: {business-hours: 'mo-fr 18:00-08:00'}}"), {
    message: /^s:1:30: sites\.hq\.business-hours: expected hours/,
  })
  t.throws(complaint('sites: {hq: {expected-registrations: 0}}'), { message: /expected-reg/ })
  t.throws(complaint('emergency: {numbers: [112]}'), { message: /emergency\.numbers\.0/ })
  t.throws(complaint('emergency: {sites: {hq: {trnk: a}}}'), { message: /did you mean "trunk"/ })
  t.throws(complaint('networks: {a: {sip: tsl}}'), { message: /networks\.a\.sip/ })
})

test('business hours know days, zones and summer time', async (t) => {
  const hours = BusinessHours.parse('mo-fr 08:00-18:00, sa 09:00-12:30', 'Europe/Amsterdam')
  const at = (text: string) => hours?.includes(Date.parse(text) * 1000)
  t.equal(at('2026-11-23T07:00:00Z'), true, 'Monday 08:00, winter')
  t.equal(at('2026-11-23T06:59:00Z'), false)
  t.equal(at('2026-07-20T06:00:00Z'), true, 'Monday 08:00, summer')
  t.equal(at('2026-11-23T17:00:00Z'), false, '18:00 is after work')
  t.equal(at('2026-11-28T08:30:00Z'), true, 'Saturday 09:30')
  t.equal(at('2026-11-28T11:30:00Z'), false)
  t.equal(at('2026-11-29T10:00:00Z'), false, 'Sunday')
  t.equal(BusinessHours.parse('mo 25:00-26:00', 'UTC'), undefined)
  t.equal(BusinessHours.parse('mo 08:00-18:00', 'Mars'), undefined)
  const weekend = BusinessHours.parse('sa-mo 00:00-24:00', 'UTC')
  t.equal(weekend?.includes(MONDAY), true)
  t.equal(weekend?.includes(MONDAY + 24 * 3600 * S), false)
})
