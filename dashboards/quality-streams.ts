import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, STEPS } from './influx-query.ts'
import { bars, heatmap, limitLine, OK, OVER, series, THIRD, thresholds } from './panels.ts'
import { LEAST_MOS } from './quality-paths.ts'
import { MOS_SCALES, STREAMS } from './quality-queries.ts'

const MOS_IDS = { narrowband: 25, wideband: 26, fullband: 27 } as const
/** Upper bounds of rtp_stream's delta_le_*, in ms. */
const DELTA_BOUNDS = [5, 10, 15, 20, 25, 30, 40, 60, 80, 100, 150, 200, 500]
const LONGEST_RUN = 10

/** How the measures of single streams are spread: percentiles and sums, no means of ratios. */
export function streams(): Builder<Panel>[] {
  return [
    ...MOS_SCALES.map((scale) =>
      series(
        MOS_IDS[scale],
        `MOS of streams, ${scale}`,
        'Of all chosen streams in all intervals of a step: the lowest, what 5 % are below, and the median. A stream seen at two places counts at both.',
      )
        .span(THIRD)
        .min(1)
        .max(5)
        .thresholds(thresholds([null, OVER], [LEAST_MOS, OK]))
        .thresholdsStyle(limitLine())
        .withTarget(
          lines(
            `SELECT min("mos_lq") AS "lowest", percentile("mos_lq", 5) AS "5 % are below", percentile("mos_lq", 50) AS "median" FROM "rtp_stream" WHERE ${STREAMS} AND "mos_scale" = '${scale}' AND "mos_assumed" = false GROUP BY ${STEPS} fill(null)`,
            '$col',
          ),
        ),
    ),
    discards(),
    burstDensity(),
    burstLength(),
    lossRuns(),
    deltas(),
  ]
}

function discards(): Builder<Panel> {
  const parts = [
    ['50', 'fixed 50 ms'],
    ['200', 'fixed 200 ms'],
    ['adaptive', 'adaptive'],
  ] as const
  const sums = parts.map(([buffer, name]) => `sum("late_${buffer}") / sum("packets") AS "${name}"`)
  const late = parts.map(([buffer]) => `"discard_ratio_${buffer}" * "expected" AS "late_${buffer}"`)
  return series(
    28,
    'Too late for a jitter buffer',
    'Packets that came, but too late to be played, over packets sent: with a fixed buffer of 50 ms, one of 200 ms and an adaptive one. Where the first is high and the second is not, a deeper buffer helps, at the price of delay.',
  )
    .unit('percentunit')
    .span(THIRD)
    .withTarget(
      lines(
        `SELECT ${sums.join(', ')} FROM (SELECT ${late.join(', ')}, "expected" AS "packets" FROM "rtp_stream" WHERE ${STREAMS} AND "discard_ratio_50" >= 0) WHERE $timeFilter GROUP BY ${STEPS} fill(null)`,
        '$col',
      ),
    )
}

/** Weighted by the time spent in bursts, which is the sum that can be divided. */
function burstDensity(): Builder<Panel> {
  return series(
    29,
    'Burst density',
    'Share of packets within bursts that were lost or too late (RFC 3611 4.7.2, Gmin 16): the same loss is heard more the denser it comes.',
  )
    .unit('percentunit')
    .span(THIRD)
    .withTarget(
      lines(
        `SELECT sum("bad_ms") / sum("burst_ms") FROM (SELECT "burst_density_ratio" * "bursts" * "burst_duration_ms" AS "bad_ms", "bursts" * "burst_duration_ms" AS "burst_ms" FROM "rtp_stream" WHERE ${STREAMS} AND "bursts" > 0) WHERE $timeFilter GROUP BY ${STEPS}, "from", "to", "at" fill(null)`,
        '$tag_from → $tag_to at $tag_at',
      ),
    )
}

function burstLength(): Builder<Panel> {
  return series(
    30,
    'Mean length of a burst',
    'Time within bursts over their number (RFC 3611 4.7.2): a burst of a second is heard as a gap, whatever the loss ratio says.',
  )
    .unit('ms')
    .span(THIRD)
    .withTarget(
      lines(
        `SELECT sum("burst_ms") / sum("ended") FROM (SELECT "bursts" * "burst_duration_ms" AS "burst_ms", "bursts" AS "ended" FROM "rtp_stream" WHERE ${STREAMS} AND "bursts" > 0) WHERE $timeFilter GROUP BY ${STEPS}, "from", "to", "at" fill(null)`,
        '$tag_from → $tag_to at $tag_at',
      ),
    )
}

function lossRuns(): Builder<Panel> {
  const sums = Array.from({ length: LONGEST_RUN }, (_, index) => {
    const run = index + 1
    const name = run === 1 ? '1 packet' : `${run}${run === LONGEST_RUN ? ' or more' : ''} in a row`
    return `sum("loss_run_${run}") AS "${name}"`
  })
  return bars(
    31,
    'Runs of lost packets',
    'How many packets were lost in a row, over the time the board shows. A single loss is concealed; after 60 ms, three packets of 20 ms, G.711’s concealment falls silent (G.711 Appendix I).',
  )
    .decimals(0)
    .withTarget(lines(`SELECT ${sums.join(', ')} FROM "rtp_stream" WHERE ${STREAMS}`, '$col'))
}

function deltas(): Builder<Panel> {
  const last = DELTA_BOUNDS.at(-1) ?? 0
  const sums = [
    ...DELTA_BOUNDS.map((bound) => `sum("delta_le_${bound}") AS "up to ${bound} ms"`),
    `sum("delta_gt_${last}") AS "above ${last} ms"`,
  ]
  return heatmap(
    32,
    'Time between arrivals',
    'Packets by the time since the one before. Calls of 20 ms packets stand in one dark line around 20 ms; what spreads is jitter, what stands far above are stalls.',
  ).withTarget(
    lines(
      `SELECT ${sums.join(', ')} FROM "rtp_stream" WHERE ${STREAMS} GROUP BY ${STEPS} fill(null)`,
      '$col',
    ),
  )
}
