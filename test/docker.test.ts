import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import tap, { test } from 'tap'
import { parse } from 'yaml'
import { z } from 'zod'
import { collectorConfig } from '../collector/config.ts'
import { readConfig } from '../common/config.ts'
import { last, readDockerfile, wholeStage } from './support/dockerfile.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DOCKER = join(ROOT, 'docker')
const TYPESCRIPT = ['--import', join(ROOT, 'test/support/typescript.js')]
const run = promisify(execFile)

const service = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  restart: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  networks: z
    .union([z.array(z.string()), z.record(z.string(), z.object({ ipv4_address: z.string() }))])
    .default([]),
  network_mode: z.string().optional(),
  profiles: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.unknown().optional(),
})
const compose = z.object({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
})

async function readCompose(): Promise<z.output<typeof compose>> {
  return compose.parse(parse(await readFile(join(DOCKER, 'compose.yaml'), 'utf8'), { merge: true }))
}

async function readStages() {
  return readDockerfile(await readFile(join(DOCKER, 'Dockerfile'), 'utf8'))
}

/** Every name in `networks`, whether listed or with an address. */
function networksOf({ networks }: z.output<typeof service>): readonly string[] {
  return Array.isArray(networks) ? networks : Object.keys(networks)
}

test('every service runs with the least it needs, and nothing is open to the network', async (t) => {
  const { services } = await readCompose()
  t.same(Object.keys(services).sort(), [
    'agent-branch',
    'agent-hq',
    'collector',
    'grafana',
    'influxdb',
    'lab',
  ])
  for (const [name, it] of Object.entries(services)) {
    t.equal(it.restart, 'unless-stopped', name)
    t.same(it.cap_drop, ['ALL'], name)
    t.same(it.security_opt, ['no-new-privileges:true'], name)
    if (name !== 'influxdb') t.equal(it.read_only, true, name)
    t.ok(
      it.ports.every((port) => port.startsWith('127.0.0.1:')),
      `${name} is published on loopback`,
    )
    t.match(
      it.image,
      /^(kiestoon-(agent|collector|lab)|[a-z/]+:\d+\.\d+\.\d+)$/,
      'a version, not "latest"',
    )
  }
})

test('the lab comes only when asked for, on loopback, with options it knows', async (t) => {
  const { services } = await readCompose()
  const { lab } = services
  t.same(lab?.profiles, ['lab'], 'not among what starts by itself')
  t.equal(lab?.network_mode, 'host', 'its console listens on loopback only')
  const program = await readFile(join(DOCKER, '..', 'lab', 'main.ts'), 'utf8')
  for (const word of lab?.command ?? [])
    if (word.startsWith('--')) t.ok(program.includes(word), word)
  t.notOk(lab?.command.includes('8420'), 'the port of the collector is taken')
})

