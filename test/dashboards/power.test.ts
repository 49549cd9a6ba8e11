import { readdir } from 'node:fs/promises'
import { test } from 'tap'
import { RULES } from '../../collector/evaluate/index.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { powerDashboard } from '../../dashboards/power.ts'
import {
  byTags,
  committedBoard,
  committedJson,
  drawnBy,
  everyTenSeconds,
  offeredBy,
  sixTimes,
  START_MS,
  storedHour,
} from '../support/board-hour.ts'
import { lintBoard } from '../support/dashboard-lint.ts'
import { checkBoard, panelsOf } from '../support/dashboard-schema.ts'
import { influxdMissing } from '../support/influxd.ts'

const FILE = 'power.json'
const UID = 'kiestoon-influxdb'
const POWER_RULES = new URL('../../collector/evaluate/power/', import.meta.url)

test('the committed board is what its generator makes', async (t) => {
  const made: unknown = JSON.parse(JSON.stringify(powerDashboard()))
  t.same(await committedJson(FILE), made, 'else: npm run dashboards')
  t.same(checkBoard(made).errors, [])
})

test('the board keeps the rules of the house', async (t) => {
  const board = await committedBoard(FILE)
  t.equal(board.uid, 'kiestoon-power', 'links to the board stay good')
  t.same(lintBoard(board, UID), [])
  const quality = await committedBoard('quality.json')
  t.not(board.title, quality.title)
  t.ok(
    quality.links.some(({ tags }) => tags.some((tag) => board.tags.includes(tag))),
    'the boards link to each other',
  )

  const faults: readonly (readonly [from: string, to: string, complaint: string])[] = [
    [
      '"text":"unknown","color":"purple","index":4',
      '"text":"unknown","color":"green","index":4',
      'UPSes: what feeds the load: unknown has no look of its own',
    ],
    ['"mappings":', '"maps":', 'Calling services: states without words'],
    ['"keepTime":true', '"keepTime":false', 'no link to the other boards'],
    [
      'min(\\"charge_ratio\\")',
      'mean(\\"charge_ratio\\")',
      'Battery charge: averages charge_ratio',
    ],
  ]
  for (const [from, to, complaint] of faults) {
    const read = checkBoard(JSON.parse(JSON.stringify(board).replaceAll(from, to))).board
    t.ok(read && lintBoard(read, UID).includes(complaint), `it would say: ${complaint}`)
  }
})

async function rulesDefinedIn(folder: URL): Promise<readonly string[]> {
  const defined = new Set<unknown>()
  for (const file of await readdir(folder)) {
    const module: unknown = await import(new URL(file, folder).href)
    if (typeof module !== 'object' || module === null) continue
    const exported: readonly unknown[] = Object.values(module)
    for (const value of exported) defined.add(value)
  }
  return RULES.filter((rule) => defined.has(rule)).map(({ name }) => name)
}

test('events of every rule about power stand on the time axis, and of no other', async (t) => {
  const board = await committedBoard(FILE)
  const query = board.annotations.list[0]?.target.query ?? ''
  const [, pattern = ''] = /"rule" =~ \/(.*)\//.exec(query) ?? []
  const about = new RegExp(pattern)
  for (const name of await rulesDefinedIn(POWER_RULES)) t.match(name, about)
  const others = RULES.map(({ name }) => name).filter((name) =>
    /^(?:path|media|sip|toll)-/.test(name),
  )
  t.ok(others.length > 0)
  for (const name of others) t.notMatch(name, about)
})

const HQ = { site: 'hq', agent: 'gw-1' }
const BRANCH = { site: 'branch', agent: 'gw-2' }

/**
 * ups-a of hq goes on battery after 40 minutes, for 15, and is hot once at the end. ups-b of the branch goes on battery for one reading, and
 * falls silent after 50 minutes.
 */
function upsesOf(index: number, timeUs: number): Measurement[] {
  const onBattery = index >= 240 && index < 330
  const drained = Math.min(index, 330) - 240
  const a = { ...HQ, target: 'ups-a', source: 'nut' }
  const b = { ...BRANCH, target: 'ups-b', source: 'nut' }
  return [
    measurement('ups', timeUs, a, {
      line: onBattery ? 'battery' : 'online',
      charge_ratio: drained > 0 ? 1 - drained / 100 : 1,
      runtime_left_s: drained > 0 ? 2400 - 20 * drained : 2400,
      load_ratio: onBattery ? 0.5 : 0.4,
      temperature_c: index === 310 ? 51 : 25,
      input_v: onBattery ? 0 : 230,
    }),
    measurement(
      'ups',
      timeUs,
      b,
      index >= 300
        ? { line: 'unknown', comms_lost: true }
        : {
            line: index === 100 ? 'battery' : 'online',
            charge_ratio: 0.95,
            runtime_left_s: 3000,
            load_ratio: 0.3,
            temperature_c: 24,
            input_v: 229,
          },
    ),
  ]
}

