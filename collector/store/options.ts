import { z } from 'zod'
import type { Logger } from '../../common/log.ts'
import { bytes, duration, httpUrl, secret } from '../../common/settings.ts'

const MIB = 1024 ** 2
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Beside the blocks it is appending to. DuckDB takes more than it is allowed: with this, the whole collector stays below 300 MB under full load (npm run bench -- ingest). */
const DEFAULT_MEMORY_LIMIT = 48 * MIB
/** Below this DuckDB cannot fold its log into the tables. */
const MIN_MEMORY_LIMIT = 48 * MIB
const DEFAULT_SPOOL_MAX = 512 * MIB
const MIN_SPOOL_MAX = MIB

export const duckdbOptions = z.strictObject({
  kind: z.literal('duckdb'),
  'memory-limit': bytes
    .refine((size) => size >= MIN_MEMORY_LIMIT, 'expected at least 48MiB')
    .default(DEFAULT_MEMORY_LIMIT),
  /** Points older than this are deleted. */
  retention: duration.refine((ms) => ms >= HOUR_MS, 'expected at least 1h').default(30 * DAY_MS),
})
export type DuckDbOptions = z.output<typeof duckdbOptions>

export const influxOptions = z
  .strictObject({
    kind: z.literal('influx'),
    url: httpUrl,
    database: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected a name of letters, digits, _, . and -')
      .default('kiestoon'),
    username: z.string().min(1).optional(),
    password: secret.optional(),
    /** Disk for the points InfluxDB has not taken yet; when full the oldest are dropped and counted. */
    'spool-max': bytes
      .refine((size) => size >= MIN_SPOOL_MAX, 'expected at least 1MiB')
      .default(DEFAULT_SPOOL_MAX),
  })
  .refine((options) => options.password === undefined || options.username !== undefined, {
    path: ['username'],
    message: 'expected a username beside the password',
  })
export type InfluxOptions = z.output<typeof influxOptions>

/** What a store gets from the collector. */
export interface StoreContext {
  /** An existing folder of the store's own. */
  readonly folder: string
  readonly log: Logger
  readonly nowUs: () => number
  /** Runs something every so many milliseconds until the function it returns is called. */
  readonly every: (ms: number, run: () => void) => () => void
}
