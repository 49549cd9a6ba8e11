import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import type { Finding } from '../findings.ts'
import { countOf, intervalUsOf, numberOf, observerOf, placeOf, textOf } from '../points.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { count, counted, lasting } from '../words.ts'
import { withExample } from './examples.ts'
import { FRAUD, SOURCE } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'distributed-scan'
const US_PER_MS = 1000
const US_PER_S = 1_000_000
const REFUSALS = ['responses_401', 'responses_403', 'responses_404']

const options = z.strictObject({
  window: duration.prefault('1h'),
  /** So many addresses outside that were never seen before and never let in; */
  sources: z.int().min(2).default(100),
  /** so many refusals of theirs; */
  refusals: z.int().min(1).default(200),
  /** and this share of all they were answered. */
  refused: ratio.default(0.8),
  'clear-hold': duration.prefault('30min'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

/** Each tries too little to be told of; together they try all numbers, or the passwords of all accounts. */
export const distributedScan = defineRule({
  name: NAME,
  summary: 'many addresses outside that nobody knows try a little each, and are refused',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: SOURCE,
    read: (point, find) => {
      const { tags, fields } = point
      if (fields['outside'] !== true || fields['registered'] === true) return undefined
      const refused = REFUSALS.reduce((sum, name) => sum + countOf(fields, name), 0)
      if (refused === 0) return undefined
      const key = observerOf(point)
      const source = textOf(fields, 'src_ip') ?? 'an unknown address'
      return {
        key,
        counts: {
          refused,
          ...{ sources: isNew(point) ? 1 : 0, succeeded: countOf(fields, 'responses_2xx') },
          wrong: countOf(fields, 'wrong_credentials'),
        },
        labels: { class: FRAUD, ...placeOf(topology(), tags) },
        facts: { examples: withExample(find(key)?.facts['examples'] ?? '', source) },
      }
    },
    judge: (watched, timeUs) => judge(watched, timeUs, read),
  }
}

/** Heard of for the first time in this interval. */
function isNew({ fields }: Measurement): boolean {
  return (numberOf(fields, 'known_s') ?? Infinity) * US_PER_S <= intervalUsOf(fields)
}

function judge(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const [sources, refused] = [window.sum('sources'), window.sum('refused')]
  const [succeeded, wrong] = [window.sum('succeeded'), window.sum('wrong')]
  if (sources < read.sources || refused < read.refusals) return undefined
  if (refused < read.refused * (refused + succeeded)) return undefined
  const { agent = '' } = labels
  const { examples = '' } = facts
  const passwords = wrong > 0 ? `, ${counted(wrong, 'wrong password')}` : ''
  return {
    fingerprint: fingerprintOf(NAME, agent),
    object: `many sources at ${agent}`,
    severity: read.severity,
    summary: `${count(sources)} new addresses (limit ${count(read.sources)}) were refused ${count(refused)} times in ${lasting(read.window * US_PER_MS)}${passwords}, such as ${examples}`,
    labels,
    evidence: {
      ...{ sources, refused, succeeded, wrong_credentials: wrong, examples },
      ...{ window_ms: read.window, suggested_block: 'none' },
    },
    sinceUs: window.sinceUs('sources') ?? timeUs,
  }
}
