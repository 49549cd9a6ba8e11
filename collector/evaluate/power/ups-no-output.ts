import { z } from 'zod'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { readUps } from './ups-facts.ts'
import { bySite, holdOf, holdsOf, UPS } from './ups-rule.ts'

const NAME = 'ups-no-output'

const options = z.strictObject({
  ...holdOf('0s', '10s'),
  severity: z.enum(SEVERITIES).default('critical'),
})

export const upsNoOutput = defineRule({
  name: NAME,
  summary: 'a UPS gives no power: what hangs on it alone is dead',
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
          const { line, reason } = readUps(fields)
          if (line === 'unknown') return UNKNOWN_JUDGEMENT
          if (line !== 'off') return WELL
          const odd = reason === '' ? '' : ` (${reason})`
          return { word: 'bad', what: `its output is off${odd}` }
        },
      },
      context,
    ),
})
