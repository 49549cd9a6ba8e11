import { test } from 'tap'
import { availability } from '../../collector/topology/availability.ts'
import { capacity } from '../../collector/topology/capacity.ts'
import type { Drawing } from '../../collector/topology/dependency.ts'
import { drawnPoints, shortLived } from '../../collector/topology/drawn-points.ts'
import { drift } from '../../collector/topology/drift.ts'
import { LiveModel } from '../../collector/topology/live.ts'
import { poeShortages, shed } from '../../collector/topology/poe-shedding.ts'
import { drawingFrom, drawingOf, modelOf, NOW_US, VECTORS, withFacts } from '../support/drawings.ts'

/** Two racks' worth of cords on two UPSes of 1000 W each; watts of the PBX and of the switch, which has one cord. */
function twoSides(pbxW: number, switchW: number): Drawing {
  return drawingFrom(
    {
      'mains-a': ['mains'],
      'mains-b': ['mains'],
      'ups-a': ['ups', 'mains-a'],
      'ups-b': ['ups', 'mains-b'],
      'psu-a': ['psu', 'ups-a'],
      'psu-b': ['psu', 'ups-b'],
      pbx: ['pbx', { any: ['psu-a', 'psu-b'] }],
      sw: ['switch', 'ups-a'],
    },
    { calls: ['pbx'], internal: ['pbx', 'sw'] },
    {
      'ups-a': { capacityW: 1000 },
      'ups-b': { capacityW: 1000 },
      pbx: { watts: pbxW },
      sw: { watts: switchW },
    },
  )
}

test('two sides that can carry each other hide no single point', async (t) => {
  const { overloads, hidden } = capacity(modelOf(twoSides(600, 100)))
  t.strictSame([overloads, hidden], [[], []])
})

test('more than 80 % of what a side can carry is told of, with what is lost then', async (t) => {
  const { overloads, hidden } = capacity(modelOf(twoSides(750, 100)))
  t.strictSame(overloads, [
    { id: 'ups-a', lost: 'ups-b', loadW: 850, capacityW: 1000, kind: 'near' },
  ])
  t.strictSame(hidden, [])
})

test('when the side that is left would trip, each side is a single point', async (t) => {
  const { overloads, hidden } = capacity(modelOf(twoSides(1200, 0)))
  t.strictSame(overloads, [
    { id: 'ups-b', lost: 'ups-a', loadW: 1200, capacityW: 1000, kind: 'overload' },
    { id: 'ups-a', lost: 'ups-b', loadW: 1200, capacityW: 1000, kind: 'overload' },
  ])
  t.strictSame(hidden, [
    { id: 'ups-a', trips: ['ups-b'], services: ['calls'] },
    { id: 'ups-b', trips: ['ups-a'], services: ['calls', 'internal'] },
  ])
})

test('what carries too much with nothing lost is told of as drawn', async (t) => {
  const { overloads, hidden } = capacity(modelOf(twoSides(1000, 700)))
  t.strictSame(overloads[0], {
    ...{ id: 'ups-a', lost: undefined, loadW: 1200, capacityW: 1000, kind: 'overload' },
  })
  t.strictSame(hidden, [], 'it is overloaded anyway: that is what has to be mended')
})

test('batteries and generators carry nothing while the mains do, and a transfer switch takes one side', async (t) => {
  const drawing = drawingFrom(
    {
      mains: ['mains'],
      gen: ['generator'],
      feed: ['ats', { any: ['mains', 'gen'] }],
      battery: ['battery'],
      ups: ['ups', { any: ['feed', 'battery'] }],
      other: ['pdu'],
      ats: ['ats', { any: ['ups', 'other'] }],
      box: ['server', 'ats'],
    },
    { calls: ['box'] },
    {
      box: { watts: 900 },
      gen: { capacityW: 800 },
      battery: { capacityW: 100 },
      mains: { capacityW: 2000 },
      other: { capacityW: 850 },
    },
  )
  const { overloads, hidden } = capacity(modelOf(drawing))
  t.strictSame(overloads, [
    { id: 'gen', lost: 'mains', loadW: 900, capacityW: 800, kind: 'overload' },
  ])
  t.strictSame(hidden, [], 'the battery and the other side are left')
})

test('24 phones on one port each weigh on the switch, its supplies and what feeds them', async (t) => {
  const drawing = drawingFrom(
    {
      'pdu-a': ['pdu'],
      'pdu-b': ['pdu'],
      'psu-1': ['psu', 'pdu-a'],
      'psu-2': ['psu', 'pdu-b'],
      sw: ['switch', { any: ['psu-1', 'psu-2'] }],
      phones: ['phone', 'sw'],
    },
    { calls: ['phones'] },
    {
      phones: { watts: 6, count: 24 },
      sw: { watts: 56 },
      'pdu-a': { capacityW: 110 },
      'pdu-b': { capacityW: 300 },
    },
  )
  t.strictSame(capacity(modelOf(drawing)).overloads, [
    { id: 'pdu-a', lost: undefined, loadW: 100, capacityW: 110, kind: 'near' },
    { id: 'pdu-a', lost: 'pdu-b', loadW: 200, capacityW: 110, kind: 'overload' },
  ])
})

