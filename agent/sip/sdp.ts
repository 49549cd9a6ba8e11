import { candidateOf, rtpMapOf, type Candidate, type RtpMap } from './sdp-attributes.ts'

/**
 * Session descriptions (RFC 8866), as far as they tell where RTP is to arrive and what its payload types mean. Attributes of the session
 * hold for every medium that does not say otherwise. Unknown lines are passed over.
 */

/** Bounds; what is beyond the last three is passed over. */
const MAX_TEXT = 65_535
const MAX_MEDIA = 64
const MAX_FORMATS = 128
const MAX_CANDIDATES = 32
const MAX_BUNDLED = 64
const MAX_PORT = 65_535
const MAX_PAYLOAD_TYPE = 127
const MAX_WORD = 64

/** RTP, plain or secure, with or without feedback, over whatever: RFC 3551, 3711, 4585, 5124, 5764. */
const PROFILE = /(?:^|\/)RTP\/(S?AVP)F?$/i
const DECIMAL = /^\d{1,5}$/

export const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const
export type Direction = (typeof DIRECTIONS)[number]

/** Why a text is no session description. */
export type SdpFault = 'not-sdp' | 'sdp-too-long' | 'no-media' | 'too-many-media'

export interface SessionDescription {
  readonly media: readonly SdpMedia[]
  /** Media that share the address of the first, by `mid` (RFC 9143). */
  readonly bundled: readonly string[]
}

export interface SdpMedia {
  /** audio, video ... */
  readonly kind: string
  /** 0 when the medium is refused, or the line cannot be read. */
  readonly port: number
  readonly protocol: string
  readonly isRtp: boolean
  /** By its profile, or a fingerprint beside it (RFC 5763): SRTP. */
  readonly isSecure: boolean
  /** Keys by a=crypto (RFC 4568), with whatever profile. */
  readonly hasCrypto: boolean
  readonly setup: string | undefined
  /** Payload types, the favourite first. */
  readonly formats: readonly number[]
  /** As written; undefined when no c= line names one. */
  readonly address: string | undefined
  readonly rtpMaps: ReadonlyMap<number, RtpMap>
  readonly parameters: ReadonlyMap<number, string>
  readonly packetMs: number | undefined
  readonly maxPacketMs: number | undefined
  readonly direction: Direction
  /** a=rtcp (RFC 3605). */
  readonly rtcpPort: number | undefined
  readonly isRtcpMuxed: boolean
  readonly candidates: readonly Candidate[]
  readonly mid: string | undefined
  readonly isBundleOnly: boolean
}

/** What may stand before the first m= line and holds for all of them. */
interface Defaults {
  address: string | undefined
  direction: Direction
  hasFingerprint: boolean
  setup: string | undefined
}

interface Draft extends Defaults {
  kind: string
  isRtp: boolean
  isSecure: boolean
  port: number
  protocol: string
  formats: number[]
  hasOwnAddress: boolean
  hasCrypto: boolean
  rtpMaps: Map<number, RtpMap>
  parameters: Map<number, string>
  packetMs: number | undefined
  maxPacketMs: number | undefined
  rtcpPort: number | undefined
  isRtcpMuxed: boolean
  candidates: Candidate[]
  mid: string | undefined
  isBundleOnly: boolean
}

/** Reads a session description; tells why when it is none. */
export function parseSdp(text: string): SessionDescription | SdpFault {
  if (text.length > MAX_TEXT) return 'sdp-too-long'
  const lines = text.trimStart().split('\n')
  if (!/^v=\d/.test(lines[0] ?? '')) return 'not-sdp'
  const session: Defaults = {
    address: undefined,
    direction: 'sendrecv',
    hasFingerprint: false,
    setup: undefined,
  }
  const drafts: Draft[] = []
  let bundled: string[] = []
  for (const line of lines) {
    if (line[1] !== '=') continue
    const value = line.slice(2).trim()
    const medium = drafts.at(-1)
    if (line.startsWith('m')) {
      if (drafts.length === MAX_MEDIA) return 'too-many-media'
      drafts.push(draftOf(value, session))
    } else if (line.startsWith('c')) readConnection(value, session, medium)
    else if (!line.startsWith('a')) continue
    else if (medium !== undefined) readMediaAttribute(value, medium)
    else if (value.startsWith('group:BUNDLE')) bundled = value.split(' ', MAX_BUNDLED).slice(1)
    else readSharedAttribute(value, session)
  }
  if (drafts.length === 0) return 'no-media'
  return { media: drafts.map(mediaOf), bundled }
}

