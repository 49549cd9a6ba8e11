import type { Overview } from '../http/overview.ts'

/** What a value must be; a question mark allows null. */
type Kind = 'string' | 'number' | 'boolean' | 'number?'
type Shape = Readonly<Record<string, Kind>>

const PATH: Shape = {
  from: 'string',
  to: 'string',
  at: 'string',
  source: 'string',
  bearer: 'string',
  owner: 'string',
  verdict: 'string',
  firing: 'boolean',
  lossRatio: 'number?',
  limitRatio: 'number',
  expected: 'number',
  lostUnique: 'number',
  jitterMs: 'number?',
  roundTripMs: 'number?',
  mosLq: 'number?',
  streams: 'number',
  lastSeenMs: 'number',
}
const ALERT: Shape = {
  id: 'string',
  rule: 'string',
  object: 'string',
  state: 'string',
  severity: 'string',
  summary: 'string',
  text: 'string',
  segment: 'string',
  owner: 'string',
  sinceMs: 'number',
  firedMs: 'number?',
  closedMs: 'number?',
}
const AGENT: Shape = {
  agent: 'string',
  site: 'string',
  version: 'string',
  lastSeenMs: 'number',
  silent: 'boolean',
  clockOffsetMs: 'number?',
  spoolPoints: 'number?',
  points: 'number',
  rejected: 'number',
}
const TOP: Shape = {
  atMs: 'number',
  version: 'string',
  startedMs: 'number',
  pathsLeftOut: 'number',
}

/** The overview in a server-sent event, or undefined when it is not one: then page and collector are of different versions. */
export function readOverview(json: string): Overview | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  return isOverview(value) ? value : undefined
}

function isOverview(value: unknown): value is Overview {
  return (
    isRecord(value) &&
    fits(value, TOP) &&
    isRecord(value['store']) &&
    fits(value['store'], { kind: 'string' }) &&
    isListOf(value['notices'], (notice) => typeof notice === 'string') &&
    isListOf(
      value['paths'],
      (path) => isRecord(path) && fits(path, PATH) && isListOf(path['history'], isStep),
    ) &&
    isListOf(value['alerts'], (alert) => isRecord(alert) && fits(alert, ALERT)) &&
    isListOf(value['agents'], (agent) => isRecord(agent) && fits(agent, AGENT))
  )
}

function isStep(step: unknown): boolean {
  return (
    Array.isArray(step) &&
    typeof step[0] === 'number' &&
    (step[1] === null || typeof step[1] === 'number')
  )
}

function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds)
}

function fits(value: Readonly<Record<string, unknown>>, shape: Shape): boolean {
  return Object.entries(shape).every(([key, kind]) => {
    const found = value[key]
    return kind === 'number?' ? found === null || typeof found === 'number' : typeof found === kind
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
