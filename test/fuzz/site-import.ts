import { readFileSync } from 'node:fs'
import { decodeText } from '../../collector/site-import/csv.ts'
import { readDrawingCsv } from '../../collector/site-import/drawing-csv.ts'
import { readNeeds, writeNeeds } from '../../collector/site-import/need-notation.ts'
import { drawNetbox } from '../../collector/site-import/netbox-drawing.ts'
import { readNetbox } from '../../collector/site-import/netbox-records.ts'
import { writeSite } from '../../collector/site-import/site-text.ts'
import type { FuzzTarget } from './fuzz.ts'

const MAX_NOTES = 2000
const EXPORT = readFileSync(new URL('../fixtures/netbox/power.json', import.meta.url), 'utf8')

/** Spreadsheets, exports of NetBox, and the notation of needs. */
export const target: FuzzTarget = {
  name: 'site-import',
  share: 1 / 10,
  corpus: [
    'id,kind,needs,runtime\nups-1,ups,mains | accu-1,30min\nmains,mains,,\n',
    '\ufeffnaam;soort;nodig;watts\r\n"a";ups;"2 of (b, c + d, path (e, f))";1,5\r\n',
    'site,power_panel,name,status,type\nHQ,LK2,Group 7,active,primary\n',
    'side_a_device,side_a_type,side_a_name,side_b_device,side_b_type,side_b_name\na,dcim.poweroutlet,1,b,dcim.powerport,2\n',
    '{"power-ports":[{"id":1,"name":"A","device":{"name":"d"},"allocated_draw":9}],"cables":[{"a_terminations":[{"object_type":"dcim.powerport","object_id":1}],"b_terminations":[]}]}',
    EXPORT.slice(0, 4000),
  ].map((text) => Buffer.from(text)),
  words: ['"', ';', '\t', ' of (', '+', '|', 'path (', '{"', '":[', 'results', 'dcim.', '\r\n'].map(
    (text) => Buffer.from(text),
  ),
  run: (input) => {
    const text = decodeText(input)
    const table = readDrawingCsv(text, 'd.csv')
    const { records, notes } = readNetbox(text, 'n')
    const drawn = drawNetbox(records)
    if (table.notes.length + notes.length > MAX_NOTES) throw new Error('too many notes')
    writeSite(table.drawing, [])
    writeSite(drawn.drawing, [])
    const read = readNeeds(text)
    if (read.problem !== undefined) return
    const again = readNeeds(writeNeeds(read.needs))
    if (JSON.stringify(again) !== JSON.stringify(read)) throw new Error('not read back')
  },
}
