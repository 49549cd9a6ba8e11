import { looksLikeSip } from './start.ts'
import { BINARY, TEXT, WebSocketFrameHeader } from './web-socket-frame.ts'

/** How a connection that carries SIP over WebSocket (RFC 7118) is known: by its handshake, or later by a frame with a message in it. */

const GET = octetsOf('GET ')
const HTTP = octetsOf('HTTP/')
const SWITCHING = octetsOf('HTTP/1.1 101')
/** In lower case. */
const WEB_SOCKET = octetsOf('websocket')
const LOWER_CASE_BIT = 0x20
/** Of the first octet of a frame: all but whether more of the message follows. */
const KIND = 0x7f
/** Of a message no more than its first line is looked at. */
const MAX_LINE_OCTETS = 2048

const header = new WebSocketFrameHeader()
const line = Buffer.alloc(MAX_LINE_OCTETS)
const lineView = new DataView(line.buffer, line.byteOffset, line.length)

/** What the first octets of a connection may be the beginning of; undefined when too few have come to tell. */
export type Opening = 'handshake' | 'frame' | 'other'

export function openingOf(bytes: Uint8Array): Opening | undefined {
  if (isFrame(bytes)) return 'frame'
  for (const start of [GET, HTTP]) {
    if (begins(bytes, start)) return 'handshake'
    if (begins(start, bytes)) return undefined
  }
  return 'other'
}

/** Whether it is worth a look: by the first octet of a segment. */
export function mayBeginWebSocket(octet: number): boolean {
  return isFirstOfFrame(octet) || octet === GET[0] || octet === HTTP[0]
}

/** Whether a segment opens a WebSocket, or is a frame with the beginning of a SIP message in it. */
export function beginsWebSocket(bytes: Uint8Array): boolean {
  if (isFrame(bytes)) return carriesSip(bytes)
  return (begins(bytes, GET) || begins(bytes, SWITCHING)) && hasWord(bytes)
}

/** Whether these octets are a frame with the beginning of a SIP message in it. */
export function carriesSip(bytes: Uint8Array): boolean {
  if (!isFrame(bytes)) return false
  const at = header.read(bytes, 0, bytes.length)
  if (at === 0) return false
  const end = Math.min(bytes.length, at + Math.min(header.payloadOctets, MAX_LINE_OCTETS))
  header.unmask(bytes, at, end, 0, line)
  return looksLikeSip(lineView, 0, end - at)
}

function isFrame(bytes: Uint8Array): boolean {
  return isFirstOfFrame(bytes[0] ?? 0)
}

function isFirstOfFrame(octet: number): boolean {
  return (octet & KIND) === TEXT || (octet & KIND) === BINARY
}

function begins(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.length < start.length) return false
  for (let index = 0; index < start.length; index++) if (bytes[index] !== start[index]) return false
  return true
}

function hasWord(bytes: Uint8Array): boolean {
  for (let at = 0; at + WEB_SOCKET.length <= bytes.length; at++) {
    let index = 0
    while (
      index < WEB_SOCKET.length &&
      ((bytes[at + index] ?? 0) | LOWER_CASE_BIT) === WEB_SOCKET[index]
    )
      index++
    if (index === WEB_SOCKET.length) return true
  }
  return false
}

function octetsOf(word: string): Uint8Array {
  return Uint8Array.from(word, (character) => character.charCodeAt(0))
}
