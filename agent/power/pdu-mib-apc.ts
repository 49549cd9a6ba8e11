import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { sumOfPhases, tenths, whole } from './snmp-units.ts'
import type { PduMib, PduOutlet, PduPart, PduReading } from './pdu-mib.ts'

const RPDU = '1.3.6.1.4.1.318.1.1.12'
const RPDU_OID = {
  firmware: `${RPDU}.1.3.0`,
  model: `${RPDU}.1.5.0`,
  serial: `${RPDU}.1.6.0`,
  watts: `${RPDU}.1.16.0`,
} as const
const RPDU_COLUMN = {
  load: `${RPDU}.2.3.1.1.2`,
  loadState: `${RPDU}.2.3.1.1.3`,
  phase: `${RPDU}.2.3.1.1.4`,
  bank: `${RPDU}.2.3.1.1.5`,
  outletName: `${RPDU}.3.5.1.1.2`,
  outletState: `${RPDU}.3.5.1.1.4`,
  outletLoad: `${RPDU}.3.5.1.1.7`,
} as const

const RPDU2 = '1.3.6.1.4.1.318.1.1.26'
const RPDU2_OID = {
  firmware: `${RPDU2}.2.1.6.1`,
  model: `${RPDU2}.2.1.8.1`,
  serial: `${RPDU2}.2.1.9.1`,
  loadState: `${RPDU2}.4.3.1.4.1`,
} as const
const RPDU2_COLUMN = {
  power: `${RPDU2}.4.3.1.5`,
  phaseNumber: `${RPDU2}.6.3.1.3`,
  phaseState: `${RPDU2}.6.3.1.4`,
  phaseCurrent: `${RPDU2}.6.3.1.5`,
  bankNumber: `${RPDU2}.8.3.1.3`,
  bankState: `${RPDU2}.8.3.1.4`,
  bankCurrent: `${RPDU2}.8.3.1.5`,
  outletName: `${RPDU2}.9.2.3.1.3`,
  outletState: `${RPDU2}.9.2.3.1.5`,
  outletCurrent: `${RPDU2}.9.4.3.1.6`,
  outletPower: `${RPDU2}.9.4.3.1.7`,
} as const

/** The two generations count outlets the other way round: on is 1 in the first, 2 in the second. */
const RPDU_ON = 1
const RPDU_OFF = 2
const RPDU2_OFF = 1
const RPDU2_ON = 2
/** Of load states these two are the same in both. */
const NEAR_OVERLOAD = 3
const OVERLOAD = 4
/** rPDU2 power comes in hundredths of a kilowatt. */
const W_PER_HUNDREDTH_KW = 10

/** APC rack PDUs of the first generation (rPDU). */
export const rpdu: PduMib = {
  name: 'rpdu',
  sign: RPDU_OID.model,
  scalars: Object.values(RPDU_OID),
  columns: Object.values(RPDU_COLUMN),
  read: readRpdu,
}

/** APC rack PDUs of the second generation (rPDU2). They keep rPDU for old readers, so this one is asked first. */
export const rpdu2: PduMib = {
  name: 'rpdu2',
  sign: RPDU2_OID.loadState,
  scalars: Object.values(RPDU2_OID),
  columns: Object.values(RPDU2_COLUMN),
  read: readRpdu2,
}

function readRpdu(values: SnmpValues): PduReading {
  const load = columnAt(values, RPDU_COLUMN.load)
  const rows = [...load.keys()].map((row) => ({
    bank: numberAt(values, `${RPDU_COLUMN.bank}.${row}`) ?? 0,
    phase: numberAt(values, `${RPDU_COLUMN.phase}.${row}`) ?? 1,
    ...loadOf(values, RPDU_COLUMN.load, RPDU_COLUMN.loadState, row),
  }))
  // Rows without a bank are the phases, which together are the whole.
  const phases = rows.filter(({ bank }) => bank === 0)
  const parts: PduPart[] = rows
    .filter(({ bank }) => bank > 0 || phases.length > 1)
    .map(({ bank, phase, ...rest }) => ({
      part: bank > 0 ? `bank-${bank}` : `phase-${phase}`,
      ...rest,
    }))
  return {
    parts: [{ ...together(phases), loadW: whole(numberAt(values, RPDU_OID.watts)) }, ...parts],
    outlets: outletsOf(values, RPDU_COLUMN.outletState, (row): PduOutlet => ({
      outlet: row,
      on: onOf(numberAt(values, `${RPDU_COLUMN.outletState}.${row}`), RPDU_ON, RPDU_OFF),
      label: textAt(values, `${RPDU_COLUMN.outletName}.${row}`),
      loadA: tenths(numberAt(values, `${RPDU_COLUMN.outletLoad}.${row}`)),
    })),
    model: joined(' ', 'APC', textAt(values, RPDU_OID.model)),
    serial: textAt(values, RPDU_OID.serial),
    firmware: textAt(values, RPDU_OID.firmware),
  }
}

