import { createServer } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { decodeLines, type DecodedPoint } from '../../common/line-protocol.ts'
import { listen } from './listen.ts'

/** Of one batch. */
const MAX_POINTS = 100_000

/** Stands between agents and a collector, passes on what they send, and keeps the points. */
export class RecordingRelay {
  readonly points: DecodedPoint[] = []
  readonly #collector: string
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      this.#pass(request.method ?? 'GET', request.url ?? '/', request.headers, body).then(
        async (answer) => {
          const type = answer.headers.get('content-type')
          response.writeHead(answer.status, type === null ? {} : { 'content-type': type })
          response.end(await answer.text())
        },
        () => response.destroy(),
      )
    })
  })

  constructor(collector: string) {
    this.#collector = collector
  }

  async open(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#server)}`
  }

  /** Fields of the points of a measurement, of one target where one is named, in the order in which they came. */
  of(name: string, target?: string): DecodedPoint['fields'][] {
    return this.points
      .filter((point) => point.name === name)
      .filter(({ tags }) => target === undefined || tags['target'] === target)
      .map(({ fields }) => fields)
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #pass(
    method: string,
    path: string,
    headers: NodeJS.Dict<string | string[]>,
    body: Buffer,
  ): Promise<Response> {
    const isZipped = headers['content-encoding'] === 'gzip'
    const text = (isZipped ? gunzipSync(body) : body).toString('utf8')
    const { points } = decodeLines(text, { precision: 'us', nowUs: 0, maxPoints: MAX_POINTS })
    this.points.push(...points.map(({ point }) => point))
    const kept = ['authorization', 'content-type', 'content-encoding', 'date']
    const passed = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' && (kept.includes(name) || name.startsWith('x-'))
        ? [[name, value]]
        : [],
    )
    const hasBody = method !== 'GET' && method !== 'HEAD'
    return await fetch(this.#collector + path, {
      method,
      headers: passed,
      ...(hasBody ? { body: new Uint8Array(body) } : {}),
    })
  }
}
