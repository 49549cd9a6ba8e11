import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { Collector } from '../../collector/collector.ts'
import { collectorConfig } from '../../collector/config.ts'
import { createToken } from '../../collector/http/tokens.ts'
import { horizonViews } from '../../collector/power/horizons.ts'
import { drawnRemarks, liveRemarks } from '../../collector/power/remarks.ts'
import { Survivors } from '../../collector/topology/survivors.ts'
import { PowerHistory } from '../../collector/power/power-history.ts'
import { encodeMeasurements } from '../../common/line-protocol.ts'
import { createLogger } from '../../common/log.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { compile } from '../../collector/topology/model.ts'
import type { Observation } from '../../collector/topology/dependency.ts'
import { drawnPoints } from '../../collector/topology/drawn-points.ts'
import { largeDrawing } from '../support/large-drawing.ts'
import { calm, OFFICE, officeModel, outage, powerView } from '../support/power-site.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 3, 12, 4)
const MINUTE_MS = 60_000

test('on a calm day everything works, and what nobody watches is said to be assumed', async (t) => {
  const view = powerView(NOW_MS, officeModel(), calm(NOW_MS))
  t.same(
    view.services.map(({ id, state, minutesLeft }) => [id, state, minutesLeft]),
    [
      ['emergency-112', 'up', null],
      ['call-out', 'up', null],
      ['reception', 'up', null],
    ],
  )
  const states = new Map(view.components.map(({ id, state }) => [id, state]))
  t.equal(states.get('ups-1'), 'up')
  t.equal(states.get('mains-a'), 'assumed')
  t.same(
    view.singlePoints.map(({ id, isNew, stops, accepted }) => [
      id,
      isNew,
      stops.length,
      accepted?.by,
    ]),
    [
      ['sw-core', false, 3, undefined],
      ['pdu-a', false, 1, undefined],
      ['phones-1', false, 1, undefined],
      ['sw-1', false, 1, undefined],
      ['ups-1', false, 1, undefined],
      ['pbx', false, 3, 'R. de Vries'],
    ],
    'drawn ones first, the accepted one last',
  )
  t.equal(view.drawing?.siteFileMs, Date.UTC(2026, 10, 2, 9, 30))
})

test('in an outage the view says what is lost, what may be, and what one more failure would stop', async (t) => {
  const view = powerView(NOW_MS, officeModel(), outage(NOW_MS))
  const component = new Map(view.components.map((it) => [it.id, it]))
  t.match(component.get('ups-1'), {
    ...{ state: 'degraded', stateText: 'on battery, 62 % charge, 11 min left', minutesLeft: 11 },
    ...{
      label: 'UPS exchange room',
      place: 'B1/2.14/rack 3',
      circuit: 'L3-7',
      owner: 'Facilities',
    },
    ...{ needsWords: 'mains-a or battery-1', isWatched: true, sinceMs: NOW_MS - 6 * MINUTE_MS },
    needs: [
      { id: 'battery-1', isChoice: true },
      { id: 'mains-a', isChoice: true },
    ],
    stops: ['call-out', 'emergency-112', 'reception'],
  })
  t.match(component.get('mains-a'), {
    state: 'unknown',
    stateText: 'may be lost: ups-1 has lost its input',
  })
  t.match(component.get('ups-2'), { state: 'unknown', stateText: 'no news for 3 min' })
  t.match(
    component.get('desk-1'),
    { count: 3, label: '3 phones', members: ['desk-1', 'desk-2', 'desk-3'], state: 'down' },
    'alike on one switch: shown as one',
  )
  t.match(component.get('trunk-a'), { stops: [], oneLeg: ['call-out', 'emergency-112'] })
  t.match(view.services[0], {
    ...{ id: 'emergency-112', isEmergency: true, minutesLeft: 11, holdUpMin: 60 },
    newSingles: ['battery-1', 'pdu-a', 'phones-1', 'sw-1', 'ups-1'],
    pairs: [['trunk-a', 'trunk-b']],
  })
  t.match(view.singlePoints[0], { id: 'battery-1', isNew: true, stopsCount: 3 })
  t.same(view.notes, ['input of ups-1 lost: mains-a or something between'])
})

