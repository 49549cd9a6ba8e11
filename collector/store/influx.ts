import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { InfluxDB } from 'influx'
import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import { assertAnswered, identifier } from './influxql.ts'
import type { InfluxOptions, StoreContext } from './options.ts'
import { withDeadline } from './timers.ts'

/** InfluxDB flushes each write to disk; a busy one takes a second now and then. */
const DEADLINE_MS = 10_000
const MS_PER_S = 1000
/** The package sets a host aside after one failure and then refuses every call for a while: the spool does the waiting here. */
const NO_BACKOFF = { getDelay: () => 0, next: () => NO_BACKOFF, reset: () => NO_BACKOFF }

/** InfluxDB will never take this batch as it is; `dropped` of its points were left out, if it said, and the others stored. */
export class BatchRefused extends PermanentError {
  readonly dropped: number | undefined

  constructor(message: string, dropped: number | undefined) {
    super('influx-refused', message)
    this.dropped = dropped
  }
}

/**
 * The `influx` package behind what it lacks: a deadline around every call (a stalled answer would hang for ever), an agent of our own
 * to cut the connection then, no default password, errors that say whether a retry helps.
 */
export class InfluxConnection {
  readonly #options: InfluxOptions
  readonly #every: StoreContext['every']
  readonly #closing = new AbortController()
  #agent: HttpAgent
  #client: InfluxDB

  constructor(options: InfluxOptions, every: StoreContext['every']) {
    this.#options = options
    this.#every = every
    this.#agent = newAgent(options.url)
    this.#client = newClient(options, this.#agent)
  }

  /**
   * Writes lines of line protocol in microseconds.
   * @throws TransientError worth a retry with the same lines: the points are stamped, so what was stored is only stored again
   * @throws BatchRefused not worth one
   */
  async write(lines: readonly string[]): Promise<void> {
    // The package has no call for lines. A point that has only a measurement is sent as that, unescaped: here, the whole line.
    const points = lines.map((line) => ({ measurement: line }))
    await this.#call(() => this.#client.writePoints(points, { precision: 'u' }))
  }

  /**
   * What InfluxDB answers, times in microseconds.
   * @throws TransientError
   * @throws PermanentError when it refuses the query
   */
  async query(statement: string): Promise<unknown> {
    return await this.#call(async () => {
      const answer: unknown = await this.#client.queryRaw(statement, {
        precision: 'u',
        method: 'POST',
      })
      return answer
    })
  }

  /**
   * Makes sure that InfluxDB is there and the database in it.
   * @throws TransientError
   */
  async prepare(): Promise<void> {
    try {
      assertAnswered(await this.query(`CREATE DATABASE ${identifier(this.#options.database)}`))
    } catch (error) {
      // Only an administrator may create one. It does not matter where somebody has.
      if (!(error instanceof PermanentError) && !isForbidden(error)) throw error
      await this.#assertDatabase()
    }
  }

  /** Ends what is under way with a TransientError. */
  close(): void {
    this.#closing.abort()
    this.#agent.destroy()
  }

  async #assertDatabase(): Promise<void> {
    try {
      assertAnswered(await this.query('SHOW MEASUREMENTS LIMIT 1'))
    } catch (error) {
      if (error instanceof TransientError) throw error
      throw new TransientError('influx-database', reasonOf(error), { cause: error })
    }
  }

  async #call<T>(start: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing
    if (signal.aborted) throw closed()
    const limit = { ms: DEADLINE_MS, every: this.#every, signal }
    try {
      return await withDeadline(start(), limit, () => {
        if (signal.aborted) return closed()
        this.#cut()
        return new TransientError('influx-timeout', `no whole answer within ${DEADLINE_MS} ms`)
      })
    } catch (error) {
      throw classified(error)
    }
  }

  /** The connection is of no use any more, and the package knows no other way to let go of it. */
  #cut(): void {
    this.#agent.destroy()
    this.#agent = newAgent(this.#options.url)
    this.#client = newClient(this.#options, this.#agent)
  }
}

function newAgent(url: string): HttpAgent {
  const options = { keepAlive: true }
  return new URL(url).protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options)
}

function newClient(options: InfluxOptions, agent: HttpAgent): InfluxDB {
  const { hostname, port, pathname, protocol } = new URL(options.url)
  const https = protocol === 'https:'
  return new InfluxDB({
    host: hostname,
    port: port === '' ? (https ? 443 : 80) : Number(port),
    path: pathname.replace(/\/+$/, ''),
    protocol: https ? 'https' : 'http',
    database: options.database,
    // Both always set: else the package sends root:root.
    username: options.username ?? '',
    password: options.password?.reveal() ?? '',
    options: { agent },
    pool: { requestTimeout: DEADLINE_MS, maxRetries: 1, backoff: NO_BACKOFF },
  })
}

function classified(error: unknown): Error {
  if (error instanceof TransientError || error instanceof PermanentError) return error
  const message = reasonOf(error)
  const response = responseOf(error)
  switch (response?.status) {
    case 400:
    case 413:
    case 422: {
      const dropped = /dropped=(\d+)/.exec(message)?.[1]
      return new BatchRefused(message, dropped === undefined ? undefined : Number(dropped))
    }
    case 401:
    case 403:
      return new TransientError('influx-forbidden', message, { cause: error })
    case 429:
      return new TransientError('influx-busy', message, {
        cause: error,
        retryAfterMs: response.retryAfterS * MS_PER_S,
      })
    case undefined:
    default:
      return new TransientError('influx-away', message, { cause: error })
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof TransientError && error.code === 'influx-forbidden'
}

/** The answer behind an error of the package, which exports no class for it. */
function responseOf(error: unknown): { status: number; retryAfterS: number } | undefined {
  if (!(error instanceof Error) || !('res' in error)) return undefined
  const { res } = error
  if (typeof res !== 'object' || res === null || !('statusCode' in res)) return undefined
  if (typeof res.statusCode !== 'number') return undefined
  const headers = 'headers' in res ? res.headers : undefined
  const retryAfter =
    typeof headers === 'object' && headers !== null && 'retry-after' in headers
      ? Number(headers['retry-after'])
      : 0
  return { status: res.statusCode, retryAfterS: retryAfter > 0 ? retryAfter : 0 }
}

function closed(): TransientError {
  return new TransientError('store-closed', 'the store is closed')
}
