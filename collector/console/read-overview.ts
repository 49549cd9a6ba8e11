import { HISTORY_STEPS, type Overview } from '../http/overview.ts'
import { withChange, type OverviewChange } from '../http/overview-change.ts'
import {
  fits,
  isArray,
  isListOf,
  isNumberOrNull,
  isRecord,
  isShaped,
  isString,
  parseJson,
  type Fields,
  type Shape,
} from './shape.ts'

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
  effectiveLossRatio: 'number?',
  jitterMs: 'number?',
  jitterLimitMs: 'number?',
  roundTripMs: 'number?',
  mosLq: 'number?',
  mosScale: 'string?',
  mosLimit: 'number?',
  streams: 'number',
  streamsOver: 'number',
  sensorDrops: 'number',
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
  advice: 'string',
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
const POWER: Shape = {
  version: 'number',
  services: 'number',
  down: 'number',
  atRisk: 'number',
  oneLeg: 'number',
  minutesLeft: 'number?',
}
const HEAD: Shape = {
  atMs: 'number',
  version: 'string',
  startedMs: 'number',
  historyFromMs: 'number',
  pathsLeftOut: 'number',
}

/** The overview in a server-sent event, or undefined when it is not one: then page and collector are of different versions. */
export function readOverview(json: string): Overview | undefined {
  const value = parseJson(json)
  return isOverview(value) ? value : undefined
}

/** The overview as it is after the change in a server-sent event; undefined when that is none. */
export function readChange(json: string, before: Overview): Overview | undefined {
  const value = parseJson(json)
  return isChange(value) ? withChange(before, value) : undefined
}

function isOverview(value: unknown): value is Overview {
  return (
    isHead(value) &&
    isListOf(value['paths'], (path) => isFigures(path) && isHistory(path['history'])) &&
    isListOf(value['alerts'], isAlert) &&
    isListOf(value['agents'], isAgent)
  )
}

function isChange(value: unknown): value is OverviewChange {
  return (
    isRecord(value) &&
    isHead(value['head']) &&
    isListChange(value['paths'], isFigures) &&
    isListChange(value['alerts'], isAlert) &&
    isListChange(value['agents'], isAgent) &&
    isListOf(value['steps'], isStep)
  )
}

function isHead(value: unknown): value is Fields {
  return (
    isRecord(value) &&
    fits(value, HEAD) &&
    isRecord(value['store']) &&
    fits(value['store'], { kind: 'string' }) &&
    isListOf(value['notices'], isString) &&
    (value['power'] === null || isShaped(value['power'], POWER))
  )
}

function isFigures(value: unknown): value is Fields {
  return isRecord(value) && fits(value, PATH)
}

function isAlert(value: unknown): boolean {
  return isRecord(value) && fits(value, ALERT)
}

function isAgent(value: unknown): boolean {
  return (
    isRecord(value) &&
    fits(value, AGENT) &&
    isListOf(
      value['problems'],
      (problem) => isRecord(problem) && fits(problem, { what: 'string', reason: 'string' }),
    )
  )
}

function isHistory(value: unknown): boolean {
  if (!isRecord(value)) return false
  return [value['loss'], value['jitterMs'], value['mosLq']].every(
    (column) =>
      isListOf(column, isNumberOrNull) &&
      Array.isArray(column) &&
      (column.length === 0 || column.length === HISTORY_STEPS),
  )
}

function isListChange(value: unknown, holds: (item: unknown) => boolean): boolean {
  return (
    isRecord(value) &&
    isListOf(value['changed'], holds) &&
    (value['order'] === undefined || isListOf(value['order'], isString))
  )
}

function isStep(value: unknown): boolean {
  if (!isArray(value)) return false
  const [path, step, ...figures] = value
  return (
    isString(path) &&
    typeof step === 'number' &&
    step >= 0 &&
    step < HISTORY_STEPS &&
    figures.length === 3 &&
    figures.every(isNumberOrNull)
  )
}
