import { z } from 'zod'
import { PoeSnmpDevice } from '../power/poe-snmp-device.ts'
import { SnmpProbe } from '../power/snmp-probe.ts'
import { checkTargets, devicesOf, snmpSettings, trapSettingsOf } from '../power/snmp-settings.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

/** A large switch has thousands of objects to give, and other things to do. */
const INTERVAL_MS = 3 * POWER_INTERVAL_MS

const options = snmpSettings({
  /** Whether PoE ports carry the numbers of interfaces (ifIndex): then their names are known too. */
  numbering: z.enum(['own', 'interfaces']).optional(),
}).superRefine(checkTargets)

/** PoE switches read by SNMP (RFC 3621); only ever reads. */
export const poeSnmp = defineProbe({
  name: 'poe-snmp',
  summary: 'switches that feed phones: PoE ports and what is left of the budget',
  isPower: true,
  intervalMs: INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = devicesOf(
      read,
      (snmp, target) =>
        new PoeSnmpDevice({
          target: target.name,
          options: snmp,
          isNumberedAsInterfaces: (target.numbering ?? read.numbering) === 'interfaces',
        }),
    )
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
