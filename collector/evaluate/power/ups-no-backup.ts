import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { SEVERITIES, type Severity } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { textOf } from '../points.ts'
import { BETWEEN, UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { readUps } from './ups-facts.ts'
import { holdOf, holdsOf, UPS } from './ups-rule.ts'

const NAME = 'ups-no-backup'

const options = z.strictObject({
  ...holdOf('60s', '60s'),
  /** It would not hold for a moment, or nobody knows for how long. */
  severity: z.enum(SEVERITIES).default('warning'),
  /** It would hold, for less long than it should. */
  'weak-severity': z.enum(SEVERITIES).default('notice'),
})
type Options = z.output<typeof options>

export const upsNoBackup = defineRule({
  name: NAME,
  summary:
    'a UPS would not carry its load: on bypass, without battery, its charger or self-test failed, or it wants a new battery',
  options,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: NAME,
        severity: read.severity,
        measurements: UPS,
        holds: holdsOf(read),
        judge: (point) => judge(point, read),
      },
      context,
    ),
})

function judge({ fields }: Measurement, read: Options): Judgement {
  const { line, isLow, lowReason } = readUps(fields)
  if (line === 'unknown') return UNKNOWN_JUDGEMENT
  // What it can do it shows now; and without output there is worse to tell.
  if (line === 'battery' || line === 'off') return BETWEEN
  const result = textOf(fields, 'self_test')
  const none = [
    line === 'bypass' ? 'on bypass: its load is on the bare mains' : '',
    fields['no_battery'] === true ? 'it has no battery' : '',
    fields['charger_fault'] === true ? 'its charger failed' : '',
    fields['self_test_failed'] === true
      ? `its last self-test failed${result === undefined ? '' : ` (${result})`}`
      : '',
  ].filter((word) => word !== '')
  const weak = [
    fields['replace_battery'] === true ? 'it asks for a new battery' : '',
    fields['redundancy_lost'] === true ? 'it has no spare power module left' : '',
    isLow ? `its battery is not charged yet: ${lowReason}` : '',
  ].filter((word) => word !== '')
  if (none.length + weak.length === 0) return WELL
  const severity: Severity = none.length > 0 ? read.severity : read['weak-severity']
  const lead =
    none.length > 0 ? 'would not hold without mains' : 'would hold less long than it should'
  return { word: 'bad', what: `${lead}: ${[...none, ...weak].join(', ')}`, severity }
}
