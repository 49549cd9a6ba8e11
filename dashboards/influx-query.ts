import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog'

/** Every panel, variable and annotation reads from here; provisioning/datasources gives it this uid. */
export const DATASOURCE = { type: 'influxdb', uid: 'kiestoon-influxdb' } as const

/** Of the chosen time and sites. */
export const SITES = '$timeFilter AND "site" =~ /^${site:regex}$/'
export const STEPS = 'time($__interval)'

/** One InfluxQL query as Grafana stores it. */
export interface InfluxTarget extends Dataquery {
  readonly refId: string
  readonly datasource: typeof DATASOURCE
  readonly rawQuery: true
  readonly query: string
  readonly resultFormat: 'time_series' | 'table'
  readonly alias?: string
}

/** A query that draws one line per group; `$tag_x` in the alias is the value of tag x. */
export function lines(query: string, alias: string, refId = 'A'): { build(): InfluxTarget } {
  return target({ refId, query, resultFormat: 'time_series', alias })
}

/** A query whose rows and tags become a table. */
export function rows(query: string): { build(): InfluxTarget } {
  return target({ refId: 'A', query, resultFormat: 'table' })
}

/** A query whose rows become marks on the time axis. */
export function marks(
  query: string,
  columns: { readonly textColumn: string; readonly tagsColumn: string },
): { build(): InfluxTarget } {
  return target({
    refId: 'Annotation',
    query,
    resultFormat: 'table',
    fromAnnotations: true,
    textEditor: true,
    ...columns,
  })
}

type Given = Omit<InfluxTarget, 'datasource' | 'rawQuery' | '_implementsDataqueryVariant'>

function target(given: Given & Readonly<Record<string, unknown>>): { build(): InfluxTarget } {
  return {
    build: () => ({
      datasource: DATASOURCE,
      rawQuery: true,
      ...given,
      _implementsDataqueryVariant: () => undefined,
    }),
  }
}
