import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { readAgentConfig } from '../../agent/config.ts'
import { PROBES } from '../../agent/probes/index.ts'
import { Spool } from '../../common/spool.ts'
import { version } from '../../common/version.ts'
import { listen } from '../support/listen.ts'
import { always, ScriptedCollector, until } from '../support/scripted-collector.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TYPESCRIPT = ['--import', join(ROOT, 'test/support/typescript.js')]
const MAIN = join(ROOT, 'agent/main.ts')
const SERVICE = new URL('../../common/service.ts', import.meta.url).href
const LOG = new URL('../../common/log.ts', import.meta.url).href

tap.setTimeout(90_000)

test('help shows every command with what it does, and each command an example', async (t) => {
  const help = await agent('--help')
  t.equal(help.code, 0)
  for (const command of ['run', 'once', 'check-config']) {
    t.match(help.stdout, new RegExp(`\\n  ${command} `))
    const own = await agent(command, '--help')
    t.equal(own.code, 0)
    t.match(own.stdout, new RegExp(`Example:\\n  kiestoon-agent ${command} `))
  }
  t.same(await agent('--version'), { code: 0, stdout: `${version}\n`, stderr: '' })
})

test('a command line that cannot be meant is answered with what was, and code 2', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Usage: kiestoon-agent/],
    [['onc'], /unknown command 'onc'\n\(Did you mean once\?\)/],
    [['run', '--confg', 'x'], /unknown option '--confg'\n\(Did you mean --config\?\)/],
    [['run'], /required option '-c, --config <file>' not specified/],
    [['once', '--interval', 'long'], /Expected a duration such as 2s or 500ms/],
    [['once', '--probe', 'pin'], /there is no probe "pin"; did you mean "ping"\?/],
    [['once', '--probe', 'rtp-test'], /rtp-test needs a configuration/],
    [['run', '--config', '/nowhere/agent.yaml'], /cannot read \/nowhere\/agent\.yaml: ENOENT/],
  ]
  const results = await Promise.all(cases.map(([args]) => agent(...args)))
  for (const [index, { code, stdout, stderr }] of results.entries()) {
    const [args, complaint] = cases[index] ?? [[], /never/]
    t.equal(code, 2, args.join(' '))
    t.match(stderr, complaint)
    t.equal(stdout, '')
  }
})

test('everything wrong with a configuration is said at once, with line and column, and code 2', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'agent.yaml')
  await writeFile(
    file,
    `agent: gw 1
site: hq
intervall: 10s
collectors:
  - url: collector:8420
    token: { file: missing }
    cert: missing.pem
probes:
  - probe: pimg
  - probe: ping
    interval: 5
    targets: [--flood]
  - probe: host
    name: same
  - probe: host
    name: same
  - targets: [a]
  - probe: host
    netwerk-folder: /sys
`,
  )
  const { code, stdout, stderr } = await agent('check-config', '--config', file)
  t.equal(code, 2)
  t.equal(stdout, '')
  const complaints = stderr.trim().split('\n')
  for (const [place, complaint] of [
    ['1:8', 'agent: expected a name of letters'],
    ['5:10', 'collectors.0.url: expected an address such as https://'],
    ['6:12', `collectors.0.token: cannot read the secret`],
    ['7:11', 'collectors.0.cert: cannot read it'],
    ['9:12', 'probes.0.probe: there is no probe "pimg"; did you mean "ping"?'],
    ['11:15', 'probes.1.interval: expected a duration such as 10s'],
    ['12:15', 'probes.1.targets.0: expected a host name or an address'],
    ['16:11', 'probes.3.name: two probes are named "same"'],
    ['19:21', 'probes.5.netwerk-folder: host has no such option; did you mean "network-folder"?'],
    ['17:5', 'probes.4.probe: missing, expected a probe: one of '],
  ] as const) {
    t.ok(
      complaints.some((line) => line.startsWith(`${file}:${place}: ${complaint}`)),
      complaint,
    )
  }
  t.match(stderr, 'unknown key "intervall", did you mean "interval"?')
  t.match(stderr, join(folder, 'missing'), 'file names count from the folder of the file')
})

