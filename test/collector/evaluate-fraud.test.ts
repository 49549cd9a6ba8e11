import { test } from 'tap'
import { isToldOf, type Route } from '../../collector/notify/route.ts'
import { actionOf } from '../../collector/notify/action.ts'
import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { complaintAbout } from '../../common/measurement.ts'
import { SipSite } from '../support/sip-site.ts'

type Fields = Readonly<Record<string, FieldValue>>

const SITE = `
parties: { ict: {}, telco: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, owner: ict }
  secure: { cidr: [10.9.0.0/16], site: hq, owner: ict, sip: tls }
  carrier-a: { cidr: [203.0.113.0/24], owner: telco, sip: tls }
agents: { gw-1: { at: hq } }
`

function source(site: SipSite, ip: string, fields: Fields, agent = 'gw-1'): Measurement {
  const watched = { watched_s: 1e6, known_s: 100, outside: true, registered: false }
  return site.point('sip_source', { agent }, { ...watched, src_ip: ip, ...fields })
}

function account(site: SipSite, fields: Fields, key = '00aa11bb22cc33dd'): Measurement {
  const watched = { watched_s: 1e6, known_s: 1e5, src_ip: '10.1.2.3', user_agent: 'Phone 1.0' }
  return site.point(
    'sip_account',
    {},
    { ...watched, account: '***23@pbx.example.org', key, ...fields },
  )
}

function traffic(site: SipSite, fields: Fields, target = 'pbx', direction = 'to'): Measurement {
  return site.point('sip_traffic', { target, direction }, fields)
}

/** Interval after interval, ten seconds each. */
function intervals(
  site: SipSite,
  number: number,
  points: (index: number) => Measurement[],
): string {
  const words: string[] = []
  for (let index = 0; index < number; index++)
    words.push(site.tell(...points(index)), site.wait(10))
  return words.filter((word) => word !== '').join('\n')
}

// ---- floods

test('a busy Monday morning is no attack: 2,000 phones a minute register, behind one address or many', async (t) => {
  const site = new SipSite({}, SITE)
  /** 334 phones an interval, each challenged and then let in, one in twenty after a retransmission. */
  const morning = {
    requests: 685,
    requests_register: 685,
    responses_401: 334,
    responses_2xx: 334,
    accounts: 334,
    accounts_recent: 2000,
    peak_per_s: 140,
  }
  const said = intervals(site, 30, () => [
    source(site, '198.51.100.1', morning),
    ...Array.from({ length: 49 }, (_, n) =>
      source(site, `10.1.3.${n}`, {
        requests: 14,
        responses_401: 7,
        responses_2xx: 7,
        accounts: 7,
      }),
    ),
    traffic(site, { ...morning, retransmitted_requests: 17, session_attempts: 0 }),
  ])
  t.equal(said, '')
  t.strictSame(site.firing(), [])
})

test('a registrar that is away does not make attackers of the phones that knock', async (t) => {
  const site = new SipSite({}, SITE)
  const knocking = { requests: 900, requests_register: 900, unanswered: 900, accounts: 500 }
  const said = intervals(site, 12, () => [
    source(site, '198.51.100.1', { ...knocking, registered: true, accounts_recent: 500 }),
    traffic(site, { ...knocking, retransmitted_requests: 800 }),
  ])
  t.equal(said, '')
})

test('a REGISTER flood of one source is told of within two intervals, and what it is', async (t) => {
  const site = new SipSite({}, SITE)
  const flood = { requests: 5000, requests_register: 5000, responses_401: 5000, peak_per_s: 510 }
  t.equal(
    site.tell(source(site, '192.0.2.66', { ...flood, user_agent: 'sipp' })),
    'firing sip-flood source 192.0.2.66',
  )
  const breach = site.breach('sip-flood')
  t.match(breach, {
    severity: 'warning',
    summary: '250 requests a second lead to nothing, limit 20; 5,000 requests, 0 successes in 20 s',
    labels: { class: 'fraud', source_ip: '192.0.2.66', site: 'hq', owner: 'ict' },
    evidence: { fruitless_per_s: 250, limit_per_s: 20, suggested_block: 'source' },
  })
  t.same(breach && actionOf('firing', breach), {
    block: 'source',
    source: '192.0.2.66',
    site: 'hq',
  })
  t.equal(
    intervals(site, 6, () => [source(site, '192.0.2.66', flood)]),
    '',
  )
  t.match(site.wait(90), 'resolved sip-flood source 192.0.2.66')
})

