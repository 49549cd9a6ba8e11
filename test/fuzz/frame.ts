import { Datagram, FRAME_VERDICTS, IS_TCP, IS_UDP, decodeFrame } from '../../agent/capture/frame.ts'
import { FRAGMENT } from '../../agent/capture/verdicts.ts'
import { FRAME_CORPUS } from './corpus.ts'
import type { FuzzTarget } from './fuzz.ts'

const LINK_TYPES = [0, 1, 9, 12, 14, 101, 108, 113, 228, 229, 276, 147]
const datagram = new Datagram()

/** A frame of every link type: the first octet chooses it. What is found lies within what was captured. */
export const target: FuzzTarget = {
  name: 'frame',
  corpus: FRAME_CORPUS.map(({ linkType, frame }) =>
    Buffer.concat([Buffer.of(LINK_TYPES.indexOf(linkType)), frame]),
  ),
  share: 3,
  run(input) {
    const view = new DataView(input.buffer, input.byteOffset, input.length)
    const begin = Math.min(1, input.length)
    const linkType = LINK_TYPES[(input[0] ?? 0) % LINK_TYPES.length] ?? 0
    const verdict = decodeFrame(view, begin, input.length, linkType, datagram)
    if (FRAME_VERDICTS[verdict] === undefined) throw new Error(`verdict ${verdict}`)
    const { payloadAt, capturedOctets, payloadOctets } = datagram
    const { fragmentAt, fragmentCaptured, fragmentOctets, moreFragments } = datagram
    if (verdict === IS_UDP || verdict === IS_TCP)
      checkRange('payload', payloadAt, capturedOctets, payloadOctets, begin, input.length)
    if (verdict === FRAGMENT || (verdict === IS_UDP && moreFragments))
      checkRange('fragment', fragmentAt, fragmentCaptured, fragmentOctets, begin, input.length)
  },
}

function checkRange(
  what: string,
  at: number,
  captured: number,
  octets: number,
  begin: number,
  end: number,
): void {
  const isInside = at >= begin && (captured === 0 || at + captured <= end)
  if (!isInside || captured < 0 || captured > octets)
    throw new Error(`${what} at ${at}, ${captured} of ${octets}, in ${begin} to ${end}`)
}
