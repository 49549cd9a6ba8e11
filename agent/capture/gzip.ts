import { createGunzip, type Gunzip } from 'node:zlib'
import { reasonOf } from '../../common/errors.ts'

const OUTPUT_OCTETS = 1 << 18

/** Inflates gzip, of one or several members, piece by piece. What comes out is handed on before write() resolves; nothing is kept. */
export class GzipInflater {
  readonly #gunzip: Gunzip
  #isOver = false
  #fault: string | undefined
  #onClose: () => void = () => undefined

  constructor(onData: (octets: Uint8Array) => void) {
    this.#gunzip = createGunzip({ chunkSize: OUTPUT_OCTETS })
    this.#gunzip.on('data', onData)
    this.#gunzip.once('end', () => {
      this.#isOver = true
    })
    this.#gunzip.once('error', (error) => {
      this.#fault = reasonOf(error)
      this.#isOver = true
    })
    this.#gunzip.once('close', () => {
      this.#isOver = true
      this.#onClose()
    })
  }

  /** Why it could not be inflated further. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Nothing more will come out: at the end, or after a fault. */
  get isOver(): boolean {
    return this.#isOver
  }

  async write(piece: Uint8Array): Promise<void> {
    await this.#until((done) => {
      this.#gunzip.write(piece, done)
    })
  }

  /** Says that nothing follows. */
  async end(): Promise<void> {
    await this.#until(() => {
      this.#gunzip.end()
    })
  }

  close(): void {
    this.#gunzip.destroy()
  }

  /** Until the work is done, or the stream has closed: after a fault it calls nobody back. */
  async #until(work: (done: () => void) => void): Promise<void> {
    if (this.#isOver) return
    await new Promise<void>((resolve) => {
      this.#onClose = resolve
      work(resolve)
    })
  }
}
