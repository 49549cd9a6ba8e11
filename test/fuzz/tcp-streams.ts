import { Datagram } from '../../agent/capture/datagram.ts'
import { TcpStreams } from '../../agent/media/tcp-streams.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { callMessages } from '../support/sip-messages.ts'
import type { FuzzTarget } from './fuzz.ts'

const MAX_CONNECTIONS = 8
/** Of all connections together, and one segment. */
const MAX_HELD_OCTETS = (16 << 20) + 65_536
/** Octets of input that make a segment. */
const STEP = 5
const OCTET_BITS = 8
const US_PER_STEP = 20_000
const SYN = 2

const texts = [...callMessages(), ...callMessages({ callId: 'two' })].map(({ text }) => text)
const stream = Buffer.from(texts.join(''))
/** As a reader of captures has it: every packet lies where the one before lay. */
const memory = Buffer.alloc(stream.length)

/** Segments of one stream, cut, repeated, left out, out of order and over the end of sequence numbers: what comes of them was sent. */
export const target: FuzzTarget = {
  name: 'tcp-streams',
  corpus: [
    Buffer.from([0, 0, 0, 0, 2, 0, 0, 255, 0, 0, 0, 255, 255, 1, 0, 1, 254, 255, 1, 0]),
    Buffer.from([0, 0, 0, 0, 2, 2, 0, 255, 1, 0, 0, 0, 255, 1, 0, 0, 255, 255, 1, 0]),
  ],
  words: [
    [0, 0, 0, 0, SYN],
    [0, 255, 255, 0, 1],
    [4, 0, 255, 200, 0],
  ].map((octets) => Buffer.from(octets)),
  run: (input) => {
    const streams = new TcpStreams(new SipMessage(), {
      maxConnections: MAX_CONNECTIONS,
      onMessage: ({ bytes, start, end }) => {
        const text = Buffer.from(bytes.subarray(start, end)).toString()
        // A connection met within the first word of a message seems to begin with a method of its own.
        if (!texts.some((one) => one.endsWith(text))) throw new Error(`made up: ${text}`)
      },
      onRefused: (verdict) => {
        if (SIP_VERDICTS[verdict] === undefined) throw new Error(`verdict ${verdict}`)
      },
    })
    const datagram = new Datagram()
    let timeUs = 0
    for (let at = 0; at + STEP <= input.length; at += STEP) {
      const [high = 0, low = 0, length = 0, wait = 0, flags = 0] = input.subarray(at, at + STEP)
      const from = ((high << OCTET_BITS) | low) % stream.length
      const isSyn = (flags & SYN) !== 0
      const end = isSyn ? from : Math.min(stream.length, from + OCTET_BITS * length)
      timeUs += wait * US_PER_STEP
      // Half of the connections run over the end of their numbers.
      datagram.sourcePort = flags >> (OCTET_BITS / 2)
      const first = datagram.sourcePort % 2 === 0 ? 0xffff_ff00 : 1000
      datagram.tcpSequence = (isSyn ? first - 1 : first + from) >>> 0
      datagram.tcpFlags = flags & 7
      datagram.payloadOctets = end - from
      memory.fill(0)
      stream.copy(memory, 0, from, end)
      streams.handle(memory.subarray(0, end - from), datagram, timeUs)
      if (streams.held > MAX_HELD_OCTETS) throw new Error(`${streams.held} octets held`)
      if (streams.size > 2 * MAX_CONNECTIONS) throw new Error(`${streams.size} connections`)
    }
  },
}