test('what the services refer to is there', async (t) => {
  const { services, networks, volumes, secrets } = await readCompose()
  const stages = await readStages()
  for (const [name, it] of Object.entries(services)) {
    for (const network of networksOf(it)) t.ok(network in networks, `${name}: network ${network}`)
    for (const secret of it.secrets) t.ok(secret in secrets, `${name}: secret ${secret}`)
    for (const other of Object.keys(it.depends_on)) {
      const target = services[other]?.build?.target
      const healthy =
        services[other]?.healthcheck !== undefined ||
        (target !== undefined && last(wholeStage(stages, target), 'HEALTHCHECK') !== undefined)
      t.ok(healthy, `${name} waits for ${other}, which can say that it is healthy`)
    }
    for (const volume of it.volumes) {
      const [source = ''] = volume.split(':')
      if (/^\.{1,2}\//.test(source)) t.ok(existsSync(join(DOCKER, source)), `${name}: ${source}`)
      else t.ok(source in volumes, `${name}: volume ${source}`)
    }
    if (it.build)
      t.ok(
        stages.some((stage) => stage.name === it.build?.target),
        `${name}: target ${it.build.target}`,
      )
  }
})

test('no password is in the repository: each comes from prepare.sh', async (t) => {
  const { services, secrets } = await readCompose()
  const script = await readFile(join(DOCKER, 'prepare.sh'), 'utf8')
  const example = await readFile(join(DOCKER, '.env.example'), 'utf8')
  const ignored = (await readFile(join(DOCKER, '.gitignore'), 'utf8')).split('\n')
  for (const { environment } of Object.values(services))
    for (const [name, value] of Object.entries(environment)) {
      if (!name.includes('PASSWORD')) continue
      const [, variable] = /^\$\{([A-Z_]+):\?run prepare\.sh first\}$/.exec(value) ?? []
      t.ok(variable !== undefined, `${name} is required from the environment`)
      t.ok(variable !== undefined && script.includes(` ${variable}`), `prepare.sh makes it`)
      t.match(example, new RegExp(`^${variable ?? ''}=$`, 'm'), 'and the example names it, empty')
    }
  for (const { file } of Object.values(secrets)) t.match(file, /^\.\/secrets\//)
  t.ok(ignored.includes('.env') && ignored.includes('secrets/'))
})

test('Grafana is given the database, the user and the boards that are there', async (t) => {
  const { services } = await readCompose()
  const { grafana, influxdb } = services
  const provisioning = await readFile(
    join(ROOT, 'dashboards/provisioning/datasources/kiestoon.yaml'),
    'utf8',
  )
  for (const [, variable = ''] of provisioning.matchAll(/\$\{(\w+)\}/g))
    t.ok(variable in (grafana?.environment ?? {}), variable)
  t.match(provisioning, `dbName: ${influxdb?.environment['INFLUXDB_DB'] ?? '?'}\n`)
  t.equal(grafana?.environment['KIESTOON_INFLUX_USER'], influxdb?.environment['INFLUXDB_READ_USER'])
  t.equal(
    grafana?.environment['KIESTOON_INFLUX_PASSWORD'],
    influxdb?.environment['INFLUXDB_READ_USER_PASSWORD'],
  )
  t.equal(grafana?.environment['KIESTOON_INFLUX_URL'], 'http://influxdb:8086')
  const providers = await readFile(
    join(ROOT, 'dashboards/provisioning/dashboards/kiestoon.yaml'),
    'utf8',
  )
  const [, folder = '?'] = /path: (\S+)/.exec(providers) ?? []
  for (const board of ['quality.json', 'power.json'])
    t.ok(grafana?.volumes.includes(`../dashboards/${board}:${folder}/${board}:ro`), board)
})

/** The files of docker/ with the secrets they name, as they lie in the containers. */
async function filesAsInContainers(t: { teardown: (fn: () => Promise<void>) => void }) {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-docker-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'secrets'))
  const { secrets } = await readCompose()
  for (const name of Object.keys(secrets))
    await writeFile(join(folder, 'secrets', name), 'f00d'.repeat(12))
  for (const file of ['collector.yaml', 'site.yaml', 'agent-hq.yaml', 'agent-branch.yaml']) {
    const text = await readFile(join(DOCKER, file), 'utf8')
    await writeFile(
      join(folder, file),
      text
        .replaceAll('/run/secrets', join(folder, 'secrets'))
        .replaceAll('/etc/kiestoon', folder)
        .replaceAll('/var/lib/kiestoon', join(folder, 'data')),
    )
  }
  return folder
}

test('the configurations pass the check of the programs that read them', async (t) => {
  const folder = await filesAsInContainers(t)
  for (const [program, file] of [
    ['collector/main.ts', 'collector.yaml'],
    ['agent/main.ts', 'agent-hq.yaml'],
    ['agent/main.ts', 'agent-branch.yaml'],
  ] as const) {
    const checked = await run(
      process.execPath,
      [...TYPESCRIPT, join(ROOT, program), 'check-config', '--config', join(folder, file)],
      { cwd: ROOT },
    )
    t.ok(checked.stdout, `${file}: ${checked.stdout.split('\n', 1)[0] ?? ''}`)
  }
})

