import {
  HISTORY_STEP_MS,
  HISTORY_STEPS,
  type AgentView,
  type AlertView,
  type Overview,
  type PathHistoryView,
  type PathView,
} from '../../collector/http/overview.ts'

const MINUTE_MS = 60_000

type Figure = (step: number) => number | null

/** What a collector shows that has not heard from anybody. */
export function emptyOverview(atMs: number): Overview {
  return {
    atMs,
    version: '0.1.0',
    startedMs: atMs - 3 * MINUTE_MS,
    store: { kind: 'duckdb' },
    notices: [],
    historyFromMs: (Math.floor(atMs / HISTORY_STEP_MS) - HISTORY_STEPS) * HISTORY_STEP_MS,
    paths: [],
    pathsLeftOut: 0,
    alerts: [],
    agents: [],
    power: null,
  }
}

/** A path in good order; what differs is given. */
export function pathView(atMs: number, different: Partial<PathView> = {}): PathView {
  return {
    from: 'hq',
    to: 'carrier-a',
    at: 'hq-edge',
    source: 'stream',
    bearer: 'lan',
    owner: 'Network team',
    verdict: 'ok',
    firing: false,
    lossRatio: 0.002,
    limitRatio: 0.03,
    expected: 4000,
    lostUnique: 8,
    effectiveLossRatio: 0.0031,
    jitterMs: 3.4,
    jitterLimitMs: 30,
    roundTripMs: null,
    mosLq: 4.37,
    mosScale: 'narrowband',
    mosLimit: 3.6,
    streams: 8,
    streamsOver: 0,
    sensorDrops: 0,
    lastSeenMs: atMs - 4000,
    history: history((step) => 0.001 + 0.001 * (step % 3)),
    ...different,
  }
}

/** A test stream: no MOS is rated of it, and nothing is simulated of a jitter buffer. */
export function testView(atMs: number, different: Partial<PathView> = {}): PathView {
  return pathView(atMs, {
    source: 'test',
    streams: 1,
    expected: 500,
    lostUnique: 1,
    effectiveLossRatio: null,
    mosLq: null,
    mosScale: null,
    roundTripMs: 12.4,
    history: history(
      () => 0.002,
      (step) => 1 + 0.2 * (step % 4),
      () => null,
    ),
    ...different,
  })
}

/** The last 15 minutes; what is not given is as on a path in good order. */
export function history(
  loss: Figure,
  jitterMs: Figure = (step) => 3 + 0.4 * (step % 4),
  mosLq: Figure = (step) => 4.38 - 0.01 * (step % 3),
): PathHistoryView {
  const column = (of: Figure): readonly (number | null)[] => {
    const values = Array.from({ length: HISTORY_STEPS }, (_, step) => of(step))
    return values.some((value) => value !== null) ? values : []
  }
  return { loss: column(loss), jitterMs: column(jitterMs), mosLq: column(mosLq) }
}

/** Nothing measured in 15 minutes. */
export const NO_HISTORY: PathHistoryView = { loss: [], jitterMs: [], mosLq: [] }

export function alertView(atMs: number, different: Partial<AlertView> = {}): AlertView {
  return {
    id: 'loss-hq-carrier-b-1',
    rule: 'path-loss',
    object: 'hq -> carrier-b',
    state: 'firing',
    severity: 'warning',
    summary: '8.1 % of 1,500 packets lost, limit 3 %, newest interval 8.2 % of 500',
    text: [
      '8.1 % of 1,500 packets lost, limit 3 %, newest interval 8.2 % of 500',
      'Where: hq -> carrier-b, bearer internet, by a test stream',
      'Since: 2026-11-22 03:08 UTC',
      'Owner: Carrier B',
      'To do: look for drops, errors and load on this segment, then call its owner',
    ].join('\n'),
    segment: 'hq -> carrier-b',
    owner: 'Carrier B',
    advice: 'look for drops, errors and load on this segment, then call its owner',
    explainedBy: '',
    sinceMs: atMs - 4 * MINUTE_MS,
    firedMs: atMs - 4 * MINUTE_MS + 21_000,
    closedMs: null,
    ...different,
  }
}

export function agentView(atMs: number, different: Partial<AgentView> = {}): AgentView {
  return {
    agent: 'gw-1',
    site: 'hq',
    version: '0.1.0',
    lastSeenMs: atMs - 4000,
    silent: false,
    problems: [],
    clockOffsetMs: 1.2,
    spoolPoints: 0,
    points: 182_344,
    rejected: 0,
    ...different,
  }
}

