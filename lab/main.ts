import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { reasonOf } from '../common/errors.ts'
import { Calls } from './calls.ts'
import { Child } from './child.ts'
import { defaultGateway, mayCapture } from './machine.ts'
import { PowerRoom } from './power-room.ts'
import { play } from './scenario.ts'
import { storyLine, welcome } from './screen.ts'
import { tokenFile, writeSite } from './site.ts'
import { STORIES, type Stage, type StoryName } from './stage.ts'
import { LabUpsd } from './upsd.ts'
import { WebhookReceiver, type ReceivedAlert } from './webhook-receiver.ts'

const PORT = 8420
const READY_WITHIN_MS = 20_000
const SECRET_OCTETS = 24
const AGENTS = ['gw-hq', 'gw-carrier-b'] as const
const HIGHEST_PORT = 65_535
const CALM_S = 40
const LONGEST_CALM_S = 86_400
const LAST_WORDS = 5
const MS_PER_S = 1000
const POWER_RULES: readonly string[] = ['power-event', 'ups-on-battery']

interface Options {
  readonly port: number
  readonly capture: boolean
  readonly gateway: boolean
  readonly calm: number
  readonly story: StoryName
}

const HELP = `
Stories:
  loss   the wire to carrier-b loses 8 % of its packets: alert, healing; two minutes
  power  mains A of head office is lost: on battery, redundancy gone, minutes running out for 112, battery low, restored; two minutes

Examples:
  npm start -- --port 9000
  npm start -- --story power --calm 10`

const program = new Command('npm start --')
  .description(
    'a VoIP site in a box: collector, two agents, simulated phones, carriers and power, all on loopback',
  )
  .option('--port <port>', 'where the console listens', portOption, PORT)
  .option('--no-capture', 'measure by test streams only, as without capture rights')
  .option('--no-gateway', "do not ping this machine's gateway")
  .option('--calm <seconds>', 'how long all is well before the first fault', secondsOption, CALM_S)
  .addOption(
    new Option('--story <name>', 'what goes wrong first; the other comes next, and so on')
      .choices(STORIES)
      .default(STORIES[0]),
  )
  .addHelpText('after', HELP)
process.exit(await run(program.parse().opts<Options>()))

async function run(options: Options): Promise<number> {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      ending.abort()
    })
  }
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-lab-'))
  const children: Child[] = []
  const closers: (() => void)[] = []
  try {
    await runUntil(options, folder, children, closers, ending.signal)
    return 0
  } catch (error) {
    if (ending.signal.aborted) return 0
    console.error(`kiestoon: ${reasonOf(error)}`)
    return 1
  } finally {
    if (ending.signal.aborted) console.log('\nstopping')
    await Promise.all(children.map((child) => child.stop()))
    for (const close of closers) close()
    await rm(folder, { recursive: true, force: true })
    console.log('stopped')
  }
}

async function runUntil(
  options: Options,
  folder: string,
  children: Child[],
  closers: (() => void)[],
  signal: AbortSignal,
): Promise<void> {
  const alerts = new EventEmitter()
  const webhookSecret = secret()
  const receiver = new WebhookReceiver(webhookSecret, (alert) => {
    say(alertLine(alert))
    alerts.emit(`${storyOf(alert) ?? 'other'} ${alert.kind}`)
  })
  closers.push(() => {
    receiver.close()
  })
  const power = new PowerRoom()
  const upsd = new LabUpsd(power.units)
  closers.push(() => {
    upsd.close()
  }, power.open())
  const capture = options.capture && (await mayCapture())
  const gateway = options.gateway ? await defaultGateway() : undefined
  const files = await writeSite({
    folder,
    nowMs: Date.now(),
    port: options.port,
    webhook: await receiver.open(),
    webhookSecret,
    testKey: secret(),
    upsPort: await upsd.open(),
    capture,
    gateway,
  })
  for (const agent of AGENTS) await createToken(files.collector, folder, agent)
  const collector = startChild('collector', ['run', '--config', files.collector], folder, children)
  const consoleUrl = `http://127.0.0.1:${options.port}`
  await ready(collector, folder, signal)
  const calls = new Calls()
  closers.push(() => {
    calls.close()
  })
  await calls.open(Math.random).catch((error: unknown) => {
    throw new Error(`${reasonOf(error)}: does another site in a box run on this machine?`)
  })
  const agents = AGENTS.map((agent) =>
    startChild(agent, ['run', '--config', files.agents[agent]], folder, children),
  )
  console.log(
    welcome({ consoleUrl, folder, capture, gateway, calmS: options.calm, story: options.story }),
  )
  say('started   the first measurements arrive within 10 s')
  const died = Promise.race(
    [collector, ...agents].map(async (child) => {
      const code = await child.exited
      if (!signal.aborted)
        throw new Error(
          `${child.label} ended by itself (${code ?? 'killed'}); see ${folder}/${child.label}.log`,
        )
    }),
  )
  const told: Stage['told'] = async (story, kind, until) => {
    await once(alerts, `${story} ${kind}`, { signal: until })
  }
  const scenario = { calmMs: options.calm * MS_PER_S, first: options.story }
  await Promise.race([play({ calls, power, consoleUrl, say, told }, scenario, signal), died])
}

