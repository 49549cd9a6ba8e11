import type { PathView } from '../http/overview.ts'

export interface SourceWords {
  /** "calls", "test stream" ... */
  readonly name: string
  /** What was measured, and where: a sentence. */
  readonly meaning: string
}

/** How a row was measured, in words. */
export function sourceWords({ source, from, to, at }: PathView): SourceWords {
  switch (source) {
    case 'stream':
      return {
        name: 'calls',
        meaning:
          at === to
            ? `the packets of calls, counted at ${at}: what was lost on the whole way from ${from}`
            : `the packets of calls, counted at ${at}: what was lost between ${from} and ${at}; what is lost behind ${at} is not in it`,
      }
    case 'test':
      return {
        name: 'test stream',
        meaning: `a stream of test packets from ${from} to ${to}, sent whether anybody calls or not`,
      }
    case 'report':
      return {
        name: 'receivers report',
        meaning: `what phones and gateways in ${to} themselves report in RTCP: the whole way from ${from}`,
      }
    default:
      return { name: source, meaning: '' }
  }
}

/** "calls at hq-edge": enough to tell the rows of a path apart. */
export function rowName(path: PathView): string {
  const { name } = sourceWords(path)
  return path.source === 'stream' ? `${name} at ${path.at}` : name
}
