import { announcedMedia } from '../../agent/media/announced-media.ts'
import { parseSdp } from '../../agent/sip/sdp.ts'
import { sdpText } from '../support/sip-messages.ts'
import type { FuzzTarget } from './fuzz.ts'

const MAX_PORT = 65_535
const SOURCE = { version: 4, words: [0x0a000001] } as const

/** Session descriptions, and the addresses they announce. */
export const target: FuzzTarget = {
  name: 'sdp',
  corpus: [
    sdpText({
      lines: ['a=rtpmap:0 PCMU/8000', 'a=ptime:20', 'a=sendonly', 'a=rtcp:5 IN IP4 1.2.3.4'],
    }),
    sdpText({
      ip: '2001:db8::1',
      protocol: 'UDP/TLS/RTP/SAVPF',
      formats: '96 9 13',
      lines: [
        'a=rtpmap:96 opus/48000/2',
        'a=fmtp:96 usedtx=1',
        'a=mid:0',
        'a=fingerprint:sha-256 00',
        'a=candidate:1 1 UDP 1 10.0.0.1 5000 typ host',
        'm=video 0 RTP/AVP 97',
        'c=IN IP4 0.0.0.0',
        'a=bundle-only',
      ],
    }),
    'v=0\na=group:BUNDLE 0 1\nm=audio 1 RTP/AVP 0\na=mid:0\nm=video 1 RTP/AVP 31\na=mid:1\n',
  ].map((text) => Buffer.from(text)),
  words: [
    '\r\nm=',
    '\r\nc=IN IP6 ',
    '\r\na=',
    'candidate:',
    '0.0.0.0',
    '::',
    '/',
    'RTP/SAVP',
    '999999',
  ].map((word) => Buffer.from(word)),
  run: (input) => {
    const sdp = parseSdp(Buffer.from(input).toString())
    if (typeof sdp === 'string') return
    const first = announcedMedia(sdp, SOURCE, [])
    const again = announcedMedia(sdp, SOURCE, first)
    for (const { port, payloads, targets } of [...first, ...again]) {
      if (!(port >= 0 && port <= MAX_PORT)) throw new Error(`port ${port}`)
      if ([...payloads].some(([number, { clockRate }]) => number > 127 || !(clockRate > 0)))
        throw new Error('a payload that cannot be')
      if (targets.length > 17 || targets.some((one) => !(one.port > 0 && one.port <= MAX_PORT)))
        throw new Error('targets that cannot be')
    }
  },
}