function mediaOf(draft: Draft): SdpMedia {
  const profile = PROFILE.exec(draft.protocol)?.[1]
  const isRtp = profile !== undefined
  const isSavp = profile?.length === 'SAVP'.length
  draft.isRtp = isRtp
  draft.isSecure = isRtp && (isSavp || draft.hasFingerprint)
  return draft
}

/** m=<media> <port>[/<count>] <proto> <fmt> ... */
function draftOf(value: string, session: Defaults): Draft {
  const [kind = '', port = '', protocol = '', ...formats] = value.split(' ', MAX_FORMATS + 3)
  const portNumber = decimalOf(port.includes('/') ? port.slice(0, port.indexOf('/')) : port)
  const { address, direction, hasFingerprint, setup } = session
  return {
    kind: kind.slice(0, MAX_WORD).toLowerCase(),
    port: portNumber === undefined || portNumber > MAX_PORT ? 0 : portNumber,
    protocol: protocol.slice(0, MAX_WORD),
    isRtp: false,
    isSecure: false,
    hasCrypto: false,
    hasFingerprint,
    setup,
    formats: formats.map(decimalOf).filter(isPayloadType),
    address,
    hasOwnAddress: false,
    rtpMaps: new Map(),
    parameters: new Map(),
    packetMs: undefined,
    maxPacketMs: undefined,
    direction,
    rtcpPort: undefined,
    isRtcpMuxed: false,
    candidates: [],
    mid: undefined,
    isBundleOnly: false,
  }
}

/** c=IN IP4 <address>[/<ttl>[/<count>]] */
function readConnection(value: string, session: Defaults, medium: Draft | undefined): void {
  const address = /^IN +IP[46] +([^\s/]{1,255})/i.exec(value)?.[1]
  if (address === undefined) return
  if (medium === undefined) session.address ??= address
  else if (!medium.hasOwnAddress) {
    medium.address = address
    medium.hasOwnAddress = true
  }
}

function readSharedAttribute(value: string, of: Defaults): void {
  const { name, rest } = attributeOf(value)
  const direction = DIRECTIONS.find((one) => one === name)
  if (direction !== undefined) of.direction = direction
  else if (name === 'fingerprint') of.hasFingerprint = true
  else if (name === 'setup') of.setup = rest.slice(0, MAX_WORD)
}

function readMediaAttribute(value: string, of: Draft): void {
  const { name, rest } = attributeOf(value)
  switch (name) {
    case 'rtpmap': {
      const map = rtpMapOf(rest)
      if (map !== undefined && of.rtpMaps.size < MAX_FORMATS) of.rtpMaps.set(map.payloadType, map)
      return
    }
    case 'fmtp': {
      const match = /^(\d{1,3}) +(.*)$/.exec(rest)
      if (match !== null && of.parameters.size < MAX_FORMATS)
        of.parameters.set(Number(match[1]), match[2] ?? '')
      return
    }
    case 'ptime':
      of.packetMs = millisecondsOf(rest)
      return
    case 'maxptime':
      of.maxPacketMs = millisecondsOf(rest)
      return
    case 'rtcp': {
      const port = /^(\d{1,5})(?: |$)/.exec(rest)?.[1]
      if (port !== undefined && Number(port) <= MAX_PORT) of.rtcpPort = Number(port)
      return
    }
    case 'rtcp-mux':
      of.isRtcpMuxed = true
      return
    case 'crypto':
      of.hasCrypto = true
      return
    case 'candidate': {
      const candidate = candidateOf(rest)
      if (candidate !== undefined && of.candidates.length < MAX_CANDIDATES)
        of.candidates.push(candidate)
      return
    }
    case 'mid':
      of.mid = rest.slice(0, MAX_WORD)
      return
    case 'bundle-only':
      of.isBundleOnly = true
      return
    default:
      readSharedAttribute(value, of)
  }
}

function attributeOf(value: string): { name: string; rest: string } {
  const colon = value.indexOf(':')
  if (colon < 0) return { name: value, rest: '' }
  return { name: value.slice(0, colon), rest: value.slice(colon + 1).trim() }
}

/** Whole or with a fraction (AMR and others), more than nothing. */
function millisecondsOf(text: string): number | undefined {
  const value = /^\d{1,4}(?:\.\d{1,6})?$/.test(text) ? Number(text) : 0
  return value > 0 ? value : undefined
}

function isPayloadType(format: number | undefined): format is number {
  return format !== undefined && format <= MAX_PAYLOAD_TYPE
}

/** Digits only, and not many. */
function decimalOf(text: string): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined
}
