import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'

/**
 * A bad line that knows what it does: takes RTP on one port and sends it on, late, out of order, twice or not at all, and writes down
 * what it did with every packet. Run as a program: relay.ts PORT ADDRESS PORT SEED FILE.
 */

const SEQUENCE_AT = 2
const SSRC_AT = 8
const LOSS = 0.04
const COPY = 0.02
const HOLD_BACK = 0.03
const HOLD_BACK_MS = 70
const DELAY_MS = 20
const SPREAD_MS = 30

export interface RelayTruth {
  /** Sequence numbers in the order they came in. */
  readonly received: readonly number[]
  /** In the order they were sent on; twice where a copy was made. */
  readonly sent: readonly number[]
  readonly lost: readonly number[]
  readonly copied: readonly number[]
  readonly ssrc: string
}

const [port, address, toPort, seed, file] = process.argv.slice(2)
if (file !== undefined) run(Number(port), address ?? '', Number(toPort), Number(seed), file)

function run(listenPort: number, to: string, sendPort: number, start: number, path: string): void {
  const random = randomFrom(start)
  const received: number[] = []
  const sent: number[] = []
  const lost: number[] = []
  const copied: number[] = []
  let ssrc = ''
  const socket = createSocket('udp4')
  const out = createSocket('udp4')
  socket.on('message', (datagram) => {
    const number = datagram.readUInt16BE(SEQUENCE_AT)
    ssrc = `0x${datagram.subarray(SSRC_AT, SSRC_AT + 4).toString('hex')}`
    received.push(number)
    if (random() < LOSS) {
      lost.push(number)
      return
    }
    const isHeldBack = random() < HOLD_BACK
    const copies = random() < COPY ? 2 : 1
    if (copies === 2) copied.push(number)
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = isHeldBack ? HOLD_BACK_MS : DELAY_MS + random() * SPREAD_MS
      setTimeout(() => {
        sent.push(number)
        out.send(datagram, sendPort, to)
      }, delayMs)
    }
  })
  socket.bind(listenPort, () => {
    process.stdout.write('relaying\n')
  })
  process.on('SIGTERM', () => {
    // What is still on its way goes out first.
    socket.close()
    setTimeout(() => {
      const truth: RelayTruth = { received, sent, lost, copied, ssrc }
      writeFileSync(path, JSON.stringify(truth))
      process.exit(0)
    }, 4 * HOLD_BACK_MS)
  })
}

/** Marsaglia's xorshift: the same line every time. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}
