import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, rows, SITES, STEPS } from './influx-query.ts'
import { series, table, THIRD } from './panels.ts'
import { STREAMS } from './quality-queries.ts'

/** Calls without sound, and round trips as RTCP tells them. */
export function calls(): Builder<Panel>[] {
  return [
    series(
      21,
      'Calls without sound',
      'Most at once: established calls, and of these the calls whose speech arrives at one end only, or at none.',
    )
      .decimals(0)
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT max("calls") AS "all calls", max("calls_one_way") AS "one way", max("calls_silent") AS "silent" FROM "agent" WHERE ${SITES} GROUP BY ${STEPS}, "site", "agent" fill(null)`,
          '$col, $tag_agent ($tag_site)',
        ),
      ),
    series(
      22,
      'Streams that fell silent',
      'Constant-rate streams that stopped without BYE, hold or pause in speech, as agents told it at once.',
    )
      .decimals(0)
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT count("silent_since_ms") FROM "rtp_stall" WHERE ${STREAMS} AND "over" = false GROUP BY ${STEPS}, "from", "to", "at" fill(null)`,
          '$tag_from → $tag_to at $tag_at',
        ),
      ),
    series(
      23,
      'Round trip by RTCP',
      'Highest of the step. rtcp: between the tap and the receiver; rtcp-xr: between both ends, as the receiver says.',
    )
      .unit('ms')
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT max("round_trip_ms") FROM "rtp_report" WHERE ${STREAMS} GROUP BY ${STEPS}, "from", "to", "source" fill(null)`,
          '$tag_from → $tag_to ($tag_source)',
        ),
      ),
    table(
      24,
      'Calls without sound, newest first',
      'Established calls whose negotiated speech is not all there; numbers are masked. Nothing comes from "from" to "to".',
    )
      .height(8)
      .withTarget(
        rows(
          `SELECT "from", "to", "caller", "callee", "one_way", "silent", "established_ms" FROM "rtp_call" WHERE ${STREAMS} ORDER BY time DESC LIMIT 100`,
        ),
      )
      .overrideByName('established_ms', [{ id: 'unit', value: 'ms' }]),
  ]
}
