import {
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import type { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import { DATASOURCE, lines, marks, rows } from './influx-query.ts'
import { FULL_WIDTH, THIRD, series, stat, thresholds } from './panels.ts'

/** Design section 4: at most 3 % is acceptable, severe from 10 %. */
const LIMIT_RATIO = 0.03
const SEVERE_RATIO = 0.1
/** Stats that say "now" look at the last minute whatever the board shows. */
const NOW = '1m'

/** `1.0 *` because InfluxDB types a division of integers inside a subquery as an integer: 8 % would come out as 0. */
const LOSS = '1.0 * sum("lost_unique") / sum("expected")'
const PATHS =
  '$timeFilter AND "site" =~ /^${site:regex}$/ AND "from" =~ /^${from:regex}$/ AND "to" =~ /^${to:regex}$/ AND "source" =~ /^${source:regex}$/'
const SITES = '$timeFilter AND "site" =~ /^${site:regex}$/'
const BY_PATH = '"from", "to", "at", "source"'
const STEPS = 'time($__interval)'
const PATH_NAME = '$tag_from → $tag_to at $tag_at ($tag_source)'

const OK = 'green'
const CAUTION = 'orange'
const OVER = 'red'

/** The quality board, in the classic schema that every Grafana from 9 on imports. */
export function qualityDashboard(): Dashboard {
  const board = new DashboardBuilder('Kiestoon: quality of calls')
    .uid('kiestoon-quality')
    .description(
      'Can calls sound right? Loss against the 3 % rule, jitter and round trip per path.',
    )
    .tags(['kiestoon', 'voip'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .withVariable(tagValues('site', 'Site', 'agent', 'site'))
    .withVariable(tagValues('from', 'From', 'path', 'from'))
    .withVariable(tagValues('to', 'To', 'path', 'to', ' WHERE "from" =~ /^${from:regex}$/'))
    .withVariable(tagValues('source', 'Judged from', 'path', 'source'))
    .annotation(
      new AnnotationQueryBuilder()
        .name('Alerts')
        .datasource(DATASOURCE)
        .enable(true)
        .iconColor(OVER)
        .target(
          marks('SELECT "title", "rule", "state" FROM "event" WHERE $timeFilter', {
            textColumn: 'title',
            tagsColumn: 'rule,state',
          }),
        ),
    )
  for (const panel of [...stats(), ...paths(), ...reach(), ...agents()]) board.withPanel(panel)
  return board.build()
}

function stats(): StatBuilder[] {
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

function paths(): (TimeseriesBuilder | TableBuilder)[] {
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
      .thresholdsStyle(
        new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
      )
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

function worstPaths(): TableBuilder {
  const share = (color: string) => [
    { id: 'unit', value: 'percentunit' },
    { id: 'decimals', value: 2 },
    {
      id: 'thresholds',
      value: thresholds([null, OK], [LIMIT_RATIO, color], [SEVERE_RATIO, OVER]).build(),
    },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
  ]
  return new TableBuilder()
    .id(8)
    .title('Paths, worst first')
    .description('Over the time the board shows. What is judged is the segment from -> at.')
    .datasource(DATASOURCE)
    .span(FULL_WIDTH)
    .height(10)
    .noValue('–')
    .sortBy([new TableSortByFieldStateBuilder().displayName('loss').desc(true)])
    .overrideByName('Time', [{ id: 'custom.hidden', value: true }])
    .overrideByName('loss', share(OVER))
    .overrideByName('in breach', [
      { id: 'unit', value: 'percentunit' },
      { id: 'decimals', value: 2 },
    ])
    .overrideByName('jitter', [{ id: 'unit', value: 'ms' }])
    .withTarget(
      rows(
        `SELECT ${LOSS} AS "loss", mean("breach") AS "in breach", sum("lost_unique") AS "lost", sum("expected") AS "packets", max("jitter_ms") AS "jitter" FROM "path" WHERE ${PATHS} GROUP BY ${BY_PATH}, "bearer", "owner"`,
      ),
    )
}

function reach(): TimeseriesBuilder[] {
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

function agents(): TimeseriesBuilder[] {
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

/** A variable with the values of a tag; several may be chosen, and all is every value and none. */
function tagValues(
  name: string,
  label: string,
  measurement: string,
  tag: string,
  where = '',
): QueryVariableBuilder {
  const query = `SHOW TAG VALUES FROM "${measurement}" WITH KEY = "${tag}"${where}`
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: ['All'], value: ['$__all'] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
}
