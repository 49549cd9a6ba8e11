import { test } from 'tap'
import type { Observation } from '../../collector/topology/dependency.ts'
import { forecast } from '../../collector/topology/forecast.ts'
import { LiveModel } from '../../collector/topology/live.ts'
import type { Model } from '../../collector/topology/model.ts'
import { whatIf } from '../../collector/topology/what-if.ts'
import { Works } from '../../collector/topology/works.ts'
import {
  drawingFrom,
  drawingOf,
  modelOf,
  NOW_US,
  onBattery,
  seen,
  V4,
  VECTORS,
  withFacts,
} from '../support/drawings.ts'

const MIN_US = 60_000_000

test('what is down, newly single and to blame under observed failures is as derived by hand', async (t) => {
  for (const vector of VECTORS.cases) {
    const live = new LiveModel(modelOf(drawingOf(vector)), 3)
    for (const { name, failed, service, up, newSinglePoints, because = [] } of vector.states) {
      const now = live
        .overlay(new Map(failed.map((id) => [id, seen('down')])))
        .services.get(service)
      const said = { up: now?.up, newSinglePoints: now?.newSinglePoints, because: now?.because }
      t.strictSame(said, { up, newSinglePoints, because }, `${vector.id} ${name}: ${service}`)
    }
  }
})

/** Two UPSes on one board, a third on another; each carries one half of a service. */
const BOARD = drawingFrom(
  {
    mains: ['mains'],
    board: ['panel', 'mains'],
    'battery-1': ['battery'],
    'battery-2': ['battery'],
    'ups-1': ['ups', { any: ['board', 'battery-1'] }],
    'ups-2': ['ups', { any: ['board', 'battery-2'] }],
    'switch-1': ['switch', 'ups-1'],
    'switch-2': ['switch', 'ups-2'],
  },
  { calls: [{ any: ['switch-1', 'switch-2'] }] },
)

test('a UPS on battery proves that its own input is lost, and nothing of the feed it shares', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const overlay = live.overlay(
    new Map([
      ['ups-1', onBattery(NOW_US)],
      ['ups-2', seen('up')],
    ]),
  )
  t.strictSame(overlay.failed, [], 'no component is said to have failed')
  t.strictSame(overlay.notes, ['input of ups-1 lost: mains or something between'])
  t.strictSame(overlay.services.get('calls')?.residual, [
    ['battery-1', 'switch-2'],
    ['battery-1', 'ups-2'],
    ['switch-1', 'switch-2'],
    ['switch-1', 'ups-2'],
    ['switch-2', 'ups-1'],
    ['ups-1', 'ups-2'],
  ])
})

test('a feed is taken for failed when every watched UPS behind it lost its input within ten seconds', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const together = live.overlay(
    new Map([
      ['ups-1', onBattery(NOW_US)],
      ['ups-2', onBattery(NOW_US + 9_000_000)],
    ]),
  )
  t.strictSame(
    together.failed.map(({ id, isObserved }) => [id, isObserved]),
    [['board', false]],
    'the nearest they share, and not as observed',
  )
  t.strictSame(together.notes, [])
  const apart = live.overlay(
    new Map([
      ['ups-1', onBattery(NOW_US)],
      ['ups-2', onBattery(NOW_US + 11_000_000)],
    ]),
  )
  t.strictSame(apart.failed, [])
  t.equal(apart.notes.length, 2)
})

test('when a feed says itself that it is down, it is the cause', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const { failed, notes } = live.overlay(
    new Map([
      ['ups-1', onBattery(NOW_US)],
      ['mains', seen('down')],
    ]),
  )
  t.strictSame(
    failed.map(({ id, isObserved }) => [id, isObserved]),
    [['mains', true]],
  )
  t.strictSame(notes, [])
})

test('a UPS on battery explains no dead phone', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const observations = new Map([
    ['ups-1', onBattery(NOW_US)],
    ['switch-1', seen('down')],
    ['switch-2', seen('down')],
  ])
  t.strictSame(live.overlay(observations).services.get('calls')?.because, [
    ['switch-1', 'switch-2'],
  ])
})

