import { z } from 'zod'
import { PoeSnmpDevice } from '../power/poe-snmp-device.ts'
import { SnmpProbe } from '../power/snmp-probe.ts'
import {
  accessSettings,
  checkTargets,
  MAX_TARGETS,
  snmpOptionsOf,
  targetSettings,
  trapSettings,
  trapSettingsOf,
} from '../power/snmp-settings.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

/** A large switch has thousands of objects to give, and other things to do. */
const INTERVAL_MS = 3 * POWER_INTERVAL_MS

const unitSettings = {
  /** Whether PoE ports carry the numbers of interfaces (ifIndex): then their names are known too. */
  numbering: z.enum(['own', 'interfaces']).optional(),
}

const options = z
  .strictObject({
    ...accessSettings,
    ...unitSettings,
    ...trapSettings,
    targets: z
      .array(z.strictObject({ ...targetSettings, ...unitSettings }))
      .min(1)
      .max(MAX_TARGETS),
  })
  .superRefine(checkTargets)

/** PoE switches read by SNMP (RFC 3621); only ever reads. */
export const poeSnmp = defineProbe({
  name: 'poe-snmp',
  summary: 'switches that feed phones: PoE ports and what is left of the budget',
  isPower: true,
  intervalMs: INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = read.targets.flatMap((target) => {
      const snmp = snmpOptionsOf(read, target)
      if ('complaint' in snmp) return []
      return new PoeSnmpDevice({
        target: target.name,
        options: snmp,
        isNumberedAsInterfaces: (target.numbering ?? read.numbering) === 'interfaces',
      })
    })
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
