import tap, { test } from 'tap'
import { Evaluator, type Change, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { messageOf } from '../../collector/notify/message.ts'
import { Site } from '../../collector/topology/site.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { complaintAbout, measurement, type Measurement } from '../../common/measurement.ts'

tap.setTimeout(60_000)

const S = 1_000_000
const MIN = 60 * S
/** 2026-11-22 03:00 UTC */
const NIGHT = 1_795_316_400 * S

interface Of {
  agent?: string
  site?: string
  from?: string
  to?: string
  at?: string
}

/** Call n has two streams: out from hq (even SSRC) and in from carrier-b (odd). */
interface StreamOf extends Of {
  call: number
  in?: boolean
  callId?: string | null
}

function endsOf(of: StreamOf) {
  const { call, agent = 'gw-1', site = 'hq', callId = `call-${call}` } = of
  const isIn = of.in === true
  const { from = isIn ? 'carrier-b' : 'hq', to = isIn ? 'hq' : 'carrier-b', at = 'hq-edge' } = of
  const hq = { ip: '10.0.0.1', port: 4000 + 2 * call }
  const carrier = { ip: '203.0.113.1', port: 20_000 + 2 * call }
  const [src, dst] = isIn ? [carrier, hq] : [hq, carrier]
  return {
    tags: { site, agent, from, to, at, bearer: 'internet', owner: isIn ? 'carrier-b' : 'ict' },
    fields: {
      ssrc: `0x${(0x1000 + 2 * call + (isIn ? 1 : 0)).toString(16).padStart(8, '0')}`,
      ...{ src_ip: src.ip, src_port: src.port, dst_ip: dst.ip, dst_port: dst.port },
      ...(callId === null ? {} : { call_id: callId }),
    },
  }
}

function both(calls: number): StreamOf[] {
  return Array.from({ length: calls }, (_, call) => [{ call }, { call, in: true }]).flat()
}

function stream(endUs: number, of: StreamOf, more: Record<string, number | boolean> = {}) {
  const { tags, fields } = endsOf(of)
  const counts = { expected: 500, received: 500, lost: 0, lost_unique: 0 }
  return measurement(
    'rtp_stream',
    endUs,
    { ...tags, codec: 'PCMA' },
    { interval_ms: 10_000, payload_type: 8, ...counts, ...fields, ...more },
  )
}

function stall(sinceUs: number, stalledS: number, of: StreamOf, isOver = false): Measurement {
  const { tags, fields } = endsOf(of)
  const times = { silent_since_ms: sinceUs / 1000, stalled_ms: stalledS * 1000, over: isOver }
  return measurement(
    'rtp_stall',
    sinceUs + stalledS * S,
    { ...tags, codec: 'PCMA', source: 'capture' },
    { ...fields, ...times },
  )
}

function beat(timeUs: number, of: Of = {}, fields: Record<string, number | boolean> = {}) {
  const { agent = 'gw-1', site = 'hq' } = of
  return measurement('agent', timeUs, { agent, site }, { interval_ms: 10_000, ...fields })
}

function make(options: unknown = {}, restored?: unknown, site?: Site): Evaluator {
  return new Evaluator(rulesOptions.parse(options), restored, site && (() => site))
}

/** A collector at night; times are seconds since 03:00. */
class Night {
  evaluator: Evaluator
  readonly changes: Change[] = []
  readonly points: Measurement[] = []
  readonly #options: unknown

  constructor(options: unknown = {}, site?: Site) {
    this.#options = options
    this.evaluator = make(options, undefined, site)
  }

  at(s: number, ...points: Measurement[]): string {
    return this.#take(this.evaluator.observe(points, NIGHT + s * S))
  }

  tick(s: number): string {
    return this.#take(this.evaluator.tick(NIGHT + s * S))
  }

  /** Every second, the agents given heard every ten. */
  wait(fromS: number, toS: number, ...agents: Of[]): string {
    const words: string[] = []
    for (let s = fromS; s <= toS; s++) {
      const beats =
        s % 10 === 0 ? agents.map((agent) => this.at(s, beat(NIGHT + s * S, agent))) : []
      words.push(...beats, this.tick(s))
    }
    return words.filter((word) => word !== '').join(' ')
  }

  /** Everything through a file, and on. */
  restart(): void {
    const text = JSON.stringify(this.evaluator.snapshot())
    this.evaluator = make(this.#options, JSON.parse(text))
  }

  breach(index = this.changes.length - 1) {
    return this.changes[index]?.breach
  }

  #take({ changes, points }: Outcome): string {
    this.changes.push(...changes)
    this.points.push(...points)
    return changes.map(({ kind, breach }) => `${kind} ${breach.rule}`).join(' ')
  }
}

/** Calls that flow for half a minute, then are cut at second 30. */
function cut(calls: number, options: unknown = {}): Night {
  const night = new Night(options)
  for (const s of [10, 20, 30]) {
    night.at(s, ...both(calls).map((of, n) => stream(NIGHT + s * S + n, of)), beat(NIGHT + s * S))
    night.tick(s)
  }
  return night
}

function say(night: Night, s: number, streams: readonly StreamOf[], since = 30): string {
  return night.at(s, ...streams.map((of) => stall(NIGHT + since * S, s - since, of)))
}

// ---- media stopped

test('20 calls falling silent at once are one page after 5 s, naming paths, streams, owner and since when', async (t) => {
  const night = cut(20)
  t.equal(say(night, 33, both(20)), '', 'not after 3 s')
  t.equal(night.tick(34), '')
  t.equal(say(night, 35, both(20)), 'firing media-stopped', 'both directions are one page')
  t.equal(night.tick(36), '')
  const breach = night.breach()
  t.match(breach, {
    object: 'carrier-b <-> hq',
    severity: 'critical',
    summary:
      '40 of 40 streams (20 calls) silent since 2026-11-22 03:00 UTC: carrier-b -> hq 20 of 20 (owner carrier-b), hq -> carrier-b 20 of 20 (owner ict)',
    sinceUs: NIGHT + 30 * S,
    firedUs: NIGHT + 35 * S,
    labels: {
      site: 'hq',
      agent: 'gw-1',
      from: 'carrier-b',
      to: 'hq',
      at: 'hq-edge',
      segment: 'carrier-b -> hq-edge',
      owner: 'carrier-b',
      bearer: 'internet',
    },
    evidence: { streams: 40, streams_silent: 40, calls: 20, paths: 2, observers: 'gw-1' },
  })
  if (breach === undefined) return
  const { title, text } = messageOf('firing', breach, 'https://k.example/#a')
  t.match(title, /^CRITICAL carrier-b <-> hq: 40 of 40 streams \(20 calls\) silent since/)
  t.match(text, /^Worst path: carrier-b -> hq 20 of 20 \(owner carrier-b\) streams$/m)
  t.match(text, /^Owner: carrier-b$/m)
  t.match(text, /^To do: the sound of calls/m)
  for (const point of night.points) t.equal(complaintAbout(point), undefined)
})

test('it resolves when the streams flow again for 20 s, and says for how long they were silent', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  t.equal(say(night, 35, both(4)), 'firing media-stopped')
  night.at(40, ...both(4).map((of) => stream(NIGHT + 40 * S, of, { expected: 0, received: 0 })))
  night.at(45, ...both(4).map((of) => stall(NIGHT + 30 * S, 14.5, of, true)))
  t.equal(night.tick(45), '', 'not because the agent says that they are back')
  const flow = (s: number) =>
    night.at(s, ...both(4).map((of) => stream(NIGHT + s * S, of)), beat(NIGHT + s * S))
  flow(50)
  t.equal(night.tick(50), '')
  flow(60)
  t.equal(night.tick(60), 'resolved media-stopped')
  t.match(night.breach()?.summary, 'media flows again after 10 s')
})

