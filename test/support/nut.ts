import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from './listen.ts'

/** Debian's /usr/sbin/upsd is a wrapper that refuses without /etc/nut/nut.conf; the program itself is here. */
const FOLDER = ['/lib/nut', '/usr/lib/nut'].find((folder) => existsSync(`${folder}/upsd`))

/** Seconds without news from a driver after which upsd calls its data stale. */
const MAX_AGE_S = 3
const MS_PER_S = 1000
const CERTUTIL = '/usr/bin/certutil'
const IDENTITY = 'upsd-test'
const NSS_PASSWORD = 'of-the-database'

export interface Nut {
  readonly port: number
  /** With TLS: a file with its certificate, for who trusts it. */
  readonly ca: string
  /** Gives a unit other values; its driver takes them over within a second or two. */
  set(unit: string, values: Readonly<Record<string, string>>): Promise<void>
  /** Freezes the driver of a unit, thaws it, or ends it for good. */
  freeze(unit: string): void
  thaw(unit: string): void
  kill(unit: string): Promise<void>
  close(): Promise<void>
}

/**
 * Debian's upsd with one simulated UPS per entry, on a free port and in a folder of its own; undefined where it is not installed.
 * A unit without values has no driver. With TLS it has a certificate of its own making, for `localhost`.
 */
export async function startNut(
  units: Readonly<
    Record<
      string,
      {
        description: string
        values?: Readonly<Record<string, string>>
        /** Another driver than the simulation, and what it reads. */
        driver?: { name: string; port: string; settings: Readonly<Record<string, string | number>> }
      }
    >
  >,
  { tls = false }: { readonly tls?: boolean } = {},
): Promise<Nut | undefined> {
  if (tls && !existsSync(CERTUTIL)) return undefined
  const needed = Object.values(units).map(({ driver }) => driver?.name ?? 'dummy-ups')
  if (FOLDER === undefined || needed.some((name) => !existsSync(`${FOLDER}/${name}`))) {
    return undefined
  }
  const program = FOLDER
  const folder = await mkdtemp(join(tmpdir(), 'nut-'))
  const port = await freePort()
  const own = await userOfNut()
  const put = async (file: string, text: string): Promise<void> => {
    await writeFile(join(folder, file), text, { mode: 0o640 })
    if (own) await chown(join(folder, file), own.uid, own.gid)
  }
  await mkdir(join(folder, 'state'))
  for (const place of [folder, join(folder, 'state')]) {
    await chmod(place, 0o750)
    if (own) await chown(place, own.uid, own.gid)
  }
  const values = Object.entries(units).map(([unit, { values: initial }]) => ({ unit, initial }))
  for (const { unit, initial } of values) if (initial) await put(`${unit}.dev`, toText(initial))
  const nss = join(folder, 'nss')
  const certificate = join(folder, 'ca.pem')
  if (tls) await makeNssCertificate(nss, certificate, own)
  const secure = tls ? `CERTPATH ${nss}\nCERTIDENT "${IDENTITY}" "${NSS_PASSWORD}"\n` : ''
  await put('upsd.conf', `LISTEN 127.0.0.1 ${port}\nMAXAGE ${MAX_AGE_S}\n${secure}`)
  await put('upsd.users', '')
  await put(
    'ups.conf',
    `maxretry = 1\npollinterval = 1\n${Object.entries(units)
      .map(
        ([
          unit,
          {
            description,
            driver = {
              name: 'dummy-ups',
              port: `${folder}/${unit}.dev`,
              settings: { mode: 'dummy-once' },
            },
          },
        ]) =>
          `[${unit}]\ndriver = ${driver.name}\nport = ${driver.port}\n${settingsText(driver.settings)}desc = ${quoted(description)}\n`,
      )
      .join('')}`,
  )
  const environment = {
    ...process.env,
    NUT_CONFPATH: folder,
    NUT_STATEPATH: join(folder, 'state'),
    NUT_ALTPIDPATH: join(folder, 'state'),
  }
  const start = (name: string, ...args: readonly string[]): ChildProcess => {
    const command = [join(program, name), ...args]
    const asNut = own ? ['setpriv', '--reuid=nut', '--regid=nut', '--clear-groups'] : []
    const [first = '', ...rest] = [...asNut, ...command]
    return spawn(first, rest, { env: environment, stdio: 'ignore' })
  }
  let fileTimeS = Math.ceil(Date.now() / MS_PER_S)
  const drivers = new Map<string, ChildProcess>()
  const sockets: string[] = []
  for (const [unit, { values: initial, driver }] of Object.entries(units)) {
    if (initial === undefined && driver === undefined) continue
    const name = driver?.name ?? 'dummy-ups'
    drivers.set(unit, start(name, '-a', unit, '-D'))
    sockets.push(join(folder, 'state', `${name}-${unit}`))
  }
  while (!sockets.every((socket) => existsSync(socket))) await delay(50)
  const server = start('upsd', '-F')
  while (!(await answers(port))) await delay(50)
  return {
    port,
    ca: certificate,
    set: async (unit, changed) => {
      await put(`${unit}.dev`, toText(changed))
      // The driver reads a file again when its time is another, in whole seconds.
      fileTimeS++
      await utimes(join(folder, `${unit}.dev`), fileTimeS, fileTimeS)
    },
    freeze: (unit) => drivers.get(unit)?.kill('SIGSTOP'),
    thaw: (unit) => drivers.get(unit)?.kill('SIGCONT'),
    kill: async (unit) => {
      await end(drivers.get(unit))
    },
    close: async () => {
      await end(server)
      for (const driver of drivers.values()) await end(driver)
      await rm(folder, { recursive: true })
    },
  }
}

function settingsText(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

/** Debian's upsd is built with NSS: its certificate lies in a database with a password. */
async function makeNssCertificate(
  folder: string,
  file: string,
  own: { uid: number; gid: number } | undefined,
): Promise<void> {
  await mkdir(folder)
  const [password, noise] = [join(folder, 'password'), join(folder, 'noise')]
  await writeFile(password, `${NSS_PASSWORD}\n`)
  await writeFile(noise, randomBytes(64))
  const certutil = (...args: readonly string[]): string =>
    execFileSync(CERTUTIL, ['-d', folder, '-f', password, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  certutil('-N')
  const subject = ['-n', IDENTITY, '-s', 'CN=localhost', '-x', '-t', 'C,C,C', '-v', '24']
  certutil('-S', ...subject, '-z', noise, '-m', '7', '-k', 'rsa', '-g', '2048', '-8', 'localhost')
  await writeFile(file, certutil('-L', '-n', IDENTITY, '-a'))
  for (const name of ['', ...(await readdir(folder))])
    if (own) await chown(join(folder, name), own.uid, own.gid)
}

function toText(values: Readonly<Record<string, string>>): string {
  return `${Object.entries(values)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')}\n`
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** NUT gives up root for this user by itself, and then cannot read what root made; so we start it as that user. */
async function userOfNut(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const id = (option: string): number =>
    Number(execFileSync('id', [option, 'nut'], { encoding: 'utf8' }))
  return Promise.resolve({ uid: id('-u'), gid: id('-g') })
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGCONT')
  child.kill('SIGKILL')
  await exited
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
