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
  const own = sdp.media.map(formatsOf)
  const bundled = sdp.bundled.length === 0 ? undefined : bundledPayloads(sdp, own)
  return sdp.media.map((media, index) => {
    const formats = own[index] ?? NO_FORMATS
    const isOneOfMany = bundled !== undefined && isBundled(sdp, media)
    const payloads = isOneOfMany ? new Map([...bundled, ...formats.payloads]) : formats.payloads
    return mediaOf(media, payloads, formats, source, previous[index])
  })
}

function bundledPayloads(
  sdp: SessionDescription,
  own: readonly Formats[],
): ReadonlyMap<number, Payload> {
  const bundled = new Map<number, Payload>()
  for (const [index, media] of sdp.media.entries())
    if (isBundled(sdp, media))
      for (const [number, payload] of own[index]?.payloads ?? []) bundled.set(number, payload)
  return bundled
}

function isSameTarget(one: Target, other: Target): boolean {
  return one.port === other.port && isSameAddress(one, other)
}

function isSameAddress(
  one: Pick<Target, 'version' | 'words'>,
  other: Pick<Target, 'version' | 'words'>,
): boolean {
  if (one.version !== other.version) return false
  for (const [index, word] of one.words.entries()) if (word !== other.words[index]) return false
  return true
}

function isBundled(sdp: SessionDescription, media: SdpMedia): boolean {
  return media.mid !== undefined && sdp.bundled.includes(media.mid)
}

function mediaOf(
  media: SdpMedia,
  payloads: ReadonlyMap<number, Payload>,
  { codecs, mayPause }: Formats,
  source: Pick<Target, 'version' | 'words'>,
  previous: AnnouncedMedia | undefined,
): AnnouncedMedia {
  const { kind, port, packetMs, isSecure, hasCrypto, direction } = media
  const isActive = media.isRtp && port > 0
  const announced = targetOf(media.address ?? '', port)
  const isNowhere = announced?.words.every((word) => word === 0) === true
  const kept = isNowhere && isActive ? previous : undefined
  const main = isNowhere ? undefined : announced
  const targets = main === undefined ? [] : [main]
  if (isActive && media.candidates.length > 0)
    targets.push(...candidateTargets(media.candidates, main))
  return {
    kind,
    isActive,
    ip: kept?.ip ?? (media.address ?? '').slice(0, MAX_IP_TEXT),
    port: kept?.port ?? port,
    targets: !isActive ? [] : (kept?.targets ?? targets),
    codecs,
    payloads,
    packetMs,
    isSecure,
    hasCrypto,
    mayPause,
    receives: isActive && !isNowhere && (direction === 'sendrecv' || direction === 'recvonly'),
    sends: isActive && (direction === 'sendrecv' || direction === 'sendonly'),
    isOwnAddress: kept?.isOwnAddress ?? (main !== undefined && isSameAddress(main, source)),
  }
}

/** Each name once, the favourite first. */
function codecsOf(payloads: ReadonlyMap<number, Payload>): string[] {
  const names: string[] = []
  for (const { name } of payloads.values()) if (!names.includes(name)) names.push(name)
  return names
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

/** What the formats of a medium mean. Phones of a house say the same in every call: it is kept once for all of them. */
interface Formats {
  readonly payloads: ReadonlyMap<number, Payload>
  readonly codecs: readonly string[]
  readonly mayPause: boolean | undefined
}

/** Different ones that are kept; when there are more, all are read anew. */
const MAX_FORMATS = 512
const MAX_KEY_LENGTH = 1024
const knownFormats = new Map<string, Formats>()
const NO_FORMATS: Formats = { payloads: new Map(), codecs: [], mayPause: undefined }

function formatsOf(media: SdpMedia): Formats {
  if (!media.isRtp) return NO_FORMATS
  let key = ''
  for (const format of media.formats) {
    const map = media.rtpMaps.get(format)
    const parameters = media.parameters.get(format) ?? ''
    key += map === undefined ? `${format}` : `${format} ${map.name}/${map.clockRate}`
    key += ` ${parameters}\n`
  }
  const known = knownFormats.get(key)
  if (known !== undefined) return known
  const payloads = payloadsOf(media)
  const formats = { payloads, codecs: codecsOf(payloads), mayPause: mayPause(media, payloads) }
  if (key.length > MAX_KEY_LENGTH) return formats
  if (knownFormats.size >= MAX_FORMATS) knownFormats.clear()
  knownFormats.set(key, formats)
  return formats
}

function payloadsOf(media: SdpMedia): Map<number, Payload> {
  const payloads = new Map<number, Payload>()
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
