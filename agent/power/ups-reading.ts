import { measurement, type Measurement } from '../../common/measurement.ts'

/** What feeds the load. */
export type Line = 'online' | 'battery' | 'bypass' | 'off' | 'unknown'

/**
 * State and numbers of one UPS, normalised: what every source is read into, and the one thing points are made of. What is absent was
 * not given, or not as what it should be. Units and meanings are those of the measurement `ups`.
 */
export interface UpsReading {
  readonly line: Line
  /** No fresh data: server, driver, card or cable. */
  readonly commsLost: boolean
  /** As the source words it. */
  readonly status?: string | undefined
  /** Why the line is unknown, or what is odd about the reading. */
  readonly reason?: string | undefined
  readonly lowBattery?: boolean | undefined
  readonly replaceBattery?: boolean | undefined
  readonly noBattery?: boolean | undefined
  readonly chargerFault?: boolean | undefined
  readonly overload?: boolean | undefined
  readonly overTemperature?: boolean | undefined
  readonly alarm?: boolean | undefined
  readonly alarms?: string | undefined
  readonly forcedShutdown?: boolean | undefined
  readonly shutdownPending?: boolean | undefined
  readonly calibrating?: boolean | undefined
  readonly selfTesting?: boolean | undefined
  readonly boost?: boolean | undefined
  readonly trim?: boolean | undefined
  readonly charging?: boolean | undefined
  readonly discharging?: boolean | undefined
  readonly redundancyLost?: boolean | undefined
  readonly frozen?: boolean | undefined
  readonly staleS?: number | undefined
  readonly pollMs?: number | undefined
  readonly chargeRatio?: number | undefined
  readonly lowChargeRatio?: number | undefined
  readonly runtimeS?: number | undefined
  readonly runtimeEstimateS?: number | undefined
  readonly runtimeLeftS?: number | undefined
  readonly lowRuntimeS?: number | undefined
  readonly onBatteryS?: number | undefined
  readonly transfers?: number | undefined
  readonly lastTransfer?: string | undefined
  readonly loadRatio?: number | undefined
  readonly loadW?: number | undefined
  readonly nominalW?: number | undefined
  readonly inputV?: number | undefined
  readonly inputHz?: number | undefined
  readonly outputV?: number | undefined
  readonly batteryV?: number | undefined
  readonly temperatureC?: number | undefined
  readonly batteryDate?: string | undefined
  readonly batteryAgeDays?: number | undefined
  readonly selfTest?: string | undefined
  readonly selfTestFailed?: boolean | undefined
  readonly selfTestDate?: string | undefined
  readonly model?: string | undefined
  readonly serial?: string | undefined
  readonly firmware?: string | undefined
}

export type UpsSource = 'nut' | 'nis' | 'snmp-rfc1628' | 'snmp-powernet' | 'snmp-xups' | 'snmp-mge'

/** A unit without fresh data: no state, and above all none of the old numbers. */
export function withoutContact(
  reason: string,
  known: Pick<UpsReading, 'status' | 'staleS' | 'pollMs'> = {},
): UpsReading {
  return { line: 'unknown', commsLost: true, reason, ...known }
}

export function upsPoint(
  reading: UpsReading,
  tags: { readonly target: string; readonly source?: UpsSource | undefined },
  timeUs: number,
): Measurement {
  return measurement('ups', timeUs, tags, {
    line: reading.line,
    status: reading.status,
    low_battery: reading.lowBattery,
    replace_battery: reading.replaceBattery,
    no_battery: reading.noBattery,
    charger_fault: reading.chargerFault,
    overload: reading.overload,
    over_temperature: reading.overTemperature,
    alarm: reading.alarm,
    alarms: reading.alarms,
    forced_shutdown: reading.forcedShutdown,
    shutdown_pending: reading.shutdownPending,
    calibrating: reading.calibrating,
    self_testing: reading.selfTesting,
    boost: reading.boost,
    trim: reading.trim,
    charging: reading.charging,
    discharging: reading.discharging,
    redundancy_lost: reading.redundancyLost,
    frozen: reading.frozen,
    comms_lost: reading.commsLost,
    reason: reading.reason,
    stale_s: reading.staleS,
    poll_ms: reading.pollMs,
    charge_ratio: reading.chargeRatio,
    low_charge_ratio: reading.lowChargeRatio,
    runtime_s: reading.runtimeS,
    runtime_estimate_s: reading.runtimeEstimateS,
    runtime_left_s: reading.runtimeLeftS,
    low_runtime_s: reading.lowRuntimeS,
    on_battery_s: reading.onBatteryS,
    transfers: reading.transfers,
    last_transfer: reading.lastTransfer,
    load_ratio: reading.loadRatio,
    load_w: reading.loadW,
    nominal_w: reading.nominalW,
    input_v: reading.inputV,
    input_hz: reading.inputHz,
    output_v: reading.outputV,
    battery_v: reading.batteryV,
    temperature_c: reading.temperatureC,
    battery_date: reading.batteryDate,
    battery_age_days: reading.batteryAgeDays,
    self_test: reading.selfTest,
    self_test_failed: reading.selfTestFailed,
    self_test_date: reading.selfTestDate,
    model: reading.model,
    serial: reading.serial,
    firmware: reading.firmware,
  })
}
