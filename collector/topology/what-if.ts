import { forecast } from './forecast.ts'
import type { LiveModel, Observations } from './live.ts'

const US_PER_MIN = 60_000_000

/** From when to when something is taken out, microseconds since 1970. */
export interface Window {
  readonly fromUs: number
  readonly toUs: number
}

export interface Question {
  /** Components, by id. */
  readonly fail: readonly string[]
  /** Without one: for good. */
  readonly window?: Window | undefined
}

export interface WhatIf {
  /** It may be taken out: no service stops, now or within the window. */
  readonly go: boolean
  /** Services that would stop at once. */
  readonly stopped: readonly string[]
  /** Services that would stop while it is out, as batteries run down; and after how many minutes. */
  readonly runsOut: readonly { readonly service: string; readonly afterMin: number }[]
  /** Batteries that would be empty before it is back, and after how many minutes; the first of them first. */
  readonly batteries: readonly { readonly id: string; readonly afterMin: number }[]
  /** Services that would go on, with single points of failure that they do not have now. */
  readonly oneLeg: readonly { readonly service: string; readonly singles: readonly string[] }[]
  /** Services that are down anyway. */
  readonly alreadyDown: readonly string[]
  /** Services of which nobody knows whether they would go on: something they need is unknown. */
  readonly atRisk: readonly string[]
  /** Batteries that would carry the load, nobody knows for how long. */
  readonly unknownRuntimes: readonly string[]
  /** Components that would stop with it; not what was asked about. */
  readonly components: readonly string[]
}

/** May it be taken out? Under what is known now; nothing is switched. */
export function whatIf(
  live: LiveModel,
  observations: Observations,
  { fail, window }: Question,
  nowUs: number,
): WhatIf {
  const before = live.outlook(observations, [])
  const reason = 'taken out'
  const taken = fail.map((id) => ({ id, reason, sinceUs: nowUs }))
  const after = live.outlook(observations, taken)
  const lasting = forecast(live, observations, after, nowUs)
  const outMin = window === undefined ? Infinity : (window.toUs - window.fromUs) / US_PER_MIN
  const stopped: string[] = []
  const alreadyDown: string[] = []
  const atRisk: string[] = []
  const runsOut: { service: string; afterMin: number }[] = []
  const oneLeg: { service: string; singles: readonly string[] }[] = []
  for (const [service, now] of after.services) {
    const was = before.services.get(service)
    if (was?.up === false) {
      alreadyDown.push(service)
      continue
    }
    if (!now.up) {
      stopped.push(service)
      continue
    }
    const afterMin = lasting.services.get(service)?.minutesLeft
    if (afterMin !== undefined && afterMin < outMin) runsOut.push({ service, afterMin })
    if (now.atRisk && was?.atRisk !== true) atRisk.push(service)
    const singles = now.singles.filter((id) => was?.singles.includes(id) !== true)
    if (singles.length > 0) oneLeg.push({ service, singles })
  }
  const downNow = new Set([...before.down, ...fail])
  const { components } = live.model.drawing
  const batteries = [...lasting.components]
    .filter(([id, afterMin]) => components.get(id)?.kind === 'battery' && afterMin < outMin)
    .filter(([id]) => !downNow.has(id))
    .map(([id, afterMin]) => ({ id, afterMin }))
    .sort((a, b) => a.afterMin - b.afterMin || (a.id < b.id ? -1 : 1))
  return {
    go: stopped.length === 0 && runsOut.length === 0 && atRisk.length === 0,
    stopped,
    runsOut: runsOut.sort((a, b) => a.afterMin - b.afterMin),
    batteries,
    oneLeg,
    alreadyDown,
    atRisk,
    unknownRuntimes: lasting.unknownRuntimes,
    components: after.down.filter((id) => !downNow.has(id)),
  }
}
