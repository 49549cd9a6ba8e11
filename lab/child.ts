import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PRELOAD = new URL(
  import.meta.url.endsWith('.ts') ? './end-with-parent.ts' : './end-with-parent.js',
  import.meta.url,
)
const STOP_MS = 4000

export interface ChildOptions {
  readonly label: string
  /** The program, such as dist/agent/main.js. */
  readonly program: URL
  readonly arguments: readonly string[]
  readonly onOutput: (line: string) => void
  /** Its log, a JSON line each. */
  readonly onLog: (line: string) => void
}

/** One of our own programs as a process of its own, as it would run in a site. */
export class Child {
  readonly label: string
  /** Pending for ever when it says nothing. */
  readonly firstLine: Promise<string>
  readonly exited: Promise<number | null>
  readonly #process: ChildProcess

  constructor(options: ChildOptions) {
    this.label = options.label
    this.#process = spawn(
      process.execPath,
      ['--import', PRELOAD.href, fileURLToPath(options.program), ...options.arguments],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const { stdout, stderr } = this.#process
    this.firstLine = new Promise((resolve) => {
      if (stdout)
        createInterface({ input: stdout }).on('line', (line) => {
          resolve(line)
          options.onOutput(line)
        })
    })
    if (stderr) createInterface({ input: stderr }).on('line', options.onLog)
    this.exited = once(this.#process, 'exit').then(() => this.#process.exitCode)
  }

  /** SIGTERM, and SIGKILL to one that does not listen. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    const insist = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS)
    await this.exited
    clearTimeout(insist)
  }
}