test('a battery that would not carry its UPS is as good as failed', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const low = { ...onBattery(NOW_US), isUnprotected: true }
  const { services } = live.overlay(
    new Map([
      ['ups-1', low],
      ['ups-2', low],
    ]),
  )
  t.equal(services.get('calls')?.up, false)
})

test('what is unknown puts a service at risk, and does not stop it', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const { services, unknown } = live.overlay(
    new Map([
      ['switch-1', seen('unknown')],
      ['switch-2', seen('unknown')],
    ]),
  )
  const { up, atRisk } = services.get('calls') ?? {}
  t.strictSame(
    { up, atRisk, unknown },
    { up: true, atRisk: true, unknown: ['switch-1', 'switch-2'] },
  )
})

test('a feed is not taken for failed while something without a battery still works from it', async (t) => {
  const drawing = drawingFrom(
    {
      mains: ['mains'],
      board: ['panel', 'mains'],
      'battery-1': ['battery'],
      'battery-2': ['battery'],
      'ups-1': ['ups', { any: ['board', 'battery-1'] }],
      'ups-2': ['ups', { any: ['board', 'battery-2'] }],
      printer: ['device', 'board'],
      phones: ['phone', 'ups-1'],
    },
    { calls: ['phones'] },
  )
  const live = new LiveModel(modelOf(drawing))
  const lost = [
    ['ups-1', onBattery(NOW_US)],
    ['ups-2', onBattery(NOW_US)],
  ] as const
  t.strictSame(
    live.overlay(new Map(lost)).failed.map(({ id }) => id),
    ['board'],
  )
  const working = live.overlay(new Map([...lost, ['printer', seen('up', NOW_US)]]))
  t.strictSame(working.failed, [], 'the printer has power, and no battery')
  t.strictSame(working.notes, [
    'input of ups-1 lost: mains or something between',
    'input of ups-2 lost: mains or something between',
  ])
  const before = { ...seen('up'), atUs: NOW_US - 1 }
  t.strictSame(
    live.overlay(new Map([...lost, ['printer', before]])).failed.map(({ id }) => id),
    ['board'],
    'what was seen before the loss proves nothing',
  )
  const phones = live.overlay(new Map([...lost, ['phones', seen('up', NOW_US)]]))
  t.strictSame(
    phones.failed.map(({ id }) => id),
    ['board'],
    'phones behind a battery prove nothing',
  )
})

test('a watched UPS that keeps its input clears the feed it shares; one that is silent does not accuse it', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  for (const state of ['up', 'unknown'] as const) {
    const { failed, notes } = live.overlay(
      new Map([
        ['ups-1', onBattery(NOW_US)],
        ['ups-2', seen(state)],
      ]),
    )
    t.strictSame([failed, notes.length], [[], 1], state)
  }
})

test('a feed that is well by its own watch leaves something between', async (t) => {
  const live = new LiveModel(modelOf(BOARD))
  const notes = (board: Observation): readonly string[] =>
    live.overlay(
      new Map([
        ['ups-1', onBattery(NOW_US)],
        ['mains', seen('up')],
        ['board', board],
      ]),
    ).notes
  t.strictSame(notes(seen('up')), [
    'input of ups-1 lost: what feeds it is said to be well, so something between',
  ])
  t.strictSame(notes({ ...seen('up'), atUs: NOW_US - 1 }), [
    'input of ups-1 lost: board or something between',
  ])
})

