import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { closest } from '../common/closest.ts'
import { readConfig } from '../common/config.ts'
import { reasonOf } from '../common/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../common/log.ts'
import { bytes, duration, httpUrl, name, ratio, secret, type Secret } from '../common/settings.ts'
import type { FeedOptions } from './feed.ts'
import type { ConfiguredProbe, ProbeKind } from './probe.ts'
import { PROBES } from './probes/index.ts'

const DEFAULT_INTERVAL_MS = 10_000
const MIN_INTERVAL_MS = 100
const MS_PER_S = 1000
/** Of its interval, what a run is given (probe-runner.ts). */
const RUN_SHARE = 0.8
const MAX_INTERVAL_MS = 3_600_000
const DEFAULT_SPOOL_FOLDER = 'spool'
const DEFAULT_SPOOL_BYTES = 64 * 1024 ** 2
/** A farewell is signed for each. */
const MAX_COLLECTORS = 16
const MAX_FEEDS = 8
const MAX_TARGET_LENGTH = 128

/** A collector to push to; the first of the list is preferred. */
export interface CollectorAddress {
  readonly url: string
  readonly token: Secret
  /** PEM texts: whom to trust instead of the system's authorities, and who we are (mutual TLS). */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** One probe of the configuration, its options read. */
export interface ProbeEntry {
  readonly kind: string
  /** Unique among the agent's probes: the kind, or the name given. */
  readonly label: string
  readonly intervalMs: number
  /** Run at once when something else of the agent fails. */
  readonly isPower?: boolean
  readonly create: ConfiguredProbe['create']
}

export interface AgentConfig {
  readonly agent: string
  readonly site: string
  readonly collectors: readonly CollectorAddress[]
  readonly intervalMs: number
  readonly spool: { readonly folder: string; readonly maxBytes: number }
  readonly logLevel: LogLevel
  /** What feeds this machine, and when to say that it may be gone. */
  readonly farewell: FeedOptions
  readonly probes: readonly ProbeEntry[]
}

type Kinds = ReadonlyMap<string, ProbeKind>

/**
 * Reads an agent's configuration. File names in it count from the folder of `file`. Only the probes it names are loaded.
 * @throws ConfigError with every complaint at once
 */
export async function readAgentConfig(text: string, file: string): Promise<AgentConfig> {
  const kinds = new Map<string, ProbeKind>()
  for (const kind of kindsNamedIn(text)) {
    const load = Object.hasOwn(PROBES, kind) ? PROBES[kind] : undefined
    if (load !== undefined) kinds.set(kind, await load())
  }
  return readConfig(agentConfig(kinds, dirname(resolve(file))), text, file)
}

/** The probe of a kind with the options given, as from a configuration entry; undefined with the complaints when they do not fit. */
export function readProbeOptions(
  kind: ProbeKind,
  options: unknown,
): { readonly create: ConfiguredProbe['create'] } | { readonly complaints: readonly string[] } {
  const result = kind.schema.safeParse(options)
  if (result.success) return result.data
  return {
    complaints: result.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message,
    ),
  }
}

function agentConfig(kinds: Kinds, folder: string): z.ZodType<AgentConfig> {
  const shape = z.strictObject({
    agent: name,
    site: name,
    collectors: z.array(collector(folder)).max(MAX_COLLECTORS).default([]),
    interval: interval.default(DEFAULT_INTERVAL_MS),
    spool: z
      .strictObject({
        folder: z.string().min(1).default(DEFAULT_SPOOL_FOLDER),
        max: bytes.default(DEFAULT_SPOOL_BYTES),
      })
      .prefault({}),
    'log-level': z.enum(LOG_LEVELS).default('info'),
    farewell: farewell.prefault({}),
    probes: z
      .array(probeEntry(kinds), 'expected a list of probes, such as "- probe: host"')
      .min(1, 'expected at least one probe')
      .superRefine(haveNamesOfTheirOwn, { when: ({ value }) => Array.isArray(value) })
      .transform(labelled),
  })
  return shape.transform(
    ({ spool, interval: intervalMs, 'log-level': logLevel, probes, ...rest }) => ({
      ...rest,
      intervalMs,
      logLevel,
      spool: { folder: resolve(folder, spool.folder), maxBytes: spool.max },
      probes: probes.map(({ mostMs = Infinity, leastMs, ...probe }) => ({
        ...probe,
        intervalMs: probe.intervalMs ?? Math.max(Math.min(intervalMs, mostMs), leastMs),
      })),
    }),
  )
}

const POWER_CAUSES = ['on-battery', 'low-battery'] as const

const farewell = z
  .strictObject({
    ups: z.array(z.string().min(1).max(MAX_TARGET_LENGTH)).max(MAX_FEEDS).default([]),
    on: z.array(z.enum(POWER_CAUSES)).default([...POWER_CAUSES]),
    'low-charge': ratio.prefault('10%'),
  })
  .transform(({ ups, on, 'low-charge': lowChargeRatio }) => ({ ups, on, lowChargeRatio }))

const interval = duration.refine(
  (ms) => ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS,
  'expected an interval from 100ms to 1h',
)

