import { z } from 'zod'
import { agentIsolated } from './agent-isolated.ts'
import { agentSilent } from './agent-silent.ts'
import { callMedia } from './call-media.ts'
import { clearRtp } from './clear-rtp.ts'
import { mediaStopped } from './media-stopped.ts'
import { pathLoss } from './path-loss.ts'
import { pathQuality } from './path-quality.ts'
import type { ConfiguredRule, RuleKind } from './rule.ts'
import { siteCutOff } from './site-cut-off.ts'
import { tapBlind } from './tap-blind.ts'
import { testUnanswered } from './test-unanswered.ts'

/** Every rule there is. */
export const RULES: readonly RuleKind[] = [
  pathLoss,
  pathQuality,
  mediaStopped,
  callMedia,
  clearRtp,
  testUnanswered,
  tapBlind,
  siteCutOff,
  agentSilent,
  agentIsolated,
]

/** The rules of a collector, ready to be made. */
export type RulesOptions = readonly ConfiguredRule[]

/** Rule name -> its options. Everything has a default: `{}` is all rules as the design has them. */
export const rulesOptions = z
  .strictObject(Object.fromEntries(RULES.map(({ name, schema }) => [name, schema.prefault({})])))
  .transform((read): RulesOptions => Object.values(read))
