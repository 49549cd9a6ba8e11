import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import tap, { test } from 'tap'
import { z } from 'zod'

/** The units of systemd that the repository ships. */

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const UNITS = ['agent', 'collector'] as const
/** systemd-analyze(1), "security": 0 is no exposure, 10 is all; below 3 it calls OK. */
const MOST_EXPOSURE = '25'
const NOBODY = '65534'
const run = promisify(execFile)
const failure = z.object({
  code: z.union([z.number(), z.string()]),
  stdout: z.string().default(''),
  stderr: z.string().default(''),
})

tap.setTimeout(60_000)

type Unit = (typeof UNITS)[number]

function fileOf(unit: Unit): string {
  return join(ROOT, unit, `kiestoon-${unit}.service`)
}

/** Every setting with all it is set to, in order. */
async function settingsOf(unit: Unit): Promise<ReadonlyMap<string, readonly string[]>> {
  const settings = new Map<string, string[]>()
  for (const line of (await readFile(fileOf(unit), 'utf8')).split('\n')) {
    const [, name = '', value = ''] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? []
    if (name !== '') settings.set(name, [...(settings.get(name) ?? []), value])
  }
  return settings
}

interface Outcome {
  readonly isThere: boolean
  readonly code: number
  readonly output: string
}

async function analyze(...args: readonly string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run('systemd-analyze', args)
    return { isThere: true, code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = failure.parse(error)
    return { isThere: code !== 'ENOENT', code: Number(code), output: stdout + stderr }
  }
}

test('units run for years, as nobody, with the least they need, and end before the network does', async (t) => {
  for (const unit of UNITS) {
    const settings = await settingsOf(unit)
    const [after = ''] = settings.get('After') ?? []
    for (const target of ['network.target', 'network-online.target'])
      t.ok(after.split(' ').includes(target), `${unit} stops before ${target} is gone`)
    t.same(settings.get('Wants'), ['network-online.target'], unit)
    t.match(Object.fromEntries(settings), {
      DynamicUser: ['yes'],
      User: [`kiestoon-${unit}`],
      StateDirectory: [`kiestoon-${unit}`],
      Restart: ['always'],
      StartLimitIntervalSec: ['0'],
      NoNewPrivileges: ['yes'],
      ProtectSystem: ['strict'],
      WantedBy: ['multi-user.target'],
      CapabilityBoundingSet: [unit === 'agent' ? 'CAP_NET_RAW' : ''],
      MemoryMax: [/^\d+M$/],
      ExecStart: [`kiestoon-${unit} run --config /etc/kiestoon/${unit}.yaml`],
    })
    // Each closes within five seconds, or exits by itself.
    t.ok(Number(/^(\d+)s$/.exec(settings.get('TimeoutStopSec')?.[0] ?? '')?.[1]) > 5)
  }
  const agent = await settingsOf('agent')
  t.same(agent.get('AmbientCapabilities'), ['CAP_NET_RAW'])
  t.same(agent.get('LoadCredential'), ['token:/etc/kiestoon/token'])
  t.same(agent.get('KillMode'), ['mixed'], 'tcpdump is not ended before the agent')
  t.same((await settingsOf('collector')).get('AmbientCapabilities'), undefined)
})

test('systemd finds nothing wrong with the units, and little exposed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'units-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  for (const unit of UNITS) {
    const copy = join(folder, `kiestoon-${unit}.service`)
    // It wants to find the program, and npm has not put it on the path here.
    const text = await readFile(fileOf(unit), 'utf8')
    await writeFile(
      copy,
      text.replace(`ExecStart=kiestoon-${unit}`, `ExecStart=${process.execPath}`),
    )
    const { isThere, code, output } = await analyze('verify', copy)
    if (!isThere) {
      t.pass('systemd', { skip: 'systemd-analyze is missing: apt-get install systemd' })
      return
    }
    t.same([code, output], [0, ''], `${unit} is as systemd wants it`)
    await writeFile(copy, `${text}\nRestrat=always\n`)
    t.match((await analyze('verify', copy)).output, /Restrat/, 'it would say so')
    await writeFile(copy, text)
    const exposed = await analyze('security', '--offline=yes', `--threshold=${MOST_EXPOSURE}`, copy)
    t.equal(exposed.code, 0, exposed.output.split('\n').findLast((line) => line !== '') ?? unit)
  }
})

test('the rights of the unit are enough to capture, and no more than that', async (t) => {
  if (process.getuid?.() !== 0) {
    t.pass('rights', { skip: 'only root can give them away' })
    return
  }
  const [capability = ''] = (await settingsOf('agent')).get('AmbientCapabilities') ?? []
  const name = capability.replace('CAP_', '').toLowerCase()
  const captures = async (rights: string): Promise<boolean> => {
    const sets = ['--inh-caps', '--ambient-caps', '--bounding-set'].map(
      (set) => `${set}=-all${rights}`,
    )
    const drop = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs']
    const child = spawn(
      'setpriv',
      [...drop, ...sets, 'tcpdump', '-i', 'lo', '-n', '-w', '/dev/null'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('listening on')) child.kill('SIGTERM')
    })
    // A program that is missing captures nothing either.
    await once(child, 'close').catch(() => undefined)
    return said.includes('listening on')
  }
  if (!(await captures(`,+${name}`)) && !(await captures(',+net_raw'))) {
    t.pass('rights', {
      skip: 'tcpdump or setpriv is missing, or nobody may capture here: apt-get install tcpdump',
    })
    return
  }
  t.ok(await captures(`,+${name}`))
  t.notOk(await captures(''), 'without them it cannot')
})
