import { Resolver, lookup } from 'node:dns/promises'
import type { NaptrRecord, SrvRecord } from 'node:dns'
import { reasonOf } from '../../common/errors.ts'
import type { TransactionClock } from '../sip/transaction.ts'

/** For each server asked, doubled when it is asked again. */
const TRY_MS = 1000
const TRIES = 2
/** "There is none" is an answer. */
const NONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** Records, none being an answer too; or why the name servers gave none. */
export type DnsAnswer<Record> =
  { readonly records: readonly Record[] } | { readonly reason: string }

export interface DnsOptions {
  /** Name servers as address or address:port; without them, the system's. */
  readonly servers: readonly string[] | undefined
  /** For each question. */
  readonly limitMs: number
  readonly clock: TransactionClock
}

/** Asks name servers; a question that is not answered in time is given up, whatever becomes of it. */
export class Dns {
  readonly #options: DnsOptions
  readonly #resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })

  constructor(options: DnsOptions) {
    this.#options = options
    if (options.servers !== undefined) this.#resolver.setServers(options.servers)
  }

  async naptr(name: string): Promise<DnsAnswer<NaptrRecord>> {
    return await this.#ask(`NAPTR ${name}`, this.#resolver.resolveNaptr(name))
  }

  async srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    return await this.#ask(`SRV ${name}`, this.#resolver.resolveSrv(name))
  }

  /** IPv4 first: where both are to be had, it is the way most calls go. */
  async addresses(name: string): Promise<DnsAnswer<string>> {
    const [v4, v6] = await Promise.all([
      this.#ask(`A ${name}`, this.#resolver.resolve4(name)),
      this.#ask(`AAAA ${name}`, this.#resolver.resolve6(name)),
    ])
    const records = [v4, v6].flatMap((answer) => ('records' in answer ? answer.records : []))
    if (records.length > 0) return { records }
    if ('reason' in v4) return v4
    if ('reason' in v6) return v6
    // Names of the hosts file are known to the system alone; it is asked last, as it cannot be told how long to wait.
    return this.#options.servers === undefined ? await this.#askSystem(name) : { records }
  }

  close(): void {
    this.#resolver.cancel()
  }

  async #askSystem(name: string): Promise<DnsAnswer<string>> {
    const found = await this.#ask(name, lookup(name, { all: true }))
    return 'reason' in found ? found : { records: found.records.map(({ address }) => address) }
  }

  async #ask<Record>(
    question: string,
    answering: Promise<readonly Record[]>,
  ): Promise<DnsAnswer<Record>> {
    const { clock, limitMs } = this.#options
    let cancel = (): void => undefined
    const tooLate = new Promise<DnsAnswer<Record>>((resolve) => {
      cancel = clock.setTimer(() => {
        resolve({ reason: `DNS: no answer to ${question} in ${limitMs} ms` })
      }, limitMs)
    })
    const answer = answering.then(
      (records): DnsAnswer<Record> => ({ records }),
      (error: unknown): DnsAnswer<Record> =>
        NONE.has(codeOf(error)) ? { records: [] } : { reason: `DNS: ${reasonOf(error)}` },
    )
    const first = await Promise.race([answer, tooLate])
    cancel()
    return first
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