test('of an interval in which they came back only what flowed counts', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  night.at(46, ...both(4).map((of) => stall(NIGHT + 30 * S, 16, of, true)))
  const flow = (s: number, activeS: number) =>
    night.at(s, ...both(4).map((of) => stream(NIGHT + s * S, of, { active_ms: activeS * 1000 })))
  flow(50, 4)
  flow(60, 10)
  t.equal(night.tick(60), '', '14 s are not 20')
  flow(70, 10)
  t.equal(night.tick(70), 'resolved media-stopped')
  t.equal(night.breach()?.summary, 'media flows again after 16 s')
})

test('new streams on the path prove it too, but not while others of it are silent', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  const fresh = [{ call: 50 }, { call: 50, in: true }]
  const flow = (s: number) =>
    night.at(s, ...fresh.map((of) => stream(NIGHT + s * S, of)), beat(NIGHT + s * S))
  flow(50)
  flow(60)
  t.equal(night.tick(60), '', 'the old ones are still silent')
  night.at(60.5, ...both(4).map((of) => stream(NIGHT + 60 * S, of, { received: 0, ended: true })))
  flow(70)
  t.equal(night.tick(70), '')
  flow(80)
  t.equal(night.tick(80), 'resolved media-stopped')
})

test('without any calls for 5 min it has ended, which is not healed', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  t.equal(night.wait(36, 334, {}), '')
  t.equal(night.wait(335, 340, {}), 'ended media-stopped')
  t.match(night.breach()?.summary, 'no calls since 2026-11-22 03:00 UTC, not proven healed')
})

test('a path on which calls flow again is proof although the other has none', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  night.at(60, ...both(4).map((of) => stream(NIGHT + 60 * S, of, { received: 0, ended: true })))
  for (let s = 70; s < 340; s += 10) {
    const kinds = night.at(s, stream(NIGHT + s * S, { call: 60 }), beat(NIGHT + s * S))
    t.equal(kinds + night.tick(s), s < 335 ? '' : 'resolved media-stopped')
  }
  t.equal(night.tick(340), 'resolved media-stopped')
  t.match(
    night.breach()?.summary,
    /^media flows again after 30 s; no calls since on carrier-b -> hq$/,
  )
})

test('one established call silent for 5 s is a notice, and no page', async (t) => {
  const night = cut(6)
  t.equal(say(night, 33, [{ call: 2 }, { call: 2, in: true }]), '')
  t.equal(say(night, 35, [{ call: 2 }, { call: 2, in: true }]), 'firing call-stopped')
  t.match(night.breach(), {
    severity: 'notice',
    object: 'hq -> carrier-b',
    summary:
      'one call (0x00001004 10.0.0.1 -> 203.0.113.1) is silent in both directions since 2026-11-22 03:00 UTC; the other calls go on',
  })
  const back = [{ call: 2 }, { call: 2, in: true }].map((of) => stall(NIGHT + 30 * S, 9, of, true))
  t.equal(night.at(39.5, ...back), 'resolved call-stopped')
  t.equal(night.breach()?.summary, 'it sounds again, or was hung up, after 9 s')
  const dead = cut(6)
  say(dead, 35, [{ call: 2 }])
  t.equal(dead.at(60, stall(NIGHT + 30 * S, 30, { call: 2 }, true)), 'ended call-stopped')
})