test('a flood of many sources, each below its limit, is one flood in total', async (t) => {
  const site = new SipSite({}, SITE)
  const said = intervals(site, 3, () => [
    ...Array.from({ length: 50 }, (_, n) =>
      source(site, `192.0.2.${n}`, { requests: 20, requests_invite: 20, accounts: 1 }),
    ),
    traffic(site, { requests: 20_000, requests_invite: 20_000, unanswered: 0 }),
  ])
  t.equal(said, 'firing sip-flood flood to pbx')
  t.match(site.breach('sip-flood'), {
    severity: 'critical',
    evidence: { limit_per_s: 100, suggested_block: 'none' },
    labels: { server: 'pbx' },
  })
})

test('what is usual at a server raises its limit, slowly; a flood does not teach it to bear floods', async (t) => {
  const site = new SipSite({ 'sip-flood': { total: 100, usual: 5 } })
  const load = (perS: number) => [traffic(site, { requests: perS * 10 })]
  t.equal(
    intervals(site, 360 * 3, () => load(50)),
    '',
    'three hours of 50 a second',
  )
  t.equal(
    intervals(site, 6, () => load(200)),
    '',
    'a busy hour, four times that',
  )
  t.match(
    intervals(site, 6, () => load(300)),
    'firing sip-flood flood to pbx',
  )
  t.equal(
    intervals(site, 360 * 6, () => load(300)),
    '',
    'six hours of it',
  )
  t.strictSame(site.firing(), ['sip-flood flood to pbx'])
})

test('from the sixth source on, sources are one alert', async (t) => {
  const site = new SipSite()
  const flood = { requests: 5000, responses_401: 5000 }
  const said = site.tell(
    ...Array.from({ length: 40 }, (_, n) => source(site, `192.0.2.${n}`, flood)),
  )
  t.equal(said.split('\n').length, 6)
  t.match(said, /firing sip-flood many sources at gw-1$/)
})

// ---- scans

test('an enumeration is told of: many accounts, nearly all of them refused', async (t) => {
  const site = new SipSite({}, SITE)
  t.equal(
    site.tell(
      source(site, '192.0.2.7', {
        requests: 100,
        accounts: 100,
        accounts_recent: 100,
        responses_404: 97,
        responses_401: 3,
        scanner: 'svwar',
        user_agent: 'friendly-scanner',
      }),
    ),
    'firing sip-scan source 192.0.2.7',
  )
  t.match(site.breach('sip-scan'), {
    severity: 'warning',
    summary:
      'known scanner svwar; 100 accounts or numbers tried (limit 20), 100 refusals to 0 successes in 10 min',
    evidence: { accounts: 100, no_such: 97, suggested_block: 'source', where: 'from outside' },
  })
})

test('a slow scan is told of too: one number every half minute', async (t) => {
  const site = new SipSite()
  let said = ''
  for (let tried = 1; tried <= 60 && said === ''; tried++) {
    said = site.tell(
      source(site, '192.0.2.8', {
        requests: 2,
        accounts: 1,
        accounts_recent: tried,
        responses_404: 1,
        responses_401: 1,
      }),
    )
    said += site.wait(30)
    if (said !== '') t.equal(tried, 20)
  }
  t.equal(said, 'firing sip-scan source 192.0.2.8')
})

test('a known scanner that has tried little is a notice, and can be none', async (t) => {
  const knock = { requests: 1, accounts: 1, scanner: 'sipvicious', user_agent: 'friendly-scanner' }
  const site = new SipSite()
  t.equal(site.tell(source(site, '192.0.2.9', knock)), 'firing sip-scan source 192.0.2.9')
  t.equal(site.breach('sip-scan')?.severity, 'notice')
  const off = new SipSite({ 'sip-scan': { scanner: 'off' } })
  t.equal(off.tell(source(off, '192.0.2.9', knock)), '')
})

