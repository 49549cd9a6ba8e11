import { isIP } from 'node:net'
import { G711_LAWS, G711_PAYLOAD_TYPE, G711_SAMPLES_PER_S, type G711Law } from '../rtp/g711.ts'
import { parseSdp, type Direction, type SdpMedia } from '../sip/sdp.ts'
import { isServerAddress } from '../sip-client/server-address.ts'
import {
  mirrored,
  writeAudioAnswer,
  writeAudioOffer,
  type AudioDescription,
} from '../sip/write-sdp.ts'

/** Packets we can make: whole periods of our tone fit into them. */
const PACKET_MS: readonly number[] = [10, 20, 30, 40, 60]
const USUAL_PACKET_MS = 20
const MAX_PORT = 65_535
/** How holding was said before there were directions (RFC 3264 section 8.4). */
const NOWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Where the far end wants its sound, and which ways are open. */
export interface FarSound {
  readonly address: string
  readonly port: number
  readonly rtcpPort: number
  readonly law: G711Law
  readonly packetMs: number
  /** What the far end does. */
  readonly direction: Direction
}

/** What we say of our own end of the sound of one call. */
export class CallSdp {
  readonly #codecs: readonly G711Law[]
  readonly #own: Pick<AudioDescription, 'address' | 'port' | 'sessionId'>
  #version = 1

  constructor(
    codecs: readonly G711Law[],
    own: Pick<AudioDescription, 'address' | 'port' | 'sessionId'>,
  ) {
    this.#codecs = codecs
    this.#own = own
  }

  offer(): string {
    return writeAudioOffer(this.#description(this.#codecs, 'sendrecv'))
  }

  /** Our answer to an offer, and where the far end is then; undefined when there is nothing in it that we speak. */
  answer(text: string): { readonly text: string; readonly far: FarSound } | undefined {
    const far = readFarSound(text, this.#codecs)
    const offered = parseSdp(text)
    if (typeof far === 'string' || typeof offered === 'string') return undefined
    const own = this.#description([far.law], mirrored(far.direction))
    const index = offered.media.findIndex((medium) => isOurs(medium, this.#codecs))
    return { text: writeAudioAnswer(own, offered.media, index), far }
  }

  #description(codecs: readonly G711Law[], direction: Direction): AudioDescription {
    return {
      ...this.#own,
      formats: codecs.map((name) => ({
        payloadType: G711_PAYLOAD_TYPE[name],
        name,
        clockRate: G711_SAMPLES_PER_S,
      })),
      packetMs: USUAL_PACKET_MS,
      direction,
      version: this.#version++,
    }
  }
}

/** The far end's sound as it describes it, or why that is of no use to us. */
export function readFarSound(text: string, codecs: readonly G711Law[]): FarSound | string {
  const described = parseSdp(text)
  if (typeof described === 'string') return `its session description: ${described}`
  const medium = described.media.find((one) => isOurs(one, codecs))
  if (medium?.address === undefined)
    return `its session description has no sound in clear ${codecs.join(' or ')}`
  const law = lawOf(medium, codecs)
  if (law === undefined) return 'its session description names no codec of ours'
  const { address, port, rtcpPort = port + 1, packetMs = USUAL_PACKET_MS } = medium
  const isHeld = NOWHERE.has(address)
  if (!isHeld && isIP(address) !== 0 && !isServerAddress(address))
    return `its session description wants the sound at ${address}, where nobody is`
  return {
    ...{ address, port, law },
    // None, where there is no next port.
    rtcpPort: rtcpPort > MAX_PORT ? 0 : rtcpPort,
    packetMs: PACKET_MS.includes(packetMs) ? packetMs : USUAL_PACKET_MS,
    direction: isHeld ? 'inactive' : medium.direction,
  }
}

function isOurs(medium: SdpMedia, codecs: readonly G711Law[]): boolean {
  const { kind, port, isRtp, isSecure } = medium
  return kind === 'audio' && port > 0 && isRtp && !isSecure && lawOf(medium, codecs) !== undefined
}

/** The favourite of the far end among those we offered. */
function lawOf({ formats }: SdpMedia, codecs: readonly G711Law[]): G711Law | undefined {
  for (const format of formats) {
    const law = G711_LAWS.find((one) => G711_PAYLOAD_TYPE[one] === format)
    if (law !== undefined && codecs.includes(law)) return law
  }
  return undefined
}