test('without signalling, the two directions of a call are still one call', async (t) => {
  const night = cut(1)
  const call = [
    { call: 0, callId: null },
    { call: 0, in: true, callId: null },
  ]
  say(night, 33, call)
  t.equal(say(night, 35, call), 'firing call-stopped')
  t.equal(night.tick(40), '')
})

test('two silent streams of two calls are a page when they are all of their path, else two notices', async (t) => {
  const all = cut(2)
  const outgoing = [{ call: 0 }, { call: 1 }]
  say(all, 33, outgoing)
  t.equal(say(all, 35, outgoing), 'firing media-stopped')
  t.match(all.breach()?.summary, /^2 of 2 streams \(2 calls\)/)
  const some = cut(5)
  say(some, 33, outgoing)
  t.equal(say(some, 35, outgoing), 'firing call-stopped firing call-stopped')
})

test('three streams falling silent within 2 s are a page, at 3 s distance they are notices', async (t) => {
  const near = cut(10)
  const told = (night: Night, sinces: readonly number[]): string => {
    const words: string[] = []
    for (let s = 33; s < 45; s += 0.5) {
      const points = sinces.flatMap((since, call) =>
        [3, 5]
          .filter((stalled) => s === 30 + since + stalled)
          .map((stalled) => stall(NIGHT + (30 + since) * S, stalled, { call })),
      )
      words.push(night.at(s, ...points), night.tick(s))
    }
    return words.filter((word) => word !== '').join(' ')
  }
  t.equal(told(near, [0, 1, 2]), 'firing media-stopped')
  t.match(near.breach(), { firedUs: NIGHT + 37 * S }, 'when the third has been silent for 5 s')
  t.equal(told(cut(10), [0, 3, 6]), 'firing call-stopped firing call-stopped firing call-stopped')
})

test('what comes back before 5 s, or was hung up, is no page', async (t) => {
  const night = cut(10)
  say(night, 33, both(10))
  night.at(34.5, ...both(10).map((of) => stall(NIGHT + 30 * S, 4.4, of, true)))
  t.equal(night.wait(35, 80, {}), '', 'a conference that ended without BYE seen')
  const late = cut(10)
  say(late, 33, both(10))
  const over = both(10).slice(0, 18)
  late.at(34.5, ...over.map((of) => stall(NIGHT + 30 * S, 4.4, of, true)))
  t.equal(say(late, 35, both(10).slice(18)), 'firing call-stopped', 'one call is left')
})

test('two agents of one site that see the same cut give one page', async (t) => {
  const night = cut(5)
  const core = both(5).map((of) => ({ ...of, agent: 'gw-2', at: 'hq-core' }))
  say(night, 33, both(5))
  say(night, 33.5, core)
  t.equal(say(night, 35, both(5)), 'firing media-stopped')
  t.equal(say(night, 35.5, core), '')
  t.match(
    night.evaluator.breaches().find(({ rule }) => rule === 'media-stopped'),
    {
      summary: /10 of 10 streams \(5 calls\) .*; seen by gw-2 too/,
      evidence: { observers: 'gw-1, gw-2', streams: 10 },
    },
  )
  const branch = both(5).map((of) => ({ ...of, agent: 'b-1', site: 'branch' }))
  say(night, 34, branch)
  t.equal(say(night, 36, branch), 'firing media-stopped', 'another site is another page')
})

test('more paths of the same cut join; another path a minute later is a page of its own', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  t.equal(say(night, 35, both(4)), 'firing media-stopped')
  const third = [10, 11, 12].map((call) => ({ call, to: 'branch' }))
  t.equal(say(night, 36, third, 31), '', 'a second later')
  t.match(night.evaluator.breaches()[0]?.object, 'carrier-b <-> hq and 1 more path')
  const trunk = [20, 21, 22].map((call) => ({ call, to: 'carrier-c' }))
  say(night, 93, trunk, 90)
  t.equal(say(night, 95, trunk, 90), 'firing media-stopped')
  t.equal(night.breach()?.object, 'hq -> carrier-c')
})

test('a batch sent again, out of turn or late changes nothing', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  const over = both(4).map((of) => stall(NIGHT + 30 * S, 6, of, true))
  night.at(36, ...over)
  t.equal(say(night, 35, both(4)), '', 'the same again does not silence what came back')
  for (const s of [50, 60, 70]) night.at(s, ...both(4).map((of) => stream(NIGHT + s * S, of)))
  t.equal(night.tick(70), 'resolved media-stopped')
  t.equal(say(night, 35, both(4)), '')
  const history = new Night()
  const old = both(4).flatMap((of) => [stall(NIGHT, 3, of), stall(NIGHT, 5, of)])
  t.equal(history.at(120, ...old), '', 'two minutes old')
  t.equal(history.evaluator.counters()['media_stopped_late'], 16)
  t.equal(history.at(-120, stall(NIGHT, 5, { call: 1 })), '')
  t.equal(history.evaluator.counters()['media_stopped_from_the_future'], 1)
})

