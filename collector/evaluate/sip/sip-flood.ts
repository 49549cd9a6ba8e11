import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { count } from '../words.ts'
import type { Finding } from '../findings.ts'
import { countOf, intervalUsOf, observerOf, placeOf } from '../points.ts'
import { FRAUD, grouped, sourceSeen } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Seen, Watched } from './windows.ts'

const NAME = 'sip-flood'
const US_PER_MS = 1000
const US_PER_S = 1_000_000
const MEASUREMENTS = new Set<MeasurementName>(['sip_source', 'sip_traffic'])
/** A request that succeeds excuses itself and the one that was challenged before it. */
const EXCUSED = 2
/** How fast what is usual is learned. */
const LEARN_US = 3_600_000_000
const RATE_DIGITS = 3

const rate = z.number().positive()
const options = z.strictObject({
  window: duration.prefault('20s'),
  /** Requests per second that lead to nothing, of one source; */
  source: rate.default(20),
  /** of a source that has been let in within the last day, such as a branch behind one address; */
  'known-source': rate.default(200),
  /** at one server in all, retransmissions left out; */
  total: rate.default(100),
  /** or so many times what is usual there, if that is more. */
  usual: z.number().min(1).default(5),
  'clear-hold': duration.prefault('60s'),
  severity: z.enum(SEVERITIES).default('warning'),
  'total-severity': z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

export const sipFlood = defineRule({
  name: NAME,
  summary: 'more SIP requests that lead to nothing than a source, or all of them, should send',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

/** A busy morning is many requests that succeed; a flood is many that do not. */
function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: MEASUREMENTS,
    read: (point, find) =>
      point.name === 'sip_source'
        ? sourceSeen(point, topology(), countsOf(point))
        : targetSeen(point, find, read, placeOf(topology(), point.tags)),
    judge: (watched, timeUs, findings) => {
      const isSource = watched.labels['source_ip'] !== undefined
      const finding = isSource
        ? judgeSource(watched, timeUs, read)
        : judgeTotal(watched, timeUs, read)
      return finding && isSource ? grouped(finding, findings) : finding
    },
  }
}

function countsOf({ fields }: Measurement) {
  const requests = countOf(fields, 'requests')
  const isStranger = fields['outside'] === true && fields['registered'] !== true
  // Whoever asks gets an answer to OPTIONS: it excuses nobody who was never let in.
  const free = isStranger ? countOf(fields, 'requests_options') : 0
  const answered = EXCUSED * Math.max(0, countOf(fields, 'responses_2xx') - free)
  const others = countOf(fields, 'requests_ack') + countOf(fields, 'retransmitted_requests')
  return {
    requests,
    fruitless: Math.max(0, requests - others - answered),
    succeeded: countOf(fields, 'responses_2xx'),
    covered_us: intervalUsOf(fields),
  }
}

/** All that is asked of one server. */
function targetSeen(
  point: Measurement,
  find: (key: string) => Watched | undefined,
  read: Options,
  place: Readonly<Record<string, string>>,
): Seen | undefined {
  const { target = '', direction } = point.tags
  if (direction !== 'to') return undefined
  const key = `${observerOf(point)}\nto ${target}`
  const counts = countsOf(point)
  const perS = (counts.fruitless / counts.covered_us) * US_PER_S
  const usual = Number(find(key)?.facts['usual_per_s'] ?? 0)
  // What is over the limit is not what is usual: a flood must not teach us to bear it.
  const weight = perS > totalLimit(usual, read) ? 0 : Math.min(1, counts.covered_us / LEARN_US)
  return {
    key,
    counts,
    labels: { class: FRAUD, ...place, server: target },
    facts: { usual_per_s: String(usual + weight * (perS - usual)) },
  }
}

function judgeSource(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const limit = facts['registered'] === 'true' ? read['known-source'] : read.source
  const { agent = '', source_ip: source = '' } = labels
  const finding = findingOf(window, timeUs, read, limit)
  return (
    finding && {
      ...finding,
      fingerprint: fingerprintOf(NAME, agent, source),
      object: `source ${source}`,
      severity: read.severity,
      labels,
      evidence: {
        ...finding.evidence,
        ...{ user_agent: facts['user_agent'] ?? '', where: facts['outside'] ?? '' },
        suggested_block: 'source',
      },
    }
  )
}

function judgeTotal(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const usual = Number(facts['usual_per_s'] ?? 0)
  const { agent = '', server = '' } = labels
  const finding = findingOf(window, timeUs, read, totalLimit(usual, read))
  return (
    finding && {
      ...finding,
      fingerprint: fingerprintOf(NAME, agent, 'to', server),
      object: `flood to ${server}`,
      severity: read['total-severity'],
      labels,
      evidence: { ...finding.evidence, usual_per_s: rounded(usual), suggested_block: 'none' },
    }
  )
}

function findingOf(
  window: Watched['window'],
  timeUs: number,
  { window: windowMs }: Options,
  limit: number,
): Pick<Finding, 'summary' | 'evidence' | 'sinceUs'> | undefined {
  const requests = window.sum('requests')
  const fruitless = window.sum('fruitless')
  const seconds = Math.max(windowMs * US_PER_MS, window.sum('covered_us')) / US_PER_S
  const perS = fruitless / seconds
  if (perS <= limit) return undefined
  return {
    summary: `${count(Math.round(perS))} requests a second lead to nothing, limit ${count(rounded(limit))}; ${count(requests)} requests, ${count(window.sum('succeeded'))} successes in ${Math.round(seconds)} s`,
    evidence: {
      ...{ fruitless_per_s: rounded(perS), limit_per_s: rounded(limit), requests, fruitless },
      ...{ succeeded: window.sum('succeeded'), window_ms: windowMs },
    },
    sinceUs: window.sinceUs('fruitless') ?? timeUs,
  }
}

function totalLimit(usual: number, { total, usual: times }: Options): number {
  return Math.max(total, times * usual)
}

function rounded(perS: number): number {
  return Number(perS.toPrecision(RATE_DIGITS))
}
