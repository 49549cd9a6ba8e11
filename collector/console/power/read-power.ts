import type { PowerMatch, PowerView, WhatIfView } from '../../http/power-view.ts'
import {
  fits,
  isListOf,
  isNumberOrNull,
  isRecord,
  isShaped,
  isString,
  type Fields,
  type Shape,
} from '../shape.ts'

const HEAD: Shape = {
  atMs: 'number',
  version: 'number',
  servicesLeftOut: 'number',
  componentsLeftOut: 'number',
  singlePointsLeftOut: 'number',
  horizonsLeftOut: 'number',
  troublesLeftOut: 'number',
  truncated: 'boolean',
}
const DRAWING: Shape = {
  components: 'number',
  services: 'number',
  siteFileMs: 'number?',
  of: 'string?',
  isChosen: 'boolean',
}
const COMPONENT: Shape = {
  ...{ id: 'string', label: 'string', kind: 'string', site: 'string', place: 'string' },
  ...{ circuit: 'string', serial: 'string', contract: 'string', owner: 'string' },
  ...{ batteryInstalled: 'string', count: 'number', needsWords: 'string', state: 'string' },
  ...{ stateText: 'string', sinceMs: 'number?', isWatched: 'boolean', minutesLeft: 'number?' },
  ...{ stopsCount: 'number', oneLegCount: 'number' },
}
const SERVICE: Shape = {
  ...{ id: 'string', label: 'string', serves: 'string', owner: 'string', isEmergency: 'boolean' },
  ...{ state: 'string', needsWords: 'string', singlesCount: 'number', pairsCount: 'number' },
  ...{ minutesLeft: 'number?', holdUpMin: 'number?', promiseRatio: 'number?', isDrawn: 'boolean' },
}
const SINGLE_POINT: Shape = {
  ...{ id: 'string', label: 'string', kind: 'string', place: 'string', circuit: 'string' },
  ...{ owner: 'string', stopsCount: 'number', isNew: 'boolean' },
}
const TROUBLE: Shape = {
  ...{ id: 'string', label: 'string', kind: 'string', place: 'string', circuit: 'string' },
  ...{ contract: 'string', owner: 'string', state: 'string', stateText: 'string' },
  ...{ sinceMs: 'number?', minutesLeft: 'number?' },
}
const PERSON: Shape = { name: 'string', contact: 'string' }
const ACCEPTED: Shape = { by: 'string', reason: 'string', review: 'string', isOverdue: 'boolean' }
const HORIZON: Shape = { kind: 'string', id: 'string', label: 'string', text: 'string' }
const SPAN: Shape = { fromMs: 'number', toMs: 'number?', state: 'string', text: 'string' }
const LANE: Shape = { id: 'string', label: 'string', isService: 'boolean' }
const EVENT: Shape = {
  atMs: 'number',
  id: 'string',
  label: 'string',
  state: 'string',
  text: 'string',
}
const NEED: Shape = { id: 'string', isChoice: 'boolean' }
const MATCH: Shape = { id: 'string', label: 'string', kind: 'string', place: 'string' }

/** Whether an answer is what this page can show; else page and collector are of different versions. */
export function isPowerView(value: unknown): value is PowerView {
  return (
    isShaped(value, HEAD) &&
    (value['drawing'] === null || isShaped(value['drawing'], DRAWING)) &&
    isListOf(value['services'], isService) &&
    isListOf(value['components'], isComponent) &&
    isListOf(value['singlePoints'], isSinglePoint) &&
    isListOf(value['horizons'], (item) => isShaped(item, HORIZON)) &&
    isListOf(value['troubles'], (item) => isShaped(item, TROUBLE)) &&
    isListOf(value['people'], (item) => isShaped(item, PERSON)) &&
    isListOf(value['notes'], isString) &&
    isHistory(value['history'])
  )
}

export function isWhatIf(value: unknown): value is WhatIfView {
  return (
    isShaped(value, {
      go: 'boolean',
      componentsCount: 'number',
      fromMs: 'number?',
      toMs: 'number?',
    }) &&
    areTexts(value, [
      'fail',
      'stopped',
      'alreadyDown',
      'atRisk',
      'unknownRuntimes',
      'components',
    ]) &&
    isListOf(value['runsOut'], (item) =>
      isShaped(item, { service: 'string', afterMin: 'number' }),
    ) &&
    isListOf(
      value['oneLeg'],
      (item) => isShaped(item, { service: 'string' }) && areTexts(item, ['singles']),
    )
  )
}

export function isFound(value: unknown): value is { readonly found: readonly PowerMatch[] } {
  return isRecord(value) && isListOf(value['found'], (item) => isShaped(item, MATCH))
}

function isService(value: unknown): boolean {
  return (
    isShaped(value, SERVICE) &&
    isListOf(value['needs'], isNeed) &&
    areTexts(value, ['singles', 'newSingles']) &&
    [value['because'], value['pairs']].every((sets) =>
      isListOf(sets, (set) => isListOf(set, isString)),
    )
  )
}

function isComponent(value: unknown): boolean {
  return (
    isShaped(value, COMPONENT) &&
    isListOf(value['needs'], isNeed) &&
    areTexts(value, ['members', 'stops', 'oneLeg'])
  )
}

function isSinglePoint(value: unknown): boolean {
  return (
    isShaped(value, SINGLE_POINT) &&
    areTexts(value, ['stops']) &&
    (value['accepted'] === null || isShaped(value['accepted'], ACCEPTED))
  )
}

function isHistory(value: unknown): boolean {
  return (
    isShaped(value, { fromMs: 'number' }) &&
    isListOf(value['loss'], isNumberOrNull) &&
    isListOf(
      value['lanes'],
      (lane) => isShaped(lane, LANE) && isListOf(lane['spans'], (span) => isShaped(span, SPAN)),
    ) &&
    isListOf(value['events'], (event) => isShaped(event, EVENT))
  )
}

function isNeed(value: unknown): boolean {
  return isRecord(value) && fits(value, NEED)
}

function areTexts(value: Fields, keys: readonly string[]): boolean {
  return keys.every((key) => isListOf(value[key], isString))
}
