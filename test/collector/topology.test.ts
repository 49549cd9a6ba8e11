import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { z } from 'zod'
import { minimalCutSets } from '../../collector/topology/cut-sets.ts'
import type {
  Component,
  Drawing,
  Need,
  Observation,
  Service,
} from '../../collector/topology/dependency.ts'
import { forecast } from '../../collector/topology/forecast.ts'
import type { Intervals } from '../../collector/topology/intervals.ts'
import { LiveModel } from '../../collector/topology/live.ts'
import { compile, type Model } from '../../collector/topology/model.ts'
import { whatIf } from '../../collector/topology/what-if.ts'
import { Works } from '../../collector/topology/works.ts'
import { largeDrawing } from '../support/large-drawing.ts'

const needSchema: z.ZodType<Need> = z.lazy(() =>
  z.union([
    z.string(),
    z.object({ any: z.array(needSchema) }),
    z.object({ all: z.array(needSchema) }),
    z.object({ atLeast: z.number(), of: z.array(needSchema) }),
  ]),
)
const ids = z.array(z.string())
const vectorsSchema = z.object({
  cases: z.array(
    z.object({
      id: z.string(),
      components: z.record(
        z.string(),
        z.object({
          kind: z.string(),
          needs: z.array(needSchema).default([]),
          fails: z.boolean().default(true),
        }),
      ),
      services: z.record(
        z.string(),
        z.object({ needs: z.array(needSchema), cutSets: z.array(ids) }),
      ),
      states: z
        .array(
          z.object({
            name: z.string(),
            failed: ids,
            service: z.string(),
            up: z.boolean(),
            residual: z.array(ids),
            newSinglePoints: ids,
            because: z.array(ids).optional(),
          }),
        )
        .default([]),
    }),
  ),
})
const VECTORS = vectorsSchema.parse(
  JSON.parse(readFileSync(new URL('../fixtures/topology/spof.json', import.meta.url), 'utf8')),
)
type Case = (typeof VECTORS)['cases'][number]

test('the minimal cut sets of every drawing of the vectors are those derived by hand', async (t) => {
  for (const vector of VECTORS.cases) {
    const cutSets = minimalCutSets(modelOf(drawingOf(vector)), { order: 3 })
    for (const [service, { cutSets: expected }] of Object.entries(vector.services))
      t.strictSame(
        cutSets.get(service)?.sets,
        expected.filter(({ length }) => length <= 3),
        `${vector.id} ${service}`,
      )
  }
})

test('what is left when something has failed is what was derived by hand', async (t) => {
  for (const vector of VECTORS.cases) {
    const model = modelOf(drawingOf(vector))
    for (const { name, failed, service, residual } of vector.states)
      t.strictSame(
        minimalCutSets(model, { order: 3, failed: new Set(failed) }).get(service)?.sets,
        residual.filter(({ length }) => length <= 3),
        `${vector.id} ${name}: ${service}`,
      )
  }
})

test('ten thousand random drawings have the cut sets that trying every failure finds', async (t) => {
  const random = seeded(20_061_201)
  let sets = 0
  for (let round = 0; round < 10_000; round++) {
    const drawing = randomDrawing(random)
    const failed = new Set([...drawing.components.keys()].filter(() => random() < 0.08))
    const found = minimalCutSets(modelOf(drawing), { order: 3, failed }).get('s')?.sets ?? []
    const expected = byTrying(drawing, failed)
    sets += expected.length
    if (JSON.stringify(found) === JSON.stringify(expected)) continue
    t.strictSame(found, expected, `round ${round}: ${JSON.stringify([...drawing.components])}`)
    return
  }
  t.ok(sets > 15_000, `${sets} sets compared`)
})

const NOW_US = 1_800_000_000_000_000

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

