import { uriParameter } from '../sip/sip-uri.ts'
import { parseUri } from '../sip/uri.ts'
import type { HeaderRow } from '../sip/write-message.ts'

/** The Route to an outbound proxy that routes loosely, as its URI says (RFC 3261 section 8.1.2); other proxies just get the request. */
export function routeRows(proxy: string | undefined): HeaderRow[] {
  const uri = proxy === undefined ? undefined : parseUri(proxy)
  if (proxy === undefined || uri === undefined || uriParameter(uri, 'lr') === undefined) return []
  return [['Route', `<${proxy}>`]]
}
