import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { count, lasting } from '../words.ts'
import type { Finding } from '../findings.ts'
import { countOf, numberOf, observerOf, placeOf } from '../points.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'registrations-overdue'
const US_PER_MS = 1000
const US_PER_S = 1_000_000

const options = z.strictObject({
  /** In which registrations lapsed are counted with those about to. */
  window: duration.prefault('60s'),
  /** So many phones, and this share of all: one that is switched off is not worth a word. */
  phones: z.int().min(1).default(3),
  share: ratio.default(0.05),
  'clear-hold': duration.prefault('60s'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const registrationsOverdue = defineRule({
  name: NAME,
  summary: 'many phones did not refresh their registration: they lapse now, or will soon',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology, isolation }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: new Set(['sip_bindings']),
    read: (point) => {
      const { tags, fields, timeUs } = point
      const { agent = '', target = '' } = tags
      // An agent that hears nothing hears no refreshes either.
      if (isolation.isIsolated(agent, timeUs)) return undefined
      return {
        key: `${observerOf(point)}\n${target}`,
        counts: { expired: countOf(fields, 'expired') },
        labels: { ...placeOf(topology(), tags, target), registrar: target },
        facts: factsOf(point),
      }
    },
    judge: (watched, timeUs) => judge(watched, timeUs, read),
  }
}

function factsOf({ fields }: Measurement) {
  const lapseS = numberOf(fields, 'next_lapse_s')
  return {
    active: String(countOf(fields, 'active')),
    overdue: String(countOf(fields, 'overdue')),
    ...(lapseS === undefined ? {} : { next_lapse_s: String(lapseS) }),
  }
}

function judge(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const overdue = Number(facts['overdue'])
  const expired = window.sum('expired')
  const all = Number(facts['active']) + expired
  const late = overdue + expired
  if (late < read.phones || late < read.share * all) return undefined
  const { agent = '', registrar = '' } = labels
  const nextS = facts['next_lapse_s']
  const next = nextS === undefined ? '' : `, the next in ${lasting(Number(nextS) * US_PER_S)}`
  const gone =
    expired > 0 ? `; ${count(expired)} have lapsed in ${lasting(read.window * US_PER_MS)}` : ''
  return {
    fingerprint: fingerprintOf(NAME, agent, registrar),
    object: `registrations at ${registrar}`,
    severity: read.severity,
    summary: `${count(overdue)} of ${count(all)} will lapse${next}: they were not refreshed${gone}`,
    labels,
    evidence: {
      ...{ overdue, expired, registrations: all, limit: read.phones, share: read.share },
      ...(nextS === undefined ? {} : { next_lapse_s: Number(nextS) }),
    },
    sinceUs: timeUs,
  }
}