/** A night with one carrier over the limit and everything else that can stand in the tables. */
export function busyOverview(atMs: number): Overview {
  return {
    ...emptyOverview(atMs),
    startedMs: atMs - 27 * 60 * MINUTE_MS,
    notices: ['This is a demonstration: simulated phones on this machine.'],
    paths: busyPaths(atMs),
    alerts: busyAlerts(atMs),
    agents: [
      agentView(atMs),
      agentView(atMs, {
        agent: 'branch-2-gw',
        site: 'branch-2',
        problems: [
          {
            what: 'tap-blind',
            reason: 'the tap dropped 304 packets, enough to explain the loss it sees, for 2 min',
          },
          { what: 'ups-nut', reason: 'connect ECONNREFUSED 10.2.0.9:3493' },
        ],
      }),
      agentView(atMs, {
        agent: 'branch-4-gw',
        site: 'branch-4',
        lastSeenMs: atMs - 11 * MINUTE_MS,
        silent: true,
        clockOffsetMs: -75_000,
        spoolPoints: 1204,
        points: 9120,
        rejected: 3,
      }),
      agentView(atMs, {
        agent: 'telegraf',
        site: 'branch-2',
        version: '',
        clockOffsetMs: null,
        spoolPoints: null,
        points: 512,
      }),
    ],
  }
}

function busyPaths(atMs: number): readonly PathView[] {
  const toCarrierB = { to: 'carrier-b', owner: 'Carrier B', bearer: 'internet', firing: true }
  return [
    pathView(atMs, {
      to: 'carrier-b',
      effectiveLossRatio: 0.0044,
      streams: 12,
    }),
    pathView(atMs, {
      ...toCarrierB,
      at: 'carrier-b',
      source: 'report',
      verdict: 'over',
      lossRatio: 0.0794,
      expected: 5900,
      lostUnique: 468,
      effectiveLossRatio: null,
      jitterMs: 9.2,
      roundTripMs: 41,
      mosLq: null,
      mosScale: null,
      streams: 12,
      streamsOver: 11,
      history: history(
        (step) => (step < 66 ? 0.003 : 0.068 + 0.005 * (step % 5)),
        (step) => (step < 66 ? 5 : 9) + 0.3 * (step % 3),
        () => null,
      ),
    }),
    testView(atMs, {
      ...toCarrierB,
      at: 'carrier-b',
      verdict: 'over',
      lossRatio: 0.081,
      lostUnique: 41,
      jitterMs: 11.8,
      roundTripMs: 38.2,
      history: history(
        (step) => {
          if (step >= 20 && step < 29) return null
          return step < 66 ? 0.004 + 0.003 * (step % 4) : 0.07 + 0.006 * (step % 4)
        },
        (step) => (step >= 20 && step < 29 ? null : step < 66 ? 4 : 11 + 0.8 * (step % 3)),
        () => null,
      ),
    }),
    pathView(atMs, {
      from: 'branch-2',
      to: 'carrier-a',
      verdict: 'notice',
      lossRatio: 0.0091,
      expected: 10_000,
      lostUnique: 91,
      effectiveLossRatio: 0.0312,
      jitterMs: 44.6,
      mosLq: 3.31,
      streams: 20,
      streamsOver: 1,
      history: history(
        (step) => (step > 70 ? 0.009 : 0.003),
        (step) => (step > 70 ? 38 + 2 * (step % 5) : 12 + (step % 3)),
        (step) => (step > 70 ? 3.3 + 0.05 * (step % 4) : 4.1),
      ),
    }),
    pathView(atMs, {
      from: 'branch-2',
      to: 'hq',
      bearer: 'wan',
      verdict: 'tainted',
      lossRatio: 0.0304,
      expected: 10_000,
      lostUnique: 304,
      sensorDrops: 304,
      streams: 20,
      history: history((step) => (step > 80 ? 0.03 : 0.012)),
    }),
    pathView(atMs, {
      from: 'branch-3',
      to: 'hq',
      verdict: 'too-few',
      lossRatio: 0.05,
      expected: 40,
      lostUnique: 2,
      effectiveLossRatio: null,
      jitterMs: null,
      mosLq: null,
      mosScale: null,
      streams: 1,
      history: history(
        (step) => (step === 88 ? 0.05 : null),
        () => null,
        () => null,
      ),
    }),
    pathView(atMs, {
      from: 'branch-4',
      to: 'hq',
      verdict: 'silent',
      lossRatio: null,
      expected: 0,
      lostUnique: 0,
      effectiveLossRatio: null,
      jitterMs: null,
      mosLq: null,
      streams: 0,
      lastSeenMs: atMs - 11 * MINUTE_MS,
      history: history(
        (step) => (step < 24 ? 0.002 : null),
        (step) => (step < 24 ? 2.5 : null),
        (step) => (step < 24 ? 4.38 : null),
      ),
    }),
    testView(atMs, {
      from: 'hq',
      to: 'branch-2',
      at: 'branch-2',
      bearer: 'wan',
      lossRatio: 0,
      lostUnique: 0,
      history: history(
        () => 0,
        () => 1.2,
        () => null,
      ),
    }),
    pathView(atMs, { mosLq: 4.46, mosScale: 'wideband' }),
  ]
}

