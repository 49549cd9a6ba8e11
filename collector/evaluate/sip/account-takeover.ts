import { z } from 'zod'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { count, counted, utcMinute } from '../words.ts'
import { ACCOUNT, accountSeen } from './account.ts'
import type { Finding } from '../findings.ts'
import { countOf } from '../points.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'account-takeover'
const US_PER_MS = 1000

const options = z.strictObject({
  /** What follows a change within this time is taken for its purpose. */
  window: duration.prefault('1h'),
  /** Calls to premium-rate numbers or abroad, from a new network or a new device; */
  costly: z.int().min(1).default(1),
  /** or any calls, when network and device are both new; */
  calls: z.int().min(1).default(3),
  /** or so many wrong passwords before the account shows up in a new network. */
  'wrong-passwords': z.int().min(1).default(10),
  'clear-hold': duration.prefault('1h'),
  severity: z.enum(SEVERITIES).default('critical'),
  /** Where the calls cost nothing. */
  'calls-severity': z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

/** A hint, no proof: people move, and phones are exchanged. But they do not call abroad within the hour. */
export const accountTakeover = defineRule({
  name: NAME,
  summary: 'an account turns up in a new network or on a new device, and calls at once',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: ACCOUNT,
    read: (point, find) => {
      const { fields } = point
      const seen = accountSeen(point, topology(), {})
      const before = seen && find(seen.key)?.window
      const network = fields['new_network'] === true ? 1 : 0
      const device = fields['new_user_agent'] === true ? 1 : 0
      const wrong = countOf(fields, 'wrong_credentials')
      const isChanged =
        network + device + (before?.sum('network') ?? 0) + (before?.sum('device') ?? 0) > 0
      // Only calls after a change are of interest here; and most accounts never change.
      if (seen === undefined || (!isChanged && wrong === 0)) return undefined
      const costly = countOf(fields, 'calls_premium') + countOf(fields, 'calls_international')
      const after = isChanged ? { costly, calls: countOf(fields, 'calls') } : {}
      return { ...seen, counts: { network, device, wrong, ...after } }
    },
    judge: (watched, timeUs) => judge(watched, timeUs, read),
  }
}

function judge(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
): Finding | undefined {
  const [network, device] = [window.sum('network') > 0, window.sum('device') > 0]
  const [costly, calls, wrong] = [window.sum('costly'), window.sum('calls'), window.sum('wrong')]
  if (!network && !device) return undefined
  const isGuessed = network && wrong >= read['wrong-passwords']
  const severity: Severity | undefined =
    isGuessed || costly >= read.costly
      ? read.severity
      : network && device && calls >= read.calls
        ? read['calls-severity']
        : undefined
  if (severity === undefined) return undefined
  const sinceUs = Math.min(window.sinceUs('network') ?? timeUs, window.sinceUs('device') ?? timeUs)
  const { agent = '', account = '', account_id: id = '', source_ip: source = 'unknown' } = labels
  const what = network
    ? device
      ? 'a new network and a new device'
      : 'a new network'
    : 'a new device'
  const before = wrong > 0 ? `after ${counted(wrong, 'wrong password')} ` : ''
  return {
    fingerprint: fingerprintOf(NAME, agent, id),
    object: `account ${account}`,
    severity,
    summary: `${before}seen from ${what} (${source}) since ${utcMinute(sinceUs)}; since then ${counted(calls, 'call')}, ${count(costly)} to premium-rate numbers or other countries`,
    labels,
    evidence: {
      ...{ calls, costly_calls: costly, wrong_credentials: wrong, window_ms: read.window },
      ...{ new_network: String(network), new_device: String(device) },
      ...{ user_agent: facts['user_agent'] ?? '', suggested_block: 'account' },
    },
    sinceUs,
  }
}
