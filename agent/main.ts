#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { ConfigError } from '../common/config.ts'
import { PermanentError, reasonOf } from '../common/errors.ts'
import { createLogger } from '../common/log.ts'
import { runUntilSignal } from '../common/service.ts'
import { duration } from '../common/settings.ts'
import { version } from '../common/version.ts'
import { readAgentConfig, type AgentConfig, type ProbeEntry } from './config.ts'

const SUCCESS = 0
const FAILURE = 1
const USAGE = 2
/** Two steps of 1 s, a last push of 2 s, and some for the disk: all within 5 s. */
const CLOSE_DEADLINE_MS = 4500
const EXAMPLES = `
Examples:
  kiestoon-agent once                               this machine, now
  kiestoon-agent check-config --config agent.yaml   say what is wrong in it
  kiestoon-agent run --config agent.yaml

Exit codes: 0 done, 1 something failed, 2 wrong command line or configuration.`
const ONCE_INTERVAL_MS = 2000
const DEFAULT_WIDTH = 100

process.exit(await main())

async function main(): Promise<number> {
  let code = SUCCESS
  const program = new Command('kiestoon-agent')
    .description('Measures calls, network and power, and pushes the measurements to a collector.')
    .addHelpText('after', EXAMPLES)
    .version(version)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
  program
    .command('run')
    .description('measure and push until told to stop; logs JSON on stderr')
    .option('-c, --config <file>', 'YAML configuration')
    .addHelpText('after', '\nExample:\n  kiestoon-agent run --config /etc/kiestoon/agent.yaml')
    .action(async ({ config }: { config?: string }, command: Command) => {
      code = await run(config ?? missingConfig(command))
    })
  program
    .command('once')
    .description('measure once and print; without a configuration: this machine')
    .option('-c, --config <file>', 'YAML configuration')
    .option('-p, --probe <name>', 'only this probe, by name or kind')
    .option('-i, --interval <duration>', 'how long to measure (default: 2s)', readInterval)
    .option('--json', 'print JSON instead of tables')
    .addHelpText('after', '\nExample:\n  kiestoon-agent once --probe host --interval 5s')
    .action(async (options: OnceOptions) => {
      code = await once(options)
    })
  program
    .command('check-config')
    .description('read a configuration and say everything that is wrong with it')
    .option('-c, --config <file>', 'YAML configuration')
    .addHelpText('after', '\nExample:\n  kiestoon-agent check-config --config agent.yaml')
    .action(async ({ config }: { config?: string }, command: Command) => {
      await print(`${summaryOf(await load(config ?? missingConfig(command)))}\n`)
    })
  try {
    await program.parseAsync()
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? SUCCESS : USAGE
    process.stderr.write(`${reasonOf(error)}\n`)
    return error instanceof PermanentError ? USAGE : FAILURE
  }
}

interface OnceOptions {
  readonly config?: string
  readonly probe?: string
  readonly interval?: number
  readonly json?: boolean
}

/** Not commander's own required option: that complains before it says which option was misspelt. */
function missingConfig(command: Command): never {
  command.error("error: required option '-c, --config <file>' not specified")
}

async function run(file: string): Promise<number> {
  const config = await load(file)
  if (config.collectors.length === 0)
    throw new ConfigError([`${file}: collectors: expected at least one, or nothing is pushed`])
  const log = createLogger('agent', config.logLevel)
  const { Agent } = await import('./agent.ts')
  return await runUntilSignal(
    async () => {
      const agent = await Agent.start(config, log)
      log.info(
        {
          version,
          agent: config.agent,
          site: config.site,
          collectors: config.collectors.map(({ url }) => url),
          probes: config.probes.map(({ label }) => label),
        },
        'measuring',
      )
      return agent
    },
    { deadlineMs: CLOSE_DEADLINE_MS, log },
  )
}

async function once(options: OnceOptions): Promise<number> {
  const [{ measureOnce }, { tableOf }, { systemClock }] = await Promise.all([
    import('./once.ts'),
    import('./table.ts'),
    import('./scheduler.ts'),
  ])
  const entries = await chooseProbes(options)
  const log = createLogger('agent', 'warn')
  const { points, failures } = await measureOnce(entries, {
    intervalMs: options.interval ?? ONCE_INTERVAL_MS,
    clock: systemClock,
    log,
  })
  const columns = process.stdout.isTTY ? process.stdout.columns : DEFAULT_WIDTH
  await print(
    options.json === true ? `${JSON.stringify(points, undefined, 2)}\n` : tableOf(points, columns),
  )
  for (const { probe, reason } of failures) process.stderr.write(`${probe}: ${reason}\n`)
  return failures.length === 0 ? SUCCESS : FAILURE
}

async function chooseProbes(options: OnceOptions): Promise<readonly ProbeEntry[]> {
  const { config: file, probe, interval = ONCE_INTERVAL_MS } = options
  if (file === undefined) {
    const { probesOfThisMachine } = await import('./this-machine.ts')
    return await probesOfThisMachine(probe, interval)
  }
  const { probes } = await load(file)
  if (probe === undefined) return probes
  const chosen = probes.filter(({ label, kind }) => label === probe || kind === probe)
  if (chosen.length > 0) return chosen
  const labels = probes.map(({ label }) => label).join(', ')
  throw new PermanentError('usage', `${file} has no probe "${probe}"; it has ${labels}`)
}

async function load(file: string): Promise<AgentConfig> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError([`cannot read ${file}: ${reasonOf(error)}`])
  }
  return await readAgentConfig(text, file)
}

function summaryOf({ agent, site, probes, collectors }: AgentConfig): string {
  const count = probes.length === 1 ? '1 probe' : `${probes.length} probes`
  const labels = probes.map(({ label }) => label).join(', ')
  const urls = collectors.map(({ url }) => url).join(', ')
  const target =
    urls === '' ? 'no collector: enough for "once", not for "run"' : `pushes to ${urls}`
  return `ok: agent ${agent} at site ${site}, ${count} (${labels}), ${target}`
}

function readInterval(text: string): number {
  const read = duration.safeParse(text)
  if (read.success && read.data > 0) return read.data
  throw new InvalidArgumentError('Expected a duration such as 2s or 500ms.')
}

async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.once('error', () => {
      resolve() // whoever read it has gone away
    })
    process.stdout.write(text, () => {
      resolve()
    })
  })
}
