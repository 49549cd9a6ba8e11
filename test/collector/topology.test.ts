import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { z } from 'zod'
import { minimalCutSets } from '../../collector/topology/cut-sets.ts'
import type { Component, Drawing, Need, Service } from '../../collector/topology/dependency.ts'
import { compile, type Model } from '../../collector/topology/model.ts'

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