/** What the collector says every minute, and once when something changed in between. */
function chainOf(index: number, timeUs: number): Measurement[] {
  if (index % 6 !== 3 && index !== 183) return []
  const onBattery = index >= 240 && index < 330
  const late = index >= 300
  const readiness = measurement(
    'service',
    timeUs,
    { target: 'emergency-112', site: 'hq', source: 'readiness' },
    { state: 'not-ready', ready: false },
  )
  const emergency = measurement(
    'service',
    timeUs,
    { target: 'emergency-112', site: 'hq', source: 'chain' },
    {
      state: index >= 330 ? 'at-risk' : 'up',
      state_code: index >= 330 ? 1 : 0,
      single_points: 1,
      new_single_points: onBattery ? 2 : 0,
      new_singles: onBattery ? 'pdu-b, ups-b' : undefined,
      // once more in the last two minutes, and no more in the last one
      minutes_left: onBattery ? 40 - Math.floor((index - 240) / 6) : index === 351 ? 3 : undefined,
      hold_up_min: 30,
    },
  )
  const state = index < 60 ? 'unknown' : index === 183 ? 'down' : 'up'
  const callOut = measurement(
    'service',
    timeUs,
    { target: 'call-out', site: 'branch', source: 'chain' },
    {
      state,
      state_code: { unknown: 2, down: 3, up: 0 }[state],
      single_points: 2,
      new_single_points: late ? 1 : 0,
      new_singles: late ? 'ups-a' : undefined,
      because: state === 'down' ? 'sw-9' : undefined,
      minutes_left: late ? 8 : undefined,
      hold_up_min: 10,
    },
  )
  return [readiness, emergency, callOut, ...componentsOf(index, timeUs)]
}

/** sw-core is a single point all the time, and nothing watches it; pdu-b is none any more; ups-a is one since it ran down. */
function componentsOf(index: number, timeUs: number): Measurement[] {
  const onBattery = index >= 240 && index < 330
  const component = (
    tags: Record<string, string>,
    fields: Parameters<typeof measurement>[3],
  ): Measurement => measurement('component', timeUs, tags, fields)
  return [
    component(
      { target: 'ups-a', kind: 'ups', site: 'hq' },
      {
        state: onBattery ? 'degraded' : 'up',
        state_code: onBattery ? 1 : 0,
        reason: onBattery ? 'on battery' : 'on mains',
        stops: index >= 300 ? 'call-out' : undefined,
        stops_services: index >= 300 ? 1 : 0,
      },
    ),
    component(
      { target: 'sw-core', kind: 'switch' },
      { stops: 'call-out, emergency-112', stops_services: 2 },
    ),
    component(
      { target: 'pdu-b', kind: 'pdu', site: 'hq' },
      index < 355
        ? { state: 'up', state_code: 0, stops: 'emergency-112', stops_services: 1 }
        : { state: 'up', state_code: 0, stops_services: 0 },
    ),
  ]
}

function feedsOf(index: number, timeUs: number): Measurement[] {
  const onB = index >= 240
  return [
    measurement(
      'transfer_switch',
      timeUs,
      { ...HQ, target: 'ats-1', source: 'nut' },
      {
        selected: onB ? 'b' : 'a',
        redundancy_lost: onB,
      },
    ),
    measurement(
      'pdu',
      timeUs,
      { ...HQ, target: 'pdu-a/bank-1' },
      { load_a: index === 305 ? 9 : 4 },
    ),
    measurement(
      'poe_budget',
      timeUs,
      { ...HQ, target: 'sw-1/1' },
      {
        used_ratio: index >= 300 ? 0.92 : 0.5,
        ports_denied: index === 310 ? 2 : 0,
      },
    ),
    ...(index === 242
      ? ['power-event', 'path-loss'].map((rule, at) =>
          measurement('event', timeUs + at, { rule, state: 'firing' }, { title: `${rule} of hq` }),
        )
      : []),
    measurement('agent', timeUs, HQ, { uptime_s: index * 10 }),
  ]
}

