import type { MibValue, MibValues } from './snmpd.ts'

const POE = '1.3.6.1.2.1.105.1'
const IF = '1.3.6.1.2.1.31.1.1.1'

interface Scene {
  /** pethPsePortDetectionStatus: 1 disabled, 2 searching, 3 delivering, 4 fault, 6 other fault. */
  readonly detection: readonly number[]
  readonly nominalW: number
  /** pethMainPseOperStatus: 1 on, 2 off, 3 faulty. */
  readonly state: number
  /** pethPsePortPowerDeniedCounter of the third port. */
  readonly denied: number
}

/** Switches of six ports, of which phones hang on three. */
export const POE_SCENES = {
  ok: { detection: [3, 3, 3, 2, 2, 1], nominalW: 370, state: 1, denied: 0 },
  budget: { detection: [3, 3, 2, 2, 2, 1], nominalW: 15, state: 1, denied: 7 },
  fault: { detection: [3, 4, 6, 2, 2, 1], nominalW: 370, state: 3, denied: 0 },
} as const satisfies Readonly<Record<string, Scene>>

/** POWER-ETHERNET-MIB (RFC 3621) of a stack of so many members, and the names of the interfaces of the first. */
export function poeMib(scene: keyof typeof POE_SCENES, members = 1): MibValues {
  const { detection, nominalW, state, denied } = POE_SCENES[scene]
  const values: Record<string, MibValue> = {}
  for (let group = 1; group <= members; group++) {
    for (const [i, status] of detection.entries()) {
      const port = i + 1
      const put = (column: number, ...value: MibValue): void => {
        values[`${POE}.1.1.${column}.${group}.${port}`] = value
      }
      put(3, 'integer', status === 1 ? 2 : 1)
      put(6, 'integer', status)
      put(7, 'integer', port === 3 ? 3 : 2)
      put(8, 'counter', 0)
      put(9, 'string', port <= 3 ? 'IP phone' : '')
      put(10, 'integer', port <= 3 ? 3 : 1)
      put(12, 'counter', port === 3 ? denied : 0)
      put(13, 'counter', 0)
      put(14, 'counter', 0)
    }
    values[`${POE}.3.1.1.2.${group}`] = ['gauge', nominalW]
    values[`${POE}.3.1.1.3.${group}`] = ['integer', state]
    values[`${POE}.3.1.1.4.${group}`] = ['gauge', 14]
    values[`${POE}.3.1.1.5.${group}`] = ['integer', 80]
  }
  for (let port = 1; port <= detection.length; port++) {
    values[`${IF}.1.${port}`] = ['string', `Gi1/0/${port}`]
    values[`${IF}.18.${port}`] = ['string', port === 1 ? 'reception' : '']
  }
  return values
}
