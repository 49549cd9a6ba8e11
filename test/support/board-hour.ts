import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import { InfluxStore } from '../../collector/store/influx-store.ts'
import { influxOptions } from '../../collector/store/options.ts'
import type { Measurement } from '../../common/measurement.ts'
import { checkBoard, panelsOf, type Board } from './dashboard-schema.ts'
import { startInfluxd } from './influxd.ts'
import { interpolate, runInfluxql, type Choices, type InfluxRows, type Range } from './influxql.ts'
import { storeContext } from './store-context.ts'

/** A known hour in a real InfluxDB, and what a Grafana board draws of it. */

export const DASHBOARDS = new URL('../../dashboards/', import.meta.url)
export const DATABASE = 'kiestoon'
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** A full hour, so that steps of ten minutes fall on it. */
export const START_MS = Date.UTC(2026, 10, 22, 3)
const HOUR: Range = { fromMs: START_MS, toMs: START_MS + HOUR_MS, interval: '10m' }

export async function committedJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(name, DASHBOARDS), 'utf8'))
}

export async function committedBoard(name: string): Promise<Board> {
  const { board, errors } = checkBoard(await committedJson(name))
  if (board === undefined) throw new Error(errors.join('\n'))
  return board
}

/** Ten-second intervals, stamped in the middle of the hour's seconds so that none falls on the edge of a step. */
export function everyTenSeconds(
  make: (index: number, timeUs: number) => Measurement[],
): Measurement[] {
  return Array.from({ length: 360 }, (_, index) => index).flatMap((index) =>
    make(index, (START_MS + index * 10_000 + 5000) * 1000),
  )
}

/** A value for each step of ten minutes. */
export function sixTimes(step: unknown): readonly unknown[] {
  return Array.from({ length: 6 }, () => step)
}

/** Runs a query of a board as Grafana would, over the hour unless told otherwise. */
export type RunQuery = (
  query: string,
  choices?: Choices,
  range?: Range,
) => Promise<readonly InfluxRows[]>

/** The points in an InfluxDB of their own, which ends with the test. */
export async function storedHour(t: Test, points: readonly Measurement[]): Promise<RunQuery> {
  const influxd = await startInfluxd()
  t.teardown(() => influxd.close())
  const context = await storeContext()
  t.teardown(() => context.remove())
  const { url, port } = influxd
  const options = influxOptions.parse({ kind: 'influx', url, database: DATABASE })
  const store = await InfluxStore.open(options, context)
  await store.write(points)
  await store.close() // which waits until InfluxDB has everything
  return async (query, choices = {}, range = HOUR) =>
    runInfluxql(port, DATABASE, interpolate(query, range, choices))
}

/** What each panel draws: by its title, then of each series by its tags the values without the times. */
export async function drawnBy(board: Board, run: RunQuery): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for (const { title, timeFrom, targets } of panelsOf(board)) {
    const [, minutes] = /^(\d+)m$/.exec(timeFrom ?? '') ?? []
    const fromMs = minutes === undefined ? HOUR.fromMs : HOUR.toMs - Number(minutes) * MINUTE_MS
    // the hour's own end begins a seventh step, which is empty
    const range = { ...HOUR, fromMs, toMs: HOUR.toMs - 1 }
    const drawn: Record<string, unknown> = {}
    for (const { refId, query } of targets)
      for (const [tags, values] of Object.entries(byTags(await run(query, {}, range))))
        drawn[targets.length === 1 ? tags : `${refId} ${tags}`] = values
    all[title] = drawn
  }
  return all
}

/** Of each variable the values it offers. */
export async function offeredBy(board: Board, run: RunQuery): Promise<Record<string, unknown>> {
  const offered: Record<string, unknown> = {}
  for (const { name, query } of board.templating.list)
    offered[name] = (await run(query)).flatMap(({ values }) => values.map(([, value]) => value))
  return offered
}

/** Of each series its tags in one line, and its values without the times. */
export function byTags(series: readonly InfluxRows[]): Record<string, unknown> {
  return Object.fromEntries(
    series.map(({ tags = {}, values }) => [
      Object.values(tags).join(' '),
      values.map((row) => rounded(row.slice(1))),
    ]),
  )
}

function rounded(row: readonly (string | number | boolean | null)[]): unknown {
  const cells = row.map((cell) => (typeof cell === 'number' ? Number(cell.toFixed(6)) : cell))
  return cells.length === 1 ? cells[0] : cells
}
