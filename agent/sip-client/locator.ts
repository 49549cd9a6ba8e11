import type { NaptrRecord, SrvRecord } from 'node:dns'
import { isIP } from 'node:net'
import { SIPS_PORT, SIP_PORT, hostPortText, uriParameter } from '../sip/sip-uri.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { parseUri, type SipUri } from '../sip/uri.ts'
import type { Dns, DnsAnswer } from './dns.ts'
import { TRANSPORTS, type Target, type Transport } from './flow.ts'
import { inSrvOrder } from './srv-order.ts'
import { isServerAddress } from './server-address.ts'

/** Servers of one domain that are used, and addresses of one server: DNS may name any number. */
const MAX_SERVERS = 16
const MAX_ADDRESSES = 4
/** What was found is believed this long, and what was not found. */
const KEPT_MS = 30_000
const KEPT_FAILURE_MS = 5000
const MAX_KEPT = 256

const SRV_PREFIX: Readonly<Record<Transport, string>> = {
  udp: '_sip._udp',
  tcp: '_sip._tcp',
  tls: '_sips._tcp',
}
const MAX_SHOWN = 80
const NAPTR_SERVICE: Readonly<Record<string, Transport>> = {
  'sip+d2u': 'udp',
  'sip+d2t': 'tcp',
  'sips+d2t': 'tls',
}

const NOTHING: DnsAnswer<NaptrRecord> = { records: [] }

/** One server of a domain, and the addresses it is to be had at. */
export interface Server {
  /** As DNS or the configuration names it; with the port where that is not the usual one. */
  readonly name: string
  readonly priority: number
  readonly weight: number
  readonly targets: readonly Target[]
}

/** The servers in the order to try them; `reason` says why there is none, or why one is missing. */
export interface Located {
  readonly servers: readonly Server[]
  readonly reason: string | undefined
}

export interface LocatorOptions {
  readonly dns: Dns
  readonly clock: TransactionClock
  /** From 0 up to 1; draws among servers of equal priority. */
  readonly random: () => number
  /** What is taken where neither URI nor DNS says. */
  readonly transport: Transport | undefined
}

/** Where a SIP URI is served (RFC 3263): which transport, which servers, which addresses. */
export class Locator {
  readonly #options: LocatorOptions
  readonly #kept = new Map<string, { readonly located: Promise<Located>; untilMs: number }>()

  constructor(options: LocatorOptions) {
    this.#options = options
  }

  async locate(uri: string): Promise<Located> {
    const parsed = parseUri(uri)
    if (parsed === undefined || parsed.scheme === 'tel')
      return { servers: [], reason: `no SIP URI: ${uri.slice(0, MAX_SHOWN)}` }
    const { clock, random } = this.#options
    const transportText = uriParameter(parsed, 'transport') ?? ''
    const key = `${parsed.scheme}:${hostPortText(parsed.host, parsed.port)};${transportText}`
    const nowMs = clock.monotonicMs()
    let kept = this.#kept.get(key)
    if (kept === undefined || kept.untilMs <= nowMs) {
      const located = this.#ask(parsed)
      const asked = { located, untilMs: Infinity }
      kept = asked
      if (this.#kept.size >= MAX_KEPT) this.#kept.clear()
      this.#kept.set(key, asked)
      void located.then(({ servers }) => {
        asked.untilMs = clock.monotonicMs() + (servers.length > 0 ? KEPT_MS : KEPT_FAILURE_MS)
      })
    }
    const { servers, reason } = await kept.located
    return { servers: inSrvOrder(servers, random), reason }
  }

  async #ask(uri: SipUri): Promise<Located> {
    const { host, port } = uri
    const wanted = this.#transportOf(uri)
    if (wanted === 'unknown') return nowhere(`transport of ${host} is not spoken here`)
    const isAddress = isIP(host) !== 0
    if (!isAddress && port === undefined) return await this.#askServices(uri, wanted)
    const transport = wanted ?? 'udp'
    const only = { host, port: port ?? usualPort(transport), priority: 0, weight: 0 }
    return await this.#withAddresses([only], transport, host)
  }

