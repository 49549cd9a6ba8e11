import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { alerts, board, row, tagValues } from './board.ts'
import { feeds } from './power-feeds.ts'
import { now } from './power-now.ts'
import { redundancy, services } from './power-services.ts'
import { batteries, strain } from './power-ups.ts'

/** Rules about power and what hangs on it, by how their names begin. */
const POWER_RULES =
  '/^(ats|battery|component|design|emergency|paper|pdu|poe|power|redundancy|service|site|ups)-/'

/** The power board: what feeds the calls, and what one more failure would stop. */
export function powerDashboard(): Dashboard {
  const power = board(
    'kiestoon-power',
    'Kiestoon: power and single points',
    'What feeds the calls, how long it lasts, and what single failure would silence us.',
  )
    .withVariable(tagValues('site', 'Site', 'agent', 'site'))
    .withVariable(tagValues('ups', 'UPS', 'ups', 'target', ' WHERE "site" =~ /^${site:regex}$/'))
    .annotation(alerts('Power events', ` AND "rule" =~ ${POWER_RULES}`))
  for (const panel of [...now(), ...services(), ...batteries()]) power.withPanel(panel)
  power.withRow(row(0, 'What one more failure would stop'))
  for (const panel of redundancy()) power.withPanel(panel)
  power.withRow(row(1, 'Transfer switches, power strips, PoE'))
  for (const panel of feeds()) power.withPanel(panel)
  power.withRow(row(2, 'Strain'))
  for (const panel of strain()) power.withPanel(panel)
  return power.build()
}
