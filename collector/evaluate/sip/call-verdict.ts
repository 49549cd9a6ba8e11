import type { Measurement } from '../../../common/measurement.ts'
import { lowerBound } from '../wilson.ts'
import { count, percent } from '../words.ts'
import { countOf, numberOf, textOf } from '../points.ts'

/** What of a test call is wrong: it does not come up, it is silent one way or both, or too much is lost on one of its ways. */
export type CallFault = 'set-up' | 'sound' | 'loss'

export type CallVerdict =
  | { readonly kind: 'well' }
  /** Not called, or not to the end: neither well nor ill. */
  | { readonly kind: 'unknown' }
  | { readonly kind: CallFault; readonly summary: string; readonly reason: string }

export interface CallLimits {
  readonly loss: number
  /** Whoever is silent is a fault. */
  readonly sound: boolean
}

/** The ways a call is measured on, each by whoever measured it. */
const WAYS = [
  ['received', 'from the far end to here'],
  ['reported', 'from here to the far end, as it reports'],
  ['round_trip', 'there and back'],
] as const

/** @param point a sip_call */
export function readCall({ fields }: Measurement, { loss: limit, sound }: CallLimits): CallVerdict {
  const { answered, one_way_audio: isOneWay, no_audio: isSilent } = fields
  if (typeof answered !== 'boolean') return { kind: 'unknown' }
  const reason = textOf(fields, 'reason') ?? ''
  if (!answered) {
    const outcome = textOf(fields, 'outcome') ?? 'not answered'
    const status = numberOf(fields, 'status_code')
    const code = status === undefined ? '' : ` (${status})`
    return { kind: 'set-up', summary: `no call comes up: ${outcome}${code}`, reason }
  }
  if (sound && isSilent === true)
    return { kind: 'sound', summary: 'answered, and nothing is heard', reason }
  if (sound && isOneWay === true) {
    const who = fields['heard'] === true ? 'the far end does not hear us' : 'we do not hear it'
    return { kind: 'sound', summary: `audio one way only: ${who}`, reason }
  }
  for (const [way, words] of WAYS) {
    const expected = countOf(fields, `${way}_expected`)
    const lost = countOf(fields, `${way}_lost`)
    // A few packets of a short call are lost by chance: what is told is certain enough.
    if (expected === 0 || lost / expected <= limit || lowerBound(lost, expected) <= limit) continue
    const summary = `${percent(lost / expected)} of ${count(expected)} packets lost ${words}`
    return { kind: 'loss', summary, reason }
  }
  return { kind: 'well' }
}
