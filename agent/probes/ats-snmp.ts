import { z } from 'zod'
import { ATS_MIB_NAMES, AtsSnmpDevice } from '../power/ats-snmp-device.ts'
import { SnmpProbe } from '../power/snmp-probe.ts'
import { checkTargets, devicesOf, snmpSettings, trapSettingsOf } from '../power/snmp-settings.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

const options = snmpSettings({
  /** Without one it is found out. */
  mib: z.enum(ATS_MIB_NAMES).optional(),
}).superRefine(checkTargets)

/** Automatic transfer switches read by SNMP; only ever reads. */
export const atsSnmp = defineProbe({
  name: 'ats-snmp',
  summary: 'transfer switches: which source feeds, and whether the other could',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = devicesOf(
      read,
      (snmp, { name, mib }) => new AtsSnmpDevice(name, snmp, mib ?? read.mib),
    )
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
