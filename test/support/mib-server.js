// Answers for Debian's snmpd (man snmpd.conf, pass_persist) from a JSON file of { "1.3.6.1...": [type, value] }; a file renamed
// into its place is another scene. Never writes: a set is refused and noted in FILE.sets, so that a test can say there was none.
//   node mib-server.js FILE
import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'

const file = process.argv[2] ?? ''

/** @typedef {{ oid: readonly number[], type: string, value: string | number }} Row */

let readAtMs = 0
/** @type {readonly Row[]} */
let rows = []

/** @param {string} text */
function numbersOf(text) {
  return text.replace(/^\./, '').split('.').map(Number)
}

/**
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
function compare(a, b) {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0)
  return a.length - b.length
}

function readScene() {
  const { mtimeMs } = statSync(file)
  if (mtimeMs === readAtMs) return
  readAtMs = mtimeMs
  /** @type {Record<string, [string, string | number]>} */
  const scene = JSON.parse(readFileSync(file, 'utf8'))
  rows = Object.entries(scene)
    .map(([oid, [type, value]]) => ({ oid: numbersOf(oid), type, value }))
    .sort((a, b) => compare(a.oid, b.oid))
}

/** @param {Row | undefined} row */
function answer(row) {
  if (row === undefined) process.stdout.write('NONE\n')
  else process.stdout.write(`.${row.oid.join('.')}\n${row.type}\n${row.value}\n`)
}

/** @type {readonly string[]} */
let pending = []

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, oid] = [...pending, line]
  pending = []
  if (command === 'PING') {
    process.stdout.write('PONG\n')
  } else if (command === 'get' || command === 'getnext') {
    if (oid === undefined) {
      pending = [command]
      return
    }
    readScene()
    const asked = numbersOf(oid)
    answer(
      command === 'get'
        ? rows.find((row) => compare(row.oid, asked) === 0)
        : rows.find((row) => compare(row.oid, asked) > 0),
    )
  } else if (command === 'set') {
    appendFileSync(`${file}.sets`, 'set\n')
    process.stdout.write('not-writable\n')
  }
})