test('ports, addresses, users and folders agree with the code', async (t) => {
  const folder = await filesAsInContainers(t)
  const { services } = await readCompose()
  const stages = await readStages()
  const text = await readFile(join(folder, 'collector.yaml'), 'utf8')
  const config = readConfig(collectorConfig, text, 'collector.yaml')
  const { collector, influxdb } = services

  const { host, port } = config.listen
  t.equal(host, '0.0.0.0', 'a published port needs it')
  t.same(collector?.ports, [`127.0.0.1:${port}:${port}`])
  t.equal(last(wholeStage(stages, 'collector'), 'EXPOSE'), String(port))
  t.match(last(wholeStage(stages, 'collector'), 'HEALTHCHECK'), `127.0.0.1:${port}/healthz`)
  t.match(await readFile(join(ROOT, 'collector/http/server.ts'), 'utf8'), "'/healthz'")
  t.match(config.store, {
    kind: 'influx',
    url: 'http://influxdb:8086',
    database: influxdb?.environment['INFLUXDB_DB'],
    username: influxdb?.environment['INFLUXDB_USER'],
  })
  for (const [target, name] of [
    ['agent', 'agent'],
    ['collector', 'collector'],
  ] as const) {
    const whole = wholeStage(stages, target)
    const [, file = '?'] = /"([^"]+\.yaml)"/.exec(last(whole, 'CMD') ?? '') ?? []
    t.equal(last(whole, 'USER'), 'kiestoon', `${target} does not run as root`)
    t.equal(last(whole, 'VOLUME'), '/var/lib/kiestoon')
    for (const [service, { build, image, volumes }] of Object.entries(services)) {
      if (build?.target !== target && image !== `kiestoon-${name}`) continue
      t.ok(
        volumes.some((volume) => volume.includes(`:${file}:ro`)),
        `${service} is given ${file}`,
      )
      t.ok(volumes.includes(`${service}:/var/lib/kiestoon`), `${service} keeps its data`)
    }
  }

  const [hq, branch] = await Promise.all(
    ['agent-hq.yaml', 'agent-branch.yaml'].map(async (file) =>
      readFile(join(DOCKER, file), 'utf8'),
    ),
  )
  const addressOf = (name: string): string => {
    const networks = services[name]?.networks
    return networks === undefined || Array.isArray(networks)
      ? '?'
      : (networks['calls']?.ipv4_address ?? '?')
  }
  const [, reflector = '?'] = /listen: (\S+)/.exec(branch ?? '') ?? []
  t.match(hq, `address: ${reflector}\n`, 'the test stream goes where it is reflected')
  t.ok(reflector.startsWith(`${addressOf('agent-branch')}:`))
  t.match(branch, `targets: [${addressOf('agent-hq')}]`)
  t.match(hq, 'target: agent-branch\n')
})