test('a branch that belongs here is no scanner when its registrar refuses it; one that tries numbers is', async (t) => {
  const site = new SipSite()
  const branch = { registered: true, outside: false, accounts: 300, accounts_recent: 300 }
  t.equal(site.tell(source(site, '10.2.0.1', { ...branch, requests: 600, responses_401: 600 })), '')
  t.match(
    site.tell(source(site, '10.2.0.2', { ...branch, requests: 600, responses_404: 590 })),
    /firing sip-scan source 10\.2\.0\.2/,
  )
})

// ---- passwords

test('passwords guessed for several accounts from one source are told of', async (t) => {
  const site = new SipSite()
  const wrong = (number: number, accounts: number) =>
    source(site, '192.0.2.10', {
      ...{ requests: 2 * number, accounts, accounts_recent: accounts, responses_401: 2 * number },
      wrong_credentials: number,
    })
  t.equal(
    intervals(site, 1, () => [wrong(19, 4)]),
    '',
  )
  t.equal(site.tell(wrong(1, 4)), 'firing password-guessing source 192.0.2.10')
  t.match(site.breach('password-guessing'), {
    severity: 'warning',
    summary: '20 wrong passwords in 10 min, 4 accounts tried',
  })
  site.wait(10)
  t.equal(
    site.tell(
      source(site, '192.0.2.10', { requests: 2, responses_2xx: 1, registered: true, accounts: 4 }),
    ),
    'escalated password-guessing source 192.0.2.10',
    'and then it was let in',
  )
})

test('one account guessed at from many sources is told of; a phone with a wrong password is not', async (t) => {
  const site = new SipSite()
  const phone = { requests: 2, accounts: 1, accounts_recent: 1, wrong_credentials: 1 }
  const said = intervals(site, 60, () => [
    source(site, '10.1.2.3', { ...phone, outside: false }),
    account(site, { wrong_credentials: 1, guessing_sources: 1 }),
  ])
  t.equal(said, '', 'one in ten seconds')
  t.equal(
    site.tell(account(site, { wrong_credentials: 20, guessing_sources: 9 }, 'ffee')),
    'firing password-guessing account ***23@pbx.example.org',
  )
  t.match(site.breach('password-guessing')?.summary, '20 wrong passwords in 10 min, from 9 sources')
})

// ---- accounts

test('an account that turns up in a new network and calls abroad at once may be taken over', async (t) => {
  const site = new SipSite()
  t.equal(site.tell(account(site, { new_network: true, src_ip: '192.0.2.99' })), '')
  site.wait(60)
  t.equal(
    site.tell(account(site, { calls: 1, calls_international: 1, src_ip: '192.0.2.99' })),
    'firing account-takeover account ***23@pbx.example.org',
  )
  const breach = site.breach('account-takeover')
  t.match(breach, {
    severity: 'critical',
    summary:
      'seen from a new network (192.0.2.99) since 2026-11-23 08:00 UTC; since then 1 call, 1 to premium-rate numbers or other countries',
  })
  t.same(breach && actionOf('firing', breach), {
    ...{ block: 'account', account: '***23@pbx.example.org', accountId: '00aa11bb22cc33dd' },
    ...{ source: '192.0.2.99', site: 'hq' },
  })
})

