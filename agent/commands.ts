import { readFile } from 'node:fs/promises'
import { ConfigError } from '../common/config.ts'
import { PermanentError, reasonOf } from '../common/errors.ts'
import { createLogger } from '../common/log.ts'
import { runUntilSignal } from '../common/service.ts'
import { duration } from '../common/settings.ts'
import { version } from '../common/version.ts'
import { readAgentConfig, type AgentConfig, type ProbeEntry } from './config.ts'
import { print } from './print.ts'

/** What the subcommands with a configuration do; each returns whether it succeeded. */

/** Two steps of 1 s, a last push of 2 s, and some for the disk: all within 5 s. */
const CLOSE_DEADLINE_MS = 4500
const ONCE_INTERVAL_MS = 2000
const DEFAULT_WIDTH = 100

export interface OnceOptions {
  readonly config?: string
  readonly probe?: string
  readonly interval?: string
  readonly json?: boolean
}

/** Measures and pushes until told to stop; resolves to the exit code. */
export async function run(file: string): Promise<number> {
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

/** Measures once and prints. False when a probe failed. */
export async function once(options: OnceOptions): Promise<boolean> {
  const intervalMs = readInterval(options.interval)
  const [{ measureOnce }, { tableOf }, { systemClock }] = await Promise.all([
    import('./once.ts'),
    import('./table.ts'),
    import('./scheduler.ts'),
  ])
  const entries = await chooseProbes(options, intervalMs)
  const log = createLogger('agent', 'warn')
  const { points, failures } = await measureOnce(entries, {
    intervalMs,
    clock: systemClock,
    log,
  })
  const columns = process.stdout.isTTY ? process.stdout.columns : DEFAULT_WIDTH
  await print(
    options.json === true ? `${JSON.stringify(points, undefined, 2)}\n` : tableOf(points, columns),
  )
  for (const { probe, reason } of failures) process.stderr.write(`${probe}: ${reason}\n`)
  return failures.length === 0
}

/** Reads a configuration and prints what it amounts to. */
export async function checkConfig(file: string): Promise<void> {
  await print(`${summaryOf(await load(file))}\n`)
}

async function chooseProbes(
  options: OnceOptions,
  intervalMs: number,
): Promise<readonly ProbeEntry[]> {
  const { config: file, probe } = options
  if (file === undefined) {
    const { probesOfThisMachine } = await import('./this-machine.ts')
    return await probesOfThisMachine(probe, intervalMs)
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

function readInterval(text: string | undefined): number {
  if (text === undefined) return ONCE_INTERVAL_MS
  const read = duration.safeParse(text)
  if (read.success && read.data > 0) return read.data
  throw new PermanentError('usage', `--interval ${text}: Expected a duration such as 2s or 500ms.`)
}
