import { graphlib, layout } from '@dagrejs/dagre'
import type { ComponentView, NeedView, ServiceView } from '../../http/power-view.ts'

export const NODE_WIDTH = 184
export const NODE_HEIGHT = 66
const MARGIN = 14
/** Room between two beside each other, and between a column and the next: the way of the lines. */
const NODE_GAP = 20
const COLUMN_GAP = 42

export interface Place {
  /** The upper left corner. */
  readonly x: number
  readonly y: number
}

export interface Line {
  readonly from: string
  readonly to: string
  readonly isChoice: boolean
  /** As the `d` of a path. */
  readonly d: string
}

export interface ChainLayout {
  readonly width: number
  readonly height: number
  readonly places: ReadonlyMap<string, Place>
  readonly lines: readonly Line[]
  /** To the right of each, and to its left. */
  readonly neededBy: ReadonlyMap<string, readonly string[]>
  readonly needs: ReadonlyMap<string, readonly string[]>
}

type Drawn = Pick<ComponentView, 'id' | 'needs'>

/** What the layout depends on, as text: while it is the same, nothing moves. */
export function shapeOf(components: readonly Drawn[], services: readonly Drawn[]): string {
  const words = ({ id, needs }: Drawn): string =>
    `${id}<${needs.map((need) => `${need.id}${need.isChoice ? '?' : ''}`).join()}`
  return `${components.map(words).join(';')}|${services.map(words).join(';')}`
}

/** Left to right: each to the right of what it needs, services at the right end. */
export function layOut(
  components: readonly ComponentView[],
  services: readonly ServiceView[],
): ChainLayout {
  const graph = new graphlib.Graph()
  graph.setGraph({
    ...{ rankdir: 'LR', nodesep: NODE_GAP, ranksep: COLUMN_GAP, edgesep: 8 },
    ...{ marginx: MARGIN, marginy: MARGIN },
  })
  graph.setDefaultEdgeLabel(() => ({}))
  const drawn = [...components, ...services.map(({ id, needs }) => ({ id: serviceKey(id), needs }))]
  for (const { id } of drawn) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT })
  const known = new Set(drawn.map(({ id }) => id))
  const choices = new Map<string, NeedView>()
  for (const { id, needs } of drawn)
    for (const need of needs) {
      if (!known.has(need.id)) continue
      graph.setEdge(need.id, id)
      choices.set(`${need.id}\n${id}`, need)
    }
  layout(graph)
  return readLayout(graph, choices)
}

/** A service may have the id of a component: in the drawing they are told apart. */
export function serviceKey(id: string): string {
  return `service ${id}`
}

function readLayout(graph: graphlib.Graph, choices: ReadonlyMap<string, NeedView>): ChainLayout {
  const places = new Map<string, Place>()
  for (const id of graph.nodes()) {
    const { x, y } = pointOf(graph.node(id))
    places.set(id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 })
  }
  const neededBy = new Map<string, string[]>()
  const needs = new Map<string, string[]>()
  const lines = graph.edges().map(({ v, w }): Line => {
    push(neededBy, v, w)
    push(needs, w, v)
    const { points } = pointsOf(graph.edge(v, w))
    const ends = [rightOf(places.get(v)), ...points.slice(1, -1), leftOf(places.get(w))]
    return {
      from: v,
      to: w,
      isChoice: choices.get(`${v}\n${w}`)?.isChoice === true,
      d: curve(ends),
    }
  })
  const { width, height } = sizeOf(graph.graph())
  return { width, height, places, lines, neededBy, needs }
}

function rightOf(place: Place | undefined): Point {
  return { x: (place?.x ?? 0) + NODE_WIDTH, y: (place?.y ?? 0) + NODE_HEIGHT / 2 }
}

function leftOf(place: Place | undefined): Point {
  return { x: place?.x ?? 0, y: (place?.y ?? 0) + NODE_HEIGHT / 2 }
}

/** Through the points, level at both ends. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  let d = `M${round(first.x)} ${round(first.y)}`
  let before = first
  for (const point of rest) {
    const middle = round((before.x + point.x) / 2)
    d += ` C${middle} ${round(before.y)} ${middle} ${round(point.y)} ${round(point.x)} ${round(point.y)}`
    before = point
  }
  return d
}

interface Point {
  readonly x: number
  readonly y: number
}

function pointOf(value: unknown): Point {
  const { x, y } = numbersOf(value)
  return { x: x ?? 0, y: y ?? 0 }
}

function pointsOf(value: unknown): { readonly points: readonly Point[] } {
  const found: unknown = isObject(value) ? Reflect.get(value, 'points') : undefined
  return { points: Array.isArray(found) ? found.map(pointOf) : [] }
}

function sizeOf(value: unknown): { readonly width: number; readonly height: number } {
  const { width, height } = numbersOf(value)
  return { width: Math.ceil(width ?? 0), height: Math.ceil(height ?? 0) }
}

/** dagre writes its results into the labels, whose types it does not say. */
function numbersOf(value: unknown): Readonly<Record<string, number | undefined>> {
  if (!isObject(value)) return {}
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) =>
      typeof part === 'number' && Number.isFinite(part) ? [[key, part]] : [],
    ),
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  map.set(key, [...(map.get(key) ?? []), value])
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