test('people move and phones are exchanged: that alone is no alert; a guessed password is', async (t) => {
  const site = new SipSite()
  t.equal(
    intervals(site, 20, () => [account(site, { new_network: true, calls: 2, calls_national: 2 })]),
    '',
    'somebody works elsewhere today',
  )
  site.wait(4000)
  const before = account(site, { calls: 3, calls_international: 3 })
  t.equal(site.tell(before), '', 'as always')
  site.wait(10)
  t.equal(
    site.tell(account(site, { new_user_agent: true })),
    'firing device-changed changed devices at hq',
  )
  t.equal(
    intervals(site, 3, () => [account(site, { calls: 1, calls_short: 1 })]),
    '',
  )
  const guessed = new SipSite()
  guessed.tell(account(guessed, { wrong_credentials: 12, guessing_sources: 1 }))
  guessed.wait(10)
  t.match(
    guessed.tell(account(guessed, { new_network: true, registration: 'registered' })),
    /firing account-takeover/,
  )
  t.match(guessed.breach('account-takeover')?.summary, /^after 12 wrong passwords seen from a new/)
})

test('premium-rate calls are told of with the fifth in an hour, at once, and what to block', async (t) => {
  const site = new SipSite({}, SITE)
  const call = () => [account(site, { calls: 1, calls_premium: 1, trunk: 'carrier-a' })]
  t.equal(intervals(site, 4, call), '')
  t.equal(site.tell(...call()), 'firing toll-fraud account ***23@pbx.example.org')
  const breach = site.breach('toll-fraud')
  t.match(breach, {
    severity: 'critical',
    summary: '5 calls to premium-rate numbers (limit 5) in 60 min',
    evidence: { premium: 5, off_hours: 'false', suggested_block: 'account' },
  })
  t.match(breach && actionOf('firing', breach), { block: 'account', trunk: 'carrier-a' })
  t.equal(breach && actionOf('resolved', breach), undefined)
})

test('a restart in the middle of the hour forgets no call', async (t) => {
  const site = new SipSite()
  intervals(site, 4, () => [account(site, { calls: 1, calls_premium: 1 })])
  site.restart()
  t.equal(
    site.tell(account(site, { calls: 1, calls_premium: 1 })),
    'firing toll-fraud account ***23@pbx.example.org',
  )
  site.restart()
  t.strictSame(site.firing(), ['toll-fraud account ***23@pbx.example.org'])
})

test('a point sent twice counts once; calls of an hour ago do not count', async (t) => {
  const site = new SipSite()
  const point = account(site, { calls: 4, calls_premium: 4 })
  site.tell(point)
  t.equal(site.tell(point), '')
  site.wait(3700)
  t.equal(site.tell(account(site, { calls: 4, calls_premium: 4 })), '')
})

test('calls told of late count, and nobody is paged for history', async (t) => {
  const site = new SipSite()
  site.nowS = 2000
  const late = site.point(
    'sip_account',
    {},
    { account: '***1@pbx', key: 'ab', calls: 9, calls_premium: 9 },
    1000,
  )
  t.equal(site.tell(late), '')
  t.match(
    site.tell(account(site, { account: '***1@pbx', calls: 1, calls_premium: 1 }, 'ab')),
    'firing toll-fraud account ***1@pbx',
  )
})

test('outside business hours less is enough', async (t) => {
  const hours = { 'business-hours': 'mo-fr 08:00-18:00', 'time-zone': 'UTC' }
  const site = new SipSite({ 'toll-fraud': hours })
  const two = () => account(site, { calls: 2, calls_premium: 2 })
  t.equal(site.tell(two()), '')
  site.nowS = 12 * 3600
  site.wait(10)
  t.equal(site.tell(two()), 'firing toll-fraud account ***23@pbx.example.org')
  t.match(site.breach('toll-fraud'), {
    summary:
      '2 calls to premium-rate numbers (limit 2) in 60 min, outside business hours (mo-fr 08:00-18:00 UTC)',
    evidence: { off_hours: 'true' },
  })
})

