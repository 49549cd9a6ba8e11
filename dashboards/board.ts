import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkType,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type DashboardLink,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DATASOURCE, marks } from './influx-query.ts'
import { OVER } from './panels.ts'

/** Every board has it: by it they link to each other. */
const TAG = 'kiestoon'
/** Rows are numbered behind the panels that may come. */
const FIRST_ROW_ID = 100

/** Written out, for the builder would hide it in a menu. */
const OTHER_BOARDS: DashboardLink = {
  title: 'Other boards',
  type: DashboardLinkType.Dashboards,
  icon: 'external link',
  tooltip: '',
  tags: [TAG],
  asDropdown: false,
  targetBlank: false,
  includeVars: true,
  keepTime: true,
}

/** What all boards have in common: read-only, live, with links to the other boards that keep time and site. */
export function board(uid: string, title: string, description: string): DashboardBuilder {
  return new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG, 'voip'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .link({ build: () => OTHER_BOARDS })
}

/** @param number from 0, one for each row of a board */
export function row(number: number, title: string): RowBuilder {
  return new RowBuilder(title).id(FIRST_ROW_ID + number)
}

/** A variable with the values of a tag; several may be chosen, and all is every value and none. */
export function tagValues(
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

/** What the collector alerted of, on the time axis of every panel. `where` = of which rules. */
export function alerts(name: string, where = ''): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(OVER)
    .target(
      marks(`SELECT "title", "rule", "state" FROM "event" WHERE $timeFilter${where}`, {
        textColumn: 'title',
        tagsColumn: 'rule,state',
      }),
    )
}
