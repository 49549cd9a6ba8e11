import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, STEPS } from './influx-query.ts'
import { limitLine, OK, OVER, series, THIRD, thresholds } from './panels.ts'
import { LEAST_MOS } from './quality-paths.ts'
import { BY_PATH, EFFECTIVE_LOSS, LOSS, MOS_SCALES, PATH_NAME, PATHS } from './quality-queries.ts'

const MOS_IDS = { narrowband: 16, wideband: 17, fullband: 18 } as const

/** What listeners hear and miss, per path. */
export function sound(): Builder<Panel>[] {
  return [
    ...MOS_SCALES.map((scale) =>
      series(
        MOS_IDS[scale],
        `Lowest MOS per path, ${scale}`,
        `The worst call of each path at each moment, by the E-model (listening quality). ${scale} calls only: the scales do not compare. Codecs whose rating is an assumption are left out.`,
      )
        .span(THIRD)
        .min(1)
        .max(5)
        .thresholds(thresholds([null, OVER], [LEAST_MOS, OK]))
        .thresholdsStyle(limitLine())
        .withTarget(
          lines(
            `SELECT min("mos_lq") FROM "path" WHERE ${PATHS} AND "mos_scale" = '${scale}' GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
            PATH_NAME,
          ),
        ),
    ),
    series(
      19,
      'Lost, and lost or too late',
      'What the network lost, and what a listener with an adaptive jitter buffer misses: the difference came, but too late to be played.',
    )
      .unit('percentunit')
      .withTarget(
        lines(
          `SELECT ${LOSS} FROM "path" WHERE ${PATHS} AND "source" = 'stream' GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          `lost: ${PATH_NAME}`,
        ),
      )
      .withTarget(
        lines(
          `SELECT ${EFFECTIVE_LOSS} FROM "path" WHERE ${PATHS} GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          `lost or too late: ${PATH_NAME}`,
          'B',
        ),
      ),
    series(
      20,
      'What receivers report beside what was counted',
      'Loss counted by taps up to where they listen, and what the receiving ends report in RTCP of the whole way: what they report above ours was lost behind the tap.',
    )
      .unit('percentunit')
      .withTarget(
        lines(
          `SELECT ${LOSS} FROM "path" WHERE ${PATHS} AND "source" = 'stream' GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          'counted at $tag_at: $tag_from → $tag_to',
        ),
      )
      .withTarget(
        lines(
          `SELECT ${LOSS} FROM "path" WHERE ${PATHS} AND "source" = 'report' GROUP BY ${STEPS}, ${BY_PATH} fill(null)`,
          'reported: $tag_from → $tag_to',
          'B',
        ),
      ),
  ]
}
