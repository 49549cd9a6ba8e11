import tap, { test } from 'tap'
import { minimalCutSets } from '../../collector/topology/cut-sets.ts'
import type { Component, Drawing, Need } from '../../collector/topology/dependency.ts'
import { FamilyAlgebra } from '../../collector/topology/family-algebra.ts'
import { listed, NEVER } from '../../collector/topology/family.ts'
import { LiveModel } from '../../collector/topology/live.ts'
import { toMef } from '../../collector/topology/mef.ts'
import { compile } from '../../collector/topology/model.ts'
import {
  drawingFrom,
  drawingOf,
  modelOf,
  randomDrawing,
  seeded,
  seen,
  shuffled,
  V4,
  VECTORS,
} from '../support/drawings.ts'
import { largeDrawing } from '../support/large-drawing.ts'
import { hasScram, scramCutSets } from '../support/scram.ts'

tap.setTimeout(120_000)

const NO_SCRAM = hasScram() ? false : 'scram is not installed: apt-get install scram'

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

test('a generator, a bypass and a battery give the cut sets derived by hand', async (t) => {
  t.strictSame(minimalCutSets(modelOf(V4), { order: 3 }).get('callControl')?.sets, [
    ['pbx'],
    ['pdu1'],
    ['bat1', 'xfer'],
    ['byp', 'inv'],
    ['inv', 'xfer'],
    ['bat1', 'gen', 'grid'],
    ['gen', 'grid', 'inv'],
  ])
})

test('whether a service is up is right in every state of two hundred random drawings', async (t) => {
  const random = seeded(2)
  let states = 0
  for (let round = 0; round < 200; round++) {
    const drawing = randomDrawing(random)
    const model = modelOf(drawing)
    const ids = [...drawing.components.keys()]
    for (let state = 0; state < 2 ** ids.length; state++) {
      const failed = new Set(ids.filter((_, at) => (state >>> at) % 2 === 1))
      const [first] = minimalCutSets(model, { order: 1, failed }).get('s')?.sets ?? []
      states++
      if ((first?.length === 0) !== works(drawing.services.get('s')?.needs ?? [], drawing, failed))
        continue
      t.fail(
        `round ${round}, failed ${[...failed].join()}: ${JSON.stringify([...drawing.components])}`,
      )
      return
    }
  }
  t.ok(states > 100_000, `${states} states`)
})

