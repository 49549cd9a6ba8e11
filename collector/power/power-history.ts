import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import {
  POWER_HISTORY_STEP_MS as STEP_MS,
  POWER_HISTORY_STEPS as STEPS,
  type LaneView,
  type PowerEventView,
  type PowerHistoryView,
  type SpanView,
} from '../http/power-view.ts'

const US_PER_MS = 1000
const SPAN_MS = STEPS * STEP_MS
/** When full, the oldest change goes. */
const MAX_CHANGES = 2000
/** When full, what changed longest ago is forgotten. */
const MAX_THINGS = 5000
const MAX_LANES = 20
const MAX_EVENTS = 50
const LOSS_DIGITS = 4
const GOOD = 'up'

const change = z.object({
  atMs: z.number(),
  id: z.string(),
  isService: z.boolean(),
  state: z.string(),
  text: z.string(),
})

type Change = z.output<typeof change>

/** What outlives a restart. */
export const powerHistoryState = z.object({
  changes: z.array(change),
  loss: z.array(z.tuple([z.number(), z.number()])),
})

/** What happened to power in the last 24 hours, and the loss of calls beside it: from the points the rules write. */
export class PowerHistory {
  /** By time, ascending. */
  #changes: Change[]
  /** The newest state of each component and service. */
  readonly #newest = new Map<string, string>()
  /** The worst loss of a path by minute. */
  readonly #loss: Map<number, number>

  constructor(restored?: z.output<typeof powerHistoryState>) {
    this.#changes = [...(restored?.changes ?? [])]
    this.#loss = new Map(restored?.loss)
    for (const { id, isService, state } of this.#changes)
      this.#newest.set(keyOf(id, isService), state)
  }

  snapshot(): z.output<typeof powerHistoryState> {
    return { changes: this.#changes, loss: [...this.#loss] }
  }

  /** Points `component`, `service` of the chain, and `path`; others are passed by. */
  add(points: readonly Measurement[]): void {
    for (const { name, tags, fields, timeUs } of points) {
      const atMs = Math.floor(timeUs / US_PER_MS)
      if (name === 'path') this.#addLoss(atMs, fields['loss_ratio'])
      const isService = name === 'service' && tags['source'] === 'chain'
      if (name !== 'component' && !isService) continue
      const { state } = fields
      if (typeof state !== 'string') continue
      const id = tags['target'] ?? ''
      this.#addChange({ atMs, id, isService, state, text: textOf(fields, isService) })
    }
  }

  /** @param nameOf what people call a component or service */
  view(nowMs: number, nameOf: (id: string, isService: boolean) => string): PowerHistoryView {
    const fromMs = Math.floor(nowMs / STEP_MS) * STEP_MS - SPAN_MS + STEP_MS
    this.#forget(fromMs)
    const loss = Array.from(
      { length: STEPS },
      (_, step) => this.#loss.get(fromMs + step * STEP_MS) ?? null,
    )
    return {
      fromMs,
      loss: loss.some((ratio) => ratio !== null) ? loss : [],
      lanes: this.#lanes(nameOf),
      events: this.#events(nameOf),
    }
  }

  #addLoss(atMs: number, ratio: unknown): void {
    if (typeof ratio !== 'number') return
    const minute = Math.floor(atMs / STEP_MS) * STEP_MS
    const worst = Math.max(this.#loss.get(minute) ?? 0, ratio)
    this.#loss.set(minute, Number(worst.toFixed(LOSS_DIGITS)))
  }

  #addChange(next: Change): void {
    const key = keyOf(next.id, next.isService)
    const known = this.#newest.get(key)
    if (known === next.state) return
    this.#newest.delete(key)
    this.#newest.set(key, next.state)
    // What works when it is first heard of is no event.
    if (known !== undefined || next.state !== GOOD) this.#changes.push(next)
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
    const [oldest] = this.#newest.keys()
    if (this.#newest.size > MAX_THINGS && oldest !== undefined) this.#newest.delete(oldest)
  }

  #forget(fromMs: number): void {
    for (const minute of this.#loss.keys()) if (minute < fromMs) this.#loss.delete(minute)
    // A state that began before still lasts: its newest change stays.
    const newest = new Map(this.#changes.map((it) => [keyOf(it.id, it.isService), it]))
    this.#changes = this.#changes.filter(
      (it) => it.atMs >= fromMs || (newest.get(keyOf(it.id, it.isService)) === it && !isGood(it)),
    )
  }

  #lanes(nameOf: (id: string, isService: boolean) => string): readonly LaneView[] {
    const lanes = new Map<string, { lane: LaneView; spans: SpanView[]; changedMs: number }>()
    for (const { atMs, id, isService, state, text } of this.#changes) {
      const key = keyOf(id, isService)
      const spans = lanes.get(key)?.spans ?? []
      const last = spans.at(-1)
      if (last?.toMs === null) spans[spans.length - 1] = { ...last, toMs: atMs }
      if (state !== GOOD) spans.push({ fromMs: atMs, toMs: null, state, text })
      const lane = { id, label: nameOf(id, isService), isService, spans }
      lanes.set(key, { lane, spans, changedMs: atMs })
    }
    return [...lanes.values()]
      .filter(({ spans }) => spans.length > 0)
      .sort(
        (a, b) => Number(b.lane.isService) - Number(a.lane.isService) || b.changedMs - a.changedMs,
      )
      .slice(0, MAX_LANES)
      .map(({ lane }) => lane)
  }

  #events(nameOf: (id: string, isService: boolean) => string): readonly PowerEventView[] {
    return this.#changes
      .slice(-MAX_EVENTS)
      .reverse()
      .map(({ atMs, id, isService, state, text }) => ({
        ...{ atMs, id, state, text },
        label: nameOf(id, isService),
      }))
  }
}

function textOf(fields: Measurement['fields'], isService: boolean): string {
  const said = isService ? fields['because'] : fields['reason']
  return typeof said === 'string' ? said : ''
}

function isGood({ state }: Change): boolean {
  return state === GOOD
}

function keyOf(id: string, isService: boolean): string {
  return `${isService ? 'service' : 'component'} ${id}`
}