  /** RFC 3263 section 4: all that may be needed is asked at once, so that a silent name server costs its time only once. */
  async #askServices(uri: SipUri, wanted: Transport | undefined): Promise<Located> {
    const { host } = uri
    const { dns } = this.#options
    const transports = wanted === undefined ? TRANSPORTS : [wanted]
    const [naptr, addresses, ...services] = await Promise.all([
      wanted === undefined ? dns.naptr(host) : NOTHING,
      dns.addresses(host),
      ...transports.map(async (transport) => dns.srv(serviceName(transport, host))),
    ])
    const pointer = 'records' in naptr ? bestPointer(naptr.records) : undefined
    if (pointer !== undefined) {
      const index = transports.findIndex((one) => serviceName(one, host) === pointer.name)
      const answer = services[index] ?? (await dns.srv(pointer.name))
      return await this.#fromService(answer, pointer.transport, host)
    }
    for (const [index, transport] of transports.entries()) {
      const answer = services[index]
      if (answer !== undefined && 'records' in answer && answer.records.length > 0)
        return await this.#fromService(answer, transport, host)
    }
    const transport = wanted ?? 'udp'
    const found = serverOf(host, usualPort(transport), transport, host, addresses)
    if (found.server !== undefined) return { servers: [found.server], reason: undefined }
    const silent = services.find((answer) => 'reason' in answer)
    return nowhere(silent !== undefined && 'reason' in silent ? silent.reason : found.reason)
  }

  async #fromService(
    answer: DnsAnswer<SrvRecord>,
    transport: Transport,
    domain: string,
  ): Promise<Located> {
    if ('reason' in answer) return nowhere(answer.reason)
    const hosts = answer.records
      .filter(({ name, port }) => name !== '' && name !== '.' && port > 0)
      .map(({ name, port, priority, weight }) => ({ host: bareName(name), port, priority, weight }))
      .toSorted((a, b) => a.priority - b.priority)
      .slice(0, MAX_SERVERS)
    // A single record that names the root says so (RFC 2782).
    if (hosts.length === 0) return nowhere(`DNS: ${domain} does not offer SIP over ${transport}`)
    return await this.#withAddresses(hosts, transport, domain)
  }

  async #withAddresses(
    hosts: readonly (Omit<Server, 'name' | 'targets'> & { host: string; port: number })[],
    transport: Transport,
    domain: string,
  ): Promise<Located> {
    const found = await Promise.all(
      hosts.map(async ({ host, port, priority, weight }) => {
        const isAddress = isIP(host) !== 0
        const answer = isAddress ? { records: [host] } : await this.#options.dns.addresses(host)
        const { server, reason } = serverOf(host, port, transport, domain, answer)
        return { server: server && { ...server, priority, weight }, reason }
      }),
    )
    return {
      servers: found.flatMap(({ server }) => server ?? []),
      reason: found.find(({ server }) => server === undefined)?.reason,
    }
  }

  #transportOf(uri: SipUri): Transport | undefined | 'unknown' {
    const named = uriParameter(uri, 'transport')?.toLowerCase()
    if (uri.scheme === 'sips') return named === 'udp' ? 'unknown' : 'tls'
    if (named === undefined) return this.#options.transport
    return TRANSPORTS.find((known) => known === named) ?? 'unknown'
  }
}

function serverOf(
  host: string,
  port: number,
  transport: Transport,
  domain: string,
  answer: DnsAnswer<string>,
): { readonly server?: Server; readonly reason: string } {
  if ('reason' in answer) return { reason: answer.reason }
  const [first] = answer.records
  if (first === undefined) return { reason: `DNS: ${host} has no address` }
  const usable = [...new Set(answer.records)].filter(isServerAddress).slice(0, MAX_ADDRESSES)
  if (usable.length === 0)
    return { reason: `DNS: ${host} is said to be at ${first}, where nobody is` }
  const name = port === usualPort(transport) ? host : hostPortText(host, port)
  const targets = usable.map((address) => ({ transport, address, port, domain }))
  return { server: { name, priority: 0, weight: 0, targets }, reason: '' }
}

/** The pointer preferred of those we can follow (RFC 3263 section 4.1). */
function bestPointer(
  records: readonly NaptrRecord[],
): { readonly name: string; readonly transport: Transport } | undefined {
  const ordered = records.toSorted((a, b) => a.order - b.order || a.preference - b.preference)
  for (const { flags, service, replacement } of ordered) {
    const transport = NAPTR_SERVICE[service.toLowerCase()]
    const isPointer = flags.toLowerCase() === 's' && replacement !== ''
    if (transport !== undefined && isPointer) return { name: bareName(replacement), transport }
  }
  return undefined
}

function serviceName(transport: Transport, host: string): string {
  return `${SRV_PREFIX[transport]}.${host}`
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

function usualPort(transport: Transport): number {
  return transport === 'tls' ? SIPS_PORT : SIP_PORT
}

function nowhere(reason: string): Located {
  return { servers: [], reason }
}