test('a good configuration is read with defaults, units and labels, and only the probes it names', async (t) => {
  const config = await readAgentConfig(
    `agent: gw-1
site: hq
collectors: [{ url: 'https://c.example.org', token: abc }]
probes:
  - { probe: host, interval: 1min }
  - { probe: ping, targets: [a] }
  - { probe: ping, targets: [b] }
  - { probe: ping, targets: [c], name: carrier }
  - { probe: ups-nut }
  - { probe: ups-nut, interval: 20s }
`,
    '/etc/kiestoon/agent.yaml',
  )
  t.match(config, {
    agent: 'gw-1',
    site: 'hq',
    intervalMs: 10_000,
    logLevel: 'info',
    spool: { folder: '/etc/kiestoon/spool', maxBytes: 67_108_864 },
    collectors: [{ url: 'https://c.example.org' }],
  })
  t.notMatch(JSON.stringify(config), 'abc', 'a token is never shown')
  t.same(
    config.probes.map(({ label, intervalMs, isPower }) => [label, intervalMs, isPower]),
    [
      ['host', 60_000, true],
      ['ping', 10_000, false],
      ['ping-2', 10_000, false],
      ['carrier', 10_000, false],
      ['ups-nut', 5000, true],
      ['ups-nut-2', 20_000, true],
    ],
  )
  const often = 'agent: a\nsite: b\ninterval: 1s\nprobes: [{ probe: ups-nut }]\n'
  t.match((await readAgentConfig(often, 'x.yaml')).probes, [{ intervalMs: 1000 }])
  await t.rejects(readAgentConfig('a: [', 'x.yaml'), {
    code: 'config',
    message: /^x\.yaml:1:\d+: /,
  })
  await t.rejects(readAgentConfig('agent: a\nsite: b\nprobes: []\n', 'x.yaml'), {
    message: /probes: expected at least one probe/,
  })
  for (const text of ['', 'agent: a\nsite: b\n', 'probes:\n'])
    await t.rejects(readAgentConfig(text, 'x.yaml'), {
      message: /^x\.yaml:1:\d: probes: .*expected a list of probes, such as "- probe: host"$/m,
    })
})

test('the example is a good configuration with every probe in it', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'agent.yaml')
  await copyFile(join(ROOT, 'agent/agent.example.yaml'), file)
  await writeFile(join(folder, 'agent.token'), 'token\n')
  await writeFile(join(folder, 'reception.secret'), 'of the account\n')
  await writeFile(join(folder, 'rtp-test.key'), 'a key both ends know\n')
  await writeFile(join(folder, 'snmp.community'), 'public\n')
  const { code, stdout, stderr } = await agent('check-config', '--config', file)
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(stdout, `ok: agent gw-1 at site hq, ${Object.keys(PROBES).length} probes (`)
  t.match(stdout, 'pushes to https://collector.example.org:8420, https://standby.example.org:8420')
  const example = await readFile(file, 'utf8')
  for (const name of Object.keys(PROBES)) t.match(example, `\n  - probe: ${name}\n`)
})

test('run without a collector is a mistake, once without one is not', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'agent.yaml')
  await writeFile(file, 'agent: gw-1\nsite: hq\nprobes: [{ probe: host }]\n')
  const [run, check, once] = await Promise.all([
    agent('run', '--config', file),
    agent('check-config', '--config', file),
    agent('once', '--config', file, '--interval', '100ms', '--json'),
  ])
  t.match(run, { code: 2, stdout: '', stderr: `${file}: collectors: expected at least one` })
  t.match(check, { code: 0, stdout: /1 probe \(host\), no collector: enough for "once"/ })
  t.equal(once.code, 0)
  const points = z.array(z.object({ name: z.string() })).parse(JSON.parse(once.stdout))
  t.ok(points.some(({ name }) => name === 'host'))
})

