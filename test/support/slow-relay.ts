import { connect, createServer, type Socket } from 'node:net'
import { LineSplitter } from '../../agent/power/line-splitter.ts'
import { listen } from './listen.ts'

const MAX_LINE_BYTES = 64 * 1024
/** How an answer of upsd ends. */
const ENDS = /^(END|ERR|OK) ?/

/** A long line between a client and a NUT server: everything takes its time both ways, and who waits for whom is counted. */
export class SlowRelay {
  /** Requests that had to wait until all before them were answered: so many round trips were spent. */
  turns = 0
  /** Most requests on their way at once. */
  mostOutstanding = 0
  readonly #delayMs: number
  readonly #port: number
  readonly #server = createServer((client) => {
    this.#serve(client)
  })

  /** @param port of the server, on this machine */
  constructor(port: number, delayMs: number) {
    this.#port = port
    this.#delayMs = delayMs
  }

  async open(): Promise<number> {
    return await listen(this.#server)
  }

  close(): void {
    this.#server.close()
  }

  #serve(client: Socket): void {
    const server = connect(this.#port, '127.0.0.1')
    let outstanding = 0
    this.#pass(client, server, () => {
      if (outstanding === 0) this.turns++
      outstanding++
      this.mostOutstanding = Math.max(this.mostOutstanding, outstanding)
    })
    this.#pass(server, client, (line) => {
      if (ENDS.test(line)) outstanding--
    })
  }

  #pass(from: Socket, to: Socket, onLine: (line: string) => void): void {
    const splitter = new LineSplitter(MAX_LINE_BYTES)
    from.setNoDelay(true)
    from.on('error', () => undefined)
    from.on('data', (chunk: Buffer) => {
      setTimeout(() => {
        for (const line of splitter.push(chunk) ?? []) onLine(line)
        to.write(chunk)
      }, this.#delayMs)
    })
    from.on('close', () => setTimeout(() => to.destroy(), this.#delayMs))
  }
}
