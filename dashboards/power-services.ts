import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import { TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { lines, rows, SITES, STEPS } from './influx-query.ts'
import { series, table, timeline } from './panels.ts'
import {
  BY_DEVICE,
  COMPONENT_STATES,
  DASHED,
  perService,
  LATELY,
  SERVICE_STATES,
  SERVICES,
  STORED_GAP_MS,
} from './power-queries.ts'

const HIDDEN = [{ id: 'custom.hidden', value: true }]
const MINUTES = [
  { id: 'unit', value: 'm' },
  { id: 'decimals', value: 0 },
]

/** Whether people can call, by what that needs. */
export function services(): Builder<Panel>[] {
  return [
    timeline(
      7,
      'Calling services',
      'The worst of each step. At risk: it works, and would not if what is unknown failed. Unknown: nothing is measured of what it needs. A blank is time in which the collector did not judge.',
    )
      .spanNulls(STORED_GAP_MS)
      .mappings(SERVICE_STATES)
      .withTarget(perService('max("state_code")')),
  ]
}

/** What one more failure would stop, and when services fall. */
export function redundancy(): Builder<Panel>[] {
  return [
    series(
      10,
      'Services: time left against hold-up',
      'Until each service falls if nothing changes, only while something runs out; dashed: how long it should last without mains.',
    )
      .unit('m')
      .decimals(0)
      .spanNulls(STORED_GAP_MS)
      .overrideByQuery('B', DASHED)
      .withTarget(perService('min("minutes_left")'))
      .withTarget(perService('max("hold_up_min")', { name: 'hold-up of $tag_target', refId: 'B' })),
    series(
      11,
      'New single points per service',
      'Components whose failure alone would stop the service, and would not as the site is drawn. Above zero, redundancy is lost.',
    )
      .decimals(0)
      .spanNulls(STORED_GAP_MS)
      .withTarget(perService('max("new_single_points")')),
    singlePoints(),
    servicesNow(),
    components(),
  ]
}

function singlePoints(): Builder<Panel> {
  return table(
    12,
    'Single points now',
    'If this fails, those services stop: at this moment, with what is failed or on battery already. Without a state: nothing measures it.',
  )
    .timeFrom(LATELY)
    .height(9)
    .sortBy([new TableSortByFieldStateBuilder().displayName('services').desc(true)])
    .overrideByName('Time', HIDDEN)
    .overrideByName('minutes_left', MINUTES)
    .withTarget(
      rows(
        `SELECT "services", "stops", "state", "reason", "minutes_left" FROM (SELECT last("stops_services") AS "services", "stops", "state", "reason", "minutes_left" FROM "component" WHERE ${SITES} GROUP BY ${BY_DEVICE}, "kind") WHERE $timeFilter AND "services" > 0 GROUP BY ${BY_DEVICE}, "kind"`,
      ),
    )
}

function servicesNow(): Builder<Panel> {
  return table(
    13,
    'Services now',
    'What is left of each: time, single points by which redundancy is lost, and, of what is down, why.',
  )
    .timeFrom(LATELY)
    .height(9)
    .sortBy([new TableSortByFieldStateBuilder().displayName('code').desc(true)])
    .overrideByName('Time', HIDDEN)
    .overrideByName('code', [
      { id: 'mappings', value: SERVICE_STATES },
      { id: 'custom.cellOptions', value: { type: 'color-background' } },
      { id: 'displayName', value: 'state' },
    ])
    .overrideByName('minutes_left', MINUTES)
    .overrideByName('hold_up_min', MINUTES)
    .withTarget(
      rows(
        `SELECT last("state_code") AS "code", "minutes_left", "hold_up_min", "single_points", "new_singles", "because" FROM "service" WHERE ${SERVICES} GROUP BY ${BY_DEVICE}`,
      ),
    )
}

function components(): Builder<Panel> {
  return timeline(
    14,
    'Components',
    'Of what the site file draws: the worst state in each step, where a measurement tells of it. On battery is degraded.',
  )
    .height(12)
    .spanNulls(STORED_GAP_MS)
    .mappings(COMPONENT_STATES)
    .withTarget(
      lines(
        `SELECT max("state_code") FROM "component" WHERE ${SITES} GROUP BY ${STEPS}, "target", "kind" fill(null)`,
        '$tag_target ($tag_kind)',
      ),
    )
}
