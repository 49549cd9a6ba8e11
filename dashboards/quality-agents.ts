import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, SITES, STEPS } from './influx-query.ts'
import { series, THIRD } from './panels.ts'

/** Test streams and pings. */
export function reach(): Builder<Panel>[] {
  return [
    series(
      9,
      'Test streams: round trip',
      'Median round trip per interval, the highest of the step; between two agents.',
    )
      .unit('ms')
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT max("round_trip_ms") FROM "rtp_test" WHERE ${SITES} GROUP BY ${STEPS}, "agent", "target" fill(null)`,
          '$tag_agent → $tag_target',
        ),
      ),
    series(
      10,
      'Ping: round trip',
      '95th percentile per interval, the highest of the step. Many devices answer ping late when busy; calls may be fine.',
    )
      .unit('ms')
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT max("round_trip_p95_ms") FROM "ping" WHERE ${SITES} GROUP BY ${STEPS}, "agent", "target" fill(null)`,
          '$tag_agent → $tag_target',
        ),
      ),
    series(11, 'Ping: loss', 'Echo requests without an answer over requests sent.')
      .unit('percentunit')
      .span(THIRD)
      .withTarget(
        lines(
          `SELECT 1.0 * (sum("sent") - sum("received")) / sum("sent") FROM "ping" WHERE ${SITES} GROUP BY ${STEPS}, "agent", "target" fill(null)`,
          '$tag_agent → $tag_target',
        ),
      ),
  ]
}

/** Whether the agents themselves can be believed. */
export function agents(): Builder<Panel>[] {
  return [
    series(
      12,
      'Agents: points waiting in the spool',
      'Grows while an agent cannot reach the collector; empties by itself when it can.',
    )
      .decimals(0)
      .withTarget(
        lines(
          `SELECT max("spool_points") FROM "agent" WHERE ${SITES} AND "target" = '' GROUP BY ${STEPS}, "site", "agent" fill(null)`,
          '$tag_agent ($tag_site)',
        ),
      ),
    series(
      13,
      'Agents: packets the tap dropped',
      "The sensor's own loss: while there is any, losses it reports may not be the network's.",
    )
      .decimals(0)
      .withTarget(
        lines(
          `SELECT sum("sensor_drops") FROM "agent" WHERE ${SITES} GROUP BY ${STEPS}, "site", "agent" fill(null)`,
          '$tag_agent ($tag_site)',
        ),
      ),
  ]
}
