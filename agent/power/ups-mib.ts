import type { SnmpMib } from './mib-reader.ts'
import type { SnmpValues } from './snmp-values.ts'
import type { UpsReading, UpsSource } from './ups-reading.ts'

/** How a unit counts `upsOutputSource`: RFC 1628's definition and its compliance clauses contradict each other. */
export const OUTPUT_SOURCE_STYLES = ['auto', 'standard', 'compliance'] as const
export type OutputSourceStyle = (typeof OUTPUT_SOURCE_STYLES)[number]

export interface UpsMibContext {
  readonly outputSourceStyle: OutputSourceStyle
  /** Wall clock, microseconds since 1970: for the age of batteries. */
  readonly nowUs: number
}

/** One way a UPS is described over SNMP: what to ask, and how to read it. Reading is pure and never throws. */
export interface UpsMib extends SnmpMib {
  readonly source: Extract<UpsSource, `snmp-${string}`>
  readonly read: (values: SnmpValues, context: UpsMibContext) => UpsReading
}
