import { z } from 'zod'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { BETWEEN, UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { leftWords, readUps } from './ups-facts.ts'
import { bySite, holdOf, holdsOf, UPS } from './ups-rule.ts'

const NAME = 'ups-low-battery'

const options = z.strictObject({
  ...holdOf('0s', '10s'),
  severity: z.enum(SEVERITIES).default('critical'),
})

/** What is low on mains would not hold, and is the business of ups-no-backup. */
export const upsLowBattery = defineRule({
  name: NAME,
  summary: 'a UPS on battery is about to give up: low battery, or a shutdown ordered',
  options,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: NAME,
        severity: read.severity,
        measurements: UPS,
        holds: holdsOf(read),
        groupOf: bySite('UPSes'),
        judge: ({ fields }): Judgement => {
          const facts = readUps(fields)
          const { line, isLow, isOnPurpose, lowReason, chargeRatio, runtimeLeftS } = facts
          if (line === 'unknown') return UNKNOWN_JUDGEMENT
          const isEnding = fields['forced_shutdown'] === true || fields['shutdown_pending'] === true
          // A calibration drains the battery on purpose, and ends before it is empty.
          const isBad = isEnding || (line === 'battery' && isLow && !isOnPurpose)
          if (!isBad) return line === 'battery' || line === 'off' ? BETWEEN : WELL
          const left = leftWords(facts)
          const where = line === 'battery' ? 'on battery' : line
          return {
            word: 'bad',
            what: `about to give up: ${[where, left].filter((word) => word !== '').join(', ')}; ${lowReason}`,
            evidence: {
              line,
              ...(chargeRatio === undefined ? {} : { charge_ratio: chargeRatio }),
              ...(runtimeLeftS === undefined ? {} : { runtime_left_s: Math.round(runtimeLeftS) }),
            },
          }
        },
      },
      context,
    ),
})
