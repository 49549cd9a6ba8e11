import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { numberOf, textOf } from '../points.ts'
import { UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { componentOf } from './device.ts'
import { DeviceRule } from './device-rule.ts'
import { holdOf, holdsOf, US_PER_MS } from './ups-rule.ts'

/** Power distribution units and transfer switches. */

const OVERLOAD = 'pdu-overload'
const OUTLET = 'pdu-outlet-off'
const REDUNDANCY = 'ats-redundancy'
const PDUS: ReadonlySet<MeasurementName> = new Set(['pdu'])
const OUTLETS: ReadonlySet<MeasurementName> = new Set(['pdu_outlet'])
const SWITCHES: ReadonlySet<MeasurementName> = new Set(['transfer_switch'])

const overloadOptions = z.strictObject({
  ...holdOf('30s', '60s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** Only its own warning threshold is passed. */
  'near-severity': z.enum(SEVERITIES).default('notice'),
})

/** By the thresholds set in the device: nobody else knows its breaker. */
export const pduOverload = defineRule({
  name: OVERLOAD,
  summary: 'a PDU or one of its banks carries more than is set in it',
  options: overloadOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: OVERLOAD,
        severity: read.severity,
        measurements: PDUS,
        holds: holdsOf(read),
        judge: ({ fields }): Judgement => {
          if (fields['comms_lost'] === true) return UNKNOWN_JUDGEMENT
          const { overload, near_overload: isNear } = fields
          if (overload === undefined && isNear === undefined) return UNKNOWN_JUDGEMENT
          if (overload !== true && isNear !== true) return WELL
          const loadA = numberOf(fields, 'load_a')
          const figure = loadA === undefined ? '' : `: ${loadA} A`
          const what =
            overload === true
              ? `overloaded${figure}; its breaker may trip`
              : `near overload${figure}; its own warning threshold is passed`
          const severity = overload === true ? read.severity : read['near-severity']
          const evidence = loadA === undefined ? {} : { load_a: loadA }
          return { word: 'bad', what, severity, evidence }
        },
      },
      context,
    ),
})

const outletOptions = z.strictObject({
  ...holdOf('10s', '10s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** An outlet that is not in the site file and has been off for so long is meant to be. */
  'give-up': duration.prefault('24h'),
})

/** Spare outlets are off for good: one is missed when it was on, or stands in the site file. */
export const pduOutletOff = defineRule({
  name: OUTLET,
  summary: 'an outlet that gave power, or that the site file counts on, is off',
  options: outletOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: OUTLET,
        severity: read.severity,
        measurements: OUTLETS,
        holds: holdsOf(read),
        groupOf: ({ target = '', agent = '' }) => {
          const [device = target] = target.split('/', 1)
          return { key: `${agent} ${device}`, object: `outlets of ${device}` }
        },
        giveUpUs: read['give-up'] * US_PER_MS,
        judge: (point, marks) => judgeOutlet(point, marks, context),
      },
      context,
    ),
})

function judgeOutlet(
  point: Measurement,
  marks: Record<string, number | string>,
  context: RuleContext,
): Judgement {
  const { fields } = point
  if (fields['comms_lost'] === true || typeof fields['on'] !== 'boolean') return UNKNOWN_JUDGEMENT
  if (fields['on']) {
    marks['on'] = 1
    return WELL
  }
  const isMissed = marks['on'] === 1 || componentOf(context, point) !== undefined
  if (!isMissed) return WELL
  const label = textOf(fields, 'label')
  return { word: 'bad', what: `switched off${label === undefined ? '' : ` (${label})`}` }
}

const redundancyOptions = z.strictObject({
  ...holdOf('10s', '30s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** What hangs on it has no power. */
  'output-severity': z.enum(SEVERITIES).default('critical'),
})
type RedundancyOptions = z.output<typeof redundancyOptions>

export const atsRedundancy = defineRule({
  name: REDUNDANCY,
  summary: 'a transfer switch has one good source left, or gives no power',
  options: redundancyOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: REDUNDANCY,
        severity: read.severity,
        measurements: SWITCHES,
        holds: holdsOf(read),
        judge: (point) => judgeSwitch(point, read),
      },
      context,
    ),
})

function judgeSwitch({ fields }: Measurement, read: RedundancyOptions): Judgement {
  const { source_a_ok: isAOk, source_b_ok: isBOk, redundancy_lost: isLost } = fields
  if (fields['comms_lost'] === true) return UNKNOWN_JUDGEMENT
  if (fields['output_ok'] === false)
    return {
      word: 'bad',
      what: 'it gives no power',
      severity: read['output-severity'],
      isAtOnce: true,
    }
  const wrong = [
    isAOk === false ? 'source A is lost' : '',
    isBOk === false ? 'source B is lost' : '',
    isLost === true && isAOk !== false && isBOk !== false
      ? 'the other source could not take over'
      : '',
    fields['overload'] === true ? 'overloaded' : '',
    fields['alarm'] === true ? 'part of it failed' : '',
  ].filter((word) => word !== '')
  if (wrong.length > 0) {
    const selected = textOf(fields, 'selected')
    const on = selected === undefined ? '' : `; its load is on source ${selected.toUpperCase()}`
    return { word: 'bad', what: `${wrong.join(', ')}${on}` }
  }
  const isKnown = isAOk !== undefined || isBOk !== undefined || isLost !== undefined
  return isKnown ? WELL : UNKNOWN_JUDGEMENT
}
