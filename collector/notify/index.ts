import { z } from 'zod'
import { log } from './log.ts'
import type { ConfiguredNotifier, NotifierKind } from './notifier.ts'
import { webhook } from './webhook.ts'

/** Every channel there is. */
export const NOTIFIERS: readonly NotifierKind[] = [webhook, log]

/** One entry of the configuration: `{ notifier: webhook, ...its options }`. */
export const notifierOptions = z
  .record(z.string(), z.unknown())
  .transform((entry, context): ConfiguredNotifier => {
    const kind = NOTIFIERS.find(({ name }) => name === entry['notifier'])
    if (kind === undefined) {
      const names = NOTIFIERS.map(({ name }) => name).join(' or ')
      context.issues.push({
        code: 'custom',
        path: ['notifier'],
        message: `expected notifier: ${names}`,
        input: entry,
      })
      return z.NEVER
    }
    const read = kind.schema.safeParse(entry)
    if (read.success) return read.data
    for (const { path, message } of read.error.issues)
      context.issues.push({ code: 'custom', path, message, input: entry })
    return z.NEVER
  })
