import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { listen } from '../support/listen.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SETTLE_MS = 25_000
const MEASURE_MS = 60_000
/** USER_HZ, which proc(5) counts CPU time in on every Linux there is. */
const TICKS_PER_S = 100
const MIB_PER_KIB = 1 / 1024
const TARGET_RSS_MIB = 80
const TARGET_CPU_RATIO = 0.01

const NUT_ANSWERS: Readonly<Record<string, string>> = {
  'LIST UPS': 'BEGIN LIST UPS\nUPS ups-1 "bench"\nEND LIST UPS\n',
  'LIST VAR ups-1':
    'BEGIN LIST VAR ups-1\nVAR ups-1 ups.status "OL"\nVAR ups-1 battery.charge "100"\nEND LIST VAR ups-1\n',
  LOGOUT: 'OK Goodbye\n',
}

/** Memory and CPU of a built agent that pings, reads the host and a UPS every 10 s, and pushes. */
export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  const collector = createHttpServer((request, response) => {
    request.resume().once('end', () => response.writeHead(204).end())
  })
  const nut = createNutServer()
  try {
    const main = await build(folder)
    const config = await writeConfig(folder, await listen(collector), await listen(nut))
    const agent = spawn(process.execPath, [main, 'run', '--config', config], { stdio: 'ignore' })
    const exited = once(agent, 'exit')
    const pid = agent.pid ?? 0
    await delay(SETTLE_MS)
    const before = await cpuTicks(pid)
    await delay(MEASURE_MS)
    const after = await cpuTicks(pid)
    const { rssMib, peakMib } = await memory(pid)
    agent.kill('SIGTERM')
    await exited
    const seconds = MEASURE_MS / 1000
    const own = (after.own - before.own) / TICKS_PER_S / seconds
    const children = (after.children - before.children) / TICKS_PER_S / seconds
    print('RSS', `${rssMib.toFixed(0)} MiB`, `at most ${TARGET_RSS_MIB}`)
    print('RSS, highest', `${peakMib.toFixed(0)} MiB`, '')
    print('CPU of one core', percent(own), `at most ${percent(TARGET_CPU_RATIO)}`)
    print('CPU of its children (ping)', percent(children), '')
  } finally {
    nut.close()
    collector.closeAllConnections()
    collector.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** As it is shipped: compiled, not through a loader. */
async function build(folder: string): Promise<string> {
  const out = join(folder, 'dist')
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const args = [
    '-p',
    join(ROOT, 'tsconfig.build.json'),
    '--outDir',
    out,
    '--noEmitOnError',
    'false',
  ]
  spawnSync(process.execPath, [tsc, ...args])
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'))
  return join(out, 'agent/main.js')
}

async function writeConfig(folder: string, port: number, nutPort: number): Promise<string> {
  const file = join(folder, 'agent.yaml')
  await writeFile(
    file,
    `agent: bench
site: bench
collectors: [{ url: 'http://127.0.0.1:${port}', token: bench }]
probes:
  - { probe: ping, targets: [127.0.0.1] }
  - { probe: host }
  - { probe: ups-nut, server: '127.0.0.1:${nutPort}' }
`,
  )
  return file
}

function createNutServer(): Server {
  return createServer((socket) => {
    socket.on('error', () => undefined)
    createInterface({ input: socket }).on('line', (line) => {
      socket.write(NUT_ANSWERS[line] ?? 'ERR UNKNOWN-COMMAND\n')
    })
  })
}

async function cpuTicks(pid: number): Promise<{ own: number; children: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // Behind the name in parentheses: utime, stime, cutime and cstime are fields 14 to 17 of proc(5).
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15)
  return { own: user + system, children: childUser + childSystem }
}

async function memory(pid: number): Promise<{ rssMib: number; peakMib: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1])
  return { rssMib: kib('VmRSS') * MIB_PER_KIB, peakMib: kib('VmHWM') * MIB_PER_KIB }
}

function print(what: string, value: string, target: string): void {
  console.log(`${what.padEnd(28)}${value.padStart(10)}   ${target}`)
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(2)} %`
}