test('a restart at any moment neither loses nor repeats the page', async (t) => {
  const life: ((night: Night) => string)[] = [
    (night) => say(night, 33, both(5)),
    (night) => say(night, 35, both(5)),
    (night) => say(night, 36, [{ call: 9 }, { call: 9, in: true }]),
    (night) => night.at(38, ...both(5).map((of) => stall(NIGHT + 30 * S, 8, of, true))),
    (night) => night.at(38, stall(NIGHT + 30 * S, 8, { call: 9 }, true)),
    (night) => night.at(38, stall(NIGHT + 30 * S, 8, { call: 9, in: true }, true)),
    ...[50, 60, 70].map(
      (s) => (night: Night) =>
        night.at(s, ...both(5).map((of) => stream(NIGHT + s * S, of))) + night.tick(s),
    ),
  ]
  for (let restart = 0; restart <= life.length; restart++) {
    const night = cut(5)
    const words = life.map((step, index) => {
      if (index === restart) night.restart()
      return step(night)
    })
    t.same(
      words.filter((word) => word !== ''),
      ['firing media-stopped', 'resolved media-stopped'],
      `restart before step ${restart}`,
    )
  }
})

test('a call in which one agent alone sees everything stop says that the agent may be cut off', async (t) => {
  const night = cut(4)
  night.at(32, beat(NIGHT + 32 * S, {}, { isolated: true }))
  say(night, 33, both(4))
  t.equal(say(night, 35, both(4)), 'firing media-stopped')
  t.match(
    night.breach()?.summary,
    /; the agent sees nothing else either: it may itself be cut off$/,
  )
})

test('the limits of media-stopped can be set', async (t) => {
  const night = cut(10, { 'media-stopped': { after: '8s', streams: 8, severity: 'warning' } })
  const six = both(3)
  say(night, 33, six)
  say(night, 35, six)
  t.equal(night.tick(38.5), '', 'six of twenty are too few')
  const all = cut(10, { 'media-stopped': { after: '8s', streams: 8, severity: 'warning' } })
  say(all, 33, both(10))
  say(all, 35, both(10))
  t.equal(all.tick(38.5), '', 'agents have said it twice, and it may have come back')
  t.equal(all.tick(39), 'firing media-stopped')
})

test('silent streams are bounded', async (t) => {
  const night = new Night()
  for (let call = 0; call < 20_500; call += 500) {
    const streams = Array.from({ length: 500 }, (_, n) => ({ call: call + n }))
    night.at(33, ...streams.map((of) => stall(NIGHT + 30 * S, 3, of)))
  }
  t.equal(night.evaluator.counters()['media_stopped_evicted_streams'], 500)
})

// ---- agents and sites

const A = { agent: 'a' }
const B = { agent: 'b' }
const FAR = { agent: 'far', site: 'branch' }

test('all agents of a site silent for 30 s are one page, and none for each', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, A))
  night.at(0, beat(NIGHT, FAR))
  night.at(8, beat(NIGHT + 8 * S, B))
  t.equal(night.wait(9, 38, FAR), '', 'a is due at 30 s, but b may be gone as well')
  t.equal(night.wait(39, 60, FAR), 'firing site-cut-off')
  t.match(night.breach(), {
    object: 'site hq',
    severity: 'critical',
    summary:
      'unknown: none of its 2 agents heard from since 2026-11-22 03:00 UTC, limit 30 s; other sites are heard: its power, its line, or the machine of its agent',
    sinceUs: NIGHT + 8 * S,
    labels: { site: 'hq' },
    evidence: { cause: 'unknown', agents: 2, silent_agents: 'a, b', silent_sites: 'hq' },
  })
  night.restart()
  t.equal(night.wait(61, 300, FAR), '')
  t.equal(night.at(301, beat(NIGHT + 301 * S, B)), 'resolved site-cut-off')
  t.equal(night.wait(302, 385, FAR, B), '', 'a gets the time to come back')
  t.equal(night.wait(386, 420, FAR, B), 'firing agent-silent')
  t.equal(night.breach()?.object, 'agent a')
})

test('one agent of several is missed by itself', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, A))
  night.at(0, beat(NIGHT, B))
  t.equal(night.wait(1, 35, B), 'firing agent-silent')
  t.match(night.breach(), { object: 'agent a', labels: { agent: 'a', site: 'hq' } })
  t.equal(night.wait(36, 90), 'firing site-cut-off', 'until the other is gone too')
})

test('a site with a single agent counts, and is worded so', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, A))
  night.at(0, beat(NIGHT, FAR))
  t.equal(night.wait(1, 60, FAR), 'firing site-cut-off')
  t.match(night.breach()?.summary, /its only agent \(a\) not heard from since/)
  t.match(night.breach()?.labels, { agent: 'a' })
})

function supply(timeUs: number, fields: Record<string, number | string | boolean>, of: Of = A) {
  const { agent = 'a', site = 'hq' } = of
  return measurement('ups', timeUs, { agent, site, target: 'ups-1' }, fields)
}

