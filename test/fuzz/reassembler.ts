import { Datagram, FRAGMENT, IS_UDP, decodeFrame } from '../../agent/capture/frame.ts'
import { Reassembler } from '../../agent/capture/reassembler.ts'
import { FRAGMENT_CORPUS } from './corpus.ts'
import type { FuzzTarget } from './fuzz.ts'

const RAW = 101
const MAX_KEPT_OCTETS = 8 << 20
const reassembler = new Reassembler()
const datagram = new Datagram()
let timeUs = 0

/** One reassembler sees all inputs, most of them fragments of the same few datagrams: it stays bounded. */
export const target: FuzzTarget = {
  name: 'reassembler',
  corpus: FRAGMENT_CORPUS,
  run(input) {
    timeUs += 1000
    const view = new DataView(input.buffer, input.byteOffset, input.length)
    const verdict = decodeFrame(view, 0, input.length, RAW, datagram)
    if (verdict !== FRAGMENT && !(verdict === IS_UDP && datagram.moreFragments)) return
    const octets = reassembler.add(view, datagram, timeUs)
    if (reassembler.octets < 0 || reassembler.octets > MAX_KEPT_OCTETS)
      throw new Error(`${reassembler.octets} octets kept`)
    if (octets === 0) return
    if (decodeFrame(reassembler.view, 0, octets, RAW, datagram) === FRAGMENT)
      throw new Error('a whole packet is a fragment')
  },
}
