import type { Measurement } from '../../../common/measurement.ts'
import { numberOf, textOf } from '../points.ts'
import { lasting, percent } from '../words.ts'

/** What rules read out of a point `ups`. */

const US_PER_S = 1_000_000

type Fields = Measurement['fields']

export interface UpsFacts {
  readonly line: 'online' | 'battery' | 'bypass' | 'off' | 'unknown'
  /** Why nothing is known, or what is odd; '' where nothing is said. */
  readonly reason: string
  /** On battery to try the battery: not for want of input. */
  readonly isOnPurpose: boolean
  /** The UPS says so, or a figure is at its own low limit. */
  readonly isLow: boolean
  /** Why it counts as low; '' where it does not. */
  readonly lowReason: string
  readonly runtimeLeftS: number | undefined
  readonly chargeRatio: number | undefined
}

export function readUps(fields: Fields): UpsFacts {
  const runtimeLeftS = numberOf(fields, 'runtime_left_s') ?? numberOf(fields, 'runtime_s')
  const chargeRatio = numberOf(fields, 'charge_ratio')
  const lowReason = lowReasonOf(fields, runtimeLeftS, chargeRatio)
  return {
    line: lineOf(fields),
    reason: textOf(fields, 'reason') ?? '',
    isOnPurpose: fields['self_testing'] === true || fields['calibrating'] === true,
    isLow: lowReason !== '',
    lowReason,
    runtimeLeftS,
    chargeRatio,
  }
}

/** "62 % charge, 11 min left": what is known of the battery; '' where nothing is. */
export function leftWords({
  chargeRatio,
  runtimeLeftS,
}: Pick<UpsFacts, 'chargeRatio' | 'runtimeLeftS'>): string {
  return [
    chargeRatio === undefined ? '' : `${percent(chargeRatio)} charge`,
    runtimeLeftS === undefined ? '' : `${lasting(runtimeLeftS * US_PER_S)} left`,
  ]
    .filter((word) => word !== '')
    .join(', ')
}

/** Without contact, and frozen, the line is not what it last was. */
function lineOf(fields: Fields): UpsFacts['line'] {
  if (fields['comms_lost'] === true || fields['frozen'] === true) return 'unknown'
  const { line } = fields
  return line === 'online' || line === 'battery' || line === 'bypass' || line === 'off'
    ? line
    : 'unknown'
}

function lowReasonOf(
  fields: Fields,
  runtimeLeftS: number | undefined,
  chargeRatio: number | undefined,
): string {
  if (fields['forced_shutdown'] === true) return 'a shutdown was ordered'
  if (fields['shutdown_pending'] === true) return 'it is about to switch off'
  if (fields['low_battery'] === true) return 'it says that its battery is low'
  const lowRuntimeS = numberOf(fields, 'low_runtime_s')
  if (runtimeLeftS !== undefined && isAtMost(runtimeLeftS, lowRuntimeS))
    return `its own limit is ${lasting((lowRuntimeS ?? 0) * US_PER_S)}`
  const lowChargeRatio = numberOf(fields, 'low_charge_ratio')
  if (chargeRatio !== undefined && isAtMost(chargeRatio, lowChargeRatio))
    return `its own limit is ${percent(lowChargeRatio ?? 0)}`
  return ''
}

/** A limit of 0 is none. */
function isAtMost(value: number, limit: number | undefined): boolean {
  return limit !== undefined && limit > 0 && value <= limit
}
