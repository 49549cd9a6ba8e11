import { z } from 'zod'
import type { MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { counted, lasting } from '../words.ts'
import { accountSeen } from './account.ts'
import type { Finding } from '../findings.ts'
import { countOf } from '../points.ts'
import { grouped, sourceSeen } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'password-guessing'
const US_PER_MS = 1000
const MEASUREMENTS = new Set<MeasurementName>(['sip_source', 'sip_account'])

const times = z.int().min(1)
const options = z.strictObject({
  window: duration.prefault('10min'),
  /** So many wrong passwords from one source that tries several accounts; */
  source: times.default(20),
  /** how many accounts are several; */
  accounts: times.default(3),
  /** so many for one account, from several sources; */
  account: times.default(20),
  /** how many sources are several; */
  sources: times.default(3),
  /** so many in any case: a phone that merely has a wrong password tries less often. */
  any: times.default(100),
  'clear-hold': duration.prefault('10min'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** It was let in after all. */
  'success-severity': z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

export const passwordGuessing = defineRule({
  name: NAME,
  summary: 'many wrong passwords from one source, or for one account',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: MEASUREMENTS,
    read: (point, find) => {
      const { fields } = point
      const wrong = countOf(fields, 'wrong_credentials')
      if (point.name === 'sip_account') {
        const sources = String(countOf(fields, 'guessing_sources'))
        const letIn = fields['registration'] === 'registered' ? 1 : 0
        return accountSeen(point, topology(), { wrong, let_in: letIn }, { sources })
      }
      const seen = sourceSeen(point, topology(), { wrong })
      if (seen === undefined) return undefined
      const wasStranger = find(seen.key)?.facts['registered'] === 'false'
      const letIn = wasStranger && seen.facts['registered'] === 'true' ? 1 : 0
      return { ...seen, counts: { wrong, let_in: letIn } }
    },
    judge: (watched, timeUs, findings) => {
      if (watched.labels['account'] !== undefined) return judgeAccount(watched, timeUs, read)
      const finding = judgeSource(watched, timeUs, read)
      return finding && grouped(finding, findings)
    },
  }
}

function judgeSource(watched: Watched, timeUs: number, read: Options): Finding | undefined {
  const { labels, facts, window } = watched
  const wrong = window.sum('wrong')
  const accounts = Math.max(Number(facts['accounts']), Number(facts['accounts_recent']))
  const isGuessing = wrong >= read.any || (wrong >= read.source && accounts >= read.accounts)
  if (!isGuessing) return undefined
  const { agent = '', source_ip: source = '' } = labels
  return {
    fingerprint: fingerprintOf(NAME, agent, 'source', source),
    object: `source ${source}`,
    ...findingOf(watched, timeUs, read, `${counted(accounts, 'account')} tried`),
    evidence: {
      ...{ wrong_credentials: wrong, accounts, window_ms: read.window },
      ...{ user_agent: facts['user_agent'] ?? '', where: facts['outside'] ?? '' },
      suggested_block: 'source',
    },
  }
}

function judgeAccount(watched: Watched, timeUs: number, read: Options): Finding | undefined {
  const { labels, facts, window } = watched
  const wrong = window.sum('wrong')
  const sources = Number(facts['sources'])
  const isGuessing = wrong >= read.any || (wrong >= read.account && sources >= read.sources)
  if (!isGuessing) return undefined
  const { agent = '', account = '', account_id: id = '' } = labels
  return {
    fingerprint: fingerprintOf(NAME, agent, 'account', id),
    object: `account ${account}`,
    ...findingOf(watched, timeUs, read, `from ${counted(sources, 'source')}`),
    evidence: {
      ...{ wrong_credentials: wrong, sources, window_ms: read.window },
      suggested_block: window.sum('let_in') > 0 ? 'account' : 'none',
    },
  }
}

function findingOf(
  { labels, window }: Watched,
  timeUs: number,
  read: Options,
  how: string,
): Pick<Finding, 'severity' | 'summary' | 'labels' | 'sinceUs'> {
  const isIn = window.sum('let_in') > 0
  const end = isIn ? ', and then it was let in' : ''
  return {
    severity: read[isIn ? 'success-severity' : 'severity'],
    summary: `${counted(window.sum('wrong'), 'wrong password')} in ${lasting(read.window * US_PER_MS)}, ${how}${end}`,
    labels,
    sinceUs: window.sinceUs('wrong') ?? timeUs,
  }
}