test('costly calls at once, their time, forwards and bait are limits of their own', async (t) => {
  const summary = (fields: Fields, number = 1): string | undefined => {
    const site = new SipSite()
    intervals(site, number, () => [account(site, fields)])
    return site.breach('toll-fraud')?.summary
  }
  t.equal(summary({ up_costly: 4 }), undefined)
  t.equal(summary({ up_costly: 5 }), '5 costly calls at once (limit 5) in 60 min')
  t.match(
    summary({ up_costly: 2 }, 360),
    /^2 h 0 min of costly calls \(limit 2 h 0 min\) in 60 min/,
  )
  t.match(summary({ forwards: 1, forwards_premium: 1 }), /^1 call forwarded to premium-rate/)
  t.match(
    summary({ forwards: 5, forwards_international: 5 }),
    /^5 calls forwarded to other countries/,
  )
  t.match(summary({ brief: 15, destinations: 15, calls: 15 }, 2), /^30 calls cut off within 10 s/)
  t.equal(summary({ brief: 30, destinations: 1, calls: 30 }), undefined, 'somebody dials again')
})

test('accounts that may are left alone, by masked name or key', async (t) => {
  for (const ignored of ['***23@pbx.example.org', '00aa11bb22cc33dd']) {
    const site = new SipSite({ 'toll-fraud': { ignore: [ignored] } })
    t.equal(site.tell(account(site, { calls: 50, calls_premium: 50 })), '')
  }
  const off = new SipSite({ 'toll-fraud': 'off' })
  t.equal(off.tell(account(off, { calls: 50, calls_premium: 50 })), '')
})

// ---- identities and devices

test('calls from outside under our own numbers are told of', async (t) => {
  const site = new SipSite()
  t.equal(
    site.tell(source(site, '192.0.2.11', { requests: 3, spoofed: 3 })),
    'firing spoofed-identity source 192.0.2.11',
  )
  t.match(
    site.breach('spoofed-identity')?.summary,
    '3 calls from outside under a number of ours (limit 3) in 10 min',
  )
  t.equal(site.tell(traffic(site, { verstat_failed: 4 }, 'carrier-a', 'from')), '')
  site.wait(10)
  t.equal(
    site.tell(traffic(site, { verstat_failed: 1, identity_mismatch: 50 }, 'carrier-a', 'from')),
    'firing spoofed-identity peer carrier-a',
  )
  t.notMatch(
    site.breach('spoofed-identity')?.summary,
    /two different names/,
    'off unless asked for',
  )
})

test('new devices are one notice, not before the tap knows the old ones', async (t) => {
  const site = new SipSite()
  const device = (key: string, more: Fields = {}) =>
    account(site, { registration: 'registered', first_seen: true, known_s: 0, ...more }, key)
  t.equal(site.tell(device('a', { watched_s: 600 })), '', 'all are new in the first hours')
  t.equal(site.tell(device('b'), device('c')), 'firing unknown-device new devices at hq')
  t.match(site.breach('unknown-device'), {
    severity: 'notice',
    summary:
      '1 account registered for the first time in 60 min, such as ***23@pbx.example.org (Phone 1.0) at 10.1.2.3',
  })
  t.match(
    site.evaluator.breaches().find(({ rule }) => rule === 'unknown-device')?.summary,
    /^2 accounts registered/,
  )
  t.match(site.wait(3700), 'resolved unknown-device new devices at hq')
})

test('a new firmware on all phones is one notice', async (t) => {
  const site = new SipSite()
  const said = site.tell(
    ...Array.from({ length: 50 }, (_, n) =>
      account(site, { new_user_agent: true, user_agent: 'Phone 2.0' }, `k${n}`),
    ),
  )
  t.equal(said, 'firing device-changed changed devices at hq')
})

test('clear SIP is a finding where the site file says TLS, and worse with credentials', async (t) => {
  const site = new SipSite({}, SITE)
  t.equal(site.tell(source(site, '10.1.2.3', { requests: 1, clear_text: 2 })), '')
  t.equal(
    site.tell(source(site, '10.9.0.4', { requests: 1, clear_text: 2 })),
    'firing clear-sip network secure',
  )
  t.match(site.breach('clear-sip'), {
    severity: 'notice',
    summary: 'clear SIP where the policy of secure says TLS, such as with 10.9.0.4',
    labels: { network: 'secure', owner: 'ict' },
  })
  t.equal(site.tell(traffic(site, { messages: 4 }, 'carrier-a')), '')
  t.equal(
    site.tell(traffic(site, { messages: 4, clear_text: 4, clear_credentials: 1 }, 'carrier-a')),
    'firing clear-sip network carrier-a',
    'a peer by the name of its network',
  )
  t.match(site.breach('clear-sip'), { severity: 'warning', labels: { owner: 'telco' } })
  t.match(site.wait(3700), /resolved clear-sip network secure/)
})

