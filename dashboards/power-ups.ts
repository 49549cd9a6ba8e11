import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import {
  CAUTION,
  limitLine,
  OK,
  OVER,
  series,
  THIRD,
  thresholds,
  timeline,
  UNKNOWN,
  words,
} from './panels.ts'
import { DASHED, perService, perUps, READING_GAP_MS, STORED_GAP_MS } from './power-queries.ts'

const S_PER_MIN = 60
/** Where the rule ups-over-temperature fires. */
export const HOT_C = 50
const BUSY_RATIO = 0.8

/** What feeds the load of every UPS, and how long its battery lasts. */
export function batteries(): Builder<Panel>[] {
  return [
    timeline(
      8,
      'UPSes: what feeds the load',
      'The last word of each step. Unknown: the UPS, its server or the way to it did not answer, so nobody knows. A blank: the agent said nothing at all. Short transfers between two words stand under "Readings on battery".',
    )
      .spanNulls(READING_GAP_MS)
      .mappings(
        words({
          online: ['mains', OK],
          battery: ['battery', CAUTION],
          bypass: ['bypass: unprotected', 'yellow'],
          off: ['off: feeds nothing', OVER],
          unknown: ['unknown', UNKNOWN],
        }),
      )
      .withTarget(perUps('last("line")')),
    series(15, 'Battery charge', 'The lowest of each step.')
      .unit('percentunit')
      .span(THIRD)
      .max(1)
      .withTarget(perUps('min("charge_ratio")')),
    series(
      9,
      'Time left on battery against hold-up',
      'The smaller of what the UPS says and what the slope of its charge says; dashed: how long each service should last without mains.',
    )
      .unit('s')
      .span(THIRD)
      .spanNulls(STORED_GAP_MS)
      .overrideByQuery('B', DASHED)
      .withTarget(perUps('min("runtime_left_s")'))
      .withTarget(
        perService(`${S_PER_MIN} * max("hold_up_min")`, {
          name: 'hold-up of $tag_target',
          refId: 'B',
        }),
      ),
    series(
      16,
      'Readings on battery',
      'How many readings of each step found the load on battery: short transfers too, however wide the step.',
    )
      .decimals(0)
      .span(THIRD)
      .withTarget(perUps('count("line")', ` AND "line" = 'battery'`)),
  ]
}

/** What wears a UPS out. */
export function strain(): Builder<Panel>[] {
  return [
    series(
      17,
      'UPS load',
      'The highest of each step, 100 % = what it can carry. Two that share a load must each stay below half.',
    )
      .unit('percentunit')
      .span(THIRD)
      .thresholds(thresholds([null, OK], [BUSY_RATIO, CAUTION], [1, OVER]))
      .thresholdsStyle(limitLine())
      .withTarget(perUps('max("load_ratio")')),
    series(18, 'Temperature', 'Of UPS or battery, the highest of each step.')
      .unit('celsius')
      .decimals(0)
      .span(THIRD)
      .thresholds(thresholds([null, OK], [HOT_C, OVER]))
      .thresholdsStyle(limitLine())
      .withTarget(perUps('max("temperature_c")')),
    series(
      19,
      'Input voltage',
      'The lowest of each step, of three phases the lowest: zero is a mains that is gone, dips are a mains that is weak.',
    )
      .unit('volt')
      .span(THIRD)
      .withTarget(perUps('min("input_v")')),
  ]
}
