import type { AgentView, AlertView, Overview, PathView } from '../../collector/http/overview.ts'

const STEP_MS = 10_000
const STEPS = 90
const MINUTE_MS = 60_000

/** What a collector shows that has not heard from anybody. */
export function emptyOverview(atMs: number): Overview {
  return {
    atMs,
    version: '0.1.0',
    startedMs: atMs - 3 * MINUTE_MS,
    store: { kind: 'duckdb' },
    notices: [],
    paths: [],
    pathsLeftOut: 0,
    alerts: [],
    agents: [],
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
    jitterMs: 3.4,
    roundTripMs: null,
    mosLq: null,
    streams: 8,
    lastSeenMs: atMs - 4000,
    history: history(atMs, (step) => 0.001 + 0.001 * (step % 3)),
    ...different,
  }
}

/** Fifteen minutes in steps of 10 s. */
export function history(
  atMs: number,
  loss: (step: number) => number | null,
): readonly (readonly [number, number | null])[] {
  const last = Math.floor(atMs / STEP_MS)
  return Array.from({ length: STEPS }, (_, step) => [
    (last - STEPS + 1 + step) * STEP_MS,
    loss(step),
  ])
}

export function alertView(atMs: number, different: Partial<AlertView> = {}): AlertView {
  return {
    id: 'loss-hq-carrier-b-1',
    rule: 'loss',
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
    paths: [
      pathView(atMs, {
        to: 'carrier-b',
        at: 'carrier-b',
        bearer: 'internet',
        owner: 'Carrier B',
        source: 'test',
        verdict: 'over',
        firing: true,
        lossRatio: 0.081,
        expected: 500,
        lostUnique: 41,
        jitterMs: 11.8,
        roundTripMs: 38.2,
        streams: 1,
        history: history(atMs, (step) => {
          if (step >= 20 && step < 29) return null
          return step < 66 ? 0.004 + 0.003 * (step % 4) : 0.07 + 0.006 * (step % 4)
        }),
      }),
      pathView(atMs, {
        from: 'branch-2',
        to: 'hq',
        at: 'hq-edge',
        bearer: 'wan',
        verdict: 'tainted',
        lossRatio: 0.0304,
        expected: 10_000,
        lostUnique: 304,
        streams: 20,
        history: history(atMs, (step) => (step > 80 ? 0.03 : 0.012)),
      }),
      pathView(atMs, {
        from: 'branch-2',
        to: 'carrier-a',
        verdict: 'notice',
        lossRatio: 0.0091,
        expected: 10_000,
        lostUnique: 91,
        streams: 20,
      }),
      pathView(atMs),
      pathView(atMs, {
        from: 'hq',
        to: 'branch-2',
        at: 'branch-2',
        bearer: 'wan',
        source: 'test',
        lossRatio: 0,
        lostUnique: 0,
        roundTripMs: 12.4,
        streams: 1,
        history: history(atMs, () => 0),
      }),
      pathView(atMs, {
        from: 'branch-3',
        to: 'hq',
        verdict: 'too-few',
        lossRatio: 0.05,
        expected: 40,
        lostUnique: 2,
        jitterMs: null,
        streams: 1,
        history: history(atMs, (step) => (step === 88 ? 0.05 : null)),
      }),
      pathView(atMs, {
        from: 'branch-4',
        to: 'hq',
        verdict: 'silent',
        lossRatio: null,
        expected: 0,
        lostUnique: 0,
        jitterMs: null,
        streams: 0,
        lastSeenMs: atMs - 11 * MINUTE_MS,
        history: history(atMs, (step) => (step < 24 ? 0.002 : null)),
      }),
    ],
    alerts: [
      alertView(atMs),
      alertView(atMs, {
        id: 'silent-branch-4',
        rule: 'agent-silent',
        object: 'branch-4-gw',
        summary: 'not heard from since 2026-11-22 03:01 UTC, limit 30 s',
        text: 'not heard from since 2026-11-22 03:01 UTC, limit 30 s\nOwner: unknown',
        segment: 'unknown',
        owner: 'Network team',
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
    ],
    agents: [
      agentView(atMs),
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
