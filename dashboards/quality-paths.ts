import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import { TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, rows, SITES, STEPS } from './influx-query.ts'
import {
  CAUTION,
  FULL_WIDTH,
  limitLine,
  NOW,
  OK,
  OVER,
  series,
  stat,
  table,
  thresholds,
} from './panels.ts'
import { BY_PATH, EFFECTIVE_LOSS, LOSS, MOS_SCALES, PATH_NAME, PATHS } from './quality-queries.ts'

/** Design section 4: at most 3 % is acceptable, severe from 10 %. */
const LIMIT_RATIO = 0.03
const SEVERE_RATIO = 0.1
/** Below it many users are dissatisfied (ITU-T G.109 table 1). */
export const LEAST_MOS = 3.6

/** The figures at the top. */
export function stats(): Builder<Panel>[] {
  return [
    stat(
      1,
      'Paths with an alert firing now',
      'Paths on which an alert is firing, of those measured in the last minute.',
    )
      .timeFrom(NOW)
      .thresholds(thresholds([null, OK], [1, OVER]))
      .withTarget(
        lines(
          `SELECT sum("firing") FROM (SELECT max("firing") AS "firing" FROM (SELECT last("breach") AS "firing" FROM "path" WHERE ${PATHS} GROUP BY ${BY_PATH}) WHERE $timeFilter GROUP BY "from", "to") WHERE $timeFilter`,
          'paths',
        ),
      ),
    stat(
      2,
      'Worst loss now',
      'Loss of the worst path over the last minute: lost packets over packets sent, summed before dividing.',
    )
      .timeFrom(NOW)
      .unit('percentunit')
      .decimals(1)
      .thresholds(thresholds([null, OK], [LIMIT_RATIO, OVER]))
      .withTarget(
        lines(
          `SELECT max("loss") FROM (SELECT ${LOSS} AS "loss" FROM "path" WHERE ${PATHS} GROUP BY ${BY_PATH}) WHERE $timeFilter`,
          'loss',
        ),
      ),
    stat(
      14,
      'Lowest MOS now',
      'Lowest listening quality of any call in the last minute, on each scale by itself: the scales do not compare.',
    )
      .timeFrom(NOW)
      .decimals(2)
      .thresholds(thresholds([null, OVER], [LEAST_MOS, OK]))
      .withTarget(lowestMos('A', MOS_SCALES[0]))
      .withTarget(lowestMos('B', MOS_SCALES[1]))
      .withTarget(lowestMos('C', MOS_SCALES[2])),
    stat(
      15,
      'Calls without sound now',
      'Established calls whose speech arrives at one end only, or at none, by what taps see of signalling and speech.',
    )
      .timeFrom(NOW)
      .thresholds(thresholds([null, OK], [1, OVER]))
      .withTarget(
        lines(
          `SELECT sum("one_way") AS "one way", sum("silent") AS "silent" FROM (SELECT last("calls_one_way") AS "one_way", last("calls_silent") AS "silent" FROM "agent" WHERE ${SITES} GROUP BY "site", "agent") WHERE $timeFilter`,
          '$col',
        ),
      ),
    stat(
      3,
      'Share of time in breach',
      'Share of all measured path time during which an alert was firing, over the time the board shows.',
    )
      .unit('percentunit')
      .decimals(2)
      .thresholds(thresholds([null, OK], [0.001, CAUTION], [0.01, OVER]))
      .withTarget(
        lines(
          `SELECT sum("breach_ms") / sum("judged_ms") FROM (SELECT "breach" * "interval_ms" AS "breach_ms", "interval_ms" AS "judged_ms" FROM "path" WHERE ${PATHS}) WHERE $timeFilter`,
          'in breach',
        ),
      ),
    stat(
      4,
      'Agents reporting now',
      'Agents that said something about themselves in the last minute.',
    )
      .timeFrom(NOW)
      .thresholds(thresholds([null, OVER], [1, OK]))
      .withTarget(
        lines(
          `SELECT count("uptime_s") FROM (SELECT last("uptime_s") AS "uptime_s" FROM "agent" WHERE ${SITES} AND "target" = '' GROUP BY "site", "agent") WHERE $timeFilter`,
          'agents',
        ),
      ),
  ]
}

function lowestMos(refId: string, scale: string) {
  return lines(
    `SELECT min("mos_lq") FROM "path" WHERE ${PATHS} AND "mos_scale" = '${scale}'`,
    scale,
    refId,
  )
}

/** Loss, jitter and streams of each path, and the table of the worst. */
export function paths(): Builder<Panel>[] {
  return [
    series(
      5,
      'Loss per path',
      'Lost packets over packets sent, against the limit of 3 %. A gap is time in which nothing was measured.',
    )
      .unit('percentunit')
      .span(FULL_WIDTH)
      .height(10)
      .thresholds(thresholds([null, OK], [LIMIT_RATIO, OVER]))
      .thresholdsStyle(limitLine())
      .withTarget(
        lines(
          `SELECT ${LOSS} FROM "path" WHERE ${PATHS} GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          PATH_NAME,
        ),
      ),
    series(
      6,
      'Jitter per path',
      'Highest interarrival jitter (RFC 3550) among the streams of the path.',
    )
      .unit('ms')
      .withTarget(
        lines(
          `SELECT max("jitter_ms") FROM "path" WHERE ${PATHS} GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          PATH_NAME,
        ),
      ),
    series(7, 'Streams per path', 'Most streams seen at once in an interval.')
      .decimals(0)
      .withTarget(
        lines(
          `SELECT max("streams") FROM "path" WHERE ${PATHS} GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          PATH_NAME,
        ),
      ),
    worstPaths(),
  ]
}

function worstPaths(): Builder<Panel> {
  const share = (color: string) => [
    { id: 'unit', value: 'percentunit' },
    { id: 'decimals', value: 2 },
    {
      id: 'thresholds',
      value: thresholds([null, OK], [LIMIT_RATIO, color], [SEVERE_RATIO, OVER]).build(),
    },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
  ]
  return table(
    8,
    'Paths, worst first',
    'Over the time the board shows. What is judged is the segment from -> at.',
  )
    .sortBy([new TableSortByFieldStateBuilder().displayName('loss').desc(true)])
    .overrideByName('Time', [{ id: 'custom.hidden', value: true }])
    .overrideByName('loss', share(OVER))
    .overrideByName('lost or too late', share(OVER))
    .overrideByName('in breach', [
      { id: 'unit', value: 'percentunit' },
      { id: 'decimals', value: 2 },
    ])
    .overrideByName('jitter', [{ id: 'unit', value: 'ms' }])
    .withTarget(
      rows(
        `SELECT ${LOSS} AS "loss", ${EFFECTIVE_LOSS} AS "lost or too late", mean("breach") AS "in breach", sum("lost_unique") AS "lost", sum("expected") AS "packets", max("jitter_ms") AS "jitter" FROM "path" WHERE ${PATHS} GROUP BY ${BY_PATH}, "bearer", "owner"`,
      ),
    )
}
