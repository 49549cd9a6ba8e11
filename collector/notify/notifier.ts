import { z } from 'zod'
import type { Logger } from '../../common/log.ts'
import { name as nameSchema } from '../../common/settings.ts'
import { SEVERITIES, type Breach, type Severity } from '../evaluate/breach.ts'

export type NotificationKind = 'firing' | 'escalated' | 'resolved' | 'ended'

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
export interface ConfiguredNotifier {
  readonly name: string
  /** What is less severe than this is not sent through it. */
  readonly severity: Severity
  readonly create: (context: NotifierContext) => Notifier
}

export interface NotifierKind {
  readonly name: string
  readonly summary: string
  readonly schema: z.ZodType<ConfiguredNotifier>
}

/** Options every channel has: its name where there are several of a kind, and the least severity it is used for. */
export const COMMON_OPTIONS = {
  name: nameSchema.optional(),
  severity: z.enum(SEVERITIES).default('warning'),
} as const

export function defineNotifier<
  Options extends { readonly name?: string | undefined; readonly severity: Severity },
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
      create: (context) => create(read, context),
    })),
  }
}
