import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const TYPESCRIPT = new URL('./typescript.js', import.meta.url).href
const MAIN = fileURLToPath(new URL('../../collector/main.ts', import.meta.url))
const URL_LINE = /^Kiestoon collector: (\S+)$/

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The collector's command line, run to its end. */
export async function runCollector(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', TYPESCRIPT, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)]
  await once(child, 'close')
  return { code: child.exitCode, stdout: stdout(), stderr: stderr() }
}

/** A collector in a process of its own, as it would run in a site. */
export class CollectorProcess {
  readonly url: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #stdout: readonly string[]
  readonly #stderr: () => string

  private constructor(
    child: ChildProcess,
    url: string,
    stdout: readonly string[],
    stderr: () => string,
  ) {
    this.#child = child
    this.url = url
    this.pid = child.pid ?? 0
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /** Resolves when it listens. */
  static async start(
    args: readonly string[],
    nodeArgs: readonly string[] = [],
  ): Promise<CollectorProcess> {
    const child = spawn(
      process.execPath,
      [...nodeArgs, '--import', TYPESCRIPT, MAIN, 'run', ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const stdout: string[] = []
    const stderr = textOf(child.stderr)
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        stdout.push(line)
        const match = URL_LINE.exec(line)
        if (match?.[1] !== undefined) resolve(match[1])
      })
      child.once('close', () => {
        reject(new Error(`the collector ended: ${stderr()}`))
      })
    })
    return new CollectorProcess(child, url, stdout, stderr)
  }

  get stdout(): readonly string[] {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr()
  }

  /** Sends the signal and waits for the end; gives the exit code, null when killed. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'close')
      this.#child.kill(signal)
      await exited
    }
    return this.#child.exitCode
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

function textOf(stream: NodeJS.ReadableStream): () => string {
  const chunks: string[] = []
  stream.on('data', (chunk: Buffer | string) => chunks.push(chunk.toString()))
  return () => chunks.join('')
}