function busyAlerts(atMs: number): readonly AlertView[] {
  return [
    alertView(atMs),
    alertView(atMs, {
      id: 'tap-blind-branch-2',
      rule: 'tap-blind',
      object: 'tap eth1 of agent branch-2-gw',
      summary: 'the tap dropped 304 packets, enough to explain the loss it sees, for 2 min',
      text: 'the tap dropped 304 packets\nOwner: Network team',
      segment: '',
      owner: 'Network team',
      advice:
        'see whether the capture runs, has its rights and keeps up; until it does, nothing is known of the calls there',
      sinceMs: atMs - 2 * MINUTE_MS,
      firedMs: atMs - MINUTE_MS,
    }),
    alertView(atMs, {
      id: 'silent-branch-4',
      rule: 'agent-silent',
      object: 'agent branch-4-gw',
      summary: 'not heard from since 2026-11-22 03:01 UTC, limit 30 s',
      text: 'not heard from since 2026-11-22 03:01 UTC, limit 30 s\nOwner: unknown',
      segment: '',
      owner: 'Network team',
      advice: 'see whether the machine has power and network, then whether the agent runs',
      severity: 'critical',
      sinceMs: atMs - 11 * MINUTE_MS,
      firedMs: atMs - 10 * MINUTE_MS,
    }),
    alertView(atMs, {
      id: 'loss-hq-carrier-a-1',
      object: 'hq -> carrier-a',
      state: 'resolved',
      summary: 'below 2 % again for 1 min',
      segment: 'hq -> hq-edge',
      owner: 'Network team',
      advice: '',
      sinceMs: atMs - 190 * MINUTE_MS,
      firedMs: atMs - 189 * MINUTE_MS,
      closedMs: atMs - 170 * MINUTE_MS,
    }),
    alertView(atMs, {
      id: 'loss-branch-3-hq-1',
      object: 'branch-3 -> hq',
      state: 'ended',
      summary: 'the last call ended at 2026-11-21 01:12 UTC over the limit, not proven healed',
      segment: 'branch-3 -> hq-edge',
      owner: 'unknown',
      severity: 'critical',
      sinceMs: atMs - 27 * 60 * MINUTE_MS,
      firedMs: atMs - 27 * 60 * MINUTE_MS + 20_000,
      closedMs: atMs - 26 * 60 * MINUTE_MS,
    }),
  ]
}

/** A collector that has the sound of calls stop on two paths while a site is cut off: what must be read first. */
export function worstOverview(atMs: number): Overview {
  const busy = busyOverview(atMs)
  return {
    ...busy,
    notices: [],
    paths: busy.paths.map((path) =>
      path.to === 'carrier-a' && path.from === 'hq'
        ? {
            ...path,
            firing: true,
            verdict: 'silent',
            lossRatio: null,
            effectiveLossRatio: null,
            jitterMs: null,
            mosLq: null,
          }
        : path,
    ),
    alerts: [
      alertView(atMs, {
        id: 'media-stopped-1',
        rule: 'media-stopped',
        severity: 'critical',
        object: 'hq -> carrier-a and 1 more path',
        summary:
          '16 of 16 streams (all) silent since 2026-11-22 03:11 UTC: hq -> carrier-a 8 of 8 (owner ict), carrier-a -> hq 8 of 8',
        owner: 'Carrier A',
        advice:
          'the sound of calls that are up is gone: look at links, ports and the gateway of this segment at once, then call its owner',
        sinceMs: atMs - 34_000,
        firedMs: atMs - 28_000,
      }),
      alertView(atMs, {
        id: 'site-cut-off-1',
        rule: 'site-cut-off',
        severity: 'critical',
        object: 'site branch-4',
        summary:
          'power lost: none of its 2 agents heard from since 2026-11-22 03:01 UTC, limit 30 s; its UPS was on battery when it was last heard',
        segment: '',
        owner: 'unknown',
        advice:
          'call somebody at the site: is there power? then the line; what its alerts said before is unknown now',
        sinceMs: atMs - 11 * MINUTE_MS,
        firedMs: atMs - 10 * MINUTE_MS,
      }),
      ...busy.alerts,
    ],
  }
}