test('the cause is what the power said just before', async (t) => {
  const cause = (...points: Measurement[]): string => {
    const night = new Night()
    night.at(0, beat(NIGHT, A), ...points)
    night.at(0, beat(NIGHT, FAR))
    night.wait(1, 40, FAR)
    return String(night.breach()?.summary)
  }
  t.match(
    cause(supply(NIGHT - S, { line: 'battery', charge_ratio: 0.12 })),
    /^power lost: .*last heard: ups-1 was on battery, 12 % charge left$/,
  )
  t.match(cause(supply(NIGHT - S, { line: 'online', low_battery: true })), /^power lost/)
  t.match(
    cause(supply(NIGHT - S, { line: 'online', charge_ratio: 1 })),
    /^network cut or agent crashed: .*; its power supplies were on mains just before, it said no farewell, and other sites are heard$/,
  )
  t.match(cause(supply(NIGHT - S, { line: 'battery', comms_lost: true })), /^unknown/)
  t.match(cause(supply(NIGHT - 10 * MIN, { line: 'battery' })), /^unknown/, 'long before')
  t.match(
    cause(
      supply(NIGHT - 2 * S, { line: 'battery' }),
      supply(NIGHT - S, { line: 'online' }),
      supply(NIGHT - 3 * S, { line: 'battery' }),
    ),
    /^network cut/,
    'the newest word counts',
  )
  t.match(
    cause(
      measurement(
        'power_supply',
        NIGHT,
        { agent: 'a', site: 'hq', target: 'mains' },
        { kind: 'mains', online: false },
      ),
    ),
    /^power lost: .*mains was on battery/,
  )
  t.match(cause(supply(NIGHT, { line: 'battery' }, FAR)), /^unknown/, 'of another site')
  const own = (target: string, fields: Parameters<typeof measurement<'power_supply'>>[3]) =>
    measurement('power_supply', NIGHT, { agent: 'a', site: 'hq', target }, fields)
  const out = own('ADP1', { kind: 'mains', online: false })
  t.match(
    cause(out, own('ADP2', { kind: 'mains', online: true })),
    /^network cut/,
    'one of two adapters is enough',
  )
  t.match(
    cause(out, own('BAT0', { kind: 'battery', status: 'charging', charge_ratio: 0.7 })),
    /^network cut/,
    'fed by USB: its adapter is out, its battery charges',
  )
  t.match(
    cause(out, own('BAT0', { kind: 'battery', status: 'discharging', charge_ratio: 0.7 })),
    /^power lost: .*BAT0 was on battery, 70 % charge left/,
  )
  t.match(
    cause(
      own('BAT0', { kind: 'battery', status: 'discharging' }),
      own('BAT1', { kind: 'battery', status: 'full' }),
    ),
    /^power lost: .*BAT0 was on battery/,
    'without an adapter of its own, and a second battery in waiting',
  )
  t.match(
    cause(
      out,
      own('BAT0', { kind: 'battery', status: 'full' }),
      supply(NIGHT, { line: 'battery' }),
    ),
    /^power lost: .*ups-1 was on battery/,
    'what a UPS says is of the site',
  )
})

test('what comes first after a cut tells what it was', async (t) => {
  const back = (...points: Measurement[]): string => {
    const night = new Night()
    night.at(0, beat(NIGHT, A))
    night.at(0, beat(NIGHT, FAR))
    night.wait(1, 199, FAR)
    night.at(200, ...points)
    return String(night.breach()?.summary)
  }
  const now = NIGHT + 200 * S
  t.equal(
    back(beat(NIGHT + 10 * S, A), beat(NIGHT + 100 * S, A)),
    'heard again (agent a) after 3 min; a measured all along: the network was cut, the power was not',
  )
  t.equal(
    back(beat(now, A, { uptime_s: 12 })),
    'heard again (agent a) after 3 min; a was started anew: it had been without power, or stopped',
  )
  t.equal(back(beat(now, A, { uptime_s: 5000 })), 'heard again (agent a) after 3 min')
  t.equal(
    back(beat(now, A, { uptime_s: 12, machine_uptime_s: 50 })),
    'heard again (agent a) after 3 min; the machine of a was started anew: it had been without power, or shut down',
  )
  t.equal(
    back(beat(now, A, { uptime_s: 12, machine_uptime_s: 9999 })),
    'heard again (agent a) after 3 min; a was started anew and its machine was not: the agent had crashed, or was stopped',
  )
  t.equal(
    back(farewell(3, { cause: 'low-battery', power: 'ups-1', charge_ratio: 0.05 })),
    'heard again (agent a) after 3 min; its farewell came late: ups-1 was on low battery, 5 % charge left',
  )
})

function farewell(s: number, fields: Record<string, number | string>, of: Of = A): Measurement {
  const { agent = 'a', site = 'hq' } = of
  return measurement('farewell', NIGHT + s * S, { agent, site }, fields)
}

