import { z } from 'zod'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { BETWEEN, UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { leftWords, readUps } from './ups-facts.ts'
import { bySite, holdOf, holdsOf, UPS } from './ups-rule.ts'

const NAME = 'ups-on-battery'

const options = z.strictObject({
  ...holdOf('10s', '10s'),
  severity: z.enum(SEVERITIES).default('warning'),
})

/** Not for what it does on purpose: a self-test, a calibration. Shorter transfers are the business of ups-transfers. */
export const upsOnBattery = defineRule({
  name: NAME,
  summary: 'a UPS runs on its battery: its input is lost',
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
          const { line, isOnPurpose, chargeRatio, runtimeLeftS } = facts
          if (line === 'unknown') return UNKNOWN_JUDGEMENT
          // One that gave up is not on mains again.
          if (line === 'off') return BETWEEN
          if (line !== 'battery') return WELL
          if (isOnPurpose) return BETWEEN
          const left = leftWords(facts)
          return {
            word: 'bad',
            what: `on battery${left === '' ? '' : `, ${left}`}: its input is lost`,
            evidence: {
              ...(chargeRatio === undefined ? {} : { charge_ratio: chargeRatio }),
              ...(runtimeLeftS === undefined ? {} : { runtime_left_s: Math.round(runtimeLeftS) }),
            },
          }
        },
      },
      context,
    ),
})