test('a switch that cannot feed all of its ports feeds the critical ones, then the low numbers', async (t) => {
  const port = (
    id: string,
    number: number,
    priority: 'critical' | 'high' | 'low',
    watts: number,
  ) => ({
    ...{ id, port: number, priority, watts },
  })
  const ports = [
    port('lobby', 1, 'low', 15),
    port('desk', 2, 'low', 7),
    port('emergency', 24, 'critical', 7),
    port('reception', 12, 'high', 15),
    port('door', 3, 'low', 4),
  ]
  t.strictSame(shed(ports, 48), {
    fed: ['emergency', 'reception', 'lobby', 'desk', 'door'],
    ...{ shed: [], usedW: 48 },
  })
  t.strictSame(
    shed(ports, 30),
    { fed: ['emergency', 'reception', 'desk'], shed: ['lobby', 'door'], usedW: 29 },
    'what does not fit is passed over',
  )
  t.strictSame(
    shed(ports, 30, 'stop'),
    { fed: ['emergency', 'reception'], shed: ['lobby', 'desk', 'door'], usedW: 22 },
    'or nothing is fed after it',
  )
})

test('the second supply of a switch is no redundancy for the phones that need both', async (t) => {
  const drawing = drawingFrom(
    {
      'psu-1': ['psu'],
      'psu-2': ['psu'],
      sw: ['switch', { any: ['psu-1', 'psu-2'] }],
      emergency: ['phone', 'sw'],
      'desk-1': ['phone', 'sw'],
      'desk-2': ['phone', 'sw'],
    },
    { calls: ['desk-1'] },
    {
      'psu-1': { capacityW: 60 },
      'psu-2': { capacityW: 60 },
      sw: { watts: 40, poe: { budgetW: 30 } },
      emergency: { watts: 7, poe: { port: 24, priority: 'critical' } },
      'desk-1': { watts: 7, poe: { port: 1 } },
      'desk-2': { watts: 7, poe: { port: 2 } },
    },
  )
  const without = { budgetW: 20, neededW: 21, shed: ['desk-2'] }
  t.strictSame(poeShortages(modelOf(drawing)), [
    { switch: 'sw', lost: 'psu-1', ...without },
    { switch: 'sw', lost: 'psu-2', ...without },
  ])
})

const OFFICE: Drawing = {
  ...drawingFrom(
    {
      mains: ['mains'],
      panel: ['panel', 'mains'],
      battery: ['battery'],
      ups: ['ups', { any: ['panel', 'battery'] }],
      sw: ['switch', 'ups'],
      pbx: ['pbx', 'ups'],
      trunk: ['trunk'],
    },
    { internal: ['sw', 'pbx'], outside: ['sw', 'pbx', 'trunk'] },
    { battery: { runtimeS: 1200 } },
  ),
  accepted: new Map([
    ['trunk', { by: 'ict', reason: 'a second is ordered', review: '2027-05-31' }],
  ]),
}

test('single points as drawn are those of services, with who answers for them', async (t) => {
  const { points } = drawnPoints(modelOf(OFFICE))
  t.strictSame(points, [
    { id: 'pbx', services: ['internal', 'outside'] },
    { id: 'sw', services: ['internal', 'outside'] },
    {
      id: 'trunk',
      services: ['outside'],
      accepted: { by: 'ict', reason: 'a second is ordered', review: '2027-05-31' },
    },
    { id: 'ups', services: ['internal', 'outside'] },
  ])
})

test('what a battery stands in for runs out, and the battery is a single point meanwhile: listed apart', async (t) => {
  const { runsOut, ownBatteries } = drawnPoints(modelOf(OFFICE))
  t.strictSame(runsOut, [
    { id: 'mains', services: ['internal', 'outside'], afterMin: 20 },
    { id: 'panel', services: ['internal', 'outside'], afterMin: 20 },
  ])
  t.strictSame(ownBatteries, [{ id: 'battery', ups: 'ups', services: ['internal', 'outside'] }])
  const lasting = drawnPoints(modelOf(withFacts(OFFICE, 'battery', { runtimeS: 5 * 3600 })))
  t.strictSame(lasting.runsOut, [], 'five hours are counted on')
  const unknown = drawnPoints(
    modelOf(
      drawingFrom(
        { mains: ['mains'], battery: ['battery'], ups: ['ups', { any: ['mains', 'battery'] }] },
        { calls: ['ups'] },
      ),
    ),
  )
  t.strictSame(unknown.runsOut, [{ id: 'mains', services: ['calls'], afterMin: undefined }])
})

