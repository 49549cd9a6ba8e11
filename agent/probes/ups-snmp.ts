import { z } from 'zod'
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
import { OUTPUT_SOURCE_STYLES } from '../power/ups-mib.ts'
import { UPS_MIB_NAMES, UpsSnmpDevice } from '../power/ups-snmp-device.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

const unitSettings = {
  /** Without one: what the device itself has, its maker's before the common one. */
  mib: z.enum(UPS_MIB_NAMES).optional(),
  /** How it counts upsOutputSource (RFC 1628 contradicts itself). */
  'output-source-style': z.enum(OUTPUT_SOURCE_STYLES).optional(),
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

/** UPSes read by SNMP; only ever reads. */
export const upsSnmp = defineProbe({
  name: 'ups-snmp',
  summary: 'UPSes with a network card: mains or battery, charge, time left',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = read.targets.flatMap((target) => {
      const snmp = snmpOptionsOf(read, target)
      if ('complaint' in snmp) return []
      return new UpsSnmpDevice({
        target: target.name,
        options: snmp,
        mib: target.mib ?? read.mib,
        outputSourceStyle: target['output-source-style'] ?? read['output-source-style'] ?? 'auto',
      })
    })
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