test('a change is worked out as if from scratch', async (t) => {
  const random = seeded(112)
  for (let round = 0; round < 1000; round++) {
    const drawing = randomDrawing(random)
    const model = modelOf(drawing)
    const live = new LiveModel(model, 3)
    const failed = new Set([...drawing.components.keys()].filter(() => random() < 0.2))
    const overlay = live.overlay(new Map([...failed].map((id) => [id, seen('down')])))
    const expected = minimalCutSets(model, { order: 3, failed }).get('s')?.sets
    if (JSON.stringify(overlay.services.get('s')?.residual) === JSON.stringify(expected)) continue
    t.strictSame(overlay.services.get('s')?.residual, expected, `round ${round}`)
    return
  }
  t.pass('1000 drawings')
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

test('batteries, a generator and boot times say when a service falls', async (t) => {
  const site = modelOf(
    drawingFrom(
      {
        grid: ['mains'],
        gen: ['generator'],
        xfer: ['ats', { any: ['grid', 'gen'] }],
        bat1: ['battery'],
        inv: ['inverter', { any: ['xfer', 'bat1'] }],
        byp: ['bypass', 'xfer'],
        pdu1: ['pdu', { any: ['inv', 'byp'] }],
        pbx: ['pbx', 'pdu1'],
      },
      { callControl: ['pbx'] },
    ),
  )
  const from = (bat1: number) =>
    new Map([
      ['grid', []],
      ['gen', [{ from: 2, to: 480 }]],
      ['bat1', [{ from: 0, to: bat1 }]],
    ])
  const held = forecastFrom(site, from(15)).services.get('callControl')
  t.strictSame(held, { up: [{ from: 0, to: 480 }], minutesLeft: 480 }, 'F3')
  const booting = new Map(site.drawing.components)
  const pbx = booting.get('pbx')
  if (pbx !== undefined) booting.set('pbx', { ...pbx, bootS: 300 })
  const gap = forecastFrom(modelOf({ ...site.drawing, components: booting }), from(1))
  t.strictSame(
    gap.services.get('callControl'),
    {
      up: [
        { from: 0, to: 1 },
        { from: 7, to: 480 },
      ],
      minutesLeft: 1,
    },
    'F4: one minute without power is six without calls',
  )
})

test('minutes left come from the UPS that runs, by its own word before its design', async (t) => {
  const drawing: Drawing = { ...BOARD, components: new Map(BOARD.components) }
  const live = new LiveModel(modelOf(withRuntime(drawing, 'battery-2', 1200)))
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
  const live = new LiveModel(modelOf(withRuntime(BOARD, 'battery-1', 600)))
  const calm = new Map<string, Observation>()
  const one = whatIf(live, calm, { fail: ['ups-1'] }, NOW_US)
  t.equal(one.go, true)
  t.strictSame(one.oneLeg, [{ service: 'calls', singles: ['switch-2', 'ups-2'] }])
  t.strictSame(one.components, ['switch-1'])
  const both = whatIf(live, calm, { fail: ['ups-1', 'ups-2'] }, NOW_US)
  t.strictSame([both.go, both.stopped], [false, ['calls']])
  const window = { fromUs: NOW_US, toUs: NOW_US + 1_800_000_000 }
  const drained = withRuntime(withRuntime(BOARD, 'battery-1', 600), 'battery-2', 900)
  const board = whatIf(new LiveModel(modelOf(drained)), calm, { fail: ['board'], window }, NOW_US)
  t.strictSame([board.go, board.stopped], [false, []], 'it would stop before the work is done')
  t.strictSame(board.runsOut, [{ service: 'calls', afterMin: 15 }])
  const short = { fromUs: NOW_US, toUs: NOW_US + 600_000_000 }
  t.equal(
    whatIf(new LiveModel(modelOf(drained)), calm, { fail: ['board'], window: short }, NOW_US).go,
    true,
  )
})

test('ten thousand components that lead back to themselves are complained of, with the way round', async (t) => {
  const { components, services, accepted } = largeDrawing(10_000)
  const ring = new Map(components)
  const names = Array.from({ length: 10_000 }, (_, at) => `ring-${at}`)
  for (const [at, id] of names.entries())
    ring.set(id, { id, kind: 'thing', needs: [names[(at + 1) % names.length] ?? ''], fails: true })
  const { complaints = [] } = compile({ components: ring, services, accepted })
  t.equal(complaints.length, 1)
  t.match(
    complaints[0]?.message,
    /leads back to itself: ring-0 -> ring-1 -> .* -> ring-0: take one of these needs out/,
  )
})

function forecastFrom(model: Model, sources: ReadonlyMap<string, Intervals>) {
  const byIndex = [...sources].flatMap(([id, intervals]) => {
    const index = model.indexOf.get(id)
    return index === undefined ? [] : [[index, intervals] as const]
  })
  return { services: new Works(model, new Map(byIndex)).services() }
}

function withRuntime(drawing: Drawing, id: string, runtimeS: number): Drawing {
  const components = new Map(drawing.components)
  const component = components.get(id)
  if (component !== undefined) components.set(id, { ...component, runtimeS })
  return { ...drawing, components }
}

function drawingFrom(
  components: Readonly<Record<string, readonly [kind: string, ...needs: Need[]]>>,
  services: Readonly<Record<string, readonly Need[]>>,
): Drawing {
  return {
    components: new Map(
      Object.entries(components).map(([id, [kind, ...needs]]) => [
        id,
        { id, kind, needs, fails: true },
      ]),
    ),
    services: new Map(
      Object.entries(services).map(([id, needs]) => [id, { id, needs, isEmergency: false }]),
    ),
    accepted: new Map(),
  }
}

function seen(state: Observation['state']): Observation {
  return { state, reason: `seen ${state}`, sinceUs: NOW_US, atUs: NOW_US }
}

function onBattery(sinceUs: number): Observation {
  return { state: 'degraded', reason: 'on battery', sinceUs, atUs: sinceUs, inputLost: true }
}

function drawingOf({ components, services }: Pick<Case, 'components' | 'services'>): Drawing {
  return {
    components: new Map(
      Object.entries(components).map(([id, component]) => [id, { id, ...component }]),
    ),
    services: new Map(
      Object.entries(services).map(([id, { needs }]) => [id, { id, needs, isEmergency: false }]),
    ),
    accepted: new Map(),
  }
}

function modelOf(drawing: Drawing): Model {
  const { model, complaints } = compile(drawing)
  if (model === undefined) throw new Error(complaints.map(({ message }) => message).join('\n'))
  return model
}

/** Every set of up to three failures, the smallest first; minimal is what contains none found before. */
function byTrying(drawing: Drawing, failed: ReadonlySet<string>): string[][] {
  const service = drawing.services.get('s')
  const elements = [...drawing.components.values()]
    .filter(({ id, fails }) => fails && !failed.has(id))
    .map(({ id }) => id)
    .sort()
  const found: string[][] = []
  const bits: number[] = []
  for (let size = 0; size <= 3; size++) {
    for (const set of subsets(elements, size)) {
      const mask = set.reduce((sum, id) => sum | (1 << elements.indexOf(id)), 0)
      if (bits.some((smaller) => (smaller & mask) === smaller)) continue
      const down = new Set([...failed, ...set])
      if (service === undefined || works(service.needs, drawing, down)) continue
      found.push(set)
      bits.push(mask)
    }
  }
  return found
}

function works(needs: readonly Need[], drawing: Drawing, down: ReadonlySet<string>): boolean {
  const isMet = (need: Need): boolean => {
    if (typeof need === 'string')
      return !down.has(need) && works(drawing.components.get(need)?.needs ?? [], drawing, down)
    if ('any' in need) return need.any.some(isMet)
    if ('all' in need) return need.all.every(isMet)
    if ('path' in need) return false
    return need.of.filter(isMet).length >= need.atLeast
  }
  return needs.every(isMet)
}

function subsets(elements: readonly string[], size: number): string[][] {
  if (size === 0) return [[]]
  return elements.flatMap((element, at) =>
    subsets(elements.slice(at + 1), size - 1).map((rest) => [element, ...rest]),
  )
}

function randomDrawing(random: () => number): Drawing {
  const count = 3 + Math.floor(random() * 10)
  const components = new Map<string, Component>()
  const names = Array.from({ length: count }, (_, at) => `c${at.toString(36)}`)
  const below = (at: number): readonly string[] => names.slice(at + 1)
  for (const [at, id] of names.entries())
    components.set(id, {
      id,
      kind: 'thing',
      needs: at < count - 2 && random() < 0.7 ? [randomNeed(below(at), random, 0)] : [],
      fails: random() < 0.85,
    })
  const service: Service = { id: 's', needs: [randomNeed(names, random, 0)], isEmergency: false }
  return { components, services: new Map([['s', service]]), accepted: new Map() }
}

function randomNeed(names: readonly string[], random: () => number, depth: number): Need {
  const pick = (): string => names[Math.floor(random() * names.length)] ?? names[0] ?? ''
  if (depth === 2 || random() < 0.25) return pick()
  const children = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
    randomNeed(names, random, depth + 1),
  )
  const kind = random()
  if (kind < 0.35) return { any: children }
  if (kind < 0.55) return { all: children }
  return { atLeast: 1 + Math.floor(random() * children.length), of: children }
}

/** mulberry32: the same numbers everywhere. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