test('of what is wrong the causes are told, worst first, and not what hangs on them', (t) => {
  const down = { state: 'down', reason: 'no answer', sinceUs: 1, atUs: 2 } as const
  const ids = (...observed: readonly (readonly [string, Observation])[]): readonly string[] => {
    const observations = new Map([...outage(NOW_MS), ...observed])
    return powerView(NOW_MS, officeModel(), observations).troubles.map(({ id }) => id)
  }
  t.same(ids(), ['sw-2', 'ups-1', 'ups-2'])
  t.same(
    ids(['sw-core', down], ['sw-1', down], ['pbx', down]),
    ['sw-core', 'ups-1', 'ups-2'],
    'the other switches and the exchange need the core switch',
  )
  const { model } = compile(largeDrawing(1000))
  const all = new Map([...(model?.drawing.components.keys() ?? [])].map((id) => [id, down]))
  const view = powerView(NOW_MS, model, all)
  t.equal(view.troubles.length, 20)
  t.ok(view.troublesLeftOut > 20)
  t.same(powerView(NOW_MS, officeModel(), calm(NOW_MS)).troubles, [])
  t.same(
    view.people.concat(powerView(NOW_MS, officeModel()).people),
    [
      { name: 'Facilities', contact: 'extension 4100, day and night' },
      { name: 'Network team', contact: '' },
    ],
    'who answers for something, those who answer for most first',
  )
  t.end()
})

test('what ends although nothing fails is listed apart', async (t) => {
  const model = officeModel()
  const texts = horizonViews(drawnPoints(model), model.drawing).map(
    ({ kind, id, text }) => `${kind} ${id}: ${text}`,
  )
  t.ok(
    texts.includes('runs-out mains-a: without it Reception stops after 40 min'),
    texts.join('\n'),
  )
  t.ok(texts.includes('own-battery battery-1: while ups-1 runs on it, its failure stops Reception'))
  t.notOk(
    texts.some((text) => text.startsWith('design-gap reception')),
    '30 min are promised',
  )
})

test('without a drawing there is a view, and it says so', async (t) => {
  t.match(powerView(NOW_MS), { drawing: null, services: [], components: [] })
})

test('of 10,000 components the chain of one service is shown, in less than 100 ms', async (t) => {
  const { model } = compile(largeDrawing(10_000))
  const first = powerView(NOW_MS, model, calm(NOW_MS), { of: 'internal-s042' })
  t.equal(first.drawing?.of, 'internal-s042')
  t.ok(first.components.length < 100, `${first.components.length} components`)
  t.ok(first.components.some(({ label }) => label === '26 phones'))
  t.equal(first.services.length, 300)
  t.ok(JSON.stringify(first).length < 1_000_000)
  const chosen = powerView(NOW_MS, model, calm(NOW_MS))
  t.match(chosen.drawing, { isChosen: true, of: 'emergency-112-s000' })
  const of = powerView(NOW_MS, model, calm(NOW_MS), { of: 'dc-core-a' })
  t.ok(of.components.length <= 300, 'what everything stands on reaches everywhere: the nearest')
  t.ok(of.componentsLeftOut > 9000)
})

