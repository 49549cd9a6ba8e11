/** Puts SIP messages into octets (RFC 3261 section 7). */

export type HeaderRow = readonly [name: string, value: string]

/** A request but for what the sender adds: Via, Max-Forwards, User-Agent and Content-Length. */
export interface RequestDraft {
  readonly method: string
  readonly uri: string
  readonly headers: readonly HeaderRow[]
  readonly body?: Uint8Array
}

export const NO_BODY = new Uint8Array(0)

/** Would end a line, or mean something to somebody else; parts of our headers come from the network. */
const CONTROL = /[\u0000-\u001f\u007f]+/g

const ROW_OCTETS = ': \r\n'.length
/** What stands around the rows, of a message of up to 99,999 octets. */
const FRAME_OCTETS = '\r\nContent-Length: 99999\r\n\r\n'.length

/** A whole message; Content-Length is added behind the other rows. */
export function writeMessage(
  startLine: string,
  headers: readonly HeaderRow[],
  body: Uint8Array = NO_BODY,
): Uint8Array {
  const lines = [
    clean(startLine),
    ...headers.map(([name, value]) => `${clean(name)}: ${clean(value)}`),
    `Content-Length: ${body.length}`,
  ]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
  return body.length === 0 ? head : Buffer.concat([head, body])
}

/** Length of that message in octets, or a little more: nothing is cleaned. */
export function messageLength(
  startLine: string,
  headers: readonly HeaderRow[],
  body: Uint8Array = NO_BODY,
): number {
  let length = Buffer.byteLength(startLine) + FRAME_OCTETS + body.length
  for (const [name, value] of headers)
    length += Buffer.byteLength(name) + Buffer.byteLength(value) + ROW_OCTETS
  return length
}

export function requestLine({ method, uri }: Pick<RequestDraft, 'method' | 'uri'>): string {
  return `${method} ${uri} SIP/2.0`
}

function clean(text: string): string {
  return text.replace(CONTROL, ' ')
}