test('a UPS on bypass is as good as without battery and inverter', async (t) => {
  const drawing = drawingFrom(
    {
      mains: ['mains'],
      battery: ['battery'],
      inverter: ['inverter', { any: ['mains', 'battery'] }],
      bypass: ['bypass', 'mains'],
      ups: ['ups', { any: ['inverter', 'bypass'] }],
    },
    { calls: ['ups'] },
  )
  const live = new LiveModel(modelOf(drawing))
  const onBypass = { ...seen('degraded'), reason: 'on bypass', isUnprotected: true }
  const { services, failed } = live.overlay(new Map([['ups', onBypass]]))
  t.strictSame(
    failed.map(({ id, reason, isObserved }) => [id, reason, isObserved]),
    [
      ['battery', 'ups: on bypass', false],
      ['inverter', 'ups: on bypass', false],
    ],
  )
  t.strictSame(services.get('calls')?.newSinglePoints, ['bypass', 'mains'])
})

test('a UPS whose battery nobody drew is not down while it says that it gives power', async (t) => {
  const drawing = drawingFrom(
    {
      mains: ['mains'],
      'ups-1': ['ups', 'mains'],
      'ups-2': ['ups', 'mains'],
      sw: ['switch', 'ups-1'],
    },
    { calls: ['sw'] },
  )
  const live = new LiveModel(modelOf(drawing))
  const isUp = (one: Observation, other: Observation): boolean | undefined =>
    live
      .overlay(
        new Map([
          ['ups-1', one],
          ['ups-2', other],
        ]),
      )
      .services.get('calls')?.up
  t.equal(isUp(onBattery(NOW_US), onBattery(NOW_US)), true, 'the mains failed, and it runs on')
  t.equal(isUp(onBattery(NOW_US), seen('up')), true)
  const empty = { ...onBattery(NOW_US), isUnprotected: true }
  t.equal(isUp(empty, seen('up')), false, 'its battery is as good as empty')
  const failed = new Map([
    ['mains', seen('down')],
    ['ups-1', seen('up')],
  ])
  t.equal(live.overlay(failed).services.get('calls')?.up, true, 'it has not been asked since')
  t.equal(live.overlay(new Map([['mains', seen('down')]])).services.get('calls')?.up, false)
})

test('a transfer switch that lost a source stands on the other alone, and accuses the source to nobody else', async (t) => {
  const drawing = drawingFrom(
    {
      'pdu-a': ['pdu'],
      'pdu-b': ['pdu'],
      ats: ['ats', { any: ['pdu-a', 'pdu-b'] }],
      sw: ['switch', 'ats'],
      pbx: ['pbx', { any: ['pdu-a', 'pdu-b'] }],
    },
    { calls: ['sw'], inbound: ['pbx'] },
  )
  const live = new LiveModel(modelOf(drawing))
  const lost = { ...seen('degraded'), lostNeeds: ['pdu-a'] }
  const { services, failed, notes } = live.overlay(new Map([['ats', lost]]))
  t.strictSame(services.get('calls')?.newSinglePoints, ['pdu-b'])
  t.strictSame(services.get('inbound')?.newSinglePoints, [])
  t.strictSame(failed, [])
  t.strictSame(notes, ['pdu-a at ats lost: pdu-a or something between'])
})

test('what it takes more than three failures to stop is explained by those nearest to the sources', async (t) => {
  const phones = Array.from({ length: 8 }, (_, at) => `phone-${at}`)
  const components = Object.fromEntries(
    phones.map((id, at) => [id, ['phone', `switch-${at % 4}`] as const]),
  )
  const drawing = drawingFrom(
    {
      ...components,
      'switch-0': ['switch'],
      'switch-1': ['switch'],
      'switch-2': ['switch'],
      'switch-3': ['switch'],
    },
    { calls: [{ any: phones }] },
  )
  const live = new LiveModel(modelOf(drawing))
  const dead = [...phones, 'switch-0', 'switch-1', 'switch-2', 'switch-3']
  const now = live.overlay(new Map(dead.map((id) => [id, seen('down')]))).services.get('calls')
  t.strictSame(now?.because, [['switch-0', 'switch-1', 'switch-2', 'switch-3']])
})

