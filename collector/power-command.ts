import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../common/config.ts'
import { closest } from '../common/closest.ts'
import { powerText } from './power-text.ts'
import { readSite } from './site-watch.ts'
import { minimalCutSets, type CutSets } from './topology/cut-sets.ts'
import type { Order } from './topology/family.ts'
import { forecast } from './topology/forecast.ts'
import { LiveModel, type Overlay } from './topology/live.ts'
import { toMef } from './topology/mef.ts'
import type { Model } from './topology/model.ts'
import { whatIf, type WhatIf, type Window } from './topology/what-if.ts'
import { readWindow } from './written-times.ts'

/** Longer sets than this are not asked for by anybody. */
const HIGHEST_ORDER = 3
const US_PER_MS = 1000

export interface PowerOptions {
  readonly site: string
  readonly fail?: string
  readonly order: string
  readonly window?: string
  readonly json?: boolean
  readonly mef?: string
}

/** What `kiestoon-collector power` says of a drawing. */
export interface PowerAnswer {
  readonly model: Model
  readonly order: Order
  readonly failed: readonly string[]
  readonly drawn: ReadonlyMap<string, CutSets>
  readonly now: Overlay
  readonly minutesLeft: ReadonlyMap<string, number | undefined>
  readonly unknownRuntimes: readonly string[]
  /** Only where something was asked about. */
  readonly whatIf: WhatIf | undefined
  readonly window: Window | undefined
}

/**
 * The chain of every service as drawn in a site file, and what if: no collector need run.
 * @throws ConfigError for what is wrong in the file or on the command line
 */
export async function powerCommand(
  options: PowerOptions,
  nowMs: number,
  terminal: { readonly isColoured: boolean; readonly columns: number },
): Promise<string> {
  const { model } = await readSite(options.site)
  if (model === undefined)
    throw new ConfigError([
      `${options.site}: no components and no services are drawn in it: see collector/site.example.yaml`,
    ])
  const answer = answerOf(model, options, nowMs)
  if (options.mef !== undefined) await writeMef(model, options.mef)
  if (options.json === true) return JSON.stringify(jsonOf(answer))
  return powerText(answer, terminal)
}

function answerOf(model: Model, options: PowerOptions, nowMs: number): PowerAnswer {
  const order = orderOf(options.order)
  const failed = failedOf(model, options.fail)
  const window = options.window === undefined ? undefined : readWindow(options.window, nowMs)
  if (typeof window === 'string') throw new ConfigError([`--window ${options.window}: ${window}`])
  const nowUs = nowMs * US_PER_MS
  const live = new LiveModel(model, order)
  const taken = failed.map((id) => ({ id, reason: 'taken out', sinceUs: nowUs }))
  const now = live.overlay(new Map(), taken)
  const { services, unknownRuntimes } = forecast(live, new Map(), now, nowUs)
  return {
    ...{ model, order, failed, now, unknownRuntimes, window },
    drawn: minimalCutSets(model, { order }),
    minutesLeft: new Map([...services].map(([id, { minutesLeft }]) => [id, minutesLeft])),
    whatIf:
      failed.length === 0 ? undefined : whatIf(live, new Map(), { fail: failed, window }, nowUs),
  }
}

function jsonOf({ model, drawn, now, minutesLeft }: PowerAnswer): unknown {
  const services = [...now.services].map(([id, service]) => {
    const { sets = [] } = drawn.get(id) ?? {}
    return [
      id,
      {
        up: service.up,
        singles: sets.filter(({ length }) => length === 1).flat(),
        cutSets: sets,
        residual: service.residual,
        newSinglePoints: service.newSinglePoints,
        because: service.because,
        minutesLeft: minutesLeft.get(id) ?? null,
      },
    ] as const
  })
  const isTruncated =
    [...drawn.values()].some((it) => it.isTruncated) ||
    [...now.services.values()].some((it) => it.isTruncated)
  return {
    services: Object.fromEntries(services),
    components: model.components.length,
    truncated: isTruncated,
  }
}

async function writeMef(model: Model, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const service of model.services)
    await writeFile(join(folder, `${service.id}.xml`), toMef(model, service))
}

function orderOf(text: string): Order {
  const order = Number(text)
  if (order === 1 || order === 2 || order === HIGHEST_ORDER) return order
  throw new ConfigError([`--order ${text}: expected 1, 2 or ${HIGHEST_ORDER}`])
}

function failedOf(model: Model, text: string | undefined): readonly string[] {
  const ids = [...new Set((text ?? '').split(',').map((id) => id.trim()))].filter((id) => id !== '')
  const strangers = ids.filter((id) => !model.indexOf.has(id))
  if (strangers.length === 0) return ids
  throw new ConfigError(
    strangers.map((id) => {
      const near = closest(id, [...model.indexOf.keys()])
      const hint = near === undefined ? '' : `, did you mean "${near}"?`
      return `--fail ${id}: no component has this id${hint}`
    }),
  )
}
