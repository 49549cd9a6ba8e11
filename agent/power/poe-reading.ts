import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { whole } from './snmp-units.ts'

const POE = '1.3.6.1.2.1.105.1'
const PORT = `${POE}.1.1`
const MAIN = `${POE}.3.1.1`
/** POWER-ETHERNET-MIB, RFC 3621. Rows of ports are group.port, those of supplies are group. */
const COLUMN = {
  detectionStatus: `${PORT}.6`,
  priority: `${PORT}.7`,
  absences: `${PORT}.8`,
  type: `${PORT}.9`,
  powerClass: `${PORT}.10`,
  denied: `${PORT}.12`,
  overloads: `${PORT}.13`,
  shorts: `${PORT}.14`,
  nominalW: `${MAIN}.2`,
  operStatus: `${MAIN}.3`,
  consumptionW: `${MAIN}.4`,
  threshold: `${MAIN}.5`,
} as const

/** IF-MIB (RFC 2863), for switches that number PoE ports as their interfaces. */
const IF_NAME = '1.3.6.1.2.1.31.1.1.1.1'
const IF_ALIAS = '1.3.6.1.2.1.31.1.1.1.18'

export const POE_COLUMNS: readonly string[] = Object.values(COLUMN)
export const INTERFACE_COLUMNS: readonly string[] = [IF_NAME, IF_ALIAS]

const STATUS = ['', 'disabled', 'searching', 'delivering', 'fault', 'test', 'other-fault']
const DELIVERING = 3
const PRIORITIES = ['', 'critical', 'high', 'low']
const STATES = ['', 'on', 'off', 'faulty']
const MAX_CLASS = 8
const PERCENT = 100

export interface PoeCounters {
  readonly denied?: number | undefined
  readonly overloads?: number | undefined
  readonly shorts?: number | undefined
  readonly absences?: number | undefined
}

export interface PoePort {
  /** `group.port`. */
  readonly row: string
  readonly group: string
  /** Absent while unknown. */
  readonly delivering?: boolean | undefined
  readonly status?: string | undefined
  readonly priority?: string | undefined
  readonly powerClass?: number | undefined
  readonly label?: string | undefined
  /** As they stand in the switch. */
  readonly counters: PoeCounters
}

export interface PoeSupply {
  readonly group: string
  readonly state: string
  readonly nominalW?: number | undefined
  readonly consumptionW?: number | undefined
  readonly thresholdRatio?: number | undefined
}

export interface PoeReading {
  readonly ports: readonly PoePort[]
  readonly supplies: readonly PoeSupply[]
}

/** Ports and supplies of a switch, as far as it gives them. */
export function readPoe(values: SnmpValues, labels: ReadonlyMap<string, string>): PoeReading {
  const at = (column: string, row: string): number | undefined =>
    whole(numberAt(values, `${column}.${row}`))
  const ports = [...columnAt(values, COLUMN.detectionStatus)].flatMap(([row, number]) => {
    const [group, port, ...more] = row.split('.')
    if (group === undefined || port === undefined || more.length > 0) return []
    const status = typeof number === 'number' ? (STATUS[number] ?? '') : ''
    const isDelivering = number === DELIVERING
    // class0 is 1; what was classified stays when the device has gone, and says nothing then.
    const powerClass = isDelivering ? at(COLUMN.powerClass, row) : undefined
    return {
      row,
      group,
      delivering: status === '' ? undefined : isDelivering,
      status: status === '' ? undefined : status,
      priority: PRIORITIES[at(COLUMN.priority, row) ?? 0] || undefined,
      powerClass:
        powerClass !== undefined && powerClass >= 1 && powerClass <= MAX_CLASS + 1
          ? powerClass - 1
          : undefined,
      label: joined(' ', labels.get(port), textAt(values, `${COLUMN.type}.${row}`)),
      counters: {
        denied: at(COLUMN.denied, row),
        overloads: at(COLUMN.overloads, row),
        shorts: at(COLUMN.shorts, row),
        absences: at(COLUMN.absences, row),
      },
    }
  })
  const supplies = [...columnAt(values, COLUMN.operStatus).keys()].map((group) => {
    const threshold = at(COLUMN.threshold, group)
    return {
      group,
      state: STATES[at(COLUMN.operStatus, group) ?? 0] || 'unknown',
      nominalW: at(COLUMN.nominalW, group),
      consumptionW: at(COLUMN.consumptionW, group),
      thresholdRatio:
        threshold !== undefined && threshold <= PERCENT ? threshold / PERCENT : undefined,
    }
  })
  return { ports, supplies }
}

/** Names of interfaces by their number: name and what the administrator calls it. */
export function readLabels(values: SnmpValues): ReadonlyMap<string, string> {
  return new Map(
    [...columnAt(values, IF_NAME).keys()].flatMap((index) => {
      const label = joined(
        ' ',
        textAt(values, `${IF_NAME}.${index}`),
        textAt(values, `${IF_ALIAS}.${index}`),
      )
      return label === undefined ? [] : [[index, label] as const]
    }),
  )
}