test('a lower order finds the same sets up to it', async (t) => {
  for (const vector of VECTORS.cases) {
    const model = modelOf(drawingOf(vector))
    const whole = minimalCutSets(model, { order: 3 })
    for (const order of [1, 2] as const)
      for (const [service, { sets }] of minimalCutSets(model, { order }))
        t.strictSame(
          sets,
          whole.get(service)?.sets.filter(({ length }) => length <= order),
          `${vector.id} ${service}, order ${order}`,
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

test(
  'SCRAM finds the same cut sets in the vectors, by each of its three ways',
  { skip: NO_SCRAM },
  async (t) => {
    for (const vector of VECTORS.cases) {
      const model = modelOf(drawingOf(vector))
      const ours = minimalCutSets(model, { order: 3 })
      for (const service of model.services)
        for (const algorithm of ['bdd', 'zbdd', 'mocus'] as const)
          t.strictSame(
            scramCutSets(toMef(model, service), 3, algorithm),
            ours.get(service.id)?.sets,
            `${vector.id} ${service.id} by ${algorithm}`,
          )
    }
  },
)

test(
  'SCRAM finds the same cut sets in a drawing of ten thousand components',
  { skip: NO_SCRAM },
  async (t) => {
    // SCRAM expands k of n: 6 of 8 is what it can do in seconds.
    const model = modelOf(largeDrawing(10_000, { phones: 8 }))
    t.ok(model.components.length > 9000)
    const ours = minimalCutSets(model, { order: 3 })
    let sets = 0
    for (const service of model.services.filter((_, at) => at % 29 === 0)) {
      const found = ours.get(service.id)?.sets ?? []
      sets += found.length
      t.strictSame(scramCutSets(toMef(model, service), 3), found, service.id)
    }
    t.ok(sets > 500, `${sets} sets compared`)
  },
)

test(
  'names that MEF does not allow are written in others, none of them twice',
  { skip: NO_SCRAM },
  async (t) => {
    const model = modelOf(
      drawingFrom(
        {
          '1a': ['x'],
          'a.b': ['x'],
          a_b: ['x'],
          'a--b': ['x'],
          'F-a_b': ['x'],
          top: ['x'],
          'end-': ['x'],
        },
        { 'call.out-': ['1a', 'a.b', 'F-a_b', 'top', { any: ['a_b', 'a--b', 'end-'] }] },
      ),
    )
    const [service] = model.services
    if (service !== undefined)
      t.strictSame(scramCutSets(toMef(model, service), 3), [
        ['1a'],
        ['F-a_b'],
        ['a.b'],
        ['top'],
        ['a--b', 'a_b', 'end-'],
      ])
  },
)

test('the order in which things are written down makes no difference', async (t) => {
  const random = seeded(7)
  const drawings = [
    ...VECTORS.cases.map(drawingOf),
    ...Array.from({ length: 300 }, () => randomDrawing(random)),
    largeDrawing(1000),
  ]
  for (const drawing of drawings) {
    const answerOf = (one: Drawing): string => {
      const model = modelOf(one)
      const cutSets = [...minimalCutSets(model, { order: 3 })]
      const live = new LiveModel(model, 2)
      const down = [...drawing.components.keys()].sort().filter((_, at) => at % 9 === 0)
      const overlay = live.overlay(new Map(down.map((id) => [id, seen('down')])))
      return JSON.stringify([cutSets, [...overlay.services], overlay.failed, overlay.down])
    }
    if (answerOf(drawing) !== answerOf(shuffled(drawing, random)))
      t.fail(JSON.stringify([...drawing.components]))
  }
  t.pass(`${drawings.length} drawings`)
})

test('a change is worked out as if from scratch, whatever was worked out before', async (t) => {
  const random = seeded(112)
  for (let round = 0; round < 300; round++) {
    const drawing = randomDrawing(random)
    const model = modelOf(drawing)
    const live = new LiveModel(model, 3)
    const ids = [...drawing.components.keys()]
    for (let change = 0; change < 6; change++) {
      const states = new Map(
        ids.flatMap((id) => {
          const dice = random()
          if (dice < 0.15) return [[id, seen('down')] as const]
          return dice < 0.3 ? [[id, seen('unknown')] as const] : []
        }),
      )
      const found = live.overlay(states)
      const expected = new LiveModel(model, 3).overlay(states)
      // A question in between changes nothing.
      live.outlook(states, [{ id: ids[0] ?? '', reason: 'taken out', sinceUs: 0 }])
      if (JSON.stringify([...found.services]) === JSON.stringify([...expected.services])) continue
      t.strictSame(found, expected, `round ${round}`)
      return
    }
  }
  t.pass('1800 changes')
})

test('a family that grows too large leaves out its longest sets, and says so', async (t) => {
  const algebra = new FamilyAlgebra(2000, 3, 1000)
  const chain = (from: number, length: number) =>
    Array.from({ length }, (_, at) => from + at).reduce(
      (family, element) => algebra.withOwn(element, family),
      NEVER,
    )
  const pairs = algebra.allDown([chain(0, 30), chain(100, 30)])
  t.match({ pairs: pairs.pairs.length, exactTo: pairs.exactTo }, { pairs: 900, exactTo: 3 })
  const triples = algebra.allDown([chain(0, 11), chain(100, 11), chain(200, 11)])
  t.match(
    { triples: triples.triples.length, exactTo: triples.exactTo },
    { triples: 0, exactTo: 2 },
    '1331 triples are too many',
  )
  const many = algebra.allDown([chain(0, 40), chain(100, 40)])
  t.match({ pairs: many.pairs.length, exactTo: many.exactTo }, { pairs: 0, exactTo: 1 })
  const above = algebra.anyDown([many, algebra.allDown([chain(300, 1), chain(400, 1)])])
  t.strictSame(listed(above, 2000), [], 'what is made of it is no more exact than it is')
  t.equal(above.exactTo, 1)
  const choice = algebra.atLeastDown(
    2,
    Array.from({ length: 60 }, (_, at) => chain(at, 1)),
  )
  t.match(choice, { exactTo: 1 }, '60 phones of which 2 may not fail: 1770 pairs')
})

test('what is truncated is marked so, and exact up to what it says', async (t) => {
  const phones = Array.from({ length: 800 }, (_, at) => `phone-${at}`)
  const components: Record<string, readonly ['phone' | 'switch', ...Need[]]> = { sw: ['switch'] }
  for (const phone of phones) components[phone] = ['phone', 'sw']
  const { sets, isTruncated } =
    minimalCutSets(modelOf(drawingFrom(components, { s: [{ atLeast: 799, of: phones }] })), {
      order: 3,
    }).get('s') ?? {}
  t.match({ sets, isTruncated }, { sets: [['sw']], isTruncated: true }, '319,600 pairs')
})

test('what all need is one point of failure however many choices stand between', async (t) => {
  const boxes: Record<string, readonly [string, ...Need[]]> = { root: ['mains'] }
  let layer = ['root']
  for (let depth = 0; depth < 500; depth++) {
    const next = [`a-${depth}`, `b-${depth}`]
    for (const id of next) boxes[id] = ['box', { any: layer }]
    layer = next
  }
  const { sets = [] } =
    minimalCutSets(modelOf(drawingFrom(boxes, { s: [{ any: layer }] })), { order: 3 }).get('s') ??
    {}
  t.strictSame(sets[0], ['root'])
  t.equal(sets.length, 501, 'and one pair in each of 500 layers')
})

test('ways over links are found, with the links and boxes on them', async (t) => {
  const ring = drawingFrom(
    { a: ['switch'], b: ['switch'], c: ['switch'], ab: ['link'], bc: ['link'], ca: ['link'] },
    { s: [{ path: { from: 'a', to: 'c' } }] },
    { ab: { links: ['a', 'b'] }, bc: { links: ['b', 'c'] }, ca: { links: ['c', 'a'] } },
  )
  t.strictSame(minimalCutSets(modelOf(ring), { order: 3 }).get('s')?.sets, [
    ['a'],
    ['c'],
    ['ab', 'ca'],
    ['b', 'ca'],
    ['bc', 'ca'],
  ])
})

test('ways that are too many or too long are complained of, not left out', async (t) => {
  const complaintOf = (boxes: number, isJoined: (a: number, b: number) => boolean): string => {
    const components: Record<string, readonly [string, ...Need[]]> = {}
    const facts: Record<string, Partial<Component>> = {}
    for (let a = 0; a < boxes; a++) {
      components[`box-${a}`] = ['switch']
      for (let b = 0; b < a; b++) {
        if (!isJoined(a, b)) continue
        components[`link-${a}-${b}`] = ['link']
        facts[`link-${a}-${b}`] = { links: [`box-${a}`, `box-${b}`] }
      }
    }
    const needs = [{ path: { from: 'box-0', to: `box-${boxes - 1}` } }]
    const { complaints } = compile(drawingFrom(components, { s: needs }, facts))
    return complaints?.map(({ message }) => message).join('; ') ?? ''
  }
  t.match(
    complaintOf(9, () => true),
    /^more than 32 ways lead from box-0 to box-8/,
  )
  const ring = (a: number, b: number): boolean => a - b === 1 || a - b === 19
  t.match(complaintOf(20, ring), /^a way of 19 hops .*expected/, 'a ring whose end is near')
  t.match(
    complaintOf(30, (a, b) => a - b === 1),
    /^a way of 29 hops leads from box-0 to box-29: expected at most 12/,
  )
  t.equal(
    complaintOf(3, () => false),
    'no links lead from box-0 to box-2',
  )
  t.equal(
    complaintOf(13, (a, b) => a - b === 1),
    '',
    '12 hops',
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

test('everything that is wrong is said at once: unknown ids, thresholds, and each circle once', async (t) => {
  const { complaints = [] } = compile(
    drawingFrom(
      {
        a: ['x', 'b', 'nobody'],
        b: ['x', { any: ['a', 'c'] }],
        c: ['x', 'd'],
        d: ['x', 'e'],
        e: ['x', 'd'],
        self: ['x', 'self'],
      },
      { s: ['a', { atLeast: 3, of: ['c', 'd'] }] },
    ),
  )
  const told = complaints.map(
    ({ path, message }) => `${path.join('.')}: ${message.split(': take')[0]}`,
  )
  t.strictSame(told, [
    'components.a.needs.1: "nobody" is not declared under components',
    'services.s.needs.1.atLeast: expected a number from 1 to 2, as many as are listed',
    'components.a.needs: what it needs leads back to itself: a -> b -> a',
    'components.d.needs: what it needs leads back to itself: d -> e -> d',
    'components.self.needs: what it needs leads back to itself: self -> self',
  ])
})

test('a chain of twenty thousand is followed to its end', async (t) => {
  const components: Record<string, readonly [string, ...Need[]]> = {}
  for (let at = 0; at < 20_000; at++)
    components[`box-${at}`] = at === 0 ? ['box'] : ['box', `box-${at - 1}`]
  const model = modelOf(drawingFrom(components, { s: ['box-19999'] }))
  t.equal(minimalCutSets(model, { order: 3 }).get('s')?.sets.length, 20_000)
})

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
