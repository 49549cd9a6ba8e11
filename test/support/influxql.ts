import { z } from 'zod'

/** What Grafana does to a query before InfluxDB sees it. */

export interface Range {
  readonly fromMs: number
  readonly toMs: number
  /** The width of a step, as InfluxQL writes it. */
  readonly interval: string
}

/** Chosen values of a dashboard variable; none named means All. */
export type Choices = Readonly<Record<string, readonly string[]>>

/** Fills in $timeFilter, $__interval and the variables, which our queries only use as ${name:regex}. */
export function interpolate(query: string, range: Range, choices: Choices = {}): string {
  return query
    .replaceAll('$timeFilter', `time >= ${range.fromMs}ms and time <= ${range.toMs}ms`)
    .replaceAll('$__interval', range.interval)
    .replaceAll(/\$\{(\w+):regex\}/g, (_all, name: string) => asRegex(choices[name]))
}

/** Names of the variables in a query. */
export function variablesIn(query: string): readonly string[] {
  return [...query.matchAll(/\$\{(\w+)[^}]*\}/g)].map(([, name]) => name ?? '')
}

function asRegex(values: readonly string[] | undefined): string {
  if (values === undefined) return '.*'
  const escaped = values.map((value) => value.replaceAll(/[\\^$*+?.()|[\]{}/]/g, '\\$&'))
  return escaped.length === 1 ? escaped.join('') : `(${escaped.join('|')})`
}

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()])
const rows = z.object({
  name: z.string().optional(),
  tags: z.record(z.string(), z.string()).optional(),
  columns: z.array(z.string()),
  values: z.array(z.array(cell)),
})
const answer = z.object({
  error: z.string().optional(),
  results: z
    .array(z.object({ error: z.string().optional(), series: z.array(rows).optional() }))
    .optional(),
})

export type InfluxRows = z.output<typeof rows>

/** Runs one statement; an error of InfluxDB is thrown with the statement. */
export async function runInfluxql(
  port: number,
  database: string,
  statement: string,
): Promise<readonly InfluxRows[]> {
  const response = await fetch(`http://127.0.0.1:${port}/query?db=${database}&epoch=ms`, {
    method: 'POST',
    body: new URLSearchParams({ q: statement }),
  })
  const { error: refused, results } = answer.parse(await response.json())
  const [result] = results ?? []
  const error = refused ?? result?.error
  if (error !== undefined) throw new Error(`${error}: ${statement}`)
  return result?.series ?? []
}