test('once prints tables with units; a probe that fails is named on stderr, with code 1', async (t) => {
  const port = await freePort()
  const folder = await temporaryFolder(t)
  const file = join(folder, 'agent.yaml')
  const probes = `[{ probe: host }, { probe: ups-nut, server: '127.0.0.1:${port}' }]`
  await writeFile(file, `agent: gw-1\nsite: hq\nprobes: ${probes}\n`)
  const both = await agent('once', '--config', file, '--interval', '100ms')
  t.equal(both.code, 1)
  t.match(both.stdout, /^host: the machine the agent runs on/)
  t.match(both.stdout, /\n {2}uptime_s +s +\d+/)
  t.match(both.stderr, /^ups-nut: .*ECONNREFUSED/)
  const one = await agent('once', '--config', file, '--interval', '100ms', '--probe', 'host')
  t.match(one, { code: 0, stderr: '' })
  const none = await agent('once', '--config', file, '--probe', 'hosts')
  t.match(none, { code: 2, stderr: 'has no probe "hosts"; it has host, ups-nut' })
})

test('what was spooled when the agent was killed arrives after a restart, first, in order, under the same ids', async (t) => {
  const folder = await temporaryFolder(t)
  const port = await freePort()
  const file = await writeRunConfig(folder, port)
  const killed = start(t, file)
  const spoolFolder = join(folder, 'spool')
  await until(() => killed.log().length >= 2, 'the agent to notice that nobody is there')
  const sizes = new Set<number>()
  await until(() => sizes.add(sizeOf(spoolFolder)).size > 6, 'six records in the spool')
  killed.child.kill('SIGKILL')
  await once(killed.child, 'exit')
  const left = await readSpool(t, spoolFolder)
  t.ok(left.length >= 5, `${left.length} records were spooled`)
  const collector = await ScriptedCollector.start(
    (response, _, n) => response.writeHead(n % 3 === 0 ? 503 : 204).end(),
    { port },
  )
  t.teardown(() => collector.close())
  const restarted = start(t, file)
  await until(
    () => new Set(collector.ids).size > left.length + 1,
    'what was left and something new',
  )
  restarted.child.kill('SIGTERM')
  await once(restarted.child, 'exit')
  t.equal(restarted.child.exitCode, 0)
  const arrived = [...new Map(collector.pushes.map(({ id, text }) => [id, text]))]
  t.same(arrived.slice(0, left.length), left)
  const ids = collector.ids.filter((id) => !id.startsWith('farewell-'))
  const order = ids.filter((id, index) => ids.indexOf(id) === index)
  const repeats = ids.filter((id, index) => id === ids[index - 1])
  t.ok(repeats.length > 0, 'a refused push came again')
  t.same(
    ids.filter((id, index) => id !== ids[index - 1]),
    order,
    'and no record after one that came later',
  )
})

test('run is silent on stdout, ends on a signal within 5 s with code 0, and pushes what it has before it goes', async (t) => {
  const folder = await temporaryFolder(t)
  const collector = await ScriptedCollector.start(always(204))
  t.teardown(() => collector.close())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { child, log, stdout } = start(t, await writeRunConfig(folder, collector.port))
    const before = collector.pushes.length
    await collector.received(before + 3)
    child.kill(signal)
    await once(child, 'exit')
    t.equal(child.exitCode, 0, signal)
    t.equal(await stdout, '')
    t.ok(log().length >= 2)
    t.same(await readSpool(t, join(folder, 'spool')), [])
  }
  collector.script = () => undefined
  const { child, log } = start(t, await writeRunConfig(folder, collector.port))
  const before = collector.pushes.length
  await collector.received(before + 1)
  const askedMs = performance.now()
  child.kill('SIGTERM')
  await once(child, 'exit')
  t.equal(child.exitCode, 0, 'a collector that hangs')
  t.ok(performance.now() - askedMs < 5000)
  t.ok((await readSpool(t, join(folder, 'spool'))).length > 0, 'what it did not take is kept')
  t.ok(log().every((line) => JSON.parse(line) !== undefined))
})

test('a second agent on the same spool is refused with code 1', async (t) => {
  const folder = await temporaryFolder(t)
  const collector = await ScriptedCollector.start(always(204))
  t.teardown(() => collector.close())
  const file = await writeRunConfig(folder, collector.port)
  const { child } = start(t, file)
  await collector.received(1)
  const second = await agent('run', '--config', file)
  t.equal(second.code, 1)
  t.match(second.stderr, /spool/)
  child.kill('SIGTERM')
  await once(child, 'exit')
})

