/** Writes WebSockets (RFC 6455), so that tests say in one line what is on the wire. */

const FINAL = 0x80
const MASKED = 0x80
const TEXT = 1

export interface FrameOptions {
  readonly opcode?: number
  readonly isFinal?: boolean
  /** Of the client; undefined for the server. */
  readonly mask?: readonly number[] | undefined
  /** RSV1 to RSV3, as they lie in the first octet. */
  readonly reserved?: number
  /** How long it says it is. */
  readonly payloadOctets?: number
  /** Written in 0, 2 or 8 octets. */
  readonly lengthOctets?: 0 | 2 | 8
}

export function webSocketFrame(payload: Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = TEXT, isFinal = true, mask, reserved = 0 } = options
  const { payloadOctets = payload.length } = options
  const { lengthOctets = payloadOctets < 126 ? 0 : payloadOctets < 65_536 ? 2 : 8 } = options
  const head = Buffer.alloc(2 + lengthOctets)
  head[0] = (isFinal ? FINAL : 0) | reserved | opcode
  const short = lengthOctets === 0 ? payloadOctets : lengthOctets === 2 ? 126 : 127
  head[1] = (mask === undefined ? 0 : MASKED) | short
  if (lengthOctets === 2) head.writeUInt16BE(payloadOctets, 2)
  if (lengthOctets === 8) head.writeBigUInt64BE(BigInt(payloadOctets), 2)
  const octets = payload.map((octet, index) => octet ^ (mask?.[index % 4] ?? 0))
  return Buffer.concat([head, Uint8Array.from(mask ?? []), octets])
}

export const CLIENT_HANDSHAKE = [
  'GET /ws HTTP/1.1',
  'Host: pbx.example',
  'Cookie: a=b; websocket=no',
  'Upgrade: WebSocket',
  'Connection: keep-alive, Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: xmpp, sip',
  'Sec-WebSocket-Version: 13',
  '',
  '',
].join('\r\n')

export const SERVER_HANDSHAKE = [
  'HTTP/1.1 101 Switching Protocols',
  'upgrade: websocket',
  'connection: Upgrade',
  'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'sec-websocket-protocol: sip',
  '',
  '',
].join('\r\n')
