import { parseNetwork, type IpVersion } from '../capture/address.ts'
import { staticPayload, type Payload } from '../rtp/payload.ts'
import type { Candidate } from '../sip/sdp-attributes.ts'
import type { SdpMedia, SessionDescription } from '../sip/sdp.ts'
import { codecName, rtpClockRate } from './codec-names.ts'

const UDP = 'udp'
const RTP_COMPONENT = 1
const MAX_TARGETS = 16
const MAX_IP_TEXT = 64
/** RFC 3551 section 6. */
const COMFORT_NOISE = 13

/** An address and port. */
export interface Target {
  readonly version: IpVersion
  readonly words: readonly number[]
  readonly port: number
}

/** One medium of a description, as its announcer means it. */
export interface AnnouncedMedia {
  readonly kind: string
  /** RTP, and not refused. */
  readonly isActive: boolean
  readonly ip: string
  readonly port: number
  /** Where RTP may arrive: the address of the c= and m= lines first, then what ICE may choose. */
  readonly targets: readonly Target[]
  readonly codecs: readonly string[]
  readonly payloads: ReadonlyMap<number, Payload>
  readonly packetMs: number | undefined
  readonly isSecure: boolean
  readonly hasCrypto: boolean
  readonly mayPause: boolean | undefined
  /** What its announcer wants to do. */
  readonly receives: boolean
  readonly sends: boolean
  /** The address is the one the description came from: no NAT lies between. */
  readonly isOwnAddress: boolean
}

/**
 * What a description announces, in the order of its m= lines. `previous` is what the same party said before: who asks for silence with
 * c=0.0.0.0 (RFC 2543) keeps the address it had. `source` is where the message came from.
 */
export function announcedMedia(
  sdp: SessionDescription,
  source: Pick<Target, 'version' | 'words'>,
  previous: readonly AnnouncedMedia[],
): AnnouncedMedia[] {
  const bundled = new Map<number, Payload>()
  for (const media of sdp.media)
    if (isBundled(sdp, media))
      for (const [number, payload] of payloadsOf(media)) bundled.set(number, payload)
  return sdp.media.map((media, index) => {
    const own = payloadsOf(media)
    const payloads = isBundled(sdp, media) ? new Map([...bundled, ...own]) : own
    return mediaOf(media, payloads, own, source, previous[index])
  })
}

function isSameTarget(one: Target, other: Target): boolean {
  return (
    one.port === other.port &&
    one.version === other.version &&
    one.words.every((word, index) => word === other.words[index])
  )
}

function isBundled(sdp: SessionDescription, media: SdpMedia): boolean {
  return media.mid !== undefined && sdp.bundled.includes(media.mid)
}

function mediaOf(
  media: SdpMedia,
  payloads: ReadonlyMap<number, Payload>,
  own: ReadonlyMap<number, Payload>,
  source: Pick<Target, 'version' | 'words'>,
  previous: AnnouncedMedia | undefined,
): AnnouncedMedia {
  const { kind, port, packetMs, isSecure, hasCrypto, direction } = media
  const isActive = media.isRtp && port > 0
  const announced = targetOf(media.address ?? '', port)
  const isNowhere = announced?.words.every((word) => word === 0) === true
  const kept = isNowhere && isActive ? previous : undefined
  const main = isNowhere ? undefined : announced
  const candidates = isActive ? candidateTargets(media.candidates, main) : []
  return {
    kind,
    isActive,
    ip: kept?.ip ?? (media.address ?? '').slice(0, MAX_IP_TEXT),
    port: kept?.port ?? port,
    targets: !isActive ? [] : (kept?.targets ?? [...(main ? [main] : []), ...candidates]),
    codecs: [...new Set([...own.values()].map(({ name }) => name))],
    payloads,
    packetMs,
    isSecure,
    hasCrypto,
    mayPause: mayPause(media, own),
    receives: isActive && !isNowhere && (direction === 'sendrecv' || direction === 'recvonly'),
    sends: isActive && (direction === 'sendrecv' || direction === 'sendonly'),
    isOwnAddress:
      kept?.isOwnAddress ??
      (main !== undefined && isSameTarget({ ...main, port: 0 }, { ...source, port: 0 })),
  }
}

/** Undefined when it is a name, or nothing. */
function targetOf(address: string, port: number): Target | undefined {
  if (address.includes('/')) return undefined
  const network = parseNetwork(address)
  return network && { version: network.version, words: network.words, port }
}

function candidateTargets(candidates: readonly Candidate[], main: Target | undefined): Target[] {
  const targets: Target[] = []
  for (const { component, transport, address, port } of candidates) {
    if (component !== RTP_COMPONENT || transport !== UDP || targets.length === MAX_TARGETS) continue
    const target = targetOf(address, port)
    if (target === undefined) continue
    const isKnown = [...targets, ...(main ? [main] : [])].some((known) =>
      isSameTarget(known, target),
    )
    if (!isKnown) targets.push(target)
  }
  return targets
}

function payloadsOf(media: SdpMedia): Map<number, Payload> {
  const payloads = new Map<number, Payload>()
  if (!media.isRtp) return payloads
  for (const format of media.formats) {
    const map = media.rtpMaps.get(format)
    if (map === undefined) {
      const known = staticPayload(format)
      if (known !== undefined) payloads.set(format, known)
      continue
    }
    const name = codecName(map.name)
    payloads.set(format, { name, clockRate: rtpClockRate(name, map.clockRate) })
  }
  return payloads
}

/** What the description says on pauses; undefined when it says nothing. RFC 3389 (comfort noise), 4856 (annexb), 7587 (usedtx). */
function mayPause(media: SdpMedia, payloads: ReadonlyMap<number, Payload>): boolean | undefined {
  let isDenied = false
  for (const [format, { name }] of payloads) {
    if (format === COMFORT_NOISE || name === 'CN') return true
    const parameters = media.parameters.get(format) ?? ''
    const said = /(?:^|[;\s])(?:annexb|usedtx)\s*=\s*(yes|no|0|1)/i.exec(parameters)?.[1]
    if (said === undefined) continue
    if (said === '1' || said.toLowerCase() === 'yes') return true
    isDenied = true
  }
  return isDenied ? false : undefined
}
