import { z } from 'zod'
import {
  duckdbOptions,
  influxOptions,
  type DuckDbOptions,
  type InfluxOptions,
  type StoreContext,
} from './options.ts'
import type { Store } from './store.ts'

export type { StoreContext } from './options.ts'

const duckdb = {
  name: 'duckdb',
  schema: duckdbOptions,
  open: async (options: DuckDbOptions, context: StoreContext): Promise<Store> =>
    await (await import('./duckdb-store.ts')).DuckDbStore.open(options, context),
}

const influx = {
  name: 'influx',
  schema: influxOptions,
  open: async (options: InfluxOptions, context: StoreContext): Promise<Store> =>
    await (await import('./influx-store.ts')).InfluxStore.open(options, context),
}

/** Every store there is. Only the configured one is loaded. */
export const STORES = [duckdb, influx] as const

/** The `store` section of the configuration. */
export const storeOptions = z.discriminatedUnion(
  'kind',
  [duckdb.schema, influx.schema],
  'expected kind: duckdb or kind: influx',
)
export type StoreOptions = z.output<typeof storeOptions>

/**
 * Opens the configured store.
 * @throws PermanentError when it can never open as it is (file corrupt or locked by another process)
 */
export async function openStore(options: StoreOptions, context: StoreContext): Promise<Store> {
  switch (options.kind) {
    case 'duckdb':
      return await duckdb.open(options, context)
    case 'influx':
      return await influx.open(options, context)
  }
}
