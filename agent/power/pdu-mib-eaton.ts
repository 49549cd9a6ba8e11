import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { whole } from './snmp-units.ts'
import type { PduMib, PduPart, PduReading } from './pdu-mib.ts'

const PDU = '1.3.6.1.4.1.534.6.6.7'
/** Rows are by unit of the chain (0 is the first), then by inlet and phase, group or outlet. */
const OID = {
  product: `${PDU}.1.2.1.2.0`,
  serial: `${PDU}.1.2.1.4.0`,
  firmware: `${PDU}.1.2.1.5.0`,
} as const
const COLUMN = {
  inputCurrent: `${PDU}.3.3.1.4`,
  inputState: `${PDU}.3.3.1.5`,
  inputWatts: `${PDU}.3.4.1.4`,
  groupCurrent: `${PDU}.5.4.1.3`,
  groupState: `${PDU}.5.4.1.4`,
  groupWatts: `${PDU}.5.5.1.3`,
  outletName: `${PDU}.6.1.1.3`,
  outletCurrent: `${PDU}.6.4.1.3`,
  outletWatts: `${PDU}.6.5.1.3`,
  outletControl: `${PDU}.6.6.1.2`,
} as const
/** Currents are in thousandths of an ampere. */
const MA_PER_A = 1000
/** outletControlStatus: off 0, on 1, pending off 2 (still on), pending on 3 (still off). */
const ON = [1, 2]
const OFF = [0, 3]
/** Threshold states: good 0, low 1 and 2, high warning 3, high critical 4. */
const HIGH_WARNING = 3
const HIGH_CRITICAL = 4

/** Eaton ePDU (Marlin). */
export const eatonEpdu: PduMib = {
  name: 'eaton',
  sign: OID.product,
  scalars: Object.values(OID),
  columns: Object.values(COLUMN),
  read,
}

function read(values: SnmpValues): PduReading {
  const part = (kind: string, current: string, watts: string, state: string): PduPart[] =>
    [...columnAt(values, current).keys()].map((row) => ({
      part: `${kind}-${shortRow(row)}`,
      loadA: amperes(numberAt(values, `${current}.${row}`)),
      loadW: whole(numberAt(values, `${watts}.${row}`)),
      ...overloadOf(numberAt(values, `${state}.${row}`)),
    }))
  const inputs = part('input', COLUMN.inputCurrent, COLUMN.inputWatts, COLUMN.inputState)
  const banks = part('bank', COLUMN.groupCurrent, COLUMN.groupWatts, COLUMN.groupState)
  const [only] = inputs
  const rows = new Set([
    ...columnAt(values, COLUMN.outletControl).keys(),
    ...columnAt(values, COLUMN.outletName).keys(),
  ])
  return {
    parts: [
      ...(inputs.length === 1 && only !== undefined ? [{ ...only, part: undefined }] : inputs),
      ...banks,
    ],
    outlets: [...rows].map((row) => {
      const state = numberAt(values, `${COLUMN.outletControl}.${row}`) ?? -1
      return {
        outlet: shortRow(row),
        on: ON.includes(state) ? true : OFF.includes(state) ? false : undefined,
        label: textAt(values, `${COLUMN.outletName}.${row}`),
        loadA: amperes(numberAt(values, `${COLUMN.outletCurrent}.${row}`)),
        loadW: whole(numberAt(values, `${COLUMN.outletWatts}.${row}`)),
      }
    }),
    model: joined(' ', 'Eaton', textAt(values, OID.product)),
    serial: textAt(values, OID.serial),
    firmware: textAt(values, OID.firmware),
  }
}

/** `0.7` is 7 of the only or first unit; `1.7` is 1-7 of the next. */
function shortRow(row: string): string {
  return row.replace(/^0\./, '').replaceAll('.', '-')
}

function amperes(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value / MA_PER_A : undefined
}

function overloadOf(state: number | undefined): Pick<PduPart, 'nearOverload' | 'overload'> {
  return state === undefined || state < 0 || state > HIGH_CRITICAL
    ? {}
    : { nearOverload: state === HIGH_WARNING, overload: state === HIGH_CRITICAL }
}
