import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type {
  Component,
  Drawing,
  Need,
  Observation,
  Service,
} from '../../collector/topology/dependency.ts'
import { compile, type Model } from '../../collector/topology/model.ts'

/** Kind, then needs. */
type Short = readonly [kind: string, ...needs: Need[]]

export function drawingFrom(
  components: Readonly<Record<string, Short>>,
  services: Readonly<Record<string, readonly Need[]>>,
  facts: Readonly<Record<string, Partial<Component>>> = {},
): Drawing {
  return {
    components: new Map(
      Object.entries(components).map(([id, [kind, ...needs]]) => [
        id,
        { id, kind, needs, fails: true, ...facts[id] },
      ]),
    ),
    services: new Map(
      Object.entries(services).map(([id, needs]) => [id, { id, needs, isEmergency: false }]),
    ),
    accepted: new Map(),
  }
}

export function withFacts(drawing: Drawing, id: string, facts: Partial<Component>): Drawing {
  const components = new Map(drawing.components)
  const component = components.get(id)
  if (component !== undefined) components.set(id, { ...component, ...facts })
  return { ...drawing, components }
}

/** @throws Error with what is wrong with the drawing */
export function modelOf(drawing: Drawing): Model {
  const { model, complaints } = compile(drawing)
  if (model === undefined) throw new Error(complaints.map(({ message }) => message).join('\n'))
  return model
}

export const NOW_US = 1_800_000_000_000_000

/** @param sinceUs when that began; it is seen still */
export function seen(state: Observation['state'], sinceUs = NOW_US): Observation {
  return { state, reason: `seen ${state}`, sinceUs, atUs: Math.max(NOW_US, sinceUs) }
}

export function onBattery(sinceUs: number): Observation {
  return { state: 'degraded', reason: 'on battery', sinceUs, atUs: sinceUs, inputLost: true }
}

const needSchema: z.ZodType<Need> = z.lazy(() =>
  z.union([
    z.string(),
    z.object({ any: z.array(needSchema) }),
    z.object({ all: z.array(needSchema) }),
    z.object({ atLeast: z.number(), of: z.array(needSchema) }),
  ]),
)
const ids = z.array(z.string())
const interval = z.tuple([z.number(), z.number()])
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
      probability: z
        .object({
          service: z.string(),
          q: z.record(z.string(), z.number()),
          exact: z.number(),
          minCutUpperBound: z.number(),
        })
        .optional(),
    }),
  ),
  forecast: z.array(
    z.object({
      id: z.string(),
      case: z.string(),
      title: z.string(),
      sources: z.record(z.string(), z.array(interval)),
      boot: z.record(z.string(), z.number()),
      expect: z.record(z.string(), z.object({ diesAt: z.number(), up: z.array(interval) })),
    }),
  ),
})

/** Drawings of which the cut sets, states and forecasts were derived by hand. */
export const VECTORS = vectorsSchema.parse(
  JSON.parse(readFileSync(new URL('../fixtures/topology/spof.json', import.meta.url), 'utf8')),
)

/** The drawing V4 that two of the forecasts are about: a generator behind a transfer switch, a UPS with a bypass. */
export const V4 = drawingFrom(
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
)

export type VectorCase = (typeof VECTORS)['cases'][number]

export function drawingOf({ components, services }: VectorCase): Drawing {
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

/** Of up to 12 components and one service, s, with all kinds of needs. */
export function randomDrawing(random: () => number): Drawing {
  const count = 3 + Math.floor(random() * 10)
  const names = Array.from({ length: count }, (_, at) => `c${at.toString(36)}`)
  const components = new Map<string, Component>()
  for (const [at, id] of names.entries())
    components.set(id, {
      id,
      kind: 'thing',
      needs: at < count - 2 && random() < 0.7 ? [randomNeed(names.slice(at + 1), random, 0)] : [],
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

/** The same drawing, written down in another order throughout. */
export function shuffled(
  { components, services, accepted }: Drawing,
  random: () => number,
): Drawing {
  const mix = <T>(list: Iterable<T>): T[] =>
    [...list]
      .map((item) => ({ item, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item)
  const mixNeed = (need: Need): Need => {
    if (typeof need === 'string' || 'path' in need) return need
    if ('any' in need) return { any: mix(need.any).map(mixNeed) }
    if ('all' in need) return { all: mix(need.all).map(mixNeed) }
    return { atLeast: need.atLeast, of: mix(need.of).map(mixNeed) }
  }
  const mixNeeds = <T extends { readonly needs: readonly Need[] }>(
    map: ReadonlyMap<string, T>,
  ): Map<string, T> =>
    new Map(mix(map).map(([id, it]) => [id, { ...it, needs: mix(it.needs).map(mixNeed) }]))
  return { components: mixNeeds(components), services: mixNeeds(services), accepted }
}

/** mulberry32: the same numbers everywhere. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
