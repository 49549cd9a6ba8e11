import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import type { PduMib, PduPart, PduReading } from './pdu-mib.ts'

const PDU = '1.3.6.1.4.1.13742.6'
/** Rows are by PDU (1 where none is chained), then by inlet, protector or outlet, then by sensor. */
const OID = {
  model: `${PDU}.3.2.1.1.3.1`,
  serial: `${PDU}.3.2.1.1.4.1`,
} as const
const COLUMN = {
  inletDigits: `${PDU}.3.3.4.1.7`,
  inletState: `${PDU}.5.2.3.1.3`,
  inletValue: `${PDU}.5.2.3.1.4`,
  bankDigits: `${PDU}.3.4.4.1.7`,
  bankState: `${PDU}.5.3.3.1.3`,
  bankValue: `${PDU}.5.3.3.1.4`,
  outletName: `${PDU}.3.5.3.1.3`,
  outletDigits: `${PDU}.3.5.4.1.7`,
  outletValue: `${PDU}.5.4.3.1.4`,
  outletState: `${PDU}.4.1.2.1.3`,
} as const
/** Numbers of sensors. */
const CURRENT = 1
const POWER = 5
/** States of sensors. */
const ABOVE_WARNING = 5
const ABOVE_CRITICAL = 6
const ON = 7
const OFF = 8
const NORMAL = 4

/** Raritan PX2 and PX3 (PDU2-MIB). */
export const raritan: PduMib = {
  name: 'raritan',
  sign: OID.model,
  scalars: Object.values(OID),
  columns: Object.values(COLUMN),
  read,
}

function read(values: SnmpValues): PduReading {
  const partsOf = (
    kind: string,
    value: string,
    digits: string,
    state: string,
  ): readonly PduPart[] =>
    rowsOf(values, value, CURRENT).map(([row, name]) => ({
      part: `${kind}-${name}`,
      loadA: scaled(values, value, digits, `${row}.${CURRENT}`),
      loadW: scaled(values, value, digits, `${row}.${POWER}`),
      ...overloadOf(numberAt(values, `${state}.${row}.${CURRENT}`)),
    }))
  const inlets = partsOf('inlet', COLUMN.inletValue, COLUMN.inletDigits, COLUMN.inletState)
  const banks = partsOf('bank', COLUMN.bankValue, COLUMN.bankDigits, COLUMN.bankState)
  const [only] = inlets
  return {
    // A PDU with one inlet is its inlet.
    parts: [
      ...(inlets.length === 1 && only !== undefined ? [{ ...only, part: undefined }] : inlets),
      ...banks,
    ],
    outlets: [...columnAt(values, COLUMN.outletState)].map(([row, state]) => ({
      outlet: shortRow(row),
      on: state === ON ? true : state === OFF ? false : undefined,
      label: textAt(values, `${COLUMN.outletName}.${row}`),
      loadA: scaled(values, COLUMN.outletValue, COLUMN.outletDigits, `${row}.${CURRENT}`),
      loadW: scaled(values, COLUMN.outletValue, COLUMN.outletDigits, `${row}.${POWER}`),
    })),
    model: joined(' ', 'Raritan', textAt(values, OID.model)),
    serial: textAt(values, OID.serial),
  }
}

/** What has a sensor of the kind: its row without the sensor, and what we call it. */
function rowsOf(
  values: SnmpValues,
  column: string,
  sensor: number,
): readonly (readonly [row: string, name: string])[] {
  return [...columnAt(values, column).keys()]
    .filter((row) => row.endsWith(`.${sensor}`))
    .map((row) => row.slice(0, row.lastIndexOf('.')))
    .map((row) => [row, shortRow(row)])
}

/** `1.7` is 7; behind the first PDU of a chain, `2.7` is 2-7. */
function shortRow(row: string): string {
  return row.replace(/^1\./, '').replaceAll('.', '-')
}

/** Values are whole numbers with so many decimal digits. */
function scaled(
  values: SnmpValues,
  column: string,
  digits: string,
  row: string,
): number | undefined {
  const value = numberAt(values, `${column}.${row}`)
  const count = numberAt(values, `${digits}.${row}`)
  const most = 9
  if (value === undefined || value < 0 || count === undefined || count < 0 || count > most) {
    return undefined
  }
  return value / 10 ** count
}

function overloadOf(state: number | undefined): Pick<PduPart, 'nearOverload' | 'overload'> {
  if (state === undefined || state < 1 || state > ABOVE_CRITICAL) return {}
  return state === NORMAL || state < NORMAL
    ? { nearOverload: false, overload: false }
    : { nearOverload: state === ABOVE_WARNING, overload: state === ABOVE_CRITICAL }
}
