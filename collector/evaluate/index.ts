import { z } from 'zod'
import { agentSilent } from './agent-silent.ts'
import { pathLoss } from './path-loss.ts'
import type { ConfiguredRule, RuleKind } from './rule.ts'
import { testUnanswered } from './test-unanswered.ts'

/** Every rule there is. */
export const RULES: readonly RuleKind[] = [pathLoss, testUnanswered, agentSilent]

/** The rules of a collector, ready to be made. */
export type RulesOptions = readonly ConfiguredRule[]

/** Rule name -> its options. Everything has a default: `{}` is all rules as the design has them. */
export const rulesOptions = z
  .strictObject(Object.fromEntries(RULES.map(({ name, schema }) => [name, schema.prefault({})])))
  .transform((read): RulesOptions => Object.values(read))