/** Worked out by hand; six steps of ten minutes, or one value. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  // call-out was down once, but is up now
  'Worst service now': { '': [1] },
  // not the 3 of the minute before last; and 8 of the 10 it should last
  'Time left now': { 'A ': [8], 'B ': [-2] },
  'New single points now': { '': [1] },
  'UPSes now': { 'A ': [2], 'D ': [1] },
  'Lowest battery charge now': { '': [0.1] },
  'Hottest UPS now': { '': [25] },
  // the down of half an hour ago lasted one reading
  'Calling services': { 'emergency-112': [0, 0, 0, 0, 0, 1], 'call-out': [2, 0, 0, 3, 0, 0] },
  'UPSes: what feeds the load': {
    'hq ups-a': ['online', 'online', 'online', 'online', 'battery', 'online'],
    'branch ups-b': ['online', 'online', 'online', 'online', 'online', 'unknown'],
  },
  'Battery charge': {
    'hq ups-a': [1, 1, 1, 1, 0.41, 0.1],
    'branch ups-b': [0.95, 0.95, 0.95, 0.95, 0.95, null],
  },
  'Time left on battery against hold-up': {
    'A hq ups-a': [2400, 2400, 2400, 2400, 1220, 600],
    'A branch ups-b': [3000, 3000, 3000, 3000, 3000, null],
    'B emergency-112': sixTimes(1800),
    'B call-out': sixTimes(600),
  },
  'Readings on battery': {
    'hq ups-a': [0, 0, 0, 0, 60, 30],
    'branch ups-b': [0, 1, 0, 0, 0, 0],
  },
  'Services: time left against hold-up': {
    'A emergency-112': [null, null, null, null, 31, 3],
    'A call-out': [null, null, null, null, null, 8],
    'B emergency-112': sixTimes(30),
    'B call-out': sixTimes(10),
  },
  'New single points per service': {
    'emergency-112': [0, 0, 0, 0, 2, 2],
    'call-out': [0, 0, 0, 0, 0, 1],
  },
  'Single points now': {
    'ups hq ups-a': [[1, 'call-out', 'up', 'on mains', null]],
    'switch  sw-core': [[2, 'call-out, emergency-112', null, null, null]],
  },
  'Services now': {
    'hq emergency-112': [[1, null, 30, 1, null, null]],
    'branch call-out': [[0, 8, 10, 2, 'ups-a', null]],
  },
  Components: { 'ups ups-a': [0, 0, 0, 0, 1, 1], 'pdu pdu-b': sixTimes(0) },
  'Transfer switches': {
    'A hq ats-1': ['a', 'a', 'a', 'a', 'b', 'b'],
    'B hq ats-1': [false, false, false, false, true, true],
  },
  'PDU load': { 'hq pdu-a/bank-1': [4, 4, 4, 4, 4, 9] },
  'PoE budgets': { 'hq sw-1/1': [0.5, 0.5, 0.5, 0.5, 0.5, 0.92] },
  'PoE ports refused power': { 'hq sw-1/1': [0, 0, 0, 0, 0, 2] },
  'UPS load': {
    'hq ups-a': [0.4, 0.4, 0.4, 0.4, 0.5, 0.5],
    'branch ups-b': [0.3, 0.3, 0.3, 0.3, 0.3, null],
  },
  Temperature: {
    'hq ups-a': [25, 25, 25, 25, 25, 51],
    'branch ups-b': [24, 24, 24, 24, 24, null],
  },
  'Input voltage': {
    'hq ups-a': [230, 230, 230, 230, 0, 0],
    'branch ups-b': [229, 229, 229, 229, 229, null],
  },
}

test('every query of the board, run by a real InfluxDB over a known hour', async (t) => {
  if (influxdMissing !== undefined) {
    t.pass('queries', { skip: influxdMissing })
    return
  }
  const run = await storedHour(
    t,
    everyTenSeconds((index, timeUs) => [
      ...upsesOf(index, timeUs),
      ...chainOf(index, timeUs),
      ...feedsOf(index, timeUs),
    ]),
  )
  const board = await committedBoard(FILE)
  const drawn = await drawnBy(board, run)
  for (const [title, values] of Object.entries(drawn)) t.same(values, EXPECTED[title], title)
  t.same(Object.keys(drawn).sort(), Object.keys(EXPECTED).sort(), 'no panel is left out')

  t.same(await offeredBy(board, run), { site: ['hq'], ups: ['ups-a', 'ups-b'] })
  const charge = panelsOf(board).find(({ title }) => title === 'Battery charge')?.targets[0]?.query
  t.same(Object.keys(byTags(await run(charge ?? '', { site: ['branch'] }))), ['branch ups-b'])
  t.same(Object.keys(byTags(await run(charge ?? '', { ups: ['ups-a'] }))), ['hq ups-a'])

  const [annotation] = board.annotations.list
  t.same(
    (await run(annotation?.target.query ?? '')).map(({ values }) => values),
    [[[START_MS + 2_425_000, 'power-event of hq', 'power-event', 'firing']]],
    'and no loss',
  )
})
