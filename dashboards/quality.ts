import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { alerts, board, row, tagValues } from './board.ts'
import { agents, reach } from './quality-agents.ts'
import { calls } from './quality-calls.ts'
import { paths, stats } from './quality-paths.ts'
import { sound } from './quality-sound.ts'
import { streams } from './quality-streams.ts'

/** The quality board, in the classic schema that every Grafana from 9 on imports. */
export function qualityDashboard(): Dashboard {
  const quality = board(
    'kiestoon-quality',
    'Kiestoon: quality of calls',
    'Can calls sound right? Loss against the 3 % rule, what listeners miss, MOS, jitter and round trip per path.',
  )
    .withVariable(tagValues('site', 'Site', 'agent', 'site'))
    .withVariable(tagValues('from', 'From', 'path', 'from'))
    .withVariable(tagValues('to', 'To', 'path', 'to', ' WHERE "from" =~ /^${from:regex}$/'))
    .withVariable(tagValues('source', 'Judged from', 'path', 'source'))
    .annotation(alerts('Alerts'))
  for (const panel of [...stats(), ...paths()]) quality.withPanel(panel)
  quality.withRow(row(0, 'How calls sound'))
  for (const panel of sound()) quality.withPanel(panel)
  quality.withRow(row(1, 'Calls and what their ends report'))
  for (const panel of calls()) quality.withPanel(panel)
  // Read from every stream's points: folded, so that the board stays fast for who does not need it.
  const folded = row(2, 'Stream by stream: how loss and delay are spread').collapsed(true)
  for (const panel of streams()) folded.withPanel(panel)
  quality.withRow(folded)
  quality.withRow(row(3, 'Reach and agents'))
  for (const panel of [...reach(), ...agents()]) quality.withPanel(panel)
  return quality.build()
}