test('a farewell tells power lost, machine shut down, agent stopped and network cut apart', async (t) => {
  const cause = (said: Measurement[], agents: Of[] = [A], ...before: Measurement[]): string => {
    const night = new Night()
    for (const agent of agents) night.at(0, beat(NIGHT, agent), ...before)
    night.at(0, beat(NIGHT, FAR))
    if (said.length > 0) night.at(1, ...said)
    night.restart()
    night.wait(2, 60, FAR)
    t.equal(night.changes.length, 1)
    const { summary = '', evidence } = night.breach() ?? {}
    t.ok(summary.startsWith(`${String(evidence?.['cause'])}: `))
    return summary
  }
  const onMains = supply(NIGHT, { line: 'online' })
  t.match(
    cause([farewell(1, { cause: 'low-battery', power: 'ups-1', charge_ratio: 0.08 })]),
    /^power lost: .*; a said farewell: ups-1 was on low battery, 8 % charge left$/,
  )
  t.match(
    cause([farewell(1, { cause: 'on-battery', power: 'mains' })], [A], onMains),
    /^power lost: .*a said farewell: mains was on battery$/,
    'newer than the last reading',
  )
  t.match(
    cause([farewell(1, { cause: 'shutdown', power: 'ups-1' })]),
    /^power lost: .*ups-1 was on battery, and its machine was shut down$/,
  )
  t.match(
    cause([farewell(1, { cause: 'shutdown' })], [A], onMains),
    /^shut down: .*a said farewell: its machine was shut down$/,
  )
  t.match(
    cause([farewell(1, { cause: 'stop' })]),
    /^agent stopped: .*a said farewell: it was stopped, its machine was not$/,
  )
  t.match(cause([farewell(1, { cause: 'failure' })]), /^agent crashed: .*by an error of its own$/)
  t.match(cause([farewell(1, { cause: 'unknown' })]), /^agent stopped: .*it was told to end$/)
  const stop = { cause: 'stop' }
  t.match(
    cause([farewell(1, stop)], [A, B], onMains),
    /^network cut: .*were on mains just before, and other sites/,
    'one of two said it: the other was cut off',
  )
  t.match(
    cause([farewell(1, stop), farewell(1, { cause: 'shutdown' }, B)], [A, B]),
    /^agent stopped: .*, and so did the others \(1\)$/,
  )
  t.match(
    cause([farewell(1, { cause: 'on-battery', power: 'ups-1' }, B)], [A, B]),
    /^power lost: .*b said farewell/,
    'of the power one knows for all',
  )
})

test('a collector that is told only farewells misses nobody', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, FAR))
  for (const [s, cause] of [
    [5, 'on-battery'],
    [25, 'low-battery'],
    [45, 'shutdown'],
  ] as const) {
    night.at(s, farewell(s, { cause, power: 'ups-1' }))
    night.wait(s + 1, s + 19, FAR)
  }
  night.wait(65, 400, FAR)
  t.same(night.changes, [])
})

test('a farewell that is old, or was taken back, explains nothing', async (t) => {
  const cause = (...said: (readonly [s: number, point: Measurement])[]): string => {
    const night = new Night()
    night.at(0, beat(NIGHT, A))
    night.at(0, beat(NIGHT, FAR))
    let last = 0
    for (const [s, point] of said) {
      night.wait(last + 1, s - 1, FAR, A)
      night.at(s, point)
      last = s
    }
    night.wait(last + 1, last + 60, FAR)
    return String(night.breach()?.summary)
  }
  const battery = { cause: 'on-battery', power: 'ups-1' }
  t.match(cause([5, farewell(5, battery)]), /^power lost/)
  t.match(cause([5, farewell(-700, battery)]), /^unknown/, 'from a spool, long ago')
  t.match(
    cause([5, farewell(5, battery)], [8, supply(NIGHT + 8 * S, { line: 'online' })]),
    /^network cut or agent crashed/,
    'the mains came back',
  )
  t.match(
    cause([5, farewell(5, battery)], [8, supply(NIGHT + 2 * S, { line: 'online' })]),
    /^power lost/,
    'an older reading takes nothing back',
  )
  t.match(
    cause([5, farewell(5, { cause: 'stop' })], [30, beat(NIGHT + 30 * S, A)]),
    /^unknown/,
    'it was started again',
  )
  t.match(
    cause([5, farewell(5, { cause: 'stop' })], [9, beat(NIGHT + 9 * S, A)]),
    /^agent stopped/,
    'what it still measured while it ended',
  )
  t.match(
    cause([5, farewell(5, { cause: 'low-battery', power: 'ups-1' })], [6, farewell(4, { cause: 'stop' })]),
    /^power lost/,
    'out of turn',
  ) // prettier-ignore
  t.match(cause([5, farewell(5, { cause: 'bored' })]), /^unknown/, 'no cause there is')
})

test('an agent missed among others is worded by its farewell', async (t) => {
  const missed = (...said: Measurement[]) => {
    const night = new Night()
    night.at(0, beat(NIGHT, A))
    night.at(0, beat(NIGHT, B), ...said)
    t.equal(night.wait(1, 45, B), 'firing agent-silent')
    return night.breach()
  }
  t.match(missed(), {
    summary: /; without a farewell: it crashed, its machine did, or its own line is cut$/,
    evidence: { farewell: 'none' },
  })
  t.match(missed(farewell(0, { cause: 'stop' })), {
    summary: /; it said farewell: it was stopped, its machine was not$/,
    evidence: { farewell: 'stop' },
  })
  t.match(missed(farewell(0, { cause: 'failure' })), { summary: /by an error of its own$/ })
})

test('when nobody is heard any more the collector suspects itself, once', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, A))
  night.at(3, beat(NIGHT, FAR))
  night.at(9, beat(NIGHT, { agent: 'third', site: 'depot' }))
  t.equal(night.wait(10, 60), 'firing site-cut-off')
  t.match(night.breach(), {
    object: 'all 3 sites',
    summary:
      /^unknown: none of their 3 agents heard .* perhaps it is this collector that is cut off/,
    evidence: { silent_sites: 'hq, branch, depot' },
  })
  t.equal(night.at(100, beat(NIGHT, FAR)), 'resolved site-cut-off')
  t.equal(night.wait(101, 180, FAR), '', 'the others get the time to come back')
  t.equal(
    night.wait(181, 230, FAR),
    'firing site-cut-off firing site-cut-off',
    'and are missed if they do not',
  )
  const alone = new Night()
  alone.at(0, beat(NIGHT, A))
  t.equal(alone.wait(1, 60), 'firing site-cut-off')
  t.match(alone.breach()?.summary, /no other site is heard: .*perhaps it is this collector/)
})

