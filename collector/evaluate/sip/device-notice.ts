import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { defineRule, type RuleContext, type RuleKind } from '../rule.ts'
import { counted, lasting } from '../words.ts'
import { ACCOUNT } from './account.ts'
import { withExample } from './examples.ts'
import { numberOf, observerOf, placeOf, textOf } from '../points.ts'
import { FRAUD } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'

const US_PER_MS = 1000
const MS_PER_S = 1000

const options = z.strictObject({
  /** Devices of this time are one notice: a new firmware is rolled out to all. */
  window: duration.prefault('1h'),
  /** What is new to a tap that has not watched for this long is not new. */
  after: duration.prefault('1d'),
  severity: z.enum(SEVERITIES).default('notice'),
})

/** What is worth a notice about the device of an account, and how it is said. */
interface Notice {
  readonly name: string
  readonly summary: string
  readonly isOne: (fields: Measurement['fields']) => boolean
  readonly object: string
  /** After the number of accounts. */
  readonly words: string
}

export const unknownDevice = deviceNotice({
  name: 'unknown-device',
  summary: 'an account was registered that was never seen before',
  isOne: ({ registration, first_seen: isFirst }) =>
    registration === 'registered' && isFirst === true,
  object: 'new devices',
  words: 'registered for the first time',
})

export const deviceChanged = deviceNotice({
  name: 'device-changed',
  summary: 'an account has another device or firmware than before (User-Agent)',
  isOne: ({ new_user_agent: isNew, first_seen: isFirst }) => isNew === true && isFirst !== true,
  object: 'changed devices',
  words: 'with another User-Agent than before',
})

function deviceNotice(notice: Notice): RuleKind {
  const { name, summary } = notice
  return defineRule({
    name,
    summary,
    options,
    create: (read, context) => {
      const { after, severity } = read
      const windowUs = read.window * US_PER_MS
      return new WatchingRule(watchOf(notice, { after, severity, windowUs }, context), context)
    },
  })
}

interface Limits {
  readonly after: number
  readonly severity: Severity
  readonly windowUs: number
}

function watchOf(
  { name, isOne, object, words }: Notice,
  { after, severity, windowUs }: Limits,
  { topology }: RuleContext,
): Watch {
  return {
    rule: name,
    windowUs,
    clearUs: windowUs,
    measurements: ACCOUNT,
    read: (point, find) => {
      const { tags, fields } = point
      const watchedS = numberOf(fields, 'watched_s') ?? Infinity
      if (!isOne(fields) || watchedS * MS_PER_S < after) return undefined
      const key = observerOf(point)
      const device = [
        textOf(fields, 'account') ?? 'unknown',
        `(${textOf(fields, 'user_agent') ?? 'no User-Agent'})`,
        `at ${textOf(fields, 'src_ip') ?? 'an unknown address'}`,
      ].join(' ')
      return {
        key,
        counts: { accounts: 1 },
        labels: { class: FRAUD, ...placeOf(topology(), tags, textOf(fields, 'src_ip')) },
        facts: { examples: withExample(find(key)?.facts['examples'] ?? '', device) },
      }
    },
    judge: ({ labels, facts, window }, timeUs) => {
      const accounts = window.sum('accounts')
      const { agent = '', site = '' } = labels
      const { examples = '' } = facts
      return {
        fingerprint: fingerprintOf(name, agent),
        object: `${object} at ${site}`,
        severity,
        summary: `${counted(accounts, 'account')} ${words} in ${lasting(windowUs)}, such as ${examples}`,
        labels,
        evidence: { accounts, examples, window_ms: windowUs / US_PER_MS },
        sinceUs: window.sinceUs('accounts') ?? timeUs,
      }
    },
  }
}