test('the last 24 hours keep what changed, the worst loss of each minute, and no more', async (t) => {
  const history = new PowerHistory()
  const point = (target: string, state: string, minutesAgo: number, reason = ''): Measurement =>
    measurement(
      'component',
      (NOW_MS - minutesAgo * MINUTE_MS) * 1000,
      { target, kind: 'ups' },
      { state, reason },
    )
  const loss = (ratio: number, minutesAgo: number): Measurement =>
    measurement(
      'path',
      (NOW_MS - minutesAgo * MINUTE_MS) * 1000,
      { from: 'hq', to: 'carrier-a', at: 'hq-edge', source: 'stream' },
      { loss_ratio: ratio },
    )
  history.add([
    point('ups-2', 'unknown', 1500, 'no news'),
    point('ups-1', 'up', 30),
    point('ups-1', 'degraded', 20, 'on battery, 80 %'),
    point('ups-1', 'degraded', 19, 'on battery, 79 %'),
    point('ups-1', 'up', 5),
    loss(0.01, 19),
    loss(0.0812345, 19),
    loss(0.002, 1500),
  ])
  const view = history.view(NOW_MS, (id) => (id === 'ups-1' ? 'UPS exchange room' : ''))
  t.same(view.lanes, [
    {
      ...{ id: 'ups-1', label: 'UPS exchange room', isService: false },
      spans: [
        {
          fromMs: NOW_MS - 20 * MINUTE_MS,
          toMs: NOW_MS - 5 * MINUTE_MS,
          state: 'degraded',
          text: 'on battery, 80 %',
        },
      ],
    },
    {
      ...{ id: 'ups-2', label: '', isService: false },
      spans: [{ fromMs: NOW_MS - 1500 * MINUTE_MS, toMs: null, state: 'unknown', text: 'no news' }],
    },
  ])
  t.same(
    view.events.map(({ id, state }) => [id, state]),
    [
      ['ups-1', 'up'],
      ['ups-1', 'degraded'],
      ['ups-2', 'unknown'],
    ],
  )
  t.equal(view.loss.length, 1440)
  t.same(
    view.loss.filter((ratio) => ratio !== null),
    [0.0812],
  )
  const again = new PowerHistory(history.snapshot())
  t.same(again.view(NOW_MS, String).events.length, 3, 'a restart forgets nothing')
})

const found = z.object({ found: z.array(z.looseObject({ id: z.string() })) })
const shown = z.looseObject({
  version: z.number(),
  components: z.array(z.looseObject({ id: z.string(), state: z.string() })),
})

test('viewers ask the collector for the view, what if, and where something stands', async (t) => {
  const { url, viewer, agent } = await startCollector(t)
  const ask = async (path: string, token = viewer): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { authorization: `Token ${token}` } })
  t.equal((await fetch(`${url}/api/v1/power`)).status, 401)
  t.equal((await ask('/api/v1/power', agent)).status, 403)
  const answer = await ask('/api/v1/power')
  t.equal(answer.headers.get('content-encoding'), 'gzip')
  t.equal(shown.parse(await answer.json()).components.length, 16)

  t.match(await (await ask('/api/v1/power/what-if?fail=pdu-b')).json(), {
    ...{ go: true, stopped: [], components: ['desk-1', 'desk-2', 'desk-3', 'sw-2'] },
    oneLeg: [{ service: 'call-out' }, { service: 'emergency-112' }],
  })
  t.match(await (await ask('/api/v1/power/what-if?fail=sw-core')).json(), {
    go: false,
    stopped: ['call-out', 'emergency-112', 'reception'],
  })
  const window = 'from=2026-12-24T10:00:00Z&to=2026-12-24T12:00:00Z'
  t.match(await (await ask(`/api/v1/power/what-if?fail=mains-a&${window}`)).json(), {
    ...{ go: false, stopped: [], fromMs: Date.UTC(2026, 11, 24, 10) },
    runsOut: [{ service: 'reception', afterMin: 40 }],
  })
  for (const [query, code] of [
    ['fail=', 'bad-question'],
    ['fail=nobody', 'unknown-component'],
    ['fail=ups-1&from=12:00', 'bad-window'],
  ] as const) {
    const refused = await ask(`/api/v1/power/what-if?${query}`)
    t.equal(refused.status, 400)
    t.match(await refused.json(), { code })
  }
  const hits = found.parse(await (await ask('/api/v1/power/search?text=floor')).json())
  t.same(
    hits.found.map(({ id }) => id),
    ['sw-1', 'sw-2', 'phones-1'],
  )
})

test('a UPS on battery is in the view of the collector within two seconds', async (t) => {
  const { url, viewer, push } = await startCollector(t)
  const state = async (): Promise<string | undefined> => {
    const answer = await fetch(`${url}/api/v1/power`, {
      headers: { authorization: `Token ${viewer}` },
    })
    const { components } = shown.parse(await answer.json())
    return components.find(({ id }) => id === 'ups-1')?.state
  }
  t.equal(await state(), 'unknown', 'watched, and never heard of')
  await push('online')
  t.equal(await state(), 'up')
  await push('battery')
  t.equal(await state(), 'degraded')
})

