import type { Direction, SdpMedia } from './sdp.ts'

/** Writes session descriptions for sound alone (RFC 8866, RFC 3264). */

const END = '\r\n'
const MAX_WORD = /^[\w/.+-]{1,64}$/

export interface AudioDescription {
  readonly address: string
  readonly port: number
  /** The favourite first. */
  readonly formats: readonly {
    readonly payloadType: number
    readonly name: string
    readonly clockRate: number
  }[]
  readonly packetMs: number
  readonly direction: Direction
  /** The same for all descriptions of a session, the version one higher with each that differs (RFC 3264 section 8). */
  readonly sessionId: number
  readonly version: number
}

/** An offer of one medium. */
export function writeAudioOffer(own: AudioDescription): string {
  return [...sessionLines(own), ...audioLines(own)].join(END) + END
}

/** The answer to an offer: `index` is the medium taken; all others are declined (RFC 3264 section 6). */
export function writeAudioAnswer(
  own: AudioDescription,
  offered: readonly SdpMedia[],
  index: number,
): string {
  const media = offered.flatMap((medium, place) =>
    place === index ? audioLines(own, medium.protocol) : [declined(medium)],
  )
  return [...sessionLines(own), ...media].join(END) + END
}

/** What we may do when the other side may do this. */
export function mirrored(direction: Direction): Direction {
  switch (direction) {
    case 'sendonly':
      return 'recvonly'
    case 'recvonly':
      return 'sendonly'
    case 'sendrecv':
    case 'inactive':
      return direction
  }
}

function sessionLines({ address, sessionId, version }: AudioDescription): string[] {
  const family = address.includes(':') ? 'IP6' : 'IP4'
  const connection = `IN ${family} ${address}`
  const origin = `o=- ${sessionId} ${version} ${connection}`
  return ['v=0', origin, 's=-', `c=${connection}`, 't=0 0']
}

function audioLines(own: AudioDescription, protocol = 'RTP/AVP'): string[] {
  const { port, formats, packetMs, direction } = own
  const numbers = formats.map(({ payloadType }) => payloadType).join(' ')
  return [
    `m=audio ${port} ${protocol} ${numbers}`,
    ...formats.map((one) => `a=rtpmap:${one.payloadType} ${one.name}/${one.clockRate}`),
    `a=ptime:${packetMs}`,
    `a=${direction}`,
  ]
}

function declined({ kind, protocol, formats }: SdpMedia): string {
  const [word, profile] = [kind, protocol].map((text) => (MAX_WORD.test(text) ? text : 'x'))
  return `m=${word} 0 ${profile} ${formats[0] ?? 0}`
}
