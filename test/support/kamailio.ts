import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { CertificateFiles } from './certificate.ts'
import { listen } from './listen.ts'

const PROGRAM = '/usr/sbin/kamailio'
/** Debian puts them beside the other libraries of the architecture. */
const MODULES = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/kamailio/modules`)
  .find((folder) => existsSync(folder))
const CONTROL = 'kamcmd'
const START_LIMIT_MS = 15_000

export const REALM = 'kiestoon.example'

export interface Kamailio {
  /** UDP and TCP. */
  readonly port: number
  readonly tlsPort: number
  /** Adds an account, or gives it another password. */
  setAccount(user: string, password: string): Promise<void>
  deleteAccount(user: string): Promise<void>
  /** Contacts registered for a user. */
  contacts(user: string): Promise<readonly string[]>
  /** Frozen, it takes packets and says nothing. */
  freeze(): void
  thaw(): void
  readonly close: () => Promise<void>
}

export interface KamailioOptions {
  readonly accounts: Readonly<Record<string, string>>
  /** Enables TLS. */
  readonly tls?: CertificateFiles
  readonly algorithm?: 'MD5' | 'SHA-256'
  /** Seconds for which a nonce is good. */
  readonly nonceExpireS?: number
  readonly children?: number
  /** Calls are challenged too (407). */
  readonly authenticatesCalls?: boolean
}

/** Debian's kamailio as registrar and proxy on loopback, with digest authentication and no database; undefined where it is missing. */
export async function startKamailio(options: KamailioOptions): Promise<Kamailio | undefined> {
  if (!existsSync(PROGRAM) || MODULES === undefined) return undefined
  if (options.tls !== undefined && !existsSync(join(MODULES, 'tls.so'))) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'kamailio-'))
  const [port, tlsPort] = [await freePort(), await freePort()]
  const control = `unix:${folder}/ctl`
  const file = join(folder, 'kamailio.cfg')
  await writeFile(file, configuration(folder, MODULES, port, tlsPort, options))
  // A process group of its own: it can be frozen as a whole.
  const args = ['-DD', '-E', '-f', file, '-Y', folder, '-w', folder, '-m', '64', '-M', '8']
  const server = spawn(PROGRAM, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  server.stderr.on('data', (text: Buffer) => {
    complaints = (complaints + text.toString()).slice(-4000)
  })
  const exited = once(server, 'exit')
  const signal = (name: NodeJS.Signals): void => {
    if (server.pid === undefined || server.exitCode !== null) return
    process.kill(-server.pid, name)
  }
  const command = async (...words: readonly string[]): Promise<string> =>
    (await promisify(execFile)(CONTROL, ['-s', control, ...words])).stdout
  const setAccount = async (user: string, password: string): Promise<void> => {
    await command('htable.sets', 'users', `s:${user}`, `s:${password}`)
  }
  const close = async (): Promise<void> => {
    signal('SIGCONT')
    signal('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  const deadline = Date.now() + START_LIMIT_MS
  while (!(await answers(port)) || !existsSync(join(folder, 'ctl'))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      await close()
      throw new Error(`kamailio does not start: ${complaints}`)
    }
    await delay(50)
  }
  return {
    port,
    tlsPort,
    setAccount,
    deleteAccount: async (user) => {
      await command('htable.delete', 'users', `s:${user}`)
    },
    contacts: async (user) => {
      const dump = await command('ul.lookup', 'location', `s:${user}`).catch(() => '')
      return [...dump.matchAll(/Address: (\S+)/g)].flatMap(([, address]) => address ?? [])
    },
    freeze: () => {
      signal('SIGSTOP')
    },
    thaw: () => {
      signal('SIGCONT')
    },
    close,
  }
}

function configuration(
  folder: string,
  moduleFolder: string,
  port: number,
  tlsPort: number,
  {
    accounts,
    tls,
    algorithm = 'MD5',
    nonceExpireS = 300,
    children = 1,
    authenticatesCalls = false,
  }: KamailioOptions,
): string {
  const modules = ['ctl', 'sl', 'tm', 'rr', 'pv', 'textops', 'siputils', 'maxfwd', 'htable']
  const loaded = [...modules, 'usrloc', 'registrar', 'auth', 'kex']
  const users = Object.entries(accounts)
  return `#!KAMAILIO
debug=0
log_stderror=yes
memdbg=5
memlog=5
children=${children}
tcp_children=1
auto_aliases=no
alias="${REALM}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${tls === undefined ? '' : `enable_tls=yes\nlisten=tls:127.0.0.1:${tlsPort}`}
mpath="${moduleFolder}/"
${[...(tls === undefined ? [] : ['tls']), ...loaded].map((name) => `loadmodule "${name}.so"`).join('\n')}
${
  tls === undefined
    ? ''
    : `modparam("tls", "private_key", "${tls.key}")
modparam("tls", "certificate", "${tls.cert}")
modparam("tls", "tls_method", "TLSv1.2+")`
}
modparam("ctl", "binrpc", "unix:${folder}/ctl")
modparam("htable", "htable", "users=>size=12;")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "default_expires", 3600)
modparam("registrar", "min_expires", 60)
modparam("auth", "nonce_expire", ${nonceExpireS})
modparam("auth", "algorithm", "${algorithm}")

request_route {
  if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS") && uri == myself && $rU == $null) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if ($tU == "barred") { sl_send_reply("403", "Barred"); exit; }
    if ($sht(users=>$au) == $null || !pv_www_authenticate("${REALM}", "$sht(users=>$au)", "0")) {
      www_challenge("${REALM}", "1");
      exit;
    }
    consume_credentials();
    if (!save("location")) sl_reply_error();
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { if (loose_route()) t_relay(); exit; }
  ${
    authenticatesCalls
      ? `if ($sht(users=>$au) == $null || !pv_proxy_authenticate("${REALM}", "$sht(users=>$au)", "0")) { proxy_challenge("${REALM}", "1"); exit; }
  consume_credentials();`
      : ''
  }
  if (is_method("INVITE")) record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}

event_route[htable:mod-init] {
${users.map(([user, password]) => `  $sht(users=>${user}) = "${password}";`).join('\n')}
}
`
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
