import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { z } from 'zod'

const PROGRAM = fileURLToPath(new URL('../../dist/lab/main.js', import.meta.url))
const PATHS_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 5000
const POLL_MS = 500

const overview = z.looseObject({
  notices: z.array(z.string()),
  paths: z.array(
    z.looseObject({
      from: z.string(),
      to: z.string(),
      source: z.string(),
      lossRatio: z.number().nullable(),
    }),
  ),
  alerts: z.array(z.looseObject({ rule: z.string(), object: z.string(), state: z.string() })),
  agents: z.array(z.looseObject({ agent: z.string(), silent: z.boolean() })),
})

const power = z.looseObject({
  components: z.array(
    z.looseObject({ id: z.string(), state: z.string(), minutesLeft: z.number().nullable() }),
  ),
  services: z.array(
    z.looseObject({ id: z.string(), state: z.string(), minutesLeft: z.number().nullable() }),
  ),
})

/** The site in a box as `npm start` runs it, on a port of its own. */
export class SiteInABox {
  output = ''
  readonly #port: number
  readonly #process: ChildProcess

  constructor(port: number, args: readonly string[]) {
    this.#port = port
    this.#process = spawn(
      process.execPath,
      [PROGRAM, '--port', String(port), '--no-gateway', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream)
        createInterface({ input: stream }).on('line', (line) => {
          this.output += `${line}\n`
        })
    }
  }

  async says(pattern: RegExp, withinMs: number): Promise<boolean> {
    const until = Date.now() + withinMs
    while (!pattern.test(this.output)) {
      if (Date.now() > until) return false
      await delay(POLL_MS)
    }
    return true
  }

  async overview(): Promise<z.infer<typeof overview>> {
    return overview.parse(await this.#get('overview'))
  }

  async power(): Promise<z.infer<typeof power>> {
    return power.parse(await this.#get('power'))
  }

  /** The paths with a measured loss, once there are so many of them. */
  async paths(atLeast: number): Promise<string[]> {
    const until = Date.now() + PATHS_WITHIN_MS
    let paths: string[] = []
    while (paths.length < atLeast && Date.now() < until) {
      await delay(POLL_MS)
      const read = await this.overview().catch(() => undefined)
      const measured = read?.paths.filter(({ lossRatio }) => lossRatio !== null) ?? []
      paths = [...new Set(measured.map(({ from, to }) => `${from} -> ${to}`))].sort()
    }
    return paths
  }

  /** What fires of a rule: on a busy machine others may rightly complain of its jitter. */
  async firing(rule: string): Promise<string[]> {
    const { alerts } = await this.overview()
    return alerts
      .filter((alert) => alert.rule === rule && alert.state === 'firing')
      .map(({ object }) => object)
  }

  async #get(view: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/api/v1/${view}`)
    return await response.json()
  }

  async exitCode(): Promise<number | null> {
    if (this.#process.exitCode === null) await once(this.#process, 'exit')
    return this.#process.exitCode
  }

  async interrupt(t: Test): Promise<void> {
    const descendants = await descendantsOf(this.#process.pid ?? 0)
    t.ok(descendants.length > 0, `${descendants.length} processes ran`)
    const begun = Date.now()
    this.#process.kill('SIGINT')
    t.equal(await this.exitCode(), 0)
    t.ok(Date.now() - begun < STOP_WITHIN_MS, `stopped in ${Date.now() - begun} ms`)
    const alive = descendants.filter((pid) => isAlive(pid))
    t.strictSame(alive, [], 'no process is left')
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

async function descendantsOf(ancestor: number): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    const parent = /^\d+ \(.*\) \S (\d+)/s.exec(stat)?.[1]
    if (parent !== undefined) parents.set(Number(entry), Number(parent))
  }
  const found = [ancestor]
  for (const pid of found)
    for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found.slice(1)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