function readRpdu2(values: SnmpValues): PduReading {
  const part = (kind: string, number: string, current: string, state: string): PduPart[] =>
    [...columnAt(values, current).keys()].map((row) => ({
      part: `${kind}-${numberAt(values, `${number}.${row}`) ?? row}`,
      ...loadOf(values, current, state, row),
    }))
  const { phaseNumber, phaseCurrent, phaseState } = RPDU2_COLUMN
  const phases = part('phase', phaseNumber, phaseCurrent, phaseState)
  const banks = part(
    'bank',
    RPDU2_COLUMN.bankNumber,
    RPDU2_COLUMN.bankCurrent,
    RPDU2_COLUMN.bankState,
  )
  const power = sumOfPhases(values, RPDU2_COLUMN.power)
  const state = numberAt(values, RPDU2_OID.loadState)
  return {
    parts: [
      {
        ...together(phases),
        loadW: power === undefined ? undefined : power * W_PER_HUNDREDTH_KW,
        ...stateOf(state),
      },
      ...(phases.length > 1 ? phases : []),
      ...banks,
    ],
    outlets: outletsOf(values, RPDU2_COLUMN.outletState, (row): PduOutlet => ({
      outlet: row,
      on: onOf(numberAt(values, `${RPDU2_COLUMN.outletState}.${row}`), RPDU2_ON, RPDU2_OFF),
      label: textAt(values, `${RPDU2_COLUMN.outletName}.${row}`),
      loadA: tenths(numberAt(values, `${RPDU2_COLUMN.outletCurrent}.${row}`)),
      loadW: whole(numberAt(values, `${RPDU2_COLUMN.outletPower}.${row}`)),
    })),
    model: joined(' ', 'APC', textAt(values, RPDU2_OID.model)),
    serial: textAt(values, RPDU2_OID.serial),
    firmware: textAt(values, RPDU2_OID.firmware),
  }
}

function outletsOf(
  values: SnmpValues,
  column: string,
  read: (row: string) => PduOutlet,
): readonly PduOutlet[] {
  return [...columnAt(values, column).keys()].map(read)
}

function loadOf(values: SnmpValues, load: string, state: string, row: string): PduPart {
  return {
    loadA: tenths(numberAt(values, `${load}.${row}`)),
    ...stateOf(numberAt(values, `${state}.${row}`)),
  }
}

function stateOf(state: number | undefined): Pick<PduPart, 'nearOverload' | 'overload'> {
  if (state === undefined || state < 1 || state > OVERLOAD) return {}
  return { nearOverload: state === NEAR_OVERLOAD, overload: state === OVERLOAD }
}

/** The phases together; the worst of them is what trips. */
function together(phases: readonly PduPart[]): PduPart {
  const loads = phases.flatMap(({ loadA }) => loadA ?? [])
  if (phases.length === 0) return {}
  return {
    loadA: loads.length > 0 ? round(loads.reduce((sum, load) => sum + load, 0)) : undefined,
    nearOverload: phases.some(({ nearOverload }) => nearOverload === true),
    overload: phases.some(({ overload }) => overload === true),
  }
}

function round(ampere: number): number {
  const thousandth = 1000
  return Math.round(ampere * thousandth) / thousandth
}

function onOf(state: number | undefined, on: number, off: number): boolean | undefined {
  return state === on ? true : state === off ? false : undefined
}
