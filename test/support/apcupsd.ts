import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
// eslint-disable-next-line no-restricted-syntax -- JavaScript: it runs before anything can compile
import { UNPACKED_FOLDER } from './components.js'
import { listen } from './listen.ts'

const PROGRAM = join(UNPACKED_FOLDER, 'sbin/apcupsd')
/** Where Debian's packages have their libraries, for the architectures it builds. */
const LIBRARIES = ['x86_64', 'aarch64', 'arm', 'i386', 'riscv64'].flatMap((machine) =>
  ['lib', 'usr/lib'].map((folder) =>
    join(UNPACKED_FOLDER, folder, `${machine}-linux-gnu${machine === 'arm' ? 'eabihf' : ''}`),
  ),
)
const POLL_S = 2

export interface Apcupsd {
  /** TCP, on 127.0.0.1. */
  readonly port: number
  /** How often it looks at the UPS. */
  readonly pollS: number
  /** What it would have done: `powerout`, `onbattery`, `doshutdown` ... */
  decisions(): Promise<readonly string[]>
  kill(): Promise<void>
  close(): Promise<void>
}

/**
 * Debian's apcupsd, unpacked and not installed, reading a UPS by SNMP (UPS-MIB) at a port of loopback and serving NIS on a free one;
 * undefined where it is not there. In place of the script that shuts the machine down it gets one that only notes what it was told.
 */
export async function startApcupsd(snmpPort: number): Promise<Apcupsd | undefined> {
  if (!existsSync(PROGRAM)) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'apcupsd-'))
  const port = await freePort()
  const decided = join(folder, 'decided')
  for (const name of ['lock', 'power', 'scripts']) await mkdir(join(folder, name))
  await writeFile(decided, '')
  await writeFile(join(folder, 'events'), '')
  await writeFile(
    join(folder, 'scripts/apccontrol'),
    `#!/bin/sh\necho "$1" >> ${decided}\nexit 0\n`,
  )
  await chmod(join(folder, 'scripts/apccontrol'), 0o755)
  await writeFile(
    join(folder, 'apcupsd.conf'),
    `## apcupsd.conf v1.1 ##
UPSNAME test
UPSCABLE ether
UPSTYPE snmp
DEVICE 127.0.0.1:${snmpPort}:RFC_NOTRAP:public
POLLTIME ${POLL_S}
LOCKFILE ${folder}/lock
SCRIPTDIR ${folder}/scripts
PWRFAILDIR ${folder}/power
NOLOGINDIR ${folder}/power
ONBATTERYDELAY 2
BATTERYLEVEL -1
MINUTES -1
TIMEOUT 0
ANNOY 0
NOLOGON disable
KILLDELAY 0
NETSERVER on
NISIP 127.0.0.1
NISPORT ${port}
EVENTSFILE ${folder}/events
UPSCLASS standalone
UPSMODE disable
STATTIME 0
LOGSTATS off
DATATIME 0
`,
  )
  const child = spawn(PROGRAM, ['-b', '-P', `${folder}/pid`, '-f', `${folder}/apcupsd.conf`], {
    env: { ...process.env, LD_LIBRARY_PATH: LIBRARIES.join(':') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exited = once(child, 'exit')
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`apcupsd does not start: ${said}`)
    await delay(50)
  }
  return {
    port,
    pollS: POLL_S,
    decisions: async () => (await readFile(decided, 'utf8')).split('\n').filter(Boolean),
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    close: async () => {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}