/** A collector with the drawn office and an agent in it. */
async function startCollector(t: Test): Promise<{
  readonly url: string
  readonly viewer: string
  readonly agent: string
  readonly push: (line: string) => Promise<void>
}> {
  const data = await mkdtemp(join(tmpdir(), 'kiestoon-power-'))
  await writeFile(join(data, 'site.yaml'), OFFICE)
  const config = collectorConfig.parse({
    data,
    listen: '127.0.0.1:0',
    'site-file': join(data, 'site.yaml'),
  })
  const made = new Date(NOW_MS).toISOString()
  const viewer = await createToken(data, { role: 'viewer' }, made)
  const agent = await createToken(data, { role: 'agent', agent: 'gw-1', site: 'hq' }, made)
  const { collector } = await Collector.start(config, createLogger('test', 'silent'))
  t.teardown(async () => {
    await collector.close()
    await rm(data, { recursive: true })
  })
  const { url } = collector
  return {
    ...{ url, viewer: viewer.secret, agent: agent.secret },
    push: async (line) => {
      const reading = measurement(
        'ups',
        Date.now() * 1000,
        { target: 'ups-1', source: 'nut' },
        { line, charge_ratio: 0.62, runtime_left_s: 660, comms_lost: false },
      )
      const body = encodeMeasurements([reading])
      const answer = await fetch(`${url}/api/v2/write?precision=us`, {
        method: 'POST',
        headers: { authorization: `Token ${agent.secret}` },
        body,
      })
      t.equal(answer.status, 204)
    },
  }
}

test('redundancy that is none, by what is measured or else by the watts drawn, and ports that would not be fed', async (t) => {
  const model = officeModel(`
components:
  ups-a: { kind: ups, needs: [], capacity-w: 1000 }
  ups-b: { kind: ups, label: Side B, needs: [], capacity-w: 1000 }
  psu-a: { kind: psu, needs: [ups-a], capacity-w: 300 }
  psu-b: { kind: psu, needs: [ups-b], capacity-w: 300 }
  sw: { kind: switch, watts: 100, needs: [{ any: [psu-a, psu-b] }], poe: { budget-w: 400 } }
  phone-1: { kind: phone, watts: 150, needs: [sw], poe: { port: 1 } }
  phone-2: { kind: phone, watts: 150, needs: [sw], poe: { port: 2 } }
services: { calls: { label: Calls, needs: [phone-1] } }
`)
  t.same(
    drawnRemarks(model).map(({ kind, id, text }) => [kind, id, text]),
    [
      [
        ...['drawn-load', 'psu-a'],
        'when it is lost psu-b has to carry too much, by the watts drawn, and calls stops',
      ],
      [
        ...['drawn-load', 'psu-b'],
        'when it is lost psu-a has to carry too much, by the watts drawn, and calls stops',
      ],
      [
        ...['drawn-load', 'ups-a'],
        'when it is lost psu-b has to carry too much, by the watts drawn, and calls stops',
      ],
      [
        ...['drawn-load', 'ups-b'],
        'when it is lost psu-a has to carry too much, by the watts drawn, and calls stops',
      ],
      ['poe', 'sw', '200 W to give without psu-a, 300 W drawn: it would not feed phone-2'],
      ['poe', 'sw', '200 W to give without psu-b, 300 W drawn: it would not feed phone-2'],
    ],
  )
  const measured = new Survivors(model).find(
    new Map([
      ['ups-a', { loadW: 520, capacityW: 1000 }],
      ['ups-b', { loadW: 400, capacityW: 900 }],
    ]),
  )
  t.same(
    liveRemarks(measured, []).map(({ kind, label, text }) => [kind, label, text]),
    [
      [
        ...['measured-load', 'ups-b'],
        'when ups-a is lost it has to carry 920 W of 900 W (102 %, as measured): it trips, and with it calls',
      ],
      [
        ...['measured-load', 'ups-a'],
        'when ups-b is lost it has to carry 920 W of 1000 W (92 %, as measured); it is all that carries calls',
      ],
    ],
  )
})
