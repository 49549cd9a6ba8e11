import type { FieldValue, Measurement, MeasurementName } from '../../common/measurement.ts'

/** Ratios are never averaged: read the sums and divide. */
export type Aggregate = 'sum' | 'min' | 'max' | 'count' | 'mean' | 'first' | 'last'

export interface Column {
  /** Name of the value in the answer. */
  readonly as: string
  readonly field: string
  readonly aggregate: Aggregate
}

export interface Query {
  readonly measurement: MeasurementName
  /** Aggregated columns, or the fields of the raw points. */
  readonly columns: readonly Column[] | { readonly raw: readonly string[] }
  /** From and including, microseconds since 1970. */
  readonly fromUs: number
  /** To but not including. */
  readonly toUs: number
  /** For each tag named, any of the values; '' means the tag is absent. */
  readonly where?: Readonly<Record<string, readonly string[]>>
  /** Tags that make a series; without it everything is one series. */
  readonly groupBy?: readonly string[]
  /** Bucket length of aggregated columns, aligned to 1970; without it one row over the whole time. Buckets without points are absent. */
  readonly everyUs?: number
  /** Most rows of all series together; where cut, the newest stay. Without it (or above 50,000) too many rows are refused. */
  readonly limit?: number
}

export interface Series {
  /** The tags of `groupBy`; a tag that is absent is ''. */
  readonly tags: Readonly<Record<string, string>>
  /** Begin of the bucket, or the time of the point; ascending. */
  readonly timesUs: readonly number[]
  /** One list per column (or raw field), as long as `timesUs`; null where nothing was measured. */
  readonly values: Readonly<Record<string, readonly (FieldValue | null)[]>>
}

/** Contract of both stores, held by one test against the real thing. */
export interface Store {
  readonly kind: string
  /** Durable when it resolves. The same point (name, tags, timeUs) written again replaces itself. @throws TransientError */
  write(points: readonly Measurement[]): Promise<void>
  read(query: Query): Promise<readonly Series[]>
  /** Whether it could take a write now, with the reason when not. */
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>
  close(): Promise<void>
}