test('a service closes once and ends with 0 after a signal; after an error nobody caught, or stuck, with 1', async (t) => {
  const clean = await service(
    `start: async () => { setTimeout(() => process.kill(process.pid, 'SIGTERM')); return { close: async () => console.log('closed') } }`,
  )
  t.match(clean, { code: 0, stdout: 'closed\n' })
  const rejected = await service(
    `start: async () => { setTimeout(() => { void Promise.reject(new Error('forgotten')) }); return { close: async () => console.log('closed') } }`,
  )
  t.match(rejected, { code: 1, stdout: 'closed\n', stderr: /an error nobody caught/ })
  t.match(rejected.stderr, /forgotten/)
  const thrown = await service(
    `start: async () => { setTimeout(() => { throw new Error('thrown') }); return { close: async () => console.log('closed') } }`,
  )
  t.match(thrown, { code: 1, stdout: 'closed\n', stderr: /thrown/ })
  const refused = await service(`start: async () => { throw new Error('port taken') }`)
  t.match(refused, { code: 1, stderr: /port taken/ })
  const stuck = await service(
    `start: async () => { setTimeout(() => process.kill(process.pid, 'SIGINT')); return { close: () => new Promise(() => undefined) } }`,
  )
  t.match(stuck, { code: 1, stderr: /without having closed everything/ })
  const impatient = await service(
    `start: async () => { setTimeout(() => process.kill(process.pid, 'SIGINT')); return { close: () => { process.kill(process.pid, 'SIGINT'); return new Promise(() => undefined) } } }`,
    60_000,
  )
  t.equal(impatient.code, 1, 'a second signal ends it at once')
  const slowStart = await service(
    `start: async () => { process.kill(process.pid, 'SIGTERM'); await new Promise((resolve) => setTimeout(resolve, 50)); return { close: async () => console.log('closed') } }`,
  )
  t.match(slowStart, { code: 0, stdout: 'closed\n' }, 'a signal while starting')
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function agent(...args: readonly string[]): Promise<Ended> {
  return await ended(spawn(process.execPath, [...TYPESCRIPT, MAIN, ...args]))
}

async function service(start: string, deadlineMs = 200): Promise<Ended> {
  const program = `
    import { runUntilSignal } from '${SERVICE}'
    import { createLogger } from '${LOG}'
    setInterval(() => undefined, 1000) // as a server or a socket would, it keeps the process going
    const { start } = { ${start} }
    process.exit(await runUntilSignal(start, { deadlineMs: ${deadlineMs}, log: createLogger('test') }))`
  return await ended(
    spawn(process.execPath, [...TYPESCRIPT, '--input-type=module', '--eval', program]),
  )
}

async function ended(child: ChildProcess): Promise<Ended> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('no pipes')
  const [out, err] = await Promise.all([text(stdout), text(stderr), once(child, 'close')])
  return { code: child.exitCode, stdout: out, stderr: err }
}

interface Running {
  readonly child: ChildProcess
  readonly log: () => readonly string[]
  readonly stdout: Promise<string>
}

function start(t: Test, file: string): Running {
  const child = spawn(process.execPath, [...TYPESCRIPT, MAIN, 'run', '--config', file])
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  t.teardown(() => child.kill('SIGKILL'))
  return {
    child,
    log: () => log.split('\n').filter((line) => line !== ''),
    stdout: text(child.stdout),
  }
}

async function writeRunConfig(folder: string, port: number): Promise<string> {
  const file = join(folder, 'agent.yaml')
  await writeFile(
    file,
    `agent: gw-1
site: hq
interval: 200ms
collectors: [{ url: 'http://127.0.0.1:${port}', token: s3cret }]
probes: [{ probe: host }]
`,
  )
  return file
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** The records of a spool, from a copy: reading them does not take them away. */
async function readSpool(t: Test, folder: string): Promise<[id: string, text: string][]> {
  const copy = join(await temporaryFolder(t), 'copy')
  await cp(folder, copy, { recursive: true, filter: (path) => !path.endsWith('lock') })
  const spool = await Spool.open({ folder: copy, maxBytes: 64 * 1024 ** 2 })
  const records: [string, string][] = []
  for (;;) {
    const record = await spool.peek()
    if (record === undefined) break
    records.push([record.id, gunzipSync(record.payload).toString()])
    await spool.acknowledge(record.id)
  }
  await spool.close()
  return records
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-main-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}
