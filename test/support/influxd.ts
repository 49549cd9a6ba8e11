import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from './listen.ts'

const PROGRAM = '/usr/bin/influxd'
const START_ATTEMPTS = 3

/** Why there can be no influxd here, or undefined. */
export const influxdMissing = existsSync(PROGRAM)
  ? undefined
  : 'influxd is missing: apt-get install influxdb'

export interface Influxd {
  readonly port: number
  readonly url: string
  /** Ends it as a crash would; its data stay. */
  readonly kill: () => Promise<void>
  /** Ends it as its administrator would; its data stay. */
  readonly stop: () => Promise<void>
  /** Starts it again on the same port with the same data. */
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Debian's influxd on a free port, with a data folder of its own. `http` = more lines of its [http] section. */
export async function startInfluxd(http = ''): Promise<Influxd> {
  const folder = await mkdtemp(join(tmpdir(), 'influxd-'))
  const config = join(folder, 'influxdb.conf')
  let port = 0
  let server: ChildProcess | undefined
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const running = server
    server = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const exited = once(running, 'exit')
    running.kill(signal)
    await exited
  }
  const start = async (): Promise<void> => {
    await end('SIGKILL')
    server = spawn(PROGRAM, ['-config', config], { stdio: 'ignore' })
    const { pid } = server
    // Not left behind when the tests crash.
    const killed = (): void => {
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    }
    process.once('exit', killed)
    server.once('exit', () => process.off('exit', killed))
    while (!(await answers(port))) {
      if (server.exitCode !== null) throw new Error(`influxd ended with ${server.exitCode}`)
      await delay(50)
    }
  }
  for (let attempt = 1; ; attempt++) {
    const [httpPort, rpcPort] = await Promise.all([freePort(), freePort()])
    port = httpPort
    await writeFile(config, configuration(folder, httpPort, rpcPort, http))
    try {
      await start()
      break
    } catch (error) {
      // Somebody else took the port meanwhile.
      if (attempt === START_ATTEMPTS) throw error
    }
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start,
    close: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true })
    },
  }
}

function configuration(folder: string, port: number, rpcPort: number, http: string): string {
  return `reporting-disabled = true
bind-address = "127.0.0.1:${rpcPort}"
[meta]
dir = "${folder}/meta"
[data]
dir = "${folder}/data"
wal-dir = "${folder}/wal"
[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
${http}
[monitor]
store-enabled = false
`
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ping`)).status === 204
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}
