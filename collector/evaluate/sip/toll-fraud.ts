import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import type { BusinessHours } from '../../topology/business-hours.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { counted, lasting } from '../words.ts'
import { ACCOUNT, accountSeen } from './account.ts'
import type { Finding } from '../findings.ts'
import { HOURS, hoursAt, readHours } from '../hours.ts'
import { countOf, intervalUsOf } from '../points.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'
import type { Watched } from './windows.ts'

const NAME = 'toll-fraud'
const US_PER_MS = 1000
const US_PER_S = 1_000_000
const MAX_IGNORED = 1000

const limit = z.union([z.literal(['off', false]), z.int().min(1)])
const options = z
  .strictObject({
    window: duration.prefault('1h'),
    /** Calls of one account to premium-rate numbers; */
    premium: limit.default(5),
    /** to other countries; */
    international: limit.default(20),
    /** of both kinds at once; */
    concurrent: limit.default(5),
    /** and all the time these last. */
    time: z.union([z.literal(['off', false]), duration]).prefault('2h'),
    /** Calls passed on to premium-rate numbers; */
    'forwards-premium': limit.default(1),
    /** to other countries. */
    'forwards-international': limit.default(5),
    /** Calls that end within 10 s of their answer, to as many numbers: bait to be called back. */
    brief: limit.default(30),
    /** Outside business hours, this share of the limits (and at least 1) is enough. */
    'off-hours': ratio.default(0.4),
    ...HOURS,
    /** Masked accounts, or their keys, that may: a fax server, a call centre. */
    ignore: z.array(z.string().min(1)).max(MAX_IGNORED).default([]),
    'clear-hold': duration.prefault('15min'),
    severity: z.enum(SEVERITIES).default('critical'),
  })
  .transform((read, context) => ({
    ...read,
    hours: readHours(read, context),
    ignored: new Set(read.ignore),
  }))
type Options = z.output<typeof options>

/** Nobody waits for a second look: an hour of calls to a premium-rate number costs more than a false alarm. */
export const tollFraud = defineRule({
  name: NAME,
  summary: 'an account makes, or passes on, more costly calls than people do',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  return {
    rule: NAME,
    windowUs: read.window * US_PER_MS,
    clearUs: read['clear-hold'] * US_PER_MS,
    measurements: ACCOUNT,
    read: (point) => {
      const { account = '', key = '' } = point.fields
      if (read.ignored.has(String(account)) || read.ignored.has(String(key))) return undefined
      const counts = countsOf(point)
      const isOfInterest = Object.values(counts).some((value) => value > 0)
      // Of every account that calls there is a point; those that cost nothing need no window.
      return isOfInterest ? accountSeen(point, topology(), counts, factsOf(point)) : undefined
    },
    judge: (watched, timeUs) => {
      const { site = '' } = watched.labels
      return judge(watched, timeUs, read, hoursAt(topology(), site, read.hours))
    },
  }
}

function countsOf({ fields }: Measurement) {
  return {
    premium: countOf(fields, 'calls_premium'),
    international: countOf(fields, 'calls_international'),
    'forwards-premium': countOf(fields, 'forwards_premium'),
    'forwards-international': countOf(fields, 'forwards_international'),
    brief: Math.min(countOf(fields, 'brief'), countOf(fields, 'destinations')),
    // As many calls as are up at the end of the interval, taken to have been up throughout.
    costly_us: countOf(fields, 'up_costly') * intervalUsOf(fields),
  }
}

function factsOf({ fields }: Measurement) {
  return { up_costly: String(countOf(fields, 'up_costly')) }
}

/** Calls counted in the window, as people say it. */
const COUNTED = [
  ['premium', 'to premium-rate numbers'],
  ['international', 'to other countries'],
  ['forwards-premium', 'forwarded to premium-rate numbers'],
  ['forwards-international', 'forwarded to other countries'],
  ['brief', 'cut off within 10 s of their answer'],
] as const

function judge(
  { labels, facts, window }: Watched,
  timeUs: number,
  read: Options,
  hours: BusinessHours | undefined,
): Finding | undefined {
  const isOff = hours?.includes(timeUs) === false
  const limitOf = (written: number | 'off' | false): number =>
    typeof written !== 'number'
      ? Infinity
      : isOff
        ? Math.max(1, Math.ceil(written * read['off-hours']))
        : written
  const concurrent = Number(facts['up_costly'] ?? 0)
  const costlyUs = window.sum('costly_us')
  const timeLimitUs = limitOf(read.time) * US_PER_MS
  const reasons = [
    ...COUNTED.filter(([name]) => window.sum(name) >= limitOf(read[name])).map(
      ([name, words]) =>
        `${counted(window.sum(name), 'call')} ${words} (limit ${limitOf(read[name])})`,
    ),
    ...(concurrent >= limitOf(read.concurrent)
      ? [`${concurrent} costly calls at once (limit ${limitOf(read.concurrent)})`]
      : []),
    ...(costlyUs >= timeLimitUs
      ? [`${lasting(costlyUs)} of costly calls (limit ${lasting(timeLimitUs)})`]
      : []),
  ]
  if (reasons.length === 0) return undefined
  const { agent = '', account = '', account_id: id = '' } = labels
  const names = [...COUNTED.map(([name]) => name), 'costly_us']
  const since = names.flatMap((name) => window.sinceUs(name) ?? [])
  return {
    fingerprint: fingerprintOf(NAME, agent, id),
    object: `account ${account}`,
    severity: read.severity,
    summary: `${reasons.join('; ')} in ${lasting(read.window * US_PER_MS)}${isOff ? `, outside business hours (${hours.text})` : ''}`,
    labels,
    evidence: {
      ...Object.fromEntries(COUNTED.map(([name]) => [name.replace('-', '_'), window.sum(name)])),
      ...{ concurrent, costly_s: Math.round(costlyUs / US_PER_S), window_ms: read.window },
      ...{ off_hours: String(isOff), suggested_block: 'account' },
    },
    sinceUs: Math.min(timeUs, ...since),
  }
}
