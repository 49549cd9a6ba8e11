#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=1000000 node --max-semi-space-size=4
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Command, CommanderError } from 'commander'
import { ConfigError, readConfig } from '../common/config.ts'
import { PermanentError, reasonOf } from '../common/errors.ts'
import { createLogger } from '../common/log.ts'
import { runUntilSignal } from '../common/service.ts'
import { name as validName } from '../common/settings.ts'
import { version } from '../common/version.ts'
import { Collector } from './collector.ts'
import { collectorConfig, type CollectorConfig } from './config.ts'
import { createToken, listTokens, revokeToken, ROLES, type NewToken } from './http/tokens.ts'
import { powerCommand, type PowerOptions } from './power-command.ts'
import { checkSiteFile, type SiteCheck } from './site-check.ts'
import { addSiteCommands } from './site-commands.ts'
import { allOf, checkFolder, readTls } from './start-checks.ts'

const FAILURE = 1
const USAGE = 2
/** Past this an orderly end is given up. */
const CLOSE_WITHIN_MS = 5000
/** How far the heap may grow past what was alive before it is collected; costs some percent of speed, saves a quarter of the memory (bench). */
const HEAP_GROWING_PERCENT = 5

interface Where {
  readonly config?: string
  readonly data?: string
  readonly listen?: string
}

interface TokenRequest extends Where {
  readonly agent?: string
  readonly site?: string
  readonly role?: string
}

/** What is wrong with the command line. */
class UsageError extends Error {}

// The first line of this file keeps memory down likewise: fewer malloc arenas for the threads of node and DuckDB, a smaller nursery.
// Left alone, V8 lets garbage grow to several times what is alive before it looks, and DuckDB's buffers wait for it to look.
setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
process.exitCode = await main(process.argv)

async function main(argv: readonly string[]): Promise<number> {
  let code = 0
  const program = commands((result) => {
    code = result
  })
  try {
    await program.parseAsync([...argv])
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    const isUsage = error instanceof UsageError
    if (!isUsage && !(error instanceof PermanentError)) throw error
    for (const line of reasonOf(error).split('\n')) console.error(`kiestoon-collector: ${line}`)
    return isUsage || error instanceof ConfigError ? USAGE : FAILURE
  }
}

function commands(done: (code: number) => void): Command {
  const program = new Command('kiestoon-collector')
    .description('Stores what agents measure, judges it, alerts, and shows it.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(kiestoon-collector --help says more)')
    .addHelpText(
      'after',
      `
Examples:
  kiestoon-collector run --data ./data                       try it: http://127.0.0.1:8420
  kiestoon-collector check-config --config collector.yaml    say what is wrong in it
  kiestoon-collector run --config collector.yaml
  kiestoon-collector site check site.yaml                    say what is wrong in it, and what nobody drew
  kiestoon-collector power --site site.yaml                  what single failure would silence us?
  kiestoon-collector token create --config collector.yaml --agent gw-1 --site hq

Exit codes: 0 done, 1 something failed, 2 wrong command line or configuration.`,
    )
  const where = (command: Command): Command =>
    command
      .option('-c, --config <file>', 'YAML configuration')
      .option('-d, --data <folder>', 'data folder, instead of the one in the configuration')
  where(program.command('run'))
    .description('run until SIGINT or SIGTERM')
    .option('-l, --listen <host:port>', 'address to listen on, instead of the one configured')
    .action(async (options: Where) => {
      done(await run(options))
    })
  program
    .command('check-config')
    .description(
      'read the configuration, the site file and the certificates, and say what is wrong',
    )
    .requiredOption('-c, --config <file>', 'YAML configuration')
    .action(async (options: Where) => {
      await checkConfig(options)
    })
  addSiteCommands(program, { today: today(), isColoured: isColoured() }, done)
  program
    .command('power')
    .description('what each service needs, what single failure stops it, and what may be taken out')
    .requiredOption('-s, --site <file>', 'the site file')
    .option('--fail <ids>', 'components to take out, separated by commas')
    .option('--window <from/to>', 'when, such as 22:00/02:00 or 2026-12-24T10:00/2026-12-24T12:00')
    .option('--order <n>', 'sets of up to so many failures: 1, 2 or 3', '3')
    .option('--json', 'print all of it for a program')
    .option('--mef <folder>', 'write the fault tree of each service there, as Open-PSA MEF')
    .addHelpText(
      'after',
      `
Examples:
  kiestoon-collector power --site site.yaml
  kiestoon-collector power --site site.yaml --fail ups-1 --window 22:00/02:00    may it be taken out then?
  kiestoon-collector power --site site.yaml --json
  kiestoon-collector power --site site.yaml --mef trees && scram --zbdd -l 3 trees/call-out.xml`,
    )
    .action(async (options: PowerOptions) => {
      const { isTTY } = process.stdout
      const columns = isTTY ? process.stdout.columns : 100
      const terminal = { isColoured: isColoured(), columns }
      console.log(await powerCommand(options, Date.now(), terminal))
    })
  const token = program.command('token').description('make, list and revoke tokens')
  where(token.command('create'))
    .description('make a token for an agent or for a person, and print it once')
    .option('--agent <name>', 'the agent it is for')
    .option('--site <name>', 'the site of the agent')
    .option('--role <role>', `for a person: ${ROLES.filter((role) => role !== 'agent').join(', ')}`)
    .action(async (options: TokenRequest) => {
      const folder = await dataFolder(options)
      const { token: made, secret } = await createToken(folder, newToken(options), now())
      console.log(secret)
      console.error(`token ${made.id} (${made.agent ?? made.role}): shown this once only`)
    })
  where(token.command('list'))
    .description('list the tokens, without their secrets')
    .action(async (options: Where) => {
      const rows = (await listTokens(await dataFolder(options))).map((it) =>
        [
          it.id,
          it.role.padEnd(8),
          it.agent === undefined ? '-' : `${it.agent}@${it.site ?? ''}`,
          it.created,
          it.revoked === undefined ? '' : `revoked ${it.revoked}`,
        ].join('  '),
      )
      console.log(rows.length === 0 ? 'no tokens yet' : rows.join('\n'))
    })
  where(token.command('revoke'))
    .description('revoke a token; a running collector refuses it within a second')
    .argument('<id>', 'as listed')
    .action(async (id: string, options: Where) => {
      await revokeToken(await dataFolder(options), id, now())
      console.log(`token ${id} is revoked`)
    })
  return program
}

