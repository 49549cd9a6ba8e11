import { readFileSync } from 'node:fs'
import { NisFrames } from '../../agent/power/nis.ts'
import { nisFacts, readNisFacts } from '../../agent/power/nis-reading.ts'
import { upsPoint } from '../../agent/power/ups-reading.ts'
import { UpsUnit } from '../../agent/power/ups-unit.ts'
import { complaintAbout } from '../../common/measurement.ts'
import type { FuzzTarget } from './fuzz.ts'

const NOW_US = 1_795_351_545_000_000
const STATUS = readFileSync(new URL('../fixtures/power/nis-status.txt', import.meta.url), 'latin1')
  .split('\n')
  .filter((line) => line !== '')

const unit = new UpsUnit()
let atMs = 0

/** Replies of apcupsd, as a stream cut in two, and the points they make. */
export const target: FuzzTarget = {
  name: 'nis',
  corpus: [
    reply(STATUS),
    reply(STATUS.map((line) => line.replace('ONLINE', 'ONBATT').replace('05000008', '05060010'))),
    reply(['Invalid command\n\0']),
  ],
  words: ['STATFLAG : 0x', 'END APC  : ', 'DATE     : ', 'Minutes', '-1', '\0', ': '].map((word) =>
    Buffer.from(word),
  ),
  run: (input) => {
    const octets = Buffer.from(input)
    const cut = (octets[octets.length >> 1] ?? 0) % (octets.length + 1)
    const whole = framed([octets])
    const parts = framed([octets.subarray(0, cut), octets.subarray(cut)])
    if (whole.join('\n') !== parts.join('\n')) throw new Error(`cut at ${cut} it is another reply`)
    const reading = readNisFacts(nisFacts(whole), { nowUs: NOW_US, pollMs: undefined })
    if (reading.commsLost && reading.chargeRatio !== undefined) throw new Error('an old number')
    atMs += 1000
    const judged = unit.judge(reading, atMs).reading
    const complaint = complaintAbout(upsPoint(judged, { target: 'u', source: 'nis' }, NOW_US))
    if (complaint !== undefined) throw new Error(complaint)
  },
}

/** What came before a refusal counts in neither: it is the end of the session. */
function framed(parts: readonly Buffer[]): readonly string[] {
  const frames = new NisFrames()
  const texts: string[] = []
  for (const part of parts) {
    const some = frames.push(part)
    if (some === undefined) return []
    texts.push(...some)
  }
  return texts
}

function reply(lines: readonly string[]): Buffer {
  const frames = lines.map((line) => {
    const text = Buffer.from(line.endsWith('\0') ? line : `${line}\n`, 'latin1')
    return Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), text])
  })
  return Buffer.concat([...frames, Buffer.alloc(2)])
}
