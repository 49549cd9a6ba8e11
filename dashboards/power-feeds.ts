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
  words,
} from './panels.ts'
import { perDevice, READING_GAP_MS } from './power-queries.ts'

const NEARLY_FULL_RATIO = 0.8

/** What stands between the UPSes and the phones. */
export function feeds(): Builder<Panel>[] {
  return [
    transferSwitches(),
    series(
      21,
      'PDU load',
      'Current drawn from each power strip, or each bank of it: the highest of a step.',
    )
      .unit('amp')
      .span(THIRD)
      .withTarget(perDevice('max("load_a")', 'pdu')),
    series(
      22,
      'PoE budgets',
      'Power given over power there is, of each switch or member of a stack: beyond 100 % ports go dark, the least important first.',
    )
      .unit('percentunit')
      .span(THIRD)
      .thresholds(thresholds([null, OK], [NEARLY_FULL_RATIO, CAUTION], [1, OVER]))
      .thresholdsStyle(limitLine())
      .withTarget(perDevice('max("used_ratio")', 'poe_budget')),
    series(
      23,
      'PoE ports refused power',
      'The most in any interval of a step: a phone that asked and got nothing is dark.',
    )
      .decimals(0)
      .span(THIRD)
      .withTarget(perDevice('max("ports_denied")', 'poe_budget')),
  ]
}

function transferSwitches(): Builder<Panel> {
  return timeline(
    20,
    'Transfer switches',
    'Which source feeds the load, and whether the other could take over. A blank: it did not say.',
  )
    .height(6)
    .spanNulls(READING_GAP_MS)
    .mappings(
      words({
        a: ['source A', 'blue'],
        b: ['source B', 'light-blue'],
        false: ['other source good', OK],
        true: ['other source lost', OVER],
      }),
    )
    .withTarget(perDevice('last("selected")', 'transfer_switch'))
    .withTarget(
      perDevice('last("redundancy_lost")', 'transfer_switch', {
        name: '$tag_target ($tag_site): redundancy',
        refId: 'B',
      }),
    )
}
