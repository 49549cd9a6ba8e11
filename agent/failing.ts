import type { Measurement } from '../common/measurement.ts'
import { answerOf } from './isolation.ts'

/** Whether a point tells of a target that does not answer, or that a check of it failed: perhaps it has no power any more. */
export function tellsOfFailure(point: Measurement): boolean {
  const { name, fields } = point
  if (name === 'sip_registration' || name === 'sip_options') {
    const { failures_in_row: failures } = fields
    return typeof failures === 'number' && failures > 0
  }
  return answerOf(point) === false
}
