import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { numberOf, textOf } from '../points.ts'
import { utcMinute } from '../words.ts'
import { WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { bySite, US_PER_MS } from './ups-rule.ts'

const NAME = 'power-blind'
/** One for each device: what is said of ports and outlets comes from these. */
const WATCHED: ReadonlySet<MeasurementName> = new Set([
  'ups',
  'transfer_switch',
  'pdu',
  'poe_budget',
])
/** Older than so many looks of the source itself is stale. */
const STALE_POLLS = 3
const MIN_STALE_S = 30
const MS_PER_S = 1000

const options = z.strictObject({
  /** So many polls without contact. */
  polls: z.int().min(1).default(3),
  /** And at least so long. */
  hold: duration.prefault('15s'),
  clear: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** It was on battery when contact was lost: told at once. */
  'on-battery-severity': z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

/** No contact is no state: what the device last said is not what it is. */
export const powerBlind = defineRule({
  name: NAME,
  summary:
    'nothing is known of a UPS, transfer switch, PDU or PoE supply: contact lost, stale or frozen',
  options,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: NAME,
        severity: read.severity,
        measurements: WATCHED,
        holds: ({ gapUs }) => ({
          holdUs: Math.max(read.polls * gapUs, read.hold * US_PER_MS),
          clearUs: read.clear * US_PER_MS,
        }),
        groupOf: bySite('power devices'),
        needsAll: true,
        isOverNetwork: true,
        judge: (point, marks) => judge(point, marks, read),
        absence: (sinceUs, marks) => blind(`not reported since ${utcMinute(sinceUs)}`, marks, read),
      },
      context,
    ),
})

function judge(
  { name, fields }: Measurement,
  marks: Record<string, number | string>,
  read: Options,
): Judgement {
  const { line, state } = fields
  const reason = textOf(fields, 'reason')
  const staleS = numberOf(fields, 'stale_s') ?? 0
  const pollS = (numberOf(fields, 'poll_ms') ?? 0) / MS_PER_S
  const isStale = staleS > Math.max(STALE_POLLS * pollS, MIN_STALE_S)
  const isLost = fields['comms_lost'] === true || fields['frozen'] === true || isStale
  const isUnknown = (name === 'ups' && line === 'unknown') || state === 'unknown'
  if (!isLost && !isUnknown) {
    if (typeof line === 'string') marks['line'] = line
    return WELL
  }
  const stale = isStale ? `its reading is ${Math.round(staleS)} s old` : undefined
  const what = fields['frozen'] === true || !isLost ? 'no state to be believed' : 'no contact'
  return blind(`${what}: ${reason ?? stale ?? 'no reason given'}`, marks, read)
}

function blind(what: string, marks: Record<string, number | string>, read: Options): Judgement {
  if (marks['line'] !== 'battery') return { word: 'bad', what }
  return {
    word: 'bad',
    what: `${what}; it was on battery when last heard of`,
    severity: read['on-battery-severity'],
    isAtOnce: true,
    evidence: { last_line: 'battery' },
  }
}