function collector(folder: string): z.ZodType<CollectorAddress> {
  const pem = z.string().transform((path, context) => {
    try {
      return readFileSync(resolve(folder, path), 'utf8')
    } catch (error) {
      context.issues.push({
        code: 'custom',
        message: `cannot read it: ${reasonOf(error)}`,
        input: path,
      })
      return z.NEVER
    }
  })
  return z
    .strictObject({
      url: httpUrl,
      token: secret,
      ca: pem.optional(),
      cert: pem.optional(),
      key: pem.optional(),
    })
    .refine(
      ({ cert, key }) => (cert === undefined) === (key === undefined),
      'a client certificate needs both cert and key',
    )
    .superRefine(({ ca, cert, key }, context) => {
      try {
        createSecureContext({ ca, cert, key })
      } catch (error) {
        context.addIssue(`cannot use ca, cert and key: ${reasonOf(error)}`)
      }
    })
}

/** What every probe entry may say besides its kind's own options. */
const shared = z.strictObject({ interval: interval.optional(), name: name.optional() })

interface Entry {
  readonly kind: string
  readonly name: string | undefined
  readonly intervalMs: number | undefined
  /** Of the kind: how often at least, where the entry does not say. */
  readonly mostMs: number | undefined
  /** By its options: a run of it takes so long that a shorter interval would cut it off. */
  readonly leastMs: number
  readonly isPower: boolean
  readonly create: ConfiguredProbe['create']
}

function probeEntry(kinds: Kinds): z.ZodType<Entry> {
  const entry = z.record(z.string(), z.unknown(), 'expected a probe, such as "- probe: host"')
  return entry.transform((value, context) => {
    const { probe: kindName, interval: givenInterval, name: givenName, ...options } = value
    const complain = (message: string, path: PropertyKey[]): typeof z.NEVER => {
      context.issues.push({ code: 'custom', message, path, input: value })
      return z.NEVER
    }
    if (typeof kindName !== 'string') {
      return complain(`expected a probe: one of ${Object.keys(PROBES).join(', ')}`, ['probe'])
    }
    const kind = kinds.get(kindName)
    if (kind === undefined) return complain(unknownKind(kindName), ['probe'])
    const common = shared.safeParse({ interval: givenInterval, name: givenName })
    const own = kind.schema.safeParse(options)
    for (const issue of [...(common.error?.issues ?? []), ...(own.error?.issues ?? [])]) {
      if (issue.code !== 'unrecognized_keys') complain(issue.message, issue.path)
      else for (const key of issue.keys) complain(unknownOption(key, kind), [...issue.path, key])
    }
    if (!common.success || !own.success) return z.NEVER
    const { longestRunMs = 0, create } = own.data
    const leastMs = Math.ceil(longestRunMs / RUN_SHARE / MS_PER_S) * MS_PER_S
    const { interval: intervalMs } = common.data
    if (intervalMs !== undefined && intervalMs < leastMs) {
      const least = `${leastMs / MS_PER_S}s`
      return complain(`a run may take ${longestRunMs / MS_PER_S} s: expected ${least} or more`, [
        'interval',
      ])
    }
    return {
      kind: kindName,
      name: common.data.name,
      intervalMs,
      leastMs,
      mostMs: kind.intervalMs,
      isPower: kind.isPower,
      create,
    }
  })
}

/** What to say of a kind that is not in the list. */
export function unknownKind(kind: string): string {
  const known = Object.keys(PROBES)
  const meant = closest(kind, known)
  return meant === undefined
    ? `there is no probe "${kind}"; there are ${known.join(', ')}`
    : `there is no probe "${kind}"; did you mean "${meant}"?`
}

function unknownOption(key: string, { name: kind, schema }: ProbeKind): string {
  const options = schema instanceof z.ZodPipe ? schema.in : schema
  const meant =
    options instanceof z.ZodObject ? closest(key, Object.keys(options.shape)) : undefined
  return `${kind} has no such option${meant === undefined ? '' : `; did you mean "${meant}"?`}`
}

function haveNamesOfTheirOwn(
  entries: readonly Partial<Entry>[],
  context: z.core.$RefinementCtx,
): void {
  const taken = new Set<string>()
  for (const [index, { name: given }] of entries.entries()) {
    if (given === undefined) continue
    if (taken.has(given)) {
      const message = `two probes are named "${given}"`
      context.addIssue({ code: 'custom', message, path: [index, 'name'], input: given })
    }
    taken.add(given)
  }
}

/** Names given stay; an entry without one is called after its kind, the second of a kind `ping-2`, and so on. */
function labelled(entries: readonly Entry[]): (Omit<Entry, 'name'> & { readonly label: string })[] {
  const taken = new Set(entries.flatMap(({ name: given }) => given ?? []))
  return entries.map(({ name: given, ...entry }) => {
    let label = given ?? entry.kind
    for (let n = 2; given === undefined && taken.has(label); n++) label = `${entry.kind}-${n}`
    taken.add(label)
    return { ...entry, label }
  })
}

function kindsNamedIn(text: string): ReadonlySet<string> {
  const named = z.object({ probes: z.array(z.unknown()) })
  const entry = z.object({ probe: z.string() })
  try {
    const read = named.safeParse(parseDocument(text, { logLevel: 'silent' }).toJS())
    const entries = read.success ? read.data.probes.map((item) => entry.safeParse(item)) : []
    return new Set(entries.flatMap(({ data }) => (data === undefined ? [] : [data.probe])))
  } catch {
    return new Set() // not readable as YAML: readConfig says why and where
  }
}
