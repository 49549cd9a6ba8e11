import { z } from 'zod'
import { ratio } from '../../../common/settings.ts'
import { SEVERITIES } from '../breach.ts'
import { defineRule } from '../rule.ts'
import { numberOf } from '../points.ts'
import { percent } from '../words.ts'
import { BETWEEN, UNKNOWN_JUDGEMENT, WELL, type Judgement } from './condition.ts'
import { DeviceRule } from './device-rule.ts'
import { readUps } from './ups-facts.ts'
import { holdOf, holdsOf, UPS } from './ups-rule.ts'

/** What wears a UPS out, or makes it give up: too much load, too much heat. */

const OVERLOAD = 'ups-overload'
const OVER_TEMPERATURE = 'ups-over-temperature'
const MAX_CELSIUS = 150

const overloadOptions = z.strictObject({
  limit: ratio.prefault('100%'),
  'clear-below': ratio.prefault('95%'),
  ...holdOf('30s', '60s'),
  severity: z.enum(SEVERITIES).default('warning'),
})

export const upsOverload = defineRule({
  name: OVERLOAD,
  summary: 'a UPS carries more than it can',
  options: overloadOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: OVERLOAD,
        severity: read.severity,
        measurements: UPS,
        holds: holdsOf(read),
        judge: ({ fields }): Judgement => {
          if (readUps(fields).line === 'unknown') return UNKNOWN_JUDGEMENT
          const load = numberOf(fields, 'load_ratio')
          const says = fields['overload'] === true
          if (!says && (load === undefined || load <= read.limit))
            return load !== undefined && load > read['clear-below'] ? BETWEEN : WELL
          const figure =
            load === undefined ? '' : `: load ${percent(load)}, limit ${percent(read.limit)}`
          return {
            word: 'bad',
            what: `overloaded${figure}${says ? ' (it says so itself)' : ''}`,
            evidence: {
              limit_load_ratio: read.limit,
              ...(load === undefined ? {} : { load_ratio: load }),
            },
          }
        },
      },
      context,
    ),
})

const celsius = z.number().min(0).max(MAX_CELSIUS)
const temperatureOptions = z.strictObject({
  /** Degrees Celsius. A battery lives half as long for every 10 above 20. */
  limit: celsius.default(50),
  'clear-below': celsius.default(45),
  ...holdOf('60s', '5min'),
  severity: z.enum(SEVERITIES).default('warning'),
})

export const upsOverTemperature = defineRule({
  name: OVER_TEMPERATURE,
  summary: 'a UPS or its battery is too hot',
  options: temperatureOptions,
  create: (read, context) =>
    new DeviceRule(
      {
        rule: OVER_TEMPERATURE,
        severity: read.severity,
        measurements: UPS,
        holds: holdsOf(read),
        judge: ({ fields }): Judgement => {
          if (readUps(fields).line === 'unknown') return UNKNOWN_JUDGEMENT
          const degrees = numberOf(fields, 'temperature_c')
          const says = fields['over_temperature'] === true
          if (!says && (degrees === undefined || degrees <= read.limit))
            return degrees !== undefined && degrees > read['clear-below'] ? BETWEEN : WELL
          const figure = degrees === undefined ? '' : `: ${degrees} °C, limit ${read.limit} °C`
          return {
            word: 'bad',
            what: `too hot${figure}${says ? ' (it says so itself)' : ''}`,
            evidence: {
              limit_c: read.limit,
              ...(degrees === undefined ? {} : { temperature_c: degrees }),
            },
          }
        },
      },
      context,
    ),
})
