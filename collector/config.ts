import { z } from 'zod'
import { LOG_LEVELS } from '../common/log.ts'
import { bytes, hostPort, httpUrl } from '../common/settings.ts'
import { RULE_CLASSES, RULES, rulesOptions } from './evaluate/index.ts'
import { notifierOptions } from './notify/index.ts'
import { storeOptions } from './store/index.ts'

const MIB = 1024 ** 2
const MAX_BODY_BYTES = 10 * MIB
/** About 100,000 of our points: far above any batch, far below what would hurt. */
const MAX_INFLATED_BYTES = 32 * MIB
const MAX_IN_FLIGHT_BYTES = 64 * MIB
const MAX_POINTS = 20_000
const MAX_POINTS_IN_FLIGHT = 60_000
const MAX_SERIES = 20_000
const MAX_CONNECTIONS = 1000
const MAX_VIEWERS = 50
const MAX_NOTICE_LENGTH = 200

/** What a channel may be for. */
const SUBJECTS: ReadonlySet<string> = new Set([...RULES.map(({ name }) => name), ...RULE_CLASSES])

const count = z.int('expected a whole number').min(1, 'expected at least 1')

const limits = z.strictObject({
  body: bytes.default(MAX_BODY_BYTES),
  inflated: bytes.default(MAX_INFLATED_BYTES),
  'bytes-in-flight': bytes.default(MAX_IN_FLIGHT_BYTES),
  points: count.default(MAX_POINTS),
  'points-in-flight': count.default(MAX_POINTS_IN_FLIGHT),
  'series-per-agent': count.default(MAX_SERIES),
  connections: count.default(MAX_CONNECTIONS),
  viewers: count.default(MAX_VIEWERS),
})

const tls = z.strictObject({
  cert: z.string().min(1),
  key: z.string().min(1),
  /** With it, only clients with a certificate of this authority get a connection. */
  'client-ca': z.string().min(1).optional(),
})

export const collectorConfig = z.strictObject({
  listen: hostPort.default({ host: '127.0.0.1', port: 8420 }),
  data: z.string().min(1).default('/var/lib/kiestoon'),
  'site-file': z.string().min(1).optional(),
  /** Where people reach the console; links in alerts begin with it. */
  url: httpUrl.optional(),
  store: storeOptions.prefault({ kind: 'duckdb' }),
  rules: rulesOptions.prefault({}),
  notify: z
    .array(notifierOptions)
    .refine(
      (channels) => new Set(channels.map(({ name }) => name)).size === channels.length,
      'two notifiers have the same name: give each a name of its own',
    )
    .superRefine((channels, context) => {
      for (const [index, { rules = [] }] of channels.entries())
        for (const subject of rules.filter((name) => !SUBJECTS.has(name)))
          context.addIssue({
            code: 'custom',
            path: [index, 'rules'],
            message: `"${subject}" is no rule, and no class of rules (${RULE_CLASSES.join(', ')})`,
          })
    })
    .default([]),
  limits: limits.prefault({}),
  tls: tls.optional(),
  console: z.strictObject({ anonymous: z.enum(['none', 'loopback']).default('none') }).prefault({}),
  /** Said at the top of the console. */
  notices: z.array(z.string().min(1).max(MAX_NOTICE_LENGTH)).default([]),
  'log-level': z.enum(LOG_LEVELS).default('info'),
})

export type CollectorConfig = z.output<typeof collectorConfig>
