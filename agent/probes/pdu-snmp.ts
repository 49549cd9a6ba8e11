import { z } from 'zod'
import { PDU_MIB_NAMES, PduSnmpDevice } from '../power/pdu-snmp-device.ts'
import { SnmpProbe } from '../power/snmp-probe.ts'
import { checkTargets, devicesOf, snmpSettings, trapSettingsOf } from '../power/snmp-settings.ts'
import { defineProbe, POWER_INTERVAL_MS } from '../probe.ts'

/** Loads do not jump, and outlets are switched by hand. */
const INTERVAL_MS = 3 * POWER_INTERVAL_MS

const options = snmpSettings({
  /** Without one it is found out. */
  mib: z.enum(PDU_MIB_NAMES).optional(),
}).superRefine(checkTargets)

/** PDUs read by SNMP; only ever reads. */
export const pduSnmp = defineProbe({
  name: 'pdu-snmp',
  summary: 'rack PDUs: outlets on or off, load of banks and phases',
  isPower: true,
  intervalMs: INTERVAL_MS,
  options,
  create: (read, context) => {
    const devices = devicesOf(
      read,
      (snmp, { name, mib }) => new PduSnmpDevice(name, snmp, mib ?? read.mib),
    )
    return new SnmpProbe(devices, context, trapSettingsOf(read))
  },
})
