import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = '/usr/sbin/snmpd'
const MIB_SERVER = fileURLToPath(new URL('mib-server.js', import.meta.url))

/** Type as snmpd's pass_persist names it, and value. */
export type MibValue = readonly [
  type:
    | 'integer'
    | 'gauge'
    | 'counter'
    | 'counter64'
    | 'timeticks'
    | 'string'
    | 'octet'
    | 'objectid'
    | 'ipaddress',
  value: number | string,
]

/** What a device holds, by object identifier without a leading dot. */
export type MibValues = Readonly<Record<string, MibValue>>

/** Users of SNMPv3, each to be used at its level in `LEVELS` or above. */
const SNMP_USERS = {
  'md5-des': 'createUser md5-des MD5 "authpass-md5" DES "privpass-des"',
  'sha-aes': 'createUser sha-aes SHA "authpass-sha" AES "privpass-aes"',
  'sha256-aes': 'createUser sha256-aes SHA-256 "authpass-256" AES "privpass-aes"',
  'sha512-aes256': 'createUser sha512-aes256 SHA-512 "authpass-512" AES-256 "privpass-aes256"',
  'sha-only': 'createUser sha-only SHA "authpass-only"',
  nobody: 'createUser nobody',
} as const

const LEVELS: Readonly<Record<keyof typeof SNMP_USERS, string>> = {
  'md5-des': 'priv',
  'sha-aes': 'priv',
  'sha256-aes': 'priv',
  'sha512-aes256': 'priv',
  'sha-only': 'auth',
  nobody: 'noauth',
}

export interface SnmpdOptions {
  readonly community?: string
  readonly sysObjectId?: string
  readonly sysDescr?: string
}

export interface Snmpd {
  /** UDP, on 127.0.0.1. */
  readonly port: number
  /** Gives the device other values; they hold from the next request on. */
  set(values: MibValues): Promise<void>
  /** Frozen, it takes requests and says nothing. */
  freeze(): void
  thaw(): void
  /** Somebody tried to write. */
  wasWritten(): boolean
  close(): Promise<void>
}

/**
 * Debian's snmpd on a free port of loopback, v1, v2c and v3 (`SNMP_USERS`), serving the values given; undefined where it is not
 * installed. It would let everybody write, so that `wasWritten` can tell that nobody tried. What is served later must lie in the
 * subtrees of what is served first, by their first seven numbers: 1.3.6.1.2.1.33, 1.3.6.1.4.1.318.
 */
export async function startSnmpd(
  values: MibValues,
  { community = 'public', sysObjectId, sysDescr = 'test device' }: SnmpdOptions = {},
): Promise<Snmpd | undefined> {
  if (!existsSync(PROGRAM)) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'snmpd-'))
  await mkdir(join(folder, 'none'))
  const port = await freePort()
  const scene = join(folder, 'scene.json')
  // The server tells scenes apart by the time of the file.
  let fileTimeS = 1
  const set = async (changed: MibValues): Promise<void> => {
    await writeFile(`${scene}.new`, JSON.stringify(changed))
    await utimes(`${scene}.new`, fileTimeS, fileTimeS)
    fileTimeS++
    await rename(`${scene}.new`, scene)
  }
  await set(values)
  const roots = new Set(Object.keys(values).map((oid) => oid.split('.').slice(0, 7).join('.')))
  await writeFile(
    join(folder, 'snmpd.conf'),
    [
      `agentaddress udp:127.0.0.1:${port}`,
      `rwcommunity ${community} 127.0.0.1`,
      ...Object.values(SNMP_USERS),
      ...Object.entries(LEVELS).map(([user, level]) => `rwuser ${user} ${level}`),
      `sysDescr ${sysDescr}`,
      ...(sysObjectId === undefined ? [] : [`sysObjectID .${sysObjectId}`]),
      ...[...roots].map(
        (root) => `pass_persist .${root} ${process.execPath} ${MIB_SERVER} ${scene}`,
      ),
      '',
    ].join('\n'),
    { mode: 0o600 },
  )
  const server = spawn(
    PROGRAM,
    ['-f', '-Lo', '-I', '-ifTable,ifXTable', '-C', '-c', join(folder, 'snmpd.conf')],
    {
      env: {
        PATH: process.env['PATH'],
        MIBS: '',
        SNMPCONFPATH: join(folder, 'none'),
        SNMP_PERSISTENT_DIR: folder,
        SNMP_PERSISTENT_FILE: join(folder, 'persistent.conf'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const exited = once(server, 'exit')
  const close = async (): Promise<void> => {
    if (!existsSync(folder)) return
    server.kill('SIGCONT')
    server.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true })
  }
  let said = ''
  const isReady = await new Promise<boolean>((resolve) => {
    const listen = (chunk: Buffer): void => {
      said += chunk.toString()
      // Said once its port is open.
      if (said.includes('NET-SNMP version')) resolve(true)
    }
    server.stdout.on('data', listen)
    server.stderr.on('data', listen)
    server.once('exit', () => {
      resolve(false)
    })
  })
  if (!isReady) {
    await rm(folder, { recursive: true })
    throw new Error(`snmpd does not start: ${said}`)
  }
  return {
    port,
    set,
    freeze: () => server.kill('SIGSTOP'),
    thaw: () => server.kill('SIGCONT'),
    wasWritten: () => existsSync(`${scene}.sets`),
    close,
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
