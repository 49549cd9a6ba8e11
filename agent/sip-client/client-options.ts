import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { z } from 'zod'
import { reasonOf } from '../../common/errors.ts'
import { duration, hostPort } from '../../common/settings.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import { STANDARD_TIMERS } from '../sip/transaction.ts'
import { parseUri } from '../sip/uri.ts'
import { TRANSPORTS } from './flow.ts'

/** Timer F of RFC 3261 is 32 s; a check that waits so long says nothing more. */
const DEFAULT_TIMEOUT = '8s'
const MIN_TIMEOUT_MS = 500
const DNS_PORT = 53
const MAX_NAME_SERVERS = 4

/** A SIP URI; without a scheme, sip: is meant. */
export const sipUri = z.string('expected a SIP URI').transform((text, context) => {
  const uri = /^sips?:/i.test(text) ? text : `sip:${text}`
  if (parseUri(uri) !== undefined && !/[\s<>"]/.test(uri)) return uri
  context.issues.push({
    code: 'custom',
    message: 'expected a SIP URI, such as sip:pbx.example.org or sips:192.0.2.1:5061',
    input: text,
  })
  return z.NEVER
})

/** Text of a PEM file. */
const pemFile = z.string().transform((file, context) => {
  try {
    const pem = readFileSync(file, 'utf8')
    createSecureContext({ ca: pem })
    return pem
  } catch (error) {
    context.issues.push({ code: 'custom', message: reasonOf(error), input: file })
    return z.NEVER
  }
})

/** What every probe that sends SIP has among its options. */
export const clientOptions = {
  /** By way of which outbound proxy. */
  proxy: sipUri.optional(),
  /** Where neither the URI nor DNS says. */
  transport: z.enum(TRANSPORTS).optional(),
  /** How long to wait for an answer (timers B and F), and for a connection. */
  timeout: duration
    .pipe(z.int().min(MIN_TIMEOUT_MS).max(STANDARD_TIMERS.timeoutMs))
    .prefault(DEFAULT_TIMEOUT),
  /** Local address to send from. */
  bind: z.union([z.ipv4(), z.ipv6()], 'expected an IP address of this machine').optional(),
  /** Name servers to ask instead of the system's. */
  'dns-servers': z.array(nameServer()).min(1).max(MAX_NAME_SERVERS).optional(),
  /** File with the certificate to trust, where the server's own is not from a public authority. */
  ca: pemFile.optional(),
  /** File with our own certificate and its key, for servers that ask for one. */
  cert: pemFile.optional(),
  /** Whom the server's certificate must name, where that is not the domain asked for. */
  'server-name': z.string().min(1).optional(),
}

export type ClientOptions = z.infer<z.ZodObject<typeof clientOptions>>

function nameServer(): z.ZodType<string> {
  return z.union([
    z.union([z.ipv4(), z.ipv6()]).transform((address) => hostPortText(address, DNS_PORT)),
    hostPort.transform(({ host, port }) => hostPortText(host, port)),
  ])
}