test('what was open at a site that is cut off becomes unknown, neither up nor down', async (t) => {
  const night = cut(4)
  night.at(30, beat(NIGHT, FAR))
  say(night, 33, both(4))
  t.equal(say(night, 35, both(4)), 'firing media-stopped')
  night.at(35, beat(NIGHT + 35 * S, {}, { isolated: true }))
  const words = night.wait(36, 80, FAR).split(' ended ')
  t.equal(words[0], 'firing site-cut-off')
  t.same(words.slice(1).sort(), ['agent-isolated', 'media-stopped'])
  t.match(
    night.changes.find(({ kind, breach }) => kind === 'ended' && breach.rule === 'media-stopped')
      ?.breach.summary,
    'its site was cut off: unknown, not proven healed',
  )
})

test('a site whose agents are all revoked is not missed', async (t) => {
  const night = new Night()
  night.at(0, beat(NIGHT, A))
  night.at(0, beat(NIGHT, FAR))
  night.wait(1, 60, FAR)
  night.evaluator.forgetAgent('a')
  t.equal(night.tick(61), 'ended site-cut-off')
  t.equal(night.wait(62, 200, FAR), '')
})

// ---- isolated agents

function unanswered(s: number, isAnswered = false): Measurement {
  return measurement(
    'rtp_test',
    NIGHT + s * S,
    {
      ...{ site: 'hq', agent: 'a', from: 'hq', to: 'branch', at: 'branch' },
      ...{ target: 'far', direction: 'forward' },
    },
    { interval_ms: 10_000, sent: 500, answered: isAnswered },
  )
}

test('an agent that sees nothing is a notice, and what it misses is no alert', async (t) => {
  const night = new Night()
  t.equal(night.at(10, unanswered(10), beat(NIGHT + 10 * S, A)), '')
  t.equal(night.at(19, beat(NIGHT + 19 * S, A, { isolated: true })), 'firing agent-isolated')
  t.match(night.breach(), {
    object: 'agent a',
    severity: 'notice',
    summary: /^sees nothing since 2026-11-22 03:00 UTC: .*it may itself be cut off/,
    labels: { agent: 'a', site: 'hq' },
  })
  for (let s = 20; s < 100; s += 10)
    t.equal(night.at(s, unanswered(s), beat(NIGHT + s * S, A, { isolated: true })), '')
  night.restart()
  t.equal(night.at(100, unanswered(100), beat(NIGHT + 99 * S, A)), '')
  t.equal(
    night.at(110, unanswered(110, true), beat(NIGHT + 110 * S, A, { isolated: false })),
    'resolved agent-isolated',
  )
  night.at(120, unanswered(120))
  t.equal(night.at(130, unanswered(130)), 'firing test-unanswered', 'from then on it is believed')
})

test('an alert on a test that turns out to be an isolated agent’s is ended as unknown', async (t) => {
  const night = new Night()
  night.at(10, unanswered(10))
  t.equal(night.at(20, unanswered(20)), 'firing test-unanswered')
  night.at(21, beat(NIGHT + 21 * S, A, { isolated: true }))
  t.equal(night.tick(22), 'ended test-unanswered')
  t.equal(night.breach()?.summary, 'the agent may itself be cut off: unknown')
})

test('an isolation told afterwards is history: no notice, and the verdicts of that time stay unknown', async (t) => {
  const night = new Night()
  const told: Measurement[] = []
  for (let s = 10; s <= 300; s += 10)
    told.push(unanswered(s), beat(NIGHT + s * S, A, { isolated: s >= 10 && s < 300 }))
  t.notMatch(night.at(301, ...told), /test-unanswered/)
  t.equal(night.tick(302), '')
})

// ---- taps

function tapPoint(s: number, fields: Record<string, number | string>): Measurement {
  return measurement(
    'agent',
    NIGHT + s * S,
    { agent: 'gw-1', site: 'hq', target: 'rtp-capture' },
    { interval_ms: 10_000, ...fields },
  )
}

const OWNERS = new Site(
  siteFile.parse({
    parties: { ict: {}, facilities: {} },
    networks: { 'hq-edge': { cidr: ['10.0.0.0/24'], site: 'hq', owner: 'ict' } },
    agents: { 'gw-1': { at: 'hq-edge' }, 'gw-2': { 'runs-on': 'host-2' } },
    components: { 'host-2': { kind: 'server', owner: 'facilities' } },
  }),
)

/** 20 streams that lose 8 % of 500 each, of which the tap dropped so many itself. */
function lossy(s: number, drops: number): Measurement[] {
  const streams = Array.from({ length: 20 }, (_, call) =>
    stream(NIGHT + s * S + call, { call }, { lost_unique: 40, sensor_drops: drops }),
  )
  return [...streams, tapPoint(s, { sensor_drops: drops })]
}

