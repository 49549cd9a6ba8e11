import { z } from 'zod'
import { SnmpProbe } from '../power/snmp-probe.ts'
import { checkTargets, devicesOf, snmpSettings, trapSettingsOf } from '../power/snmp-settings.ts'
import { OUTPUT_SOURCE_STYLES } from '../power/ups-mib.ts'
import { UPS_MIB_NAMES, UpsSnmpDevice } from '../power/ups-snmp-device.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

const options = snmpSettings({
  /** Without one: what the device itself has, its maker's before the common one. */
  mib: z.enum(UPS_MIB_NAMES).optional(),
  /** How it counts upsOutputSource (RFC 1628 contradicts itself). */
  'output-source-style': z.enum(OUTPUT_SOURCE_STYLES).optional(),
}).superRefine(checkTargets)

/** UPSes read by SNMP; only ever reads. */
export const upsSnmp = defineProbe({
  name: 'ups-snmp',
  summary: 'UPSes with a network card: mains or battery, charge, time left',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = devicesOf(
      read,
      (snmp, target) =>
        new UpsSnmpDevice({
          target: target.name,
          options: snmp,
          mib: target.mib ?? read.mib,
          outputSourceStyle: target['output-source-style'] ?? read['output-source-style'] ?? 'auto',
        }),
    )
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