// ---- what is common to them

test('a revoked agent’s findings end, and what it had counted is forgotten', async (t) => {
  const site = new SipSite()
  site.tell(account(site, { calls: 5, calls_premium: 5 }))
  site.tell(source(site, '192.0.2.66', { requests: 9000 }))
  t.equal(site.firing().length, 2)
  site.evaluator.forgetAgent('gw-1')
  site.wait(1)
  t.strictSame(site.firing(), [])
  t.equal(site.tell(account(site, { calls: 4, calls_premium: 4 })), '')
})

test('two agents that see the same attacker do not make two of him', async (t) => {
  const site = new SipSite()
  const half = (agent: string) =>
    source(site, '192.0.2.12', { requests: 150, accounts: 10, responses_404: 12 }, agent)
  t.equal(
    intervals(site, 3, () => [half('gw-1'), half('gw-2')]),
    '',
  )
})

test('a million sources and accounts are bounded, and what is given up is counted', async (t) => {
  const site = new SipSite()
  for (let round = 0; round < 200; round++) {
    site.tell(
      ...Array.from({ length: 50 }, (_, n) =>
        source(site, `2001:db8:${round.toString(16)}:${n.toString(16)}::/64`, {
          ...{ requests: 300, accounts: 30, accounts_recent: 30, responses_404: 30 },
          ...{ wrong_credentials: 30, spoofed: 5 },
        }),
      ),
    )
    site.nowS += 1
  }
  const { evaluator } = site
  t.ok(evaluator.counters()['sip_scan_forgotten'])
  t.ok(JSON.stringify(evaluator.snapshot()).length < 40_000_000)
  t.ok(
    site.firing().length < 30,
    'attackers choose how many they are, not how many alerts there are',
  )
})

test('what these tests tell of is of the vocabulary', async (t) => {
  const site = new SipSite()
  for (const point of [
    source(site, '192.0.2.1', { requests: 1 }),
    account(site, { calls: 1, trunk: 'carrier-a' }),
    traffic(site, { requests: 1 }),
  ])
    t.equal(complaintAbout(point), undefined)
})

// ---- who is told

test('a channel can be for fraud only, and a breach can name its channel', async (t) => {
  const site = new SipSite()
  site.tell(account(site, { calls: 5, calls_premium: 5 }))
  const fraud = site.breach('toll-fraud')
  t.ok(fraud)
  if (fraud === undefined) return
  const channels = new Set(['oncall', 'fraud', 'reception'])
  const told = (route: Route, breach = fraud) => isToldOf(route, breach, channels)
  t.equal(told({ name: 'oncall' }), true)
  t.equal(told({ name: 'fraud', rules: ['fraud'] }), true, 'by class')
  t.equal(told({ name: 'fraud', rules: ['toll-fraud'] }), true, 'by rule')
  t.equal(told({ name: 'fraud', rules: ['sip-scan', 'emergency'] }), false)
  t.equal(told({ name: 'reception', rules: [] }), false, 'only what names it')
  const minor = { ...fraud, severity: 'notice' as const }
  t.equal(told({ name: 'fraud', rules: ['fraud'] }, minor), false, 'below its severity')
  t.equal(told({ name: 'fraud', rules: ['fraud'], severity: 'notice' }, minor), true)
  const named = { ...minor, labels: { ...minor.labels, notify: 'reception desk' } }
  t.equal(told({ name: 'reception', rules: [] }, named), true)
  t.equal(told({ name: 'oncall' }, named), false)
  const lost = { ...minor, labels: { ...minor.labels, notify: 'receptoin' } }
  t.equal(told({ name: 'oncall', rules: [] }, lost), true, 'a slip of the pen silences nobody')
})
