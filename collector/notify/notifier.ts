import { z } from 'zod'
import type { Logger } from '../../common/log.ts'
import { name as nameSchema } from '../../common/settings.ts'
import { SEVERITIES, type Breach, type Severity } from '../evaluate/breach.ts'
import type { Route } from './route.ts'

export type NotificationKind = 'firing' | 'escalated' | 'resolved' | 'ended'

/** What a rule suggests to do at once, for a program that can do it: a PBX, a session border controller, a firewall. */
export interface Action {
  /** account: no more calls from it; source: no more packets from the address; trunk: no more calls of this kind over it. */
  readonly block: string
  /** Masked as the agent masked it. */
  readonly account?: string
  /** The same account in every message, without saying which: HMAC of the agent that saw it. */
  readonly accountId?: string
  readonly source?: string
  readonly trunk?: string
  readonly site?: string
}

/** One change of a breach on its way to a person. */
export interface Notification {
  /** The same on every retry, so that a receiver can drop a second copy. */
  readonly id: string
  readonly kind: NotificationKind
  readonly breach: Breach
  /** One line. */
  readonly title: string
  /** What, where, how bad against which limit, since when, whose, what to do, where the evidence is. */
  readonly text: string
  /** The console page with the evidence. */
  readonly link: string
  /** What a program could do about it at once. */
  readonly action?: Action
}

/** A channel. Throws TransientError (worth a retry) or PermanentError (not); retries are dispatch's business. */
export interface Notifier {
  notify(notification: Notification, signal: AbortSignal): Promise<void>
}

export interface NotifierContext {
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A channel that has read its options. */
export interface ConfiguredNotifier extends Route {
  readonly create: (context: NotifierContext) => Notifier
}

export interface NotifierKind {
  readonly name: string
  readonly summary: string
  readonly schema: z.ZodType<ConfiguredNotifier>
}

/** Options every channel has: its name where there are several of a kind, and what it is for. */
export const COMMON_OPTIONS = {
  name: nameSchema.optional(),
  severity: z.enum(SEVERITIES).default('warning'),
  /** Names of rules or of classes of rules; with an empty list, only what names the channel itself. */
  rules: z.array(nameSchema).optional(),
} as const

export function defineNotifier<
  Options extends {
    readonly name?: string | undefined
    readonly severity: Severity
    readonly rules?: readonly string[] | undefined
  },
>(definition: {
  readonly name: string
  readonly summary: string
  readonly options: z.ZodType<Options>
  readonly create: (options: Options, context: NotifierContext) => Notifier
}): NotifierKind {
  const { name, summary, options, create } = definition
  return {
    name,
    summary,
    schema: options.transform((read) => ({
      name: read.name ?? name,
      severity: read.severity,
      rules: read.rules,
      create: (context) => create(read, context),
    })),
  }
}
