import { z } from 'zod'
import { ATS_MIB_NAMES, AtsSnmpDevice } from '../power/ats-snmp-device.ts'
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

const unitSettings = {
  /** Without one it is found out. */
  mib: z.enum(ATS_MIB_NAMES).optional(),
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

/** Automatic transfer switches read by SNMP; only ever reads. */
export const atsSnmp = defineProbe({
  name: 'ats-snmp',
  summary: 'transfer switches: which source feeds, and whether the other could',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = read.targets.flatMap((target) => {
      const snmp = snmpOptionsOf(read, target)
      if ('complaint' in snmp) return []
      return new AtsSnmpDevice(target.name, snmp, target.mib ?? read.mib)
    })
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
