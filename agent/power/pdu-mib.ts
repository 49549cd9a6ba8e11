import type { SnmpMib } from './mib-reader.ts'
import type { SnmpValues } from './snmp-values.ts'

/** What a PDU says of a part of itself: the whole, a bank or a phase. */
export interface PduPart {
  /** Without one, the whole; else bank-2, phase-1. */
  readonly part?: string | undefined
  readonly loadA?: number | undefined
  readonly loadW?: number | undefined
  readonly nearOverload?: boolean | undefined
  readonly overload?: boolean | undefined
}

export interface PduOutlet {
  /** Number, behind that of the unit where several are chained: 7, 2-7. */
  readonly outlet: string
  /** Absent while unknown. */
  readonly on?: boolean | undefined
  readonly label?: string | undefined
  readonly loadA?: number | undefined
  readonly loadW?: number | undefined
}

export interface PduReading {
  readonly parts: readonly PduPart[]
  readonly outlets: readonly PduOutlet[]
  readonly model?: string | undefined
  readonly serial?: string | undefined
  readonly firmware?: string | undefined
}

export interface PduMib extends SnmpMib {
  readonly read: (values: SnmpValues) => PduReading
}