test('the Dockerfile copies what exists, installs only what runs, and needs no curl', async (t) => {
  const stages = await readStages()
  const engines: unknown = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  t.match(engines, { engines: { node: />=24/ } })
  const ignore = await readFile(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8')
  for (const { name, from, instructions } of stages) {
    t.ok(
      from === 'node:24-bookworm-slim' || stages.some((stage) => stage.name === from),
      `${name} is from ${from}`,
    )
    for (const { keyword, rest } of instructions) {
      if (keyword !== 'COPY' || rest.startsWith('--from=')) continue
      for (const source of rest.split(/ +/).slice(0, -1)) {
        t.ok(existsSync(join(ROOT, source)), `${name} copies ${source}`)
        t.match(ignore, `\n!${source}\n`, 'which is sent to the builder')
      }
    }
  }
  for (const target of ['agent', 'collector', 'lab']) {
    const whole = wholeStage(stages, target)
    const modules = whole.find(({ rest }) => rest.includes('node_modules'))?.rest
    t.match(modules, /^--from=production /, `${target} has production packages only`)
    t.notMatch(JSON.stringify(whole), /curl|sudo/)
  }
  const production = wholeStage(stages, 'production')
  t.match(production.find(({ keyword }) => keyword === 'RUN')?.rest, 'npm ci --omit=dev')
  const rights = wholeStage(stages, 'agent').flatMap(
    ({ rest }) => rest.match(/setcap \S+ \S+/g) ?? [],
  )
  t.same(rights, ['setcap cap_net_raw=ep /usr/bin/tcpdump', 'setcap -r /usr/bin/ping'])
})

test('prepare.sh makes every secret once, closed to others, and prints none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-prepare-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const data = join(folder, 'data')
  await mkdir(join(folder, 'bin'))
  await mkdir(data)
  await cp(join(DOCKER, 'prepare.sh'), join(folder, 'prepare.sh'))
  // In place of Docker: the collector's own program makes the tokens, in a data folder of the test.
  await writeFile(
    join(folder, 'bin', 'docker'),
    `#!/bin/sh
set -eu
[ "$1" = compose ]
[ "$2" = build ] && exit 0
while [ "$1" != token ]; do shift; done
shift 4
exec "${process.execPath}" ${TYPESCRIPT.join(' ')} "${join(ROOT, 'collector/main.ts')}" token create --data "${data}" "$@"
`,
  )
  await chmod(join(folder, 'bin', 'docker'), 0o755)
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
  }
  const prepare = async () => run('sh', [join(folder, 'prepare.sh')], { env, cwd: ROOT })
  const contents = async () => ({
    env: await readFile(join(folder, '.env'), 'utf8'),
    influx: await readFile(join(folder, 'secrets/influx-password'), 'utf8'),
    key: await readFile(join(folder, 'secrets/test-key'), 'utf8'),
    hq: await readFile(join(folder, 'secrets/token-hq'), 'utf8'),
    branch: await readFile(join(folder, 'secrets/token-branch'), 'utf8'),
  })

  const { stdout } = await prepare()
  const made = await contents()
  t.match(
    made.env,
    /^INFLUX_ADMIN_PASSWORD=[0-9a-f]{48}\nINFLUX_PASSWORD=[0-9a-f]{48}\nINFLUX_GRAFANA_PASSWORD=[0-9a-f]{48}\nGRAFANA_ADMIN_PASSWORD=[0-9a-f]{48}\n$/,
  )
  t.equal(new Set(made.env.match(/[0-9a-f]{48}/g)).size, 4)
  t.match(made.env, `INFLUX_PASSWORD=${made.influx}`)
  t.match(made.key, /^[0-9a-f]{48}$/)
  t.match(made.hq, /^kiestoon_\S+\n$/)
  t.not(made.hq, made.branch)
  t.equal((await stat(join(folder, 'secrets'))).mode & 0o777, 0o700)
  t.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600)
  for (const secret of [...(made.env.match(/[0-9a-f]{48}/g) ?? []), made.key, made.hq.trim()])
    t.notOk(stdout.includes(secret))

  await prepare()
  t.same(await contents(), made, 'a second run changes nothing')
})

test('the steps of the build stages work in a plain folder', async (t) => {
  if (process.env['KIESTOON_SLOW_TESTS'] !== '1') {
    t.pass('build', { skip: 'takes minutes: KIESTOON_SLOW_TESTS=1 runs it' })
    return
  }
  const stages = await readStages()
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-build-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const step = async (stage: string): Promise<string> => {
    const here = join(folder, stage)
    await mkdir(here)
    for (const { keyword, rest } of wholeStage(stages, stage)) {
      if (keyword === 'RUN') await run('sh', ['-c', rest], { cwd: here, maxBuffer: 1e8 })
      if (keyword === 'COPY') {
        const words = rest.split(/ +/)
        const into = words.at(-1) ?? ''
        for (const source of words.slice(0, -1))
          await cp(join(ROOT, source), join(here, into === './' ? source : into), {
            recursive: true,
          })
      }
    }
    return here
  }
  const built = await step('build')
  const production = await step('production')
  for (const file of ['package.json', 'node_modules'])
    await cp(join(production, file), join(folder, 'image', file), { recursive: true })
  await cp(join(built, 'dist'), join(folder, 'image', 'dist'), { recursive: true })
  t.ok(existsSync(join(folder, 'image/dist/console/index.html')))
  for (const target of ['agent', 'collector']) {
    const [node = '', ...entry] = z
      .array(z.string())
      .parse(JSON.parse(last(wholeStage(stages, target), 'ENTRYPOINT') ?? ''))
    t.equal(node, 'node')
    const { stdout } = await run(process.execPath, [...entry, '--version'], {
      cwd: join(folder, 'image'),
    })
    t.match(stdout, /^\d+\.\d+\.\d+\n$/, `${target} starts with production packages only`)
  }
})

if (process.env['KIESTOON_SLOW_TESTS'] === '1') tap.setTimeout(600_000)
