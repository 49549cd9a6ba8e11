import { randomInt } from 'node:crypto'
import { basename } from 'node:path'
import { reasonOf } from '../../common/errors.ts'
import type { PortRange } from '../capture/stream-filter.ts'
import { FileCapture } from '../media/file-capture.ts'
import { CODEC_IMPAIRMENTS, type CodecTable } from '../rtp/codec-impairments.ts'
import { DEFAULT_SIGNALLING } from '../signalling/default-options.ts'
import { AnalysisBuilder, type Analysis } from './analysis.ts'
import { analysisJson } from './analysis-json.ts'
import { analysisText, type Section } from './analysis-text.ts'
import { INDENT, jsonPieces } from './json-pieces.ts'
import { Progress, type Terminal } from './progress.ts'

/** The interval an agent pushes; its worst one is what a listener remembers of a call. */
const INTERVAL_MS = 10_000
/** At once; a gigabyte of memory when somebody floods them. */
const MAX_STREAMS = 100_000
const STDIN = '-'
/** Packets in sequence that make a stream no signalling told of. */
const PROBATION = 3
/** Signalling may announce any. */
const FIRST_PORT = 1
const LAST_PORT = 65_535
const MAX_SEED = 2 ** 31

export interface AnalyzeOptions {
  readonly json: boolean
  /** Undefined: a summary, the worst streams, and the calls. */
  readonly sections: ReadonlySet<Section> | undefined
  /** The codec table, where it is not the built-in one. */
  readonly table: CodecTable | undefined
  readonly sipPorts: readonly PortRange[]
}

export interface AnalyzeScreen {
  readonly print: (text: string) => Promise<void>
  readonly complain: (text: string) => void
  readonly terminal: Terminal
  readonly hasColour: boolean
  /** Of a line; undefined where it does not matter. */
  readonly width: number | undefined
  readonly monotonicMs: () => number
}

/** How what is found is told, a file at a time. */
interface Report {
  add(analysis: Analysis): Promise<void>
  end(): Promise<void>
}

/** Analyses capture files and prints what is in them. False when one of them could not be read to its end. */
export async function analyze(
  files: readonly string[],
  options: AnalyzeOptions,
  screen: AnalyzeScreen,
): Promise<boolean> {
  const report = options.json
    ? jsonReport(files.length > 1, options, screen)
    : textReport(options, screen)
  let isComplete = true
  const complain = (text: string) => {
    screen.complain(text)
    isComplete = false
  }
  for (const file of files) {
    let analysis: Analysis
    try {
      analysis = await analyzeFile(file, options, screen)
    } catch (error) {
      complain(reasonOf(error))
      continue
    }
    const { fault, packets } = analysis
    if (fault !== undefined)
      complain(packets === 0 ? fault : `${fault}; what came before it was analysed`)
    await report.add(analysis)
  }
  await report.end()
  return isComplete
}

/** One object for one file, an array for several. */
function jsonReport(isArray: boolean, options: AnalyzeOptions, { print }: AnalyzeScreen): Report {
  const { table = CODEC_IMPAIRMENTS } = options
  let count = 0
  return {
    async add(analysis) {
      if (isArray) await print(count === 0 ? `[\n${INDENT}` : `,\n${INDENT}`)
      for (const piece of jsonPieces(analysisJson(analysis, table), isArray ? INDENT : ''))
        await print(piece)
      if (!isArray) await print('\n')
      count++
    },
    async end() {
      if (isArray) await print(count === 0 ? '[]\n' : '\n]\n')
    },
  }
}

function textReport(options: AnalyzeOptions, { print, hasColour, width }: AnalyzeScreen): Report {
  const { sections, table = CODEC_IMPAIRMENTS } = options
  let count = 0
  return {
    async add(analysis) {
      // Of what is no capture the complaint says it all.
      if (analysis.fault !== undefined && analysis.packets === 0) return
      const text = analysisText(analysis, {
        sections: sections ?? new Set(['summary', 'streams', 'calls']),
        isAll: sections !== undefined,
        hasColour,
        width,
        table,
      })
      await print(count === 0 ? text : `\n${text}`)
      count++
    },
    async end() {
      // Each file was told by itself.
    },
  }
}

/** @throws PermanentError or TransientError when the file cannot be opened or is no capture */
export async function analyzeFile(
  file: string,
  { table, sipPorts }: Pick<AnalyzeOptions, 'table' | 'sipPorts'>,
  { terminal, monotonicMs }: Pick<AnalyzeScreen, 'terminal' | 'monotonicMs'>,
): Promise<Analysis> {
  const progress = new Progress(terminal, basename(file), monotonicMs())
  // In this thread: nothing else is to be done, and a thread takes longer to start than a small file to read.
  const capture = new FileCapture(
    { path: file === STDIN ? '/dev/stdin' : file, intervalMs: INTERVAL_MS },
    {
      filter: { ports: { from: FIRST_PORT, to: LAST_PORT }, networks: [], from: [], to: [] },
      maxStreams: MAX_STREAMS,
      probation: PROBATION,
      sipPorts,
      signalling: DEFAULT_SIGNALLING,
      codecs: table,
      seed: randomInt(MAX_SEED),
    },
    async (octets, total) => {
      progress.show(octets, total, monotonicMs())
    },
  )
  try {
    const builder = new AnalysisBuilder(file)
    for (;;) {
      const intervals = await capture.take()
      if (intervals.length === 0) return builder.analysis
      for (const interval of intervals) builder.add(interval)
    }
  } finally {
    progress.clear()
    capture.close()
  }
}
