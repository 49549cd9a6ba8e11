import type { SipMessage } from './message.ts'
import type { HeaderRow, RequestDraft } from './write-message.ts'

/** The rows an ACK and a CANCEL repeat from their INVITE. */
const REPEATED: ReadonlySet<string> = new Set(['from', 'to', 'call-id', 'route'])

/** The ACK to a final response other than 2xx: belongs to the INVITE's own transaction, and goes with its Via (RFC 3261 section 17.1.1.3). */
export function acknowledgement(invite: RequestDraft, response: SipMessage): RequestDraft {
  const to = response.header('to')
  const rows = repeatedRows(invite, 'ACK').map(([name, value]): HeaderRow =>
    name.toLowerCase() === 'to' && to !== undefined ? [name, to] : [name, value],
  )
  return { method: 'ACK', uri: invite.uri, headers: rows }
}

/** The CANCEL of an INVITE that has had a provisional response; goes with the INVITE's Via (RFC 3261 section 9.1). */
export function cancellation(invite: RequestDraft): RequestDraft {
  return { method: 'CANCEL', uri: invite.uri, headers: repeatedRows(invite, 'CANCEL') }
}

function repeatedRows({ headers }: RequestDraft, method: string): HeaderRow[] {
  return headers.flatMap(([name, value]): HeaderRow[] => {
    if (REPEATED.has(name.toLowerCase())) return [[name, value]]
    if (name.toLowerCase() !== 'cseq') return []
    return [[name, `${value.split(' ', 1)[0] ?? ''} ${method}`]]
  })
}
