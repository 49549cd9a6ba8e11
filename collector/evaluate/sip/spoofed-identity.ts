import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { counted, lasting } from '../words.ts'
import type { Finding } from '../findings.ts'
import { countOf, observerOf, placeOf } from '../points.ts'
import { FRAUD, grouped, sourceSeen } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Seen, Watched } from './windows.ts'

const NAME = 'spoofed-identity'
const US_PER_MS = 1000
const MEASUREMENTS = new Set<MeasurementName>(['sip_source', 'sip_traffic'])

const limit = z.union([z.literal(['off', false]), z.int().min(1)])
const options = z.strictObject({
  window: duration.prefault('10min'),
  /** Calls from outside that say they are from a number or an account of ours. */
  spoofed: limit.default(3),
  /** Calls whose caller the carrier has checked and found wrong. */
  verstat: limit.default(5),
  /** Calls that name two different callers (From, P-Asserted-Identity); many carriers' do, rightly. */
  mismatch: limit.default('off'),
  'clear-hold': duration.prefault('10min'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const spoofedIdentity = defineRule({
  name: NAME,
  summary: 'calls from outside under a number of ours, or of a caller found to be another',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: MEASUREMENTS,
    read: (point) => {
      const { name, fields } = point
      const spoofed = countOf(fields, 'spoofed')
      if (name === 'sip_source')
        return spoofed > 0 ? sourceSeen(point, topology(), { spoofed }) : undefined
      return peerSeen(point, placeOf(topology(), point.tags))
    },
    judge: (watched, timeUs, findings) => {
      const finding = judge(watched, timeUs, read)
      return finding && watched.labels['source_ip'] !== undefined
        ? grouped(finding, findings)
        : finding
    },
  }
}

/** What a peer asserts about its callers. */
function peerSeen(point: Measurement, place: Readonly<Record<string, string>>): Seen | undefined {
  const { tags, fields } = point
  const { target = '', direction } = tags
  const verstat = countOf(fields, 'verstat_failed')
  const mismatch = countOf(fields, 'identity_mismatch')
  if (direction !== 'from' || verstat + mismatch === 0) return undefined
  return {
    key: `${observerOf(point)}\nfrom ${target}`,
    counts: { verstat, mismatch },
    labels: { class: FRAUD, ...place, trunk: target },
    facts: {},
  }
}

const COUNTED = [
  ['spoofed', 'from outside under a number of ours'],
  ['verstat', 'of a caller verified to be another'],
  ['mismatch', 'under two different names'],
] as const

function judge({ labels, window }: Watched, timeUs: number, read: Options): Finding | undefined {
  const found = COUNTED.flatMap(([name, words]) => {
    const most = read[name]
    const sum = window.sum(name)
    return typeof most === 'number' && sum >= most
      ? [`${counted(sum, 'call')} ${words} (limit ${most})`]
      : []
  })
  if (found.length === 0) return undefined
  const { agent = '', source_ip: source, trunk = '' } = labels
  const since = COUNTED.flatMap(([name]) => window.sinceUs(name) ?? [])
  return {
    fingerprint: fingerprintOf(
      NAME,
      agent,
      source === undefined ? 'peer' : 'source',
      source ?? trunk,
    ),
    object: source === undefined ? `peer ${trunk}` : `source ${source}`,
    severity: read.severity,
    summary: `${found.join('; ')} in ${lasting(read.window * US_PER_MS)}`,
    labels,
    evidence: {
      ...Object.fromEntries(COUNTED.map(([name]) => [name, window.sum(name)])),
      ...{ window_ms: read.window, suggested_block: source === undefined ? 'none' : 'source' },
    },
    sinceUs: Math.min(timeUs, ...since),
  }
}