test('a service that is to hold up for longer than it was designed to is a design gap', async (t) => {
  const gapsOf = (holdUpS: number, runtimeS?: number) => {
    const drawing = runtimeS === undefined ? OFFICE : withFacts(OFFICE, 'battery', { runtimeS })
    const services = new Map(drawing.services)
    services.set('internal', { id: 'internal', needs: ['sw', 'pbx'], isEmergency: true, holdUpS })
    return drawnPoints(modelOf({ ...drawing, services })).designGaps
  }
  t.strictSame(gapsOf(3600), [
    { service: 'internal', holdUpMin: 60, lastsMin: 20, unknownRuntimes: [] },
  ])
  t.strictSame(gapsOf(1200), [], 'as long as is asked for')
  const drawing = drawingFrom(
    { mains: ['mains'], battery: ['battery'], ups: ['ups', { any: ['mains', 'battery'] }] },
    {},
  )
  const calls = { id: 'calls', needs: ['ups'], isEmergency: false, holdUpS: 3600 }
  t.strictSame(
    drawnPoints(modelOf({ ...drawing, services: new Map([['calls', calls]]) })).designGaps,
    [{ service: 'calls', holdUpMin: 60, lastsMin: undefined, unknownRuntimes: ['battery'] }],
    'nobody knows whether it does',
  )
})

test('for a horizon of four hours a battery of twenty minutes is as good as failed', async (t) => {
  const live = new LiveModel(modelOf(OFFICE))
  const { services } = live.overlay(new Map(), shortLived(live))
  t.strictSame(services.get('internal')?.newSinglePoints, ['mains', 'panel'])
})

test('things that die together and share nothing that is drawn are told of', async (t) => {
  const drawing = drawingFrom(
    {
      'pdu-a': ['pdu'],
      'pdu-b': ['pdu'],
      'pdu-c': ['pdu'],
      'sw-a': ['switch', 'pdu-a'],
      'sw-b': ['switch', 'pdu-b'],
      'sw-c': ['switch', 'pdu-c'],
      'phone-a': ['phone', 'sw-a'],
      'phone-a2': ['phone', 'sw-a'],
      'phone-a3': ['phone', 'sw-a'],
    },
    { calls: ['sw-a'] },
  )
  const model = modelOf(drawing)
  const dead = (ids: readonly string[], apartUs = 1_000_000) =>
    ids.map((id, at) => ({ id, atUs: NOW_US + at * apartUs }))
  t.strictSame(drift(model, dead(['sw-a', 'sw-b', 'sw-c', 'phone-a'])), [
    { ids: ['sw-a', 'sw-b', 'sw-c'], well: [], fromUs: NOW_US, toUs: NOW_US + 2_000_000 },
  ])
  t.strictSame(drift(model, dead(['sw-a', 'sw-b'])), [], 'two may be chance')
  t.strictSame(drift(model, dead(['sw-a', 'sw-b', 'sw-c'], 20_000_000)), [], 'one after another')
  t.strictSame(
    drift(model, dead(['phone-a', 'phone-a2', 'phone-a3'])),
    [],
    'the switch they share explains them',
  )
  t.strictSame(
    drift(model, dead(['sw-a', 'phone-a', 'phone-a2', 'phone-a3'])),
    [],
    'the switch that died with them explains them',
  )
})

test('availability is computed from figures for everything, and else not at all', async (t) => {
  for (const vector of VECTORS.cases) {
    const { probability } = vector
    if (probability === undefined) continue
    const { q, service, exact, minCutUpperBound } = probability
    const drawing = Object.entries(q).reduce(
      (sum, [id, failureProbability]) => withFacts(sum, id, { failureProbability }),
      drawingOf(vector),
    )
    const found = availability(modelOf(drawing), service)
    if (found === undefined || 'missing' in found) throw new Error(vector.id)
    t.ok(Math.abs(found.unavailability - exact) < 1e-12, `${found.unavailability}`)
    t.match(
      { isExact: found.isExact, minutes: Math.round(found.minutesPerYear) },
      { isExact: true, minutes: 4053 },
    )
    t.ok(found.unavailability < minCutUpperBound)
    const { mains = 0, ...rest } = q
    t.ok(mains > 0)
    const without = Object.entries(rest).reduce(
      (sum, [id, failureProbability]) => withFacts(sum, id, { failureProbability }),
      drawingOf(vector),
    )
    t.strictSame(availability(modelOf(without), service), { missing: ['mains'] })
  }
  t.equal(availability(modelOf(OFFICE), 'nothing'), undefined)
})

test('where there are too many states to try, availability is at least what is said', async (t) => {
  const components: Record<string, readonly ['box']> = {}
  const facts: Record<string, { failureProbability: number }> = {}
  for (let at = 0; at < 20; at++) {
    components[`box-${at}`] = ['box']
    facts[`box-${at}`] = { failureProbability: 0.001 }
  }
  const ids = Object.keys(components)
  const pairs = Array.from({ length: 10 }, (_, at) => ({ any: ids.slice(2 * at, 2 * at + 2) }))
  const found = availability(modelOf(drawingFrom(components, { calls: pairs }, facts)), 'calls')
  if (found === undefined || 'missing' in found) throw new Error('no figure')
  // 1 - (1 - 1e-6)^10
  t.ok(Math.abs(found.unavailability - 9.999955e-6) < 1e-11, `${found.unavailability}`)
  t.equal(found.isExact, false)
})