test('minutes left come from the UPS that runs, by its own word before its design', async (t) => {
  const live = new LiveModel(modelOf(withFacts(BOARD, 'battery-2', { runtimeS: 1200 })))
  const observations = new Map([
    ['ups-1', { ...onBattery(NOW_US), runtimeLeftS: 660 }],
    ['ups-2', onBattery(NOW_US)],
  ])
  const at = (nowUs: number) =>
    forecast(live, observations, live.overlay(observations), nowUs).services.get('calls')
  t.equal(at(NOW_US)?.minutesLeft, 20, 'the longer of 11 and 20 minutes')
  t.equal(at(NOW_US + 600_000_000)?.minutesLeft, 11, 'ten minutes later the design has ten left')
  const unknown = forecast(
    new LiveModel(modelOf(BOARD)),
    observations,
    live.overlay(observations),
    NOW_US,
  )
  t.strictSame(unknown.unknownRuntimes, ['battery-2'], 'nobody knows: no figure is made up')
  t.equal(unknown.services.get('calls')?.minutesLeft, undefined)
})

test('taking something out gets GO, or the services it would stop', async (t) => {
  const live = new LiveModel(modelOf(withFacts(BOARD, 'battery-1', { runtimeS: 600 })))
  const calm = new Map<string, Observation>()
  const one = whatIf(live, calm, { fail: ['ups-1'] }, NOW_US)
  t.equal(one.go, true)
  t.strictSame(one.oneLeg, [{ service: 'calls', singles: ['switch-2', 'ups-2'] }])
  t.strictSame(one.components, ['switch-1'])
  const both = whatIf(live, calm, { fail: ['ups-1', 'ups-2'] }, NOW_US)
  t.strictSame([both.go, both.stopped], [false, ['calls']])
  const window = { fromUs: NOW_US, toUs: NOW_US + 1_800_000_000 }
  const drained = withFacts(withFacts(BOARD, 'battery-1', { runtimeS: 600 }), 'battery-2', {
    runtimeS: 900,
  })
  const board = whatIf(new LiveModel(modelOf(drained)), calm, { fail: ['board'], window }, NOW_US)
  t.strictSame([board.go, board.stopped], [false, []], 'it would stop before the work is done')
  t.strictSame(board.runsOut, [{ service: 'calls', afterMin: 15 }])
  t.strictSame(board.batteries, [
    { id: 'battery-1', afterMin: 10 },
    { id: 'battery-2', afterMin: 15 },
  ])
  const short = { fromUs: NOW_US, toUs: NOW_US + 600_000_000 }
  t.equal(
    whatIf(new LiveModel(modelOf(drained)), calm, { fail: ['board'], window: short }, NOW_US).go,
    true,
  )
})

test('the forecasts derived by hand hold: batteries, a generator, a boot after a gap', async (t) => {
  for (const { id, case: name, title, sources, boot, expect } of VECTORS.forecast) {
    const vector = VECTORS.cases.find((one) => one.id === name)
    const drawing = Object.entries(boot).reduce(
      (sum, [component, minutes]) => withFacts(sum, component, { bootS: 60 * minutes }),
      vector === undefined ? V4 : drawingOf(vector),
    )
    const services = servicesUnder(modelOf(drawing), sources)
    for (const [service, { diesAt, up }] of Object.entries(expect)) {
      const intervals = up.map(([from, to]) => ({ from, to }))
      t.strictSame(services.get(service), { up: intervals, minutesLeft: diesAt }, `${id} ${title}`)
    }
  }
})

/** V4 with what its generator and its battery can do. */
function generatorSite(runtimeS: number): LiveModel {
  const generator = { startS: 120, fuelS: 478 * 60 }
  const drawing = withFacts(withFacts(V4, 'gen', generator), 'bat1', { runtimeS })
  return new LiveModel(modelOf(withFacts(drawing, 'pbx', { bootS: 300 })))
}

