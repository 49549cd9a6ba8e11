/** Attributes of a medium that have fields of their own. Each reads what stands behind the colon; undefined when it is broken. */

const MAX_PORT = 65_535
const MAX_PAYLOAD_TYPE = 127

export interface RtpMap {
  readonly payloadType: number
  /** As written: names are told without regard to case (RFC 8866 section 6.6). */
  readonly name: string
  /** Hz. */
  readonly clockRate: number
  readonly channels: number
}

/** An address ICE may choose (RFC 8839 section 5.1). */
export interface Candidate {
  /** 1 is RTP, 2 RTCP. */
  readonly component: number
  /** Lower case: udp, tcp. */
  readonly transport: string
  readonly address: string
  readonly port: number
  /** host, srflx, prflx or relay. */
  readonly type: string
}

/** a=rtpmap:<payload type> <name>/<clock rate>[/<channels>] */
export function rtpMapOf(rest: string): RtpMap | undefined {
  const match = /^(\d{1,3})\s+([^/\s]{1,64})\/(\d{1,7})(?:\/(\d{1,3}))?(?:\s|$)/.exec(rest)
  if (match === null) return undefined
  const [, number, name = '', rate, channels = '1'] = match
  const payloadType = Number(number)
  const clockRate = Number(rate)
  if (payloadType > MAX_PAYLOAD_TYPE || clockRate === 0) return undefined
  return { payloadType, name, clockRate, channels: Number(channels) }
}

/** a=candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type> ... */
export function candidateOf(rest: string): Candidate | undefined {
  const [, component = '', transport = '', , address = '', port = '', typ, type = ''] = rest.split(
    / +/,
    8,
  )
  if (typ !== 'typ' || !/^\d{1,3}$/.test(component) || !/^\d{1,5}$/.test(port)) return undefined
  const portNumber = Number(port)
  if (portNumber === 0 || portNumber > MAX_PORT) return undefined
  return {
    component: Number(component),
    transport: transport.toLowerCase(),
    address,
    port: portNumber,
    type,
  }
}
