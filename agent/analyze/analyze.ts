import { randomInt } from 'node:crypto'
import { reasonOf } from '../../common/errors.ts'
import type { PortRange } from '../capture/stream-filter.ts'
import { FileCapture } from '../media/file-capture.ts'
import { CODEC_IMPAIRMENTS, type CodecTable } from '../rtp/codec-impairments.ts'
import { AnalysisBuilder, type Analysis } from './analysis.ts'
import { analysisJson } from './analysis-json.ts'
import { analysisText, type Section } from './analysis-text.ts'
import { Progress } from './progress.ts'

/** The interval an agent pushes; its worst one is what a listener remembers of a call. */
const INTERVAL_MS = 10_000
const MAX_STREAMS = 200_000
/** Packets in sequence that make a stream no signalling told of. */
const PROBATION = 3
const FIRST_PORT = 1024
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
  readonly terminal: NodeJS.WriteStream
  readonly hasColour: boolean
  readonly monotonicMs: () => number
}

/** Analyses capture files and prints what is in them. False when one of them could not be read to its end. */
export async function analyze(
  files: readonly string[],
  options: AnalyzeOptions,
  screen: AnalyzeScreen,
): Promise<boolean> {
  const { json, sections, table = CODEC_IMPAIRMENTS } = options
  const found: unknown[] = []
  let isComplete = true
  for (const [index, file] of files.entries()) {
    let analysis: Analysis
    try {
      analysis = await analyzeFile(file, options, screen)
    } catch (error) {
      screen.complain(reasonOf(error))
      isComplete = false
      continue
    }
    if (analysis.fault !== undefined) {
      screen.complain(`${analysis.fault}; what came before it was analysed`)
      isComplete = false
    }
    if (json) found.push(analysisJson(analysis, table))
    else {
      const text = analysisText(analysis, {
        sections: sections ?? new Set(['summary', 'streams', 'calls']),
        all: sections?.has('streams') === true,
        hasColour: screen.hasColour,
        table,
      })
      await screen.print(index === 0 ? text : `\n${text}`)
    }
  }
  if (json && found.length > 0)
    await screen.print(`${JSON.stringify(files.length === 1 ? found[0] : found, undefined, 2)}\n`)
  return isComplete
}

/** @throws PermanentError or TransientError when the file cannot be opened or is no capture */
export async function analyzeFile(
  file: string,
  { table, sipPorts }: Pick<AnalyzeOptions, 'table' | 'sipPorts'>,
  { terminal, monotonicMs }: Pick<AnalyzeScreen, 'terminal' | 'monotonicMs'>,
): Promise<Analysis> {
  const progress = new Progress(terminal, file, monotonicMs())
  // In this thread: nothing else is to be done, and a thread takes longer to start than a small file to read.
  const capture = new FileCapture(
    { path: file, intervalMs: INTERVAL_MS },
    {
      filter: { ports: { from: FIRST_PORT, to: LAST_PORT }, networks: [], from: [], to: [] },
      maxStreams: MAX_STREAMS,
      probation: PROBATION,
      sipPorts,
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
