import { readFile } from 'node:fs/promises'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import type { PortRange } from '../capture/stream-filter.ts'
import type { CodecTable } from '../rtp/codec-impairments.ts'
import { print } from '../print.ts'
import { analyze } from './analyze.ts'
import type { Section } from './analysis-text.ts'

const LAST_PORT = 65_535

/** As commander hands them over. */
export interface AnalyzeArguments {
  readonly json?: boolean
  readonly summary?: boolean
  readonly streams?: boolean
  readonly calls?: boolean
  readonly codecs?: string
  readonly sipPorts: string
}

/** `kiestoon-agent analyze`. False when a file could not be read to its end. */
export async function runAnalyze(
  files: readonly string[],
  options: AnalyzeArguments,
  monotonicMs: () => number,
): Promise<boolean> {
  const { json = false, codecs, sipPorts } = options
  const sections = (['summary', 'streams', 'calls'] as const).filter((name) => options[name])
  return await analyze(
    files,
    {
      json,
      sections: sections.length === 0 ? undefined : new Set<Section>(sections),
      table: codecs === undefined ? undefined : await readCodecs(codecs),
      sipPorts: readPorts(sipPorts),
    },
    {
      print,
      complain: (text) => process.stderr.write(`${text}\n`),
      terminal: process.stderr,
      hasColour: process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
      width: process.stdout.isTTY ? process.stdout.columns : undefined,
      monotonicMs,
    },
  )
}

/** The schema is loaded only when it is needed: it takes longer than a small file. */
async function readCodecs(file: string): Promise<CodecTable> {
  const [{ readConfig }, { z }, { codecOverrides }, { CODEC_IMPAIRMENTS, withOverrides }] =
    await Promise.all([
      import('../../common/config.ts'),
      import('zod'),
      import('../media/codec-overrides.ts'),
      import('../rtp/codec-impairments.ts'),
    ])
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new PermanentError('usage', `cannot read ${file}: ${reasonOf(error)}`)
  }
  const { codecs } = readConfig(z.strictObject({ codecs: codecOverrides }), text, file)
  return withOverrides(CODEC_IMPAIRMENTS, codecs)
}

/** `5060-5061,5080` */
function readPorts(text: string): readonly PortRange[] {
  return text.split(',').map((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    const from = Number(match?.[1])
    const to = Number(match?.[2] ?? match?.[1])
    if (match !== null && from > 0 && from <= to && to <= LAST_PORT) return { from, to }
    throw new PermanentError(
      'usage',
      `--sip-ports ${text}: expected ports such as 5060-5061 or 5060,5080`,
    )
  })
}
