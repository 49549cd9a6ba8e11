import type { SnmpMib } from './mib-reader.ts'
import { joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { lowestPhase, tenths, whole } from './snmp-units.ts'

export type Selected = 'a' | 'b'

/** State of one automatic transfer switch; what is absent was not given. Meanings are those of the measurement `transfer_switch`. */
export interface AtsReading {
  readonly commsLost: boolean
  readonly reason?: string | undefined
  readonly selected?: Selected | undefined
  readonly preferred?: Selected | 'none' | undefined
  readonly sourceAOk?: boolean | undefined
  readonly sourceBOk?: boolean | undefined
  readonly redundancyLost?: boolean | undefined
  readonly outputOk?: boolean | undefined
  readonly overload?: boolean | undefined
  readonly alarm?: boolean | undefined
  readonly inputAV?: number | undefined
  readonly inputBV?: number | undefined
  readonly model?: string | undefined
  readonly serial?: string | undefined
  readonly firmware?: string | undefined
}

export interface AtsMib extends SnmpMib {
  readonly source: 'snmp-apc-ats' | 'snmp-eaton-ats'
  readonly read: (values: SnmpValues) => AtsReading
}

const APC = '1.3.6.1.4.1.318.1.1.8'
const APC_OID = {
  firmware: `${APC}.1.2.0`,
  model: `${APC}.1.5.0`,
  serial: `${APC}.1.6.0`,
  preferred: `${APC}.4.2.0`,
  contact: `${APC}.5.1.1.0`,
  selected: `${APC}.5.1.2.0`,
  redundancy: `${APC}.5.1.3.0`,
  overCurrent: `${APC}.5.1.4.0`,
  supply5V: `${APC}.5.1.8.0`,
  supply24V: `${APC}.5.1.9.0`,
  switchStatus: `${APC}.5.1.10.0`,
  sourceA: `${APC}.5.1.12.0`,
  sourceB: `${APC}.5.1.13.0`,
  output: `${APC}.5.1.15.0`,
  hardware: `${APC}.5.1.16.0`,
} as const
/** By input, input table and phase. */
const APC_VOLTAGE_A = `${APC}.5.3.3.1.3.1.1`
const APC_VOLTAGE_B = `${APC}.5.3.3.1.3.2.1`
const ESTABLISHED = 2
const APC_FAILED = 1
const APC_OK = 2

/** APC (Schneider) ATS: the tree atsStatus of PowerNet. */
export const apcAts: AtsMib = {
  name: 'apc',
  source: 'snmp-apc-ats',
  sign: APC_OID.selected,
  scalars: Object.values(APC_OID),
  columns: [APC_VOLTAGE_A, APC_VOLTAGE_B],
  read: (values) => {
    const is = (oid: string, no: number, yes: number): boolean | undefined => {
      const state = numberAt(values, oid)
      return state === yes ? true : state === no ? false : undefined
    }
    const contact = numberAt(values, APC_OID.contact)
    if (contact !== undefined && contact !== ESTABLISHED) {
      return { commsLost: true, reason: 'the network card has lost the ATS' }
    }
    const sourceAOk = is(APC_OID.sourceA, APC_FAILED, APC_OK)
    const sourceBOk = is(APC_OID.sourceB, APC_FAILED, APC_OK)
    const isRedundant = is(APC_OID.redundancy, APC_FAILED, APC_OK)
    const parts = [APC_OID.supply5V, APC_OID.supply24V, APC_OID.switchStatus, APC_OID.hardware]
    return {
      commsLost: false,
      selected: sideOf(numberAt(values, APC_OID.selected)),
      preferred: preferredOf(numberAt(values, APC_OID.preferred)),
      sourceAOk,
      sourceBOk,
      redundancyLost: isRedundant === undefined ? lostOf(sourceAOk, sourceBOk) : !isRedundant,
      outputOk: is(APC_OID.output, APC_FAILED, APC_OK),
      overload: not(is(APC_OID.overCurrent, APC_FAILED, APC_OK)),
      alarm: anyFailed(parts.map((oid) => is(oid, APC_FAILED, APC_OK))),
      inputAV: lowestPhase(values, APC_VOLTAGE_A),
      inputBV: lowestPhase(values, APC_VOLTAGE_B),
      model: joined(' ', 'APC', textAt(values, APC_OID.model)),
      serial: textAt(values, APC_OID.serial),
      firmware: textAt(values, APC_OID.firmware),
    }
  },
}

const EATON = '1.3.6.1.4.1.534.10.2'
const EATON_OID = {
  model: `${EATON}.1.2.0`,
  firmware: `${EATON}.1.3.0`,
  serial: `${EATON}.1.5.0`,
  voltageA: `${EATON}.2.2.1.2.1`,
  voltageB: `${EATON}.2.2.1.2.2`,
  mode: `${EATON}.2.4.0`,
  goodA: `${EATON}.3.2.1.3.1`,
  goodB: `${EATON}.3.2.1.3.2`,
  internalA: `${EATON}.3.2.1.4.1`,
  internalB: `${EATON}.3.2.1.4.2`,
  output: `${EATON}.3.3.2.0`,
  preferred: `${EATON}.4.5.0`,
} as const
/** ats2OperationMode: initialization 1, diagnosis 2, off 3, source1 4, source2 5, safe 6, fault 7. */
const OFF = 3
const FIRST_SOURCE = 4
const FAULT = 7
const OUT_OF_RANGE = 1
const IN_RANGE = 2
const NOT_POWERED = 1
const POWERED = 2
const GOOD = 1
const FAILED = 2

/** Eaton ATS16 and ATS30 with the tree ats2; its source 1 is our a. */
export const eatonAts: AtsMib = {
  name: 'eaton',
  source: 'snmp-eaton-ats',
  sign: EATON_OID.mode,
  scalars: Object.values(EATON_OID),
  columns: [],
  read: (values) => {
    const is = (oid: string, no: number, yes: number): boolean | undefined => {
      const state = numberAt(values, oid)
      return state === yes ? true : state === no ? false : undefined
    }
    const mode = numberAt(values, EATON_OID.mode)
    const sourceAOk = is(EATON_OID.goodA, OUT_OF_RANGE, IN_RANGE)
    const sourceBOk = is(EATON_OID.goodB, OUT_OF_RANGE, IN_RANGE)
    const output = is(EATON_OID.output, NOT_POWERED, POWERED)
    const internals = [EATON_OID.internalA, EATON_OID.internalB]
    const isInternalFault = anyFailed(internals.map((oid) => is(oid, FAILED, GOOD)))
    return {
      commsLost: false,
      selected: mode === undefined ? undefined : sideOf(mode - FIRST_SOURCE + 1),
      preferred: preferredOf(numberAt(values, EATON_OID.preferred)),
      sourceAOk,
      sourceBOk,
      redundancyLost: lostOf(sourceAOk, sourceBOk),
      outputOk: output ?? (mode === OFF ? false : undefined),
      alarm: mode === FAULT ? true : isInternalFault,
      inputAV: tenths(whole(numberAt(values, EATON_OID.voltageA))),
      inputBV: tenths(whole(numberAt(values, EATON_OID.voltageB))),
      model: joined(' ', 'Eaton', textAt(values, EATON_OID.model)),
      serial: textAt(values, EATON_OID.serial),
      firmware: textAt(values, EATON_OID.firmware),
    }
  },
}

function sideOf(number: number | undefined): Selected | undefined {
  return number === 1 ? 'a' : number === 2 ? 'b' : undefined
}

function preferredOf(number: number | undefined): Selected | 'none' | undefined {
  const none = 3
  return number === none ? 'none' : sideOf(number)
}

/** One of two sources gone is nothing left to switch to; undefined while nobody knows. */
function lostOf(a: boolean | undefined, b: boolean | undefined): boolean | undefined {
  if (a === false || b === false) return true
  return a === undefined || b === undefined ? undefined : false
}

function not(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value
}

function anyFailed(ok: readonly (boolean | undefined)[]): boolean | undefined {
  if (ok.includes(false)) return true
  return ok.includes(true) ? false : undefined
}
