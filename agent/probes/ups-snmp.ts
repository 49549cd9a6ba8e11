import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { SnmpFleet } from '../power/snmp-fleet.ts'
import {
  accessSettings,
  checkTargets,
  MAX_TARGETS,
  snmpOptionsOf,
  targetSettings,
} from '../power/snmp-settings.ts'
import { OUTPUT_SOURCE_STYLES } from '../power/ups-mib.ts'
import { UPS_MIB_NAMES, UpsSnmpDevice } from '../power/ups-snmp-device.ts'
import {
  defineProbe,
  POWER_INTERVAL_MS,
  type Interval,
  type Probe,
  type ProbeContext,
} from '../probe.ts'

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
    targets: z
      .array(z.strictObject({ ...targetSettings, ...unitSettings }))
      .min(1)
      .max(MAX_TARGETS),
  })
  .superRefine(checkTargets)
type Options = z.infer<typeof options>

/** UPSes read by SNMP; only ever reads. */
export const upsSnmp = defineProbe({
  name: 'ups-snmp',
  summary: 'UPSes with a network card: mains or battery, charge, time left',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => new UpsSnmpProbe(read, context),
})

class UpsSnmpProbe implements Probe {
  readonly #fleet: SnmpFleet

  constructor(read: Options, context: ProbeContext) {
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
    this.#fleet = new SnmpFleet(devices, context)
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    return await this.#fleet.measure(interval, signal)
  }

  async close(): Promise<void> {
    await this.#fleet.close()
  }
}
