import { pathKey, type AlertView, type PathView } from '../http/overview.ts'
import { count, limitPercent } from './format.ts'

/** How something stands. Every tone has a shape of its own beside its colour. */
export type Tone = 'ok' | 'over' | 'caution' | 'unknown'

export interface VerdictWords {
  readonly tone: Tone
  readonly words: string
  /** What it means, for who has not read the manual; '' where the words say it. */
  readonly meaning: string
}

/** A path between two networks, with a row for each place and source it is judged from. */
export interface PathGroup {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly rows: readonly PathView[]
  readonly firing: boolean
}

/** Which row speaks for its path: the worst that was judged. */
const LEADING = ['severe', 'over', 'notice', 'ok', 'tainted', 'unknown', 'too-few', 'silent']

export function isFiring(alert: AlertView): boolean {
  return alert.state === 'firing'
}

/** Rows of the same ends belong together; the order is the collector's. */
export function groupPaths(paths: readonly PathView[]): readonly PathGroup[] {
  const groups = new Map<string, PathView[]>()
  for (const path of paths) {
    const name = `${path.from} → ${path.to}`
    const rows = groups.get(name)
    if (rows === undefined) groups.set(name, [path])
    else rows.push(path)
  }
  return [...groups].map(([name, rows]) => ({
    name,
    from: rows[0]?.from ?? '',
    to: rows[0]?.to ?? '',
    rows,
    firing: rows.some(({ firing }) => firing),
  }))
}

export function rowKey(path: PathView): string {
  return encodeURIComponent(pathKey(path))
}

/** The verdict on a path: that of its worst row. An alert makes even a silent path no calm one. */
export function groupVerdict({ rows, firing }: PathGroup): VerdictWords {
  const rank = ({ verdict }: PathView): number => LEADING.indexOf(verdict)
  const [worst] = rows.toSorted((a, b) => rank(a) - rank(b))
  if (worst === undefined) return { tone: 'unknown', words: '', meaning: '' }
  const verdict = pathVerdict(worst)
  return firing && verdict.tone !== 'over' ? { ...verdict, tone: 'caution' } : verdict
}

/** The verdict of one row in words. */
export function pathVerdict(path: PathView): VerdictWords {
  const limit = limitPercent(path.limitRatio)
  switch (path.verdict) {
    case 'over':
      return { tone: 'over', words: `over ${limit}`, meaning: '' }
    case 'severe':
      return { tone: 'over', words: `severe, far over ${limit}`, meaning: '' }
    case 'tainted':
      return {
        tone: 'unknown',
        words: 'cannot be judged: the tap itself dropped packets',
        meaning: `The tap dropped ${count(path.sensorDrops)} packets of its own in the newest interval, enough to explain the loss: whether the network lost any cannot be told. Nobody is alerted to this path because of it.`,
      }
    case 'unknown':
      return {
        tone: 'unknown',
        words: 'unknown: the agent itself is cut off',
        meaning:
          'Everything the agent watches fell silent at once, so it is probably the agent that hears nothing: what it misses says nothing about the calls.',
      }
    case 'too-few':
      return {
        tone: 'unknown',
        words: 'too few packets to judge',
        meaning:
          'Fewer packets than it takes to tell loss from chance, even over a minute: calls that just began, or in which nobody speaks.',
      }
    case 'silent':
      return {
        tone: 'unknown',
        words: 'nothing measured now',
        meaning: 'No calls and no test packets for a minute. That nothing is lost proves nothing.',
      }
    case 'notice':
      return {
        tone: 'caution',
        words: `under ${limit} together, a single stream is over`,
        meaning:
          'One stream among many loses more than the limit, the others do not: that call’s phone or line, not the path.',
      }
    case 'ok':
      return path.firing
        ? { tone: 'caution', words: `under ${limit}, an alert is firing`, meaning: '' }
        : { tone: 'ok', words: `under ${limit}`, meaning: '' }
    default:
      return { tone: 'unknown', words: path.verdict, meaning: '' }
  }
}
