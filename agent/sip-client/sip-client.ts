import { version } from '../../common/version.ts'
import { STANDARD_TIMERS } from '../sip/transaction.ts'
import type { ClientOptions } from './client-options.ts'
import { Dns } from './dns.ts'
import { SipEndpoint, type EndpointOptions } from './endpoint.ts'
import { Locator } from './locator.ts'
import { sipClock } from './scheduler.ts'
import { newToken, randomShare } from './token.ts'
import { UserAgentClient } from './user-agent-client.ts'

/** For each question to the name servers. */
const DNS_LIMIT_MS = 3000

/** All it takes to ask somebody something by SIP. */
export interface SipClient {
  readonly endpoint: SipEndpoint
  readonly locator: Locator
  readonly client: UserAgentClient
  close(): void
}

export function openSipClient(
  options: ClientOptions,
  nowUs: () => number,
  onRequest?: EndpointOptions['onRequest'],
  emergencyNumbers: readonly string[] = [],
): SipClient {
  const clock = sipClock
  const dns = new Dns({ servers: options['dns-servers'], limitMs: DNS_LIMIT_MS, clock })
  const { transport } = options
  const locator = new Locator({ dns, clock, random: randomShare, transport })
  const endpoint = new SipEndpoint({
    clock,
    nowUs,
    timers: { ...STANDARD_TIMERS, timeoutMs: options.timeout },
    bind: options.bind,
    tls: {
      ca: options.ca,
      certificateAndKey: options.cert,
      serverName: options['server-name'],
    },
    userAgent: `Kiestoon/${version}`,
    newToken,
    emergencyNumbers,
    ...(onRequest === undefined ? {} : { onRequest }),
  })
  return {
    endpoint,
    locator,
    client: new UserAgentClient({ endpoint, locator }),
    close: () => {
      endpoint.close()
      dns.close()
    },
  }
}
