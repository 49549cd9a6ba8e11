import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines } from './influx-query.ts'
import { CAUTION, NOW, OK, OVER, stat, thresholds, UNKNOWN } from './panels.ts'
import { BY_DEVICE, LATELY, SERVICE_STATES, SERVICES, UPSES } from './power-queries.ts'
import { HOT_C } from './power-ups.ts'

const LOW_CHARGE_RATIO = 0.3
const FULL_CHARGE_RATIO = 0.9

/** The figures at the top: how things stand now. */
export function now(): Builder<Panel>[] {
  return [
    stat(
      1,
      'Worst service now',
      'The worst state of any calling service, by what it needs and what is measured of that: the table below says which and why.',
    )
      .timeFrom(LATELY)
      .mappings(SERVICE_STATES)
      .thresholds(thresholds([null, OK], [1, CAUTION], [2, UNKNOWN], [3, OVER]))
      .withTarget(
        lines(
          `SELECT max("state_code") FROM (SELECT last("state_code") AS "state_code" FROM "service" WHERE ${SERVICES} GROUP BY ${BY_DEVICE}) WHERE $timeFilter`,
          'worst',
        ),
      ),
    timeLeft(),
    stat(
      3,
      'New single points now',
      'Components whose failure alone would stop a service now, and would not as the site is drawn: redundancy that is lost. Each counts once per service.',
    )
      .timeFrom(LATELY)
      .thresholds(thresholds([null, OK], [1, OVER]))
      .withTarget(
        lines(
          `SELECT sum("new_single_points") FROM (SELECT last("new_single_points") AS "new_single_points" FROM "service" WHERE ${SERVICES} GROUP BY ${BY_DEVICE}) WHERE $timeFilter`,
          'new single points',
        ),
      ),
    upses(),
    stat(
      5,
      'Lowest battery charge now',
      'Of the UPSes read in the last minute. A full battery that is old may still be empty soon: look at the time left.',
    )
      .timeFrom(NOW)
      .unit('percentunit')
      .decimals(0)
      .thresholds(thresholds([null, OVER], [LOW_CHARGE_RATIO, CAUTION], [FULL_CHARGE_RATIO, OK]))
      .withTarget(
        lines(
          `SELECT min("charge_ratio") FROM (SELECT last("charge_ratio") AS "charge_ratio" FROM "ups" WHERE ${UPSES} GROUP BY ${BY_DEVICE}) WHERE $timeFilter`,
          'charge',
        ),
      ),
    stat(
      6,
      'Hottest UPS now',
      'As the UPS measures itself or its battery, in the last minute. A lead battery lives half as long for every 10 °C above 25 °C.',
    )
      .timeFrom(NOW)
      .unit('celsius')
      .decimals(0)
      .thresholds(thresholds([null, OK], [HOT_C, OVER]))
      .withTarget(
        lines(
          `SELECT max("temperature_c") FROM (SELECT last("temperature_c") AS "temperature_c" FROM "ups" WHERE ${UPSES} GROUP BY ${BY_DEVICE}) WHERE $timeFilter`,
          'hottest',
        ),
      ),
  ]
}

function timeLeft(): Builder<Panel> {
  const left = `SELECT last("state_code"), "minutes_left", "minutes_left" - "hold_up_min" AS "margin" FROM "service" WHERE ${SERVICES} GROUP BY ${BY_DEVICE}`
  return stat(
    2,
    'Time left now',
    'Until the first service falls if nothing changes, and the smallest time left beyond what a service should last without mains: below zero it will not last as long as it should.',
  )
    .timeFrom(LATELY)
    .unit('m')
    .decimals(0)
    .noValue('nothing known runs out')
    .thresholds(thresholds([null, OVER], [0, OK]))
    .overrideByName('until the first service falls', [
      {
        id: 'thresholds',
        value: thresholds([null, CAUTION]).build(),
      },
    ])
    .withTarget(
      lines(
        `SELECT min("minutes_left") FROM (${left}) WHERE $timeFilter`,
        'until the first service falls',
      ),
    )
    .withTarget(
      lines(`SELECT min("margin") FROM (${left}) WHERE $timeFilter`, 'beyond its hold-up', 'B'),
    )
}

/** A count of none is no row in InfluxQL: whoever sees no "on battery" sees how many say so. */
function upses(): Builder<Panel> {
  const newest = `SELECT last("line") AS "line" FROM "ups" WHERE ${UPSES} GROUP BY ${BY_DEVICE}`
  const count = (of: string): string =>
    `SELECT count("line") FROM (${newest}) WHERE $timeFilter${of}`
  const colored = (color: string) => [
    { id: 'thresholds', value: thresholds([null, color]).build() },
  ]
  return stat(
    4,
    'UPSes now',
    'Units that were read in the last minute, and of these the ones on battery, off or on bypass (feeding nothing or protecting nothing), and unknown: no fresh reading.',
  )
    .timeFrom(NOW)
    .thresholds(thresholds([null, OK]))
    .overrideByName('on battery', colored(CAUTION))
    .overrideByName('off or on bypass', colored(OVER))
    .overrideByName('unknown', colored(UNKNOWN))
    .withTarget(lines(count(''), 'all'))
    .withTarget(lines(count(` AND "line" = 'battery'`), 'on battery', 'B'))
    .withTarget(lines(count(` AND "line" =~ /^(off|bypass)$/`), 'off or on bypass', 'C'))
    .withTarget(lines(count(` AND "line" = 'unknown'`), 'unknown', 'D'))
}
