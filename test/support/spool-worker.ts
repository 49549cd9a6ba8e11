import { writeSync } from 'node:fs'
import { Spool } from '../../common/spool.ts'

/**
 * Appends and acknowledges as fast as it can until it is killed, and says so line by line: `+ 7` record 7 is appended, `? 3` record
 * 3 is about to be acknowledged, `- 3` it is. Arguments: folder, number of the first record.
 */
const [folder = '', first = '0'] = process.argv.slice(2)
const WRITERS = 3
const LARGEST_BYTES = 20_000

const spool = await Spool.open({ folder, maxBytes: 1 << 30, segmentBytes: 100_000 })
const never = new AbortController().signal
let next = Number(first)
for (let writer = 0; writer < WRITERS; writer++) void write()
void read()

async function write(): Promise<void> {
  for (;;) {
    const number = next++
    const filler = '.'.repeat((number * 7919) % LARGEST_BYTES)
    await spool.append(Buffer.from(`${number} ${filler}`), 1)
    say(`+ ${number}`)
  }
}

async function read(): Promise<void> {
  for (;;) {
    await spool.waitForRecord(never)
    const record = await spool.peek()
    if (record === undefined) continue
    const number = Buffer.from(record.payload).toString().split(' ', 1)[0] ?? ''
    say(`? ${number}`)
    await spool.acknowledge(record.id)
    say(`- ${number}`)
  }
}

/** In one piece, and before anything else happens. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}
