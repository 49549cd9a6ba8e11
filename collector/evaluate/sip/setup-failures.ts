import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { parseAddress } from '../../topology/address.ts'
import { fingerprintOf, type Severity } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { lowerBound } from '../wilson.ts'
import { count, lasting, percent } from '../words.ts'
import type { Finding } from '../findings.ts'
import { countOf, observerOf, placeOf } from '../points.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Seen, Watched } from './windows.ts'

const NAME = 'setup-failures'
const US_PER_MS = 1000
const MEASUREMENTS = new Set<MeasurementName>(['sip_traffic'])

const share = z.union([z.literal(['off', false]), ratio])
const options = z.strictObject({
  window: duration.prefault('5min'),
  /** Fewer attempts are too few to judge. */
  attempts: z.int().min(1).default(20),
  /** Ineffective attempts (RFC 6076 section 4.8): the servers failed, not the people. */
  ineffective: ratio.default(0.05),
  severe: ratio.default(0.2),
  /** Failed for any reason but busy, no time and given up; wrong numbers are among these. */
  failed: share.default(0.5),
  'clear-hold': duration.prefault('5min'),
})
type Options = z.output<typeof options>

export const setupFailures = defineRule({
  name: NAME,
  summary: 'too many calls to or from a peer cannot be set up (RFC 6076 ISA)',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: MEASUREMENTS,
    read: (point) => peerSeen(point, placeOf(topology(), point.tags, point.tags['target'])),
    doesSilenceHeal: false,
    judge: (watched, timeUs, findings) => {
      if (watched.window.sum('attempts') < read.attempts) return undefined
      const finding = judge(watched, timeUs, read)
      if (finding === undefined) findings.well(fingerprintFor(watched), timeUs)
      return finding
    },
  }
}

function peerSeen(point: Measurement, place: Readonly<Record<string, string>>): Seen | undefined {
  const { tags, fields } = point
  const { target = '', direction = '' } = tags
  const attempts = countOf(fields, 'session_attempts')
  // Whoever knocks from outside is a peer by his address only: that he gets nowhere is no failure.
  const isStranger = direction !== 'to' && isUnnamed(target)
  if (attempts === 0 || isStranger) return undefined
  return {
    key: `${observerOf(point)}\n${direction} ${target}`,
    counts: {
      attempts,
      ineffective: countOf(fields, 'session_ineffective'),
      failed: countOf(fields, 'session_failed'),
    },
    labels: { ...place, trunk: target, direction },
    facts: {},
  }
}

function fingerprintFor({ labels }: Watched): string {
  const { agent = '', trunk = '', direction = '' } = labels
  return fingerprintOf(NAME, agent, direction, trunk)
}

function judge(watched: Watched, timeUs: number, read: Options): Finding | undefined {
  const { labels, window } = watched
  const attempts = window.sum('attempts')
  const ineffective = window.sum('ineffective')
  const failed = window.sum('failed')
  const isAbove = (part: number, limit: number): boolean => lowerBound(part, attempts) > limit
  const severity: Severity | undefined = isAbove(ineffective, read.severe)
    ? 'critical'
    : isAbove(ineffective, read.ineffective)
      ? 'warning'
      : typeof read.failed === 'number' && isAbove(failed, read.failed)
        ? 'notice'
        : undefined
  if (severity === undefined) return undefined
  const { trunk = '', direction = '' } = labels
  const [part, words, limit] =
    severity === 'notice'
      ? [failed, 'failed', Number(read.failed)]
      : [ineffective, 'failed for the servers (ISA)', read.ineffective]
  return {
    fingerprint: fingerprintFor(watched),
    object: `calls ${direction} ${trunk}`,
    severity,
    summary: `${percent(part / attempts)} of ${count(attempts)} call attempts ${words} in ${lasting(read.window * US_PER_MS)}, limit ${percent(limit)}`,
    labels,
    evidence: {
      ...{ attempts, ineffective, failed, ineffective_ratio: ineffective / attempts },
      ...{ failed_ratio: failed / attempts, limit_ratio: limit, window_ms: read.window },
    },
    sinceUs: window.sinceUs('failed') ?? timeUs,
  }
}

function isUnnamed(target: string): boolean {
  return target === 'other' || parseAddress(target.replace(/\/\d+$/, '')) !== undefined
}
