import { z } from 'zod'
import { PDU_MIB_NAMES, PduSnmpDevice } from '../power/pdu-snmp-device.ts'
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

/** Loads do not jump, and outlets are switched by hand. */
const INTERVAL_MS = 3 * POWER_INTERVAL_MS

const unitSettings = {
  /** Without one it is found out. */
  mib: z.enum(PDU_MIB_NAMES).optional(),
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

/** PDUs read by SNMP; only ever reads. */
export const pduSnmp = defineProbe({
  name: 'pdu-snmp',
  summary: 'rack PDUs: outlets on or off, load of banks and phases',
  isPower: true,
  intervalMs: INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = read.targets.flatMap((target) => {
      const snmp = snmpOptionsOf(read, target)
      if ('complaint' in snmp) return []
      return new PduSnmpDevice(target.name, snmp, target.mib ?? read.mib)
    })
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