test('a tap whose own drops could be the loss it sees is blind after 60 s, and its owner is told', async (t) => {
  const night = new Night({}, OWNERS)
  for (let s = 10; s < 60; s += 10) t.equal(night.at(s, ...lossy(s, 700)), '')
  t.equal(night.at(60, ...lossy(60, 700)), 'firing tap-blind')
  t.match(night.breach(), {
    object: 'tap rtp-capture of gw-1',
    severity: 'warning',
    summary:
      'blind since 2026-11-22 03:00 UTC: it dropped 700 packets itself, enough to explain the loss on a path; no path is accused from it',
    labels: { owner: 'ict', site: 'hq', agent: 'gw-1' },
    sinceUs: NIGHT,
  })
  night.restart()
  for (let s = 70; s < 120; s += 10) t.notMatch(night.at(s, ...lossy(s, 0)), /tap-blind/)
  t.match(night.at(120, ...lossy(120, 0)), 'resolved tap-blind')
  t.equal(night.breach()?.summary, 'it sees again, after 60 s')
})

test('drops that change no verdict make no tap blind', async (t) => {
  const night = new Night()
  for (let s = 10; s < 200; s += 10) t.notMatch(night.at(s, ...lossy(s, 20)), /tap-blind/)
  const clean = new Night()
  for (let s = 10; s < 200; s += 10)
    t.equal(
      clean.at(
        s,
        stream(NIGHT + s * S, { call: 1 }, { sensor_drops: 900 }),
        tapPoint(s, { sensor_drops: 900 }),
      ),
      '',
    )
})

test('one clean interval begins the 60 s anew', async (t) => {
  const night = new Night()
  for (let s = 10; s < 200; s += 10)
    t.notMatch(
      night.at(s, ...lossy(s, s === 60 || s === 120 ? 0 : 700)),
      s === 180 ? /^$/ : /tap-blind/,
    )
  t.equal(night.breach()?.rule, 'tap-blind')
})

test('a tap that captures nothing is blind, with the reason, and sees again when it runs', async (t) => {
  const night = new Night({}, OWNERS)
  const failed = { runs: 1, failures: 1, reason: 'the tap is down: tcpdump ended' }
  for (let s = 10; s < 60; s += 10) t.equal(night.at(s, tapPoint(s, failed)), '')
  t.equal(night.at(60, tapPoint(60, failed)), 'firing tap-blind')
  t.match(
    night.breach()?.summary,
    'captures nothing since 2026-11-22 03:00 UTC: the tap is down: tcpdump ended',
  )
  for (let s = 70; s < 120; s += 10)
    t.equal(
      night.at(s, tapPoint(s - 1, { sensor_drops: 0 }), tapPoint(s, { runs: 1, failures: 0 })),
      '',
    )
  t.match(night.at(120, tapPoint(120, { runs: 1, failures: 0 })), 'resolved tap-blind')
  const restarting = new Night()
  for (let s = 10; s < 200; s += 10)
    t.equal(
      restarting.at(s, tapPoint(s, { runs: 2, failures: 1, reason: 'x' })),
      '',
      'a run that failed among others',
    )
  const unopened = new Night()
  for (let s = 10; s < 60; s += 10)
    unopened.at(s, tapPoint(s, { runs: 0, failures: 1, reason: 'no rights' }))
  t.equal(
    unopened.at(60, tapPoint(60, { runs: 0, failures: 1, reason: 'no rights' })),
    'firing tap-blind',
  )
  t.equal(unopened.wait(61, 400, {}), 'ended tap-blind', 'of a tap taken out of the configuration')
})

test('of two taps of one agent each has its own trouble', async (t) => {
  const night = new Night()
  const both = (s: number) =>
    ['eth0', 'eth1'].flatMap((tap) =>
      (tap === 'eth0' ? lossy(s, 700) : [tapPoint(s, { sensor_drops: 0 })]).map((point) => ({
        ...point,
        fields: { ...point.fields, tap },
      })),
    )
  for (let s = 10; s < 60; s += 10) t.equal(night.at(s, ...both(s)), '')
  t.equal(night.at(60, ...both(60)), 'firing tap-blind')
  t.equal(night.breach()?.object, 'tap eth0 of gw-1')
})

test('the owner of a tap is that of its machine, else of our network it is in', async (t) => {
  t.equal(OWNERS.ownerOfAgent({ agent: 'gw-1', site: 'hq' }), 'ict')
  t.equal(OWNERS.ownerOfAgent({ agent: 'gw-2', site: 'hq' }), 'facilities')
  t.equal(OWNERS.ownerOfAgent({ agent: 'gw-1', site: 'branch' }), 'unknown')
  t.equal(OWNERS.ownerOfAgent({ agent: 'constructor', site: 'hq' }), 'unknown')
})

test('a snapshot that somebody damaged does no harm', async (t) => {
  const night = cut(4)
  say(night, 33, both(4))
  say(night, 35, both(4))
  night.at(36, beat(NIGHT, FAR), beat(NIGHT, FAR, { isolated: true }))
  const text = JSON.stringify(night.evaluator.snapshot())
  for (let cutAt = 0; cutAt < 60; cutAt++) {
    let seen = 0
    const broken = text.replace(/"(\w+)":/g, (whole) => (seen++ % 60 === cutAt ? '"x":' : whole))
    t.doesNotThrow(() => make({}, JSON.parse(broken)).tick(NIGHT + MIN), `without member ${cutAt}`)
  }
})