test('the same comes out of what is drawn: the grid fails, the generator starts and runs dry', async (t) => {
  const after = (runtimeS: number, minutes: number) => {
    const live = generatorSite(runtimeS)
    const observations = new Map([['grid', seen('down')]])
    const nowUs = NOW_US + minutes * MIN_US
    return forecast(live, observations, live.overlay(observations), nowUs).services.get(
      'callControl',
    )
  }
  t.strictSame(
    after(900, 0),
    { up: [{ from: 0, to: 495 }], minutesLeft: 495 },
    'the battery is full again by then',
  )
  t.strictSame(after(60, 0)?.up, [
    { from: 0, to: 1 },
    { from: 7, to: 481 },
  ])
  t.equal(after(900, 100)?.minutesLeft, 395, 'it has run for 98 minutes')
  t.equal(after(900, 600)?.minutesLeft, 0, 'it is dry')
})

test('without an outage nothing runs out', async (t) => {
  const live = generatorSite(900)
  const calm = live.overlay(new Map())
  const { services, components, unknownRuntimes } = forecast(live, new Map(), calm, NOW_US)
  t.equal(services.get('callControl')?.minutesLeft, undefined)
  t.strictSame([components.size, unknownRuntimes.length], [0, 0])
})

test('a generator behind a lost input is awaited as long as it takes to start, and no longer', async (t) => {
  const drawing = drawingFrom(
    {
      grid: ['mains'],
      gen: ['generator'],
      xfer: ['ats', { any: ['grid', 'gen'] }],
      battery: ['battery'],
      ups: ['ups', { any: ['xfer', 'battery'] }],
    },
    { calls: ['ups'] },
    { gen: { startS: 60, fuelS: 36_000 }, battery: { runtimeS: 600 } },
  )
  const live = new LiveModel(modelOf(drawing))
  const observations = new Map([['ups', onBattery(NOW_US)]])
  const left = (seconds: number): number | undefined =>
    forecast(
      live,
      observations,
      live.overlay(observations),
      NOW_US + seconds * 1_000_000,
    ).services.get('calls')?.minutesLeft
  t.equal(left(30), 610.5, 'half a minute to the generator, its ten hours, and the battery again')
  t.equal(left(90), 8.5, 'it has not come: what is left of the battery')
})

test('a UPS behind a UPS lasts as long as both', async (t) => {
  const drawing = drawingFrom(
    {
      mains: ['mains'],
      'big-battery': ['battery'],
      'big-ups': ['ups', { any: ['mains', 'big-battery'] }],
      'small-battery': ['battery'],
      'small-ups': ['ups', { any: ['big-ups', 'small-battery'] }],
    },
    { calls: ['small-ups'] },
    { 'big-battery': { runtimeS: 1800 }, 'small-battery': { runtimeS: 600 } },
  )
  const live = new LiveModel(modelOf(drawing))
  const observations = new Map([
    ['mains', seen('down')],
    ['big-ups', onBattery(NOW_US)],
  ])
  const { services, components } = forecast(live, observations, live.overlay(observations), NOW_US)
  t.equal(services.get('calls')?.minutesLeft, 40)
  t.equal(components.get('big-ups'), 30)
})

test('what cannot be told of a battery within a UPS is said, and a figure of its own word is used', async (t) => {
  const drawing = drawingFrom({ mains: ['mains'], ups: ['ups', 'mains'] }, { calls: ['ups'] })
  const live = new LiveModel(modelOf(drawing))
  const at = (observation: Observation) => {
    const observations = new Map([['ups', observation]])
    return forecast(live, observations, live.overlay(observations), NOW_US)
  }
  t.strictSame(at(onBattery(NOW_US)).unknownRuntimes, ['ups'])
  t.equal(at({ ...onBattery(NOW_US), runtimeLeftS: 660 }).services.get('calls')?.minutesLeft, 11)
})

function servicesUnder(
  model: Model,
  sources: Readonly<Record<string, readonly (readonly [number, number])[]>>,
) {
  const byIndex = Object.entries(sources).flatMap(([id, intervals]) => {
    const index = model.indexOf.get(id)
    return index === undefined
      ? []
      : [[index, intervals.map(([from, to]) => ({ from, to }))] as const]
  })
  return new Works(model, new Map(byIndex)).services()
}
