import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { count, lasting } from '../words.ts'
import type { Finding } from '../findings.ts'
import { countOf } from '../points.ts'
import { grouped, SOURCE, sourceSeen } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'sip-scan'
const US_PER_MS = 1000
const REFUSALS = ['responses_401', 'responses_403', 'responses_404']

const options = z.strictObject({
  window: duration.prefault('10min'),
  /** The same for who takes his time. */
  'slow-window': duration.prefault('1h'),
  /** So many accounts or numbers must be tried: in an interval, or slowly, over the last half hour to hour; */
  accounts: z.int().min(2).default(20),
  /** as many refusals must come within one of the windows, and this share of the answers must be refusals: whoever belongs here is let in now and then. */
  refused: ratio.default(0.8),
  'clear-hold': duration.prefault('10min'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** A known scanner that has tried less than that; they knock at every open door of the Internet. */
  scanner: z.union([z.literal(['off', false]), z.enum(SEVERITIES)]).default('notice'),
})
type Options = z.output<typeof options>

export const sipScan = defineRule({
  name: NAME,
  summary: 'a source tries many accounts or numbers and is refused, or is a known scanner',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: Math.max(read.window, read['slow-window']) * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: SOURCE,
    read: (point) => sourceSeen(point, topology(), countsOf(point)),
    judge: (watched, timeUs, findings) => {
      const finding = judge(watched, timeUs, read)
      return finding && grouped(finding, findings)
    },
  }
}

function countsOf({ fields }: Measurement) {
  return {
    requests: countOf(fields, 'requests'),
    refused: REFUSALS.reduce((sum, name) => sum + countOf(fields, name), 0),
    no_such: countOf(fields, 'responses_404'),
    succeeded: countOf(fields, 'responses_2xx'),
  }
}

function judge(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const { accounts: limit, scanner: least } = read
  const tried = Math.max(Number(facts['accounts']), Number(facts['accounts_recent']))
  const isScanWithin = (ms: number) => {
    const fromUs = timeUs - ms * US_PER_MS
    const [refused, succeeded] = [window.sum('refused', fromUs), window.sum('succeeded', fromUs)]
    // Who belongs here may be refused for a fault of the registrar's; trying numbers that do not exist is nobody's fault but its own.
    const telling = facts['registered'] === 'true' ? window.sum('no_such', fromUs) : refused
    return tried >= limit && telling >= limit && telling >= read.refused * (refused + succeeded)
  }
  const scanMs = [read.window, read['slow-window']].find(isScanWithin)
  const windowMs = scanMs ?? read.window
  const fromUs = timeUs - windowMs * US_PER_MS
  const [refused, succeeded] = [window.sum('refused', fromUs), window.sum('succeeded', fromUs)]
  const { scanner = '', user_agent: userAgent = '', outside = '' } = facts
  const severity =
    scanMs !== undefined ? read.severity : scanner === '' ? undefined : severityOf(least)
  if (severity === undefined) return undefined
  const { agent = '', source_ip: source = '' } = labels
  const who = scanner === '' ? '' : `known scanner ${scanner}; `
  return {
    fingerprint: fingerprintOf(NAME, agent, source),
    object: `source ${source}`,
    severity,
    summary: `${who}${count(tried)} accounts or numbers tried (limit ${limit}), ${count(refused)} refusals to ${count(succeeded)} successes in ${lasting(windowMs * US_PER_MS)}`,
    labels,
    evidence: {
      ...{ accounts: tried, accounts_limit: limit, refused, succeeded, window_ms: windowMs },
      ...{ no_such: window.sum('no_such', fromUs), requests: window.sum('requests', fromUs) },
      ...{ scanner, user_agent: userAgent, where: outside, suggested_block: 'source' },
    },
    sinceUs: window.sinceUs('requests', fromUs) ?? timeUs,
  }
}

function severityOf(least: Options['scanner']): Severity | undefined {
  return least === 'off' || least === false ? undefined : least
}
