import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DATASOURCE, marks } from './influx-query.ts'
import { OVER } from './panels.ts'
import { agents, reach } from './quality-agents.ts'
import { calls } from './quality-calls.ts'
import { paths, stats } from './quality-paths.ts'
import { sound } from './quality-sound.ts'
import { streams } from './quality-streams.ts'

/** Rows are numbered behind the panels that may come. */
const FIRST_ROW_ID = 100

/** The quality board, in the classic schema that every Grafana from 9 on imports. */
export function qualityDashboard(): Dashboard {
  const board = new DashboardBuilder('Kiestoon: quality of calls')
    .uid('kiestoon-quality')
    .description(
      'Can calls sound right? Loss against the 3 % rule, what listeners miss, MOS, jitter and round trip per path.',
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
  for (const panel of [...stats(), ...paths()]) board.withPanel(panel)
  board.withRow(row(0, 'How calls sound'))
  for (const panel of sound()) board.withPanel(panel)
  board.withRow(row(1, 'Calls and what their ends report'))
  for (const panel of calls()) board.withPanel(panel)
  // Read from every stream's points: folded, so that the board stays fast for who does not need it.
  const folded = row(2, 'Stream by stream: how loss and delay are spread').collapsed(true)
  for (const panel of streams()) folded.withPanel(panel)
  board.withRow(folded)
  board.withRow(row(3, 'Reach and agents'))
  for (const panel of [...reach(), ...agents()]) board.withPanel(panel)
  return board.build()
}

function row(number: number, title: string): RowBuilder {
  return new RowBuilder(title).id(FIRST_ROW_ID + number)
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
