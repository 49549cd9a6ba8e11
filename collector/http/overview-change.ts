import {
  HISTORY_STEP_MS,
  HISTORY_STEPS,
  agentKey,
  pathKey,
  type AgentView,
  type AlertView,
  type Overview,
  type PathFigures,
  type PathHistoryView,
  type PathView,
} from './overview.ts'

/**
 * What became different from one overview to the next: every event of GET /api/v1/events after the first. With 200 paths an overview is
 * hundreds of kilobytes, and what changes in a second is a few.
 */
export interface OverviewChange {
  readonly head: OverviewHead
  readonly paths: ListChange<PathFigures>
  readonly alerts: ListChange<AlertView>
  readonly agents: ListChange<AgentView>
  /** Steps of histories that are new or different. */
  readonly steps: readonly StepChange[]
}

/** All that is no list of things with a name: sent every time. */
export type OverviewHead = Omit<Overview, 'paths' | 'alerts' | 'agents'>

export interface ListChange<Item> {
  /** New, or different in anything. */
  readonly changed: readonly Item[]
  /** The keys of all in their order, when it is another than before or something went. */
  readonly order?: readonly string[]
}

export type StepChange = readonly [
  path: string,
  step: number,
  loss: number | null,
  jitterMs: number | null,
  mosLq: number | null,
]

type Step = readonly [loss: number | null, jitterMs: number | null, mosLq: number | null]

const NOTHING: Step = [null, null, null]
const EMPTY: PathHistoryView = { loss: [], jitterMs: [], mosLq: [] }

export function changeOf(before: Overview, after: Overview): OverviewChange {
  const { paths, alerts, agents, ...head } = after
  return {
    head,
    paths: listChange(before.paths.map(figuresOf), paths.map(figuresOf), pathKey),
    alerts: listChange(before.alerts, alerts, alertKey),
    agents: listChange(before.agents, agents, agentKey),
    steps: stepChanges(before, after),
  }
}

/** The overview after a change; what changeOf() made of two gives the second from the first. */
export function withChange(before: Overview, change: OverviewChange): Overview {
  const { head, paths, alerts, agents, steps } = change
  const shift = shiftOf(before, head)
  const known = new Map(before.paths.map((path) => [pathKey(path), path.history]))
  const changed = new Map<string, StepChange[]>()
  for (const step of steps) changed.set(step[0], [...(changed.get(step[0]) ?? []), step])
  return {
    ...head,
    paths: withListChange(before.paths.map(figuresOf), paths, pathKey).map((path) => {
      const key = pathKey(path)
      return { ...path, history: withSteps(known.get(key) ?? EMPTY, shift, changed.get(key) ?? []) }
    }),
    alerts: withListChange(before.alerts, alerts, alertKey),
    agents: withListChange(before.agents, agents, agentKey),
  }
}

function listChange<Item>(
  before: readonly Item[],
  after: readonly Item[],
  keyOf: (item: Item) => string,
): ListChange<Item> {
  const old = new Map(before.map((item) => [keyOf(item), JSON.stringify(item)]))
  const changed = after.filter((item) => old.get(keyOf(item)) !== JSON.stringify(item))
  const order = after.map(keyOf)
  const oldOrder = [...old.keys()]
  const isSame = order.length === oldOrder.length && order.every((key, i) => key === oldOrder[i])
  return isSame ? { changed } : { changed, order }
}

function withListChange<Item>(
  before: readonly Item[],
  { changed, order }: ListChange<Item>,
  keyOf: (item: Item) => string,
): readonly Item[] {
  const items = new Map([...before, ...changed].map((item) => [keyOf(item), item]))
  return (order ?? [...items.keys()]).flatMap((key) => items.get(key) ?? [])
}

function stepChanges(before: Overview, after: Overview): readonly StepChange[] {
  const shift = shiftOf(before, after)
  const known = new Map(before.paths.map((path) => [pathKey(path), path.history]))
  return after.paths.flatMap((path) => {
    const key = pathKey(path)
    const old = known.get(key) ?? EMPTY
    if (shift === 0 && path.history === old) return []
    const changes: StepChange[] = []
    for (let step = 0; step < HISTORY_STEPS; step++) {
      const now = stepOf(path.history, step)
      const then = stepOf(old, step + shift)
      if (now.some((value, i) => value !== then[i])) changes.push([key, step, ...now])
    }
    return changes
  })
}

function withSteps(
  history: PathHistoryView,
  shift: number,
  changes: readonly StepChange[],
): PathHistoryView {
  if (shift === 0 && changes.length === 0) return history
  const steps = Array.from({ length: HISTORY_STEPS }, (_, step) => stepOf(history, step + shift))
  for (const [, step, ...values] of changes) steps[step] = values
  return {
    loss: columnOf(steps.map(([loss]) => loss)),
    jitterMs: columnOf(steps.map(([, jitterMs]) => jitterMs)),
    mosLq: columnOf(steps.map(([, , mosLq]) => mosLq)),
  }
}

/** A list in which nothing was measured is empty. */
export function columnOf(values: readonly (number | null)[]): readonly (number | null)[] {
  return values.some((value) => value !== null) ? values : []
}

function stepOf({ loss, jitterMs, mosLq }: PathHistoryView, step: number): Step {
  if (step < 0 || step >= HISTORY_STEPS) return NOTHING
  return [loss[step] ?? null, jitterMs[step] ?? null, mosLq[step] ?? null]
}

function shiftOf(before: OverviewHead, after: OverviewHead): number {
  return Math.round((after.historyFromMs - before.historyFromMs) / HISTORY_STEP_MS)
}

function figuresOf(path: PathView): PathFigures {
  const figures: PathFigures & { history?: PathHistoryView } = { ...path }
  delete figures.history
  return figures
}

function alertKey({ id }: AlertView): string {
  return id
}
