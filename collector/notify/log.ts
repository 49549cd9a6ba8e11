import { z } from 'zod'
import { COMMON_OPTIONS, defineNotifier } from './notifier.ts'

/** One structured line a change: for the journal, and for whoever reads only that. */
export const log = defineNotifier({
  name: 'log',
  summary: "a structured line in the collector's log",
  options: z.strictObject({
    notifier: z.literal('log'),
    ...COMMON_OPTIONS,
    level: z.enum(['info', 'warn', 'error']).default('warn'),
  }),
  create: ({ level }, context) => ({
    notify: async ({ id, kind, breach, title, text, link }) => {
      context.log[level](
        { delivery: id, alert: kind, severity: breach.severity, rule: breach.rule, link, text },
        title,
      )
    },
  }),
})
