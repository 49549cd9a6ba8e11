import { LineSplitter } from '../../agent/power/line-splitter.ts'
import { kindOf, pduPoints, transferSwitchPoint } from '../../agent/power/nut-devices.ts'
import { readNutVariables } from '../../agent/power/nut-reading.ts'
import { quoteWord, splitWords } from '../../agent/power/nut-words.ts'
import { upsPoint } from '../../agent/power/ups-reading.ts'
import { UpsUnit } from '../../agent/power/ups-unit.ts'
import { complaintAbout, type Measurement } from '../../common/measurement.ts'
import type { FuzzTarget } from './fuzz.ts'

const NOW_US = 1_795_351_545_000_000
const MAX_LINE = 1024

const unit = new UpsUnit()
let atMs = 0

/** Lists of variables, as a stream cut in two, and the points they make. */
export const target: FuzzTarget = {
  name: 'nut',
  corpus: [
    list({
      'ups.status': 'OL CHRG',
      'ups.load': '34',
      'battery.charge': '97',
      'battery.runtime': '2410',
      'battery.date': '2024/02/29',
      'input.voltage': '231.4',
      'ups.test.result': 'Done and passed',
    }),
    list({
      'ups.status': 'FSD OB LB ALARM',
      'ups.alarm': 'Battery charger fail! Temperature "too" high\\',
      'input.L1-N.voltage': '0.0',
      'output.L2.power.percent': '103',
      'driver.name': 'apcupsd-ups',
    }),
    list({
      'device.type': 'pdu',
      'outlet.count': '3',
      'outlet.1.status': 'on',
      'outlet.current': '7.5',
    }),
    list({ 'device.type': 'ats', 'input.source': '1', 'input.1.voltage': '231' }),
    Buffer.from('ERR DATA-STALE\n'),
  ],
  words: ['"', '\\"', '\\\\', '\n', 'VAR u ', 'END LIST VAR u\n', 'ups.status', 'WAIT', '-1'].map(
    (word) => Buffer.from(word),
  ),
  run: (input) => {
    const octets = Buffer.from(input)
    const cut = (octets[octets.length >> 1] ?? 0) % (octets.length + 1)
    const whole = linesOf([octets])
    const parts = linesOf([octets.subarray(0, cut), octets.subarray(cut)])
    if (whole.join('\n') !== parts.join('\n')) throw new Error(`cut at ${cut} it is another list`)
    const variables = new Map<string, string>()
    for (const line of whole) {
      const words = splitWords(line)
      if (words === undefined) continue
      const again = splitWords(words.map(quoteWord).join(' '))
      if (again?.join('\n') !== words.join('\n')) throw new Error('quoted, it is another line')
      const [, , name = '', value = ''] = words
      variables.set(name, value)
    }
    for (const point of pointsOf(variables)) {
      const complaint = complaintAbout(point)
      // A strip or an outlet of which nothing is known has no field.
      if (complaint !== undefined && Object.keys(point.fields).length > 0)
        throw new Error(complaint)
    }
  },
}

function pointsOf(variables: ReadonlyMap<string, string>): readonly Measurement[] {
  const place = { target: 'u', timeUs: NOW_US }
  kindOf(variables)
  atMs += 1000
  const { reading } = unit.judge(readNutVariables(variables, NOW_US), atMs)
  if (reading.commsLost && reading.chargeRatio !== undefined) throw new Error('an old number')
  return [
    upsPoint(reading, { target: 'u', source: 'nut' }, NOW_US),
    transferSwitchPoint(variables, place),
    ...pduPoints(variables, place),
  ]
}

/** What came before a line that is too long counts in neither: it is the end of the session. */
function linesOf(parts: readonly Buffer[]): readonly string[] {
  const splitter = new LineSplitter(MAX_LINE)
  const lines: string[] = []
  for (const part of parts) {
    const some = splitter.push(part)
    if (some === undefined) return []
    lines.push(...some)
  }
  return lines
}

function list(variables: Readonly<Record<string, string>>): Buffer {
  const rows = Object.entries(variables).map(
    ([name, value]) => `VAR u ${name} ${quoteWord(value)}\n`,
  )
  return Buffer.from(`BEGIN LIST VAR u\n${rows.join('')}END LIST VAR u\n`)
}