function startChild(
  label: string,
  args: readonly string[],
  folder: string,
  children: Child[],
): Child {
  const log = createWriteStream(join(folder, `${label}.log`), { mode: 0o600 })
  const write = (line: string): void => {
    log.write(`${line}\n`)
  }
  const role = label === 'collector' ? 'collector' : 'agent'
  const program = new URL(`../${role}/main.js`, import.meta.url)
  const child = new Child({ label, program, arguments: args, onOutput: write, onLog: write })
  children.push(child)
  return child
}

/** What an administrator does for each agent: kiestoon-collector token create. */
async function createToken(
  config: string,
  folder: string,
  agent: (typeof AGENTS)[number],
): Promise<void> {
  const lines: string[] = []
  const complaints: string[] = []
  const child = new Child({
    label: 'token',
    program: new URL('../collector/main.js', import.meta.url),
    arguments: [
      'token',
      'create',
      '--config',
      config,
      '--agent',
      agent,
      '--site',
      agent.replace('gw-', ''),
    ],
    onOutput: (line) => lines.push(line),
    onLog: (line) => complaints.push(line),
  })
  if ((await child.exited) !== 0) throw new Error(`no token for ${agent}: ${complaints.join(' ')}`)
  const token = lines.find((line) => line.trim() !== '') ?? ''
  await writeFile(tokenFile(folder, agent), `${token.trim()}\n`, { mode: 0o600 })
}

/** Its first line says that it listens; to ask the port could be to ask somebody else's collector. */
async function ready(collector: Child, folder: string, signal: AbortSignal): Promise<void> {
  const isReady = await Promise.race([
    collector.firstLine.then(() => true),
    collector.exited.then(() => false),
    delay(READY_WITHIN_MS, false, { signal, ref: false }),
  ])
  if (isReady) return
  await collector.stop()
  throw new Error(await lastWords(join(folder, 'collector.log')))
}

/** Why the collector did not come up, in its own words. */
async function lastWords(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const words = text.trim().split('\n').slice(-LAST_WORDS).join('\n')
  return `the collector did not start (npm start -- --port takes another port):\n${words}`
}

function alertLine({ kind, title, genuine }: ReceivedAlert): string {
  const proof = genuine ? 'webhook, signature verified' : 'webhook, SIGNATURE WRONG'
  const rest = title.replace(new RegExp(`^${kind}: `), '')
  return `${kind.toUpperCase().padEnd(9)} ${rest}   [${proof}]`
}

/** Which story an alert belongs to. */
function storyOf({ rule, title }: ReceivedAlert): StoryName | undefined {
  if (POWER_RULES.includes(rule)) return 'power'
  return rule === 'path-loss' && title.includes('carrier-b') ? 'loss' : undefined
}

function say(text: string): void {
  console.log(storyLine(new Date(), text))
}

function secret(): string {
  return randomBytes(SECRET_OCTETS).toString('hex')
}

function portOption(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port <= HIGHEST_PORT) return port
  throw new InvalidArgumentError('Expected a port from 1 to 65535.')
}

function secondsOption(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds >= 0 && seconds <= LONGEST_CALM_S) return seconds
  throw new InvalidArgumentError(`Expected seconds, from 0 to ${LONGEST_CALM_S}.`)
}
