import { SipMessage } from '../../agent/sip/message.ts'
import { StreamFramer } from '../../agent/sip/stream-framer.ts'
import { INCOMPLETE, SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { callMessages } from '../support/sip-messages.ts'
import { CLIENT_HANDSHAKE, SERVER_HANDSHAKE, webSocketFrame } from '../support/web-socket.ts'
import type { FuzzTarget } from './fuzz.ts'

/** One message, doubled in growing. */
const MAX_HELD_OCTETS = 524_288
const HEX = 16
const MASK = [1, 2, 3, 4]

const message = new SipMessage()
const texts = callMessages().map(({ text }) => Buffer.from(text))
const frames = (mask: readonly number[] | undefined) =>
  texts.flatMap((text) => [
    webSocketFrame(text.subarray(0, 99), { isFinal: false, mask }),
    webSocketFrame(Buffer.from('x'), { opcode: 9, mask }),
    webSocketFrame(text.subarray(99), { opcode: 0, mask }),
    webSocketFrame(text, { opcode: 2, mask }),
  ])

/** SIP over WebSocket, cut in two. */
export const target: FuzzTarget = {
  name: 'web-socket',
  corpus: [
    Buffer.concat([Buffer.from(CLIENT_HANDSHAKE), ...frames(MASK)]),
    Buffer.concat([Buffer.from(SERVER_HANDSHAKE), ...frames(undefined)]),
    Buffer.concat(frames([0, 0, 0, 0])),
  ],
  words: [
    ...[
      [0x81, 0x80],
      [0x82, 0x7e],
      [0x01, 0x00],
      [0x80, 0x00],
      [0x89, 0x81],
      [0x88, 0x00],
    ],
    ...[
      [0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 9],
      [0xc1, 0x05],
      [0x7f, 0xff, 0xff],
    ],
  ].map((octets) => Buffer.from(octets)),
  run: (input) => {
    const cut = (input[input.length >> 1] ?? 0) % (input.length + 1)
    const whole = framed([input])
    const parts = framed([input.subarray(0, cut), input.subarray(cut)])
    // What follows a frame that is none is looked for where a segment begins, which a cut moves.
    const isLost = whole.includes('bad-web-socket-frame')
    if (whole !== parts && !isLost) throw new Error(`cut at ${cut} it is ${parts}, not ${whole}`)
    framed([input.subarray(0, cut), undefined, input.subarray(cut)])
  },
}

function framed(parts: readonly (Uint8Array | undefined)[]): string {
  const framer = new StreamFramer(message)
  const found: string[] = []
  const sink = {
    message: ({ bytes, start, end }: SipMessage) => {
      let sum = end - start
      for (let at = start; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
      found.push(sum.toString(HEX))
    },
    refused: (verdict: number) => {
      const reason = SIP_VERDICTS[verdict]
      if (reason === undefined) throw new Error(`verdict ${verdict}`)
      if (verdict !== INCOMPLETE) found.push(reason)
    },
  }
  for (const part of parts) {
    if (part === undefined) framer.lose(sink)
    else framer.push(part, sink)
    if (framer.held > MAX_HELD_OCTETS) throw new Error(`${framer.held} octets held`)
  }
  framer.lose(sink)
  return found.join(' ')
}