async function run(options: Where): Promise<number> {
  const config = await configOf(options)
  const log = createLogger('collector', config['log-level'])
  const { collector, adminToken } = await Collector.start(config, log)
  console.log(`Kiestoon collector: ${collector.url}`)
  if (adminToken !== undefined)
    console.log(`Admin token (shown this once; also in ${config.data}/admin-token): ${adminToken}`)
  const onHangup = (): void => void collector.reload()
  process.on('SIGHUP', onHangup)
  const code = await runUntilSignal(async () => collector, { deadlineMs: CLOSE_WITHIN_MS, log })
  process.off('SIGHUP', onHangup)
  // Past the deadline something still holds the process open.
  if (code !== 0) process.exit(code)
  return code
}

async function checkConfig(options: Where): Promise<void> {
  const config = await configOf(options)
  const path = config['site-file']
  const [checked] = await allOf([
    path === undefined ? Promise.resolve(undefined) : usableSite(path),
    readTls(config.tls),
  ]).catch((error: unknown) => {
    throw new ConfigError(reasonOf(error).split('\n'))
  })
  const site = checked?.site
  const channels = new Set(config.notify.map(({ name }) => name))
  const strangers = (site?.emergencySites() ?? []).flatMap(([id, { notify }]) =>
    notify
      .filter((name) => !channels.has(name))
      .map(
        (name) => `${path ?? ''}: emergency.sites.${id}.notify: no notifier has the name "${name}"`,
      ),
  )
  if (strangers.length > 0) throw new ConfigError(strangers)
  const { host, port } = config.listen
  console.log(
    [
      `${options.config ?? ''} is right.`,
      `listens on ${host}:${port}${config.tls === undefined ? '' : ' with TLS'}`,
      `data in ${config.data}, store ${config.store.kind}`,
      site === undefined ? 'no site file' : `site file ${path ?? ''}: ${site.size} networks`,
      ...(checked === undefined || site?.model === undefined
        ? []
        : [checked.summary, ...checked.lines]),
      `alerts by: ${config.notify.map(({ name }) => name).join(', ') || 'nothing (the console only)'}`,
    ].join('\n'),
  )
}

/** @throws ConfigError for a site file that cannot be used */
async function usableSite(path: string): Promise<SiteCheck> {
  const checked = await checkSiteFile(path, today(), isColoured() && process.stderr.isTTY)
  if (checked.site === undefined) throw new ConfigError(checked.lines)
  return checked
}

/** The configuration; what the command line says goes before what the file says. */
async function configOf({ config: file, data, listen }: Where): Promise<CollectorConfig> {
  if (file === undefined && data === undefined)
    throw new UsageError(
      'expected --config FILE, or --data FOLDER to run with defaults (kiestoon-collector --help says more)',
    )
  const overrides = Object.entries({ data, listen }).filter(([, value]) => value !== undefined)
  const override = readConfig(
    collectorConfig,
    JSON.stringify(Object.fromEntries(overrides)),
    'command line',
  )
  if (file === undefined) return override
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError([`cannot read the configuration: ${reasonOf(error)}`])
  }
  const read = readConfig(collectorConfig, text, file)
  const fromFile = (path: string): string => resolve(dirname(file), path)
  return {
    ...read,
    data: data === undefined ? fromFile(read.data) : override.data,
    tls: read.tls && { ...read.tls, key: fromFile(read.tls.key) },
    ...(listen === undefined ? {} : { listen: override.listen }),
  }
}

async function dataFolder(options: Where): Promise<string> {
  const { data } = await configOf(options)
  await checkFolder(data)
  return data
}

function newToken({ agent, site, role }: TokenRequest): NewToken {
  if (agent !== undefined) {
    if (role !== undefined && role !== 'agent')
      throw new UsageError(`a token is for an agent or for a person: leave out --role or --agent`)
    if (site === undefined) throw new UsageError(`expected --site: where agent ${agent} is`)
    for (const [option, value] of Object.entries({ agent, site })) {
      const { error } = validName.safeParse(value)
      if (error !== undefined)
        throw new UsageError(`--${option} ${value}: ${error.issues[0]?.message ?? ''}`)
    }
    return { role: 'agent', agent, site }
  }
  const known = ROLES.find((it) => it === role)
  if (known === undefined || known === 'agent')
    throw new UsageError(
      'expected --agent NAME --site SITE for an agent, or --role admin, operator or viewer for a person',
    )
  return { role: known }
}

function now(): string {
  return new Date().toISOString()
}

/** Where this machine is, as 2026-12-01. */
function today(): string {
  const date = new Date()
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function isColoured(): boolean {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined
}
