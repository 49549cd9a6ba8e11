import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { countOf, numberOf, textOf } from '../points.ts'
import { counted, percent } from '../words.ts'
import { BETWEEN, UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { holdOf, holdsOf, US_PER_MS } from './ups-rule.ts'

/** Power over Ethernet: the supply of a switch, and the ports that feed phones. */

const BUDGET = 'poe-budget'
const PORT = 'poe-port'
const BUDGETS: ReadonlySet<MeasurementName> = new Set(['poe_budget'])
const PORTS: ReadonlySet<MeasurementName> = new Set(['poe_port'])

/** Ports that stop feeding within this have one cause. */
const TOGETHER_US = 60_000_000

const budgetOptions = z.strictObject({
  /** Of what the switch can give; where its own threshold is lower, that. */
  limit: ratio.prefault('90%'),
  'clear-below': ratio.prefault('80%'),
  ...holdOf('60s', '5min'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** Nearly all of it is given: no port is refused yet. */
  'near-severity': z.enum(SEVERITIES).default('notice'),
})
type BudgetOptions = z.output<typeof budgetOptions>

export const poeBudget = defineRule({
  name: BUDGET,
  summary: 'the PoE supply of a switch failed, refuses ports, or has little left to give',
  options: budgetOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: BUDGET,
        severity: read.severity,
        measurements: BUDGETS,
        holds: holdsOf(read),
        judge: (point) => judgeBudget(point, read),
      },
      context,
    ),
})

function judgeBudget({ fields }: Measurement, read: BudgetOptions): Judgement {
  const { state } = fields
  if (fields['comms_lost'] === true || state === 'unknown') return UNKNOWN_JUDGEMENT
  if (state === 'faulty' || state === 'off')
    return {
      word: 'bad',
      what: `the supply is ${state}: nothing it feeds has power`,
      isAtOnce: true,
    }
  const denied = countOf(fields, 'ports_denied')
  const used = numberOf(fields, 'used_ratio')
  const limit = Math.min(read.limit, numberOf(fields, 'threshold_ratio') ?? 1)
  const nominalW = numberOf(fields, 'nominal_w')
  const figure =
    used === undefined
      ? ''
      : `${percent(used)}${nominalW === undefined ? '' : ` of ${nominalW} W`} given, limit ${percent(limit)}`
  const evidence = {
    limit_used_ratio: limit,
    ports_denied: denied,
    ...(used === undefined ? {} : { used_ratio: used }),
  }
  if (denied > 0) {
    const what = `${counted(denied, 'port')} refused power${figure === '' ? '' : `; ${figure}`}`
    return { word: 'bad', what, evidence }
  }
  if (used === undefined || used <= limit)
    return used !== undefined && used > Math.min(read['clear-below'], limit) ? BETWEEN : WELL
  return { word: 'bad', what: figure, severity: read['near-severity'], evidence }
}

const portOptions = z.strictObject({
  ...holdOf('30s', '30s'),
  severity: z.enum(SEVERITIES).default('notice'),
  /** So many ports of one switch within a minute are no single phone's trouble. */
  ports: z.int().min(2).default(3),
  'ports-severity': z.enum(SEVERITIES).default('warning'),
  /** A port that has fed nothing for so long is taken for one that is not meant to. */
  'give-up': duration.prefault('24h'),
})

export const poePort = defineRule({
  name: PORT,
  summary: 'a PoE port is at fault, is refused power, or stopped feeding what hung on it',
  options: portOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: PORT,
        severity: read.severity,
        measurements: PORTS,
        holds: holdsOf(read),
        groupOf: ({ target = '', agent = '' }) => {
          const [device = target] = target.split('/', 1)
          return { key: `${agent} ${device}`, object: `PoE ports of ${device}` }
        },
        severityOf: (sinceUs) => {
          const areTogether = sinceUs.some(
            (firstUs, at) => (sinceUs[at + read.ports - 1] ?? Infinity) - firstUs <= TOGETHER_US,
          )
          return areTogether ? read['ports-severity'] : read.severity
        },
        giveUpUs: read['give-up'] * US_PER_MS,
        judge: judgePort,
      },
      context,
    ),
})

function judgePort({ fields }: Measurement, marks: Record<string, number | string>): Judgement {
  const { delivering, status } = fields
  if (fields['comms_lost'] === true) return UNKNOWN_JUDGEMENT
  const label = textOf(fields, 'label')
  const named = label === undefined ? '' : ` (${label})`
  if (delivering === true) {
    marks['fed'] = 1
    return WELL
  }
  if (status === 'fault' || status === 'other-fault')
    return { word: 'bad', what: `at fault${named}` }
  const denied = countOf(fields, 'denied')
  if (denied > 0) return { word: 'bad', what: `refused power ${counted(denied, 'time')}${named}` }
  if (delivering === undefined) return UNKNOWN_JUDGEMENT
  if (marks['fed'] !== 1) return WELL
  const why = status === 'disabled' ? 'switched off in the switch' : 'nothing draws power any more'
  return { word: 'bad', what: `stopped feeding${named}: ${why}` }
}
