#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { PermanentError, reasonOf } from '../common/errors.ts'
import { version } from '../common/version.ts'
import type { AnalyzeArguments } from './analyze/command.ts'
import type { OnceOptions } from './commands.ts'

const SUCCESS = 0
const FAILURE = 1
const USAGE = 2
const EXAMPLES = `
Examples:
  kiestoon-agent once                               this machine, now
  kiestoon-agent check-config --config agent.yaml   say what is wrong in it
  kiestoon-agent run --config agent.yaml
  kiestoon-agent analyze calls.pcapng.gz            what a capture says of its calls

Exit codes: 0 done, 1 something failed, 2 wrong command line or configuration.`

const ANALYZE_EXAMPLES = `
Loss is red over 3 %, yellow over 1 %; the worst comes first. A dash is what could not be measured: without signalling nobody
knows the clock of a dynamic payload type. Columns:
  worst 10 s   loss of the worst 10 seconds         silent   of a constant-rate stream, before it went on
  discard      too late for a jitter buffer         cut      packets missing over a restart: the line was cut
  jitter, max  mean and highest (RFC 3550)          MOS-LQ   listening quality (ITU-T G.107); ~ the codec's
  max delta    longest time between two packets              impairments are assumed, W wideband, F fullband
Those that do not fit the screen are left out; into a file or a pipe all are written, as in --json.
Exit code 1 when a file could not be read to its end; what came before is shown.

Example:
  kiestoon-agent analyze calls.pcap
  kiestoon-agent analyze --streams calls.pcapng.gz | less -S
  kiestoon-agent analyze --json monday.pcapng.gz tuesday.pcapng.gz | jq '.[].streams[] | select(.lossRatio > 0.03)'`

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
      code = await (await import('./commands.ts')).run(config ?? missingConfig(command))
    })
  program
    .command('once')
    .description('measure once and print; without a configuration: this machine')
    .option('-c, --config <file>', 'YAML configuration')
    .option('-p, --probe <name>', 'only this probe, by name or kind')
    .option('-i, --interval <duration>', 'how long to measure (default: 2s)')
    .option('--json', 'print JSON instead of tables')
    .addHelpText('after', '\nExample:\n  kiestoon-agent once --probe host --interval 5s')
    .action(async (options: OnceOptions) => {
      code = exitCode(await (await import('./commands.ts')).once(options))
    })
  program
    .command('analyze')
    .description('analyse captures: every RTP stream, its loss, jitter and quality; calls; RTCP')
    .argument('<file...>', 'pcap or pcapng, gzipped or not; - for stdin')
    .option('--json', 'print JSON: one object for one file, an array for several')
    .option('--summary', 'only the summary')
    .option('--streams', 'only the streams, all of them, the worst first')
    .option('--calls', 'only the calls, all of them')
    .option('--codecs <file>', 'YAML with codec impairments: {codecs: {PCMA: {ie: 0, bpl: 4.3}}}')
    .option('--sip-ports <list>', 'where SIP is looked for whatever it begins with', '5060-5061')
    .addHelpText('after', ANALYZE_EXAMPLES)
    .action(async (files: readonly string[], options: AnalyzeArguments) => {
      code = exitCode(
        await (
          await import('./analyze/command.ts')
        ).runAnalyze(files, options, () => performance.now()),
      )
    })
  program
    .command('check-config')
    .description('read a configuration and say everything that is wrong with it')
    .option('-c, --config <file>', 'YAML configuration')
    .addHelpText('after', '\nExample:\n  kiestoon-agent check-config --config agent.yaml')
    .action(async ({ config }: { config?: string }, command: Command) => {
      await (await import('./commands.ts')).checkConfig(config ?? missingConfig(command))
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

function exitCode(isDone: boolean): number {
  return isDone ? SUCCESS : FAILURE
}

/** Not commander's own required option: that complains before it says which option was misspelt. */
function missingConfig(command: Command): never {
  command.error("error: required option '-c, --config <file>' not specified")
}
