import { z } from 'zod'
import { agentIsolated } from './agent-isolated.ts'
import { agentSilent } from './agent-silent.ts'
import { callMedia } from './call-media.ts'
import { clearRtp } from './clear-rtp.ts'
import { mediaStopped } from './media-stopped.ts'
import { pathLoss } from './path-loss.ts'
import { pathQuality } from './path-quality.ts'
import { batteryOld } from './power/battery-old.ts'
import { componentDown } from './power/component-down.ts'
import { designChange } from './power/design-change.ts'
import { designDrift } from './power/design-drift.ts'
import { atsRedundancy, pduOutletOff, pduOverload } from './power/pdu-trouble.ts'
import { paperRedundancy } from './power/paper-redundancy.ts'
import { poeBudget, poePort } from './power/poe-trouble.ts'
import { powerBlind } from './power/power-blind.ts'
import { powerEvent } from './power/power-event.ts'
import { redundancyLost } from './power/redundancy-lost.ts'
import { serviceDown } from './power/service-down.ts'
import { upsLowBattery } from './power/ups-low-battery.ts'
import { upsNoBackup } from './power/ups-no-backup.ts'
import { upsNoOutput } from './power/ups-no-output.ts'
import { upsOnBattery } from './power/ups-on-battery.ts'
import { upsOverload, upsOverTemperature } from './power/ups-strain.ts'
import { upsTransfers } from './power/ups-transfers.ts'
import type { ConfiguredRule, RuleKind } from './rule.ts'
import { accountTakeover } from './sip/account-takeover.ts'
import { certificateExpiring } from './sip/certificate-expiring.ts'
import { clearSip } from './sip/clear-sip.ts'
import { deviceChanged, unknownDevice } from './sip/device-notice.ts'
import { distributedScan } from './sip/distributed-scan.ts'
import { emergencyCall } from './sip/emergency-call.ts'
import { EMERGENCY, emergencyReadiness } from './sip/emergency-readiness.ts'
import { passwordGuessing } from './sip/password-guessing.ts'
import { registrationLapsing } from './sip/registration-lapsing.ts'
import { registrationLost } from './sip/registration-lost.ts'
import { registrationsBelowExpected } from './sip/registrations-below-expected.ts'
import { registrationsOverdue } from './sip/registrations-overdue.ts'
import { setupFailures } from './sip/setup-failures.ts'
import { sipFlood } from './sip/sip-flood.ts'
import { sipScan } from './sip/sip-scan.ts'
import { FRAUD } from './sip/source.ts'
import { spoofedIdentity } from './sip/spoofed-identity.ts'
import { testCall } from './sip/test-call.ts'
import { tollFraud } from './sip/toll-fraud.ts'
import { trunkDown } from './sip/trunk-down.ts'
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
  emergencyCall,
  emergencyReadiness,
  registrationLapsing,
  registrationsBelowExpected,
  registrationsOverdue,
  setupFailures,
  certificateExpiring,
  tollFraud,
  accountTakeover,
  passwordGuessing,
  spoofedIdentity,
  sipFlood,
  sipScan,
  distributedScan,
  unknownDevice,
  deviceChanged,
  clearSip,
  // What tells of an event as a whole goes before what tells of its parts.
  serviceDown,
  powerEvent,
  redundancyLost,
  trunkDown,
  testCall,
  registrationLost,
  componentDown,
  upsOnBattery,
  upsTransfers,
  upsLowBattery,
  upsNoOutput,
  upsNoBackup,
  upsOverload,
  upsOverTemperature,
  batteryOld,
  powerBlind,
  atsRedundancy,
  pduOverload,
  pduOutletOff,
  poeBudget,
  poePort,
  designChange,
  designDrift,
  paperRedundancy,
  tapBlind,
  siteCutOff,
  agentSilent,
  agentIsolated,
]

/** What a channel for some rules only may name besides rules: all that watch for attacks and fraud, all about emergency calls. */
export const RULE_CLASSES: readonly string[] = [FRAUD, EMERGENCY]

/** The rules of a collector, ready to be made. */
export type RulesOptions = readonly ConfiguredRule[]

/** YAML 1.1 reads the word as false. */
const OFF: ReadonlySet<unknown> = new Set(['off', false])

/** Rule name -> its options, or off. Everything has a default: `{}` is all rules as the design has them. */
export const rulesOptions = z
  .strictObject(
    Object.fromEntries(RULES.map(({ name, schema }) => [name, orOff(schema).prefault({})])),
  )
  .transform((read): RulesOptions => Object.values(read).flatMap((rule) => rule ?? []))

function orOff(schema: RuleKind['schema']) {
  return z.preprocess((value) => (OFF.has(value) ? null : (value ?? {})), schema.nullable())
}
