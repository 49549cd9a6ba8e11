import type { SipMessage } from './message.ts'
import { textOf } from './octets.ts'
import { parameterOf, valueOf } from './values.ts'

/** Bodies within bodies within bodies are not followed further. */
const MAX_DEPTH = 3
const MAX_PARTS = 16
/** RFC 2046 section 5.1.1. */
const MAX_BOUNDARY_OCTETS = 70
/** A description longer than this is none. */
const MAX_SDP_OCTETS = 65_535

const SDP = 'application/sdp'

/** The session description a message carries, alone or as a part of a multipart body (RFC 2046, RFC 5621); undefined without one. */
export function sdpOf(message: SipMessage): string | undefined {
  const { bytes, bodyAt, end } = message
  if (bodyAt >= end) return undefined
  const type = message.header('content-type')
  if (message.header('content-encoding') !== undefined && !isIdentity(message)) return undefined
  return sdpIn(type ?? '', bytes, bodyAt, Math.min(end, bodyAt + MAX_SDP_OCTETS))
}

function isIdentity(message: SipMessage): boolean {
  return message.header('content-encoding')?.toLowerCase() === 'identity'
}

function sdpIn(type: string, bytes: Uint8Array, at: number, end: number): string | undefined {
  const kind = valueOf(type).toLowerCase()
  if (kind === SDP) return textOf(bytes, at, end)
  if (!kind.startsWith('multipart/')) return undefined
  return sdpInParts(textOf(bytes, at, end), parameterOf(type, 'boundary'), 1)
}

function sdpInParts(text: string, boundary: string | undefined, depth: number): string | undefined {
  if (boundary === undefined || boundary === '' || boundary.length > MAX_BOUNDARY_OCTETS)
    return undefined
  const parts = `\n${text}`.split(`\n--${boundary}`, MAX_PARTS + 1)
  for (const part of parts.slice(1)) {
    // The last delimiter, or the rest of a longer word.
    if (!/^[ \t]*\r?\n/.test(part)) continue
    const blank = /\r?\n\r?\n/.exec(part)
    if (blank === null) continue
    const head = part.slice(0, blank.index).replace(/\r?\n[ \t]+/g, ' ')
    // The line end before a delimiter belongs to it.
    const body = part.slice(blank.index + blank[0].length).replace(/\r$/, '')
    const type = /^content-type[ \t]*:(.*)$/im.exec(head)?.[1]?.trim() ?? ''
    const kind = valueOf(type).toLowerCase()
    if (kind === SDP) return body
    if (!kind.startsWith('multipart/') || depth === MAX_DEPTH) continue
    const inner = sdpInParts(body, parameterOf(type, 'boundary'), depth + 1)
    if (inner !== undefined) return inner
  }
  return undefined
}
