import type { MibValue, MibValues } from './snmpd.ts'

const UPS = '1.3.6.1.2.1.33.1'
const ALARMS = `${UPS}.6.3`

interface Scene {
  readonly batteryStatus: number
  readonly secondsOnBattery: number
  readonly minutes: number
  readonly chargePercent: number
  readonly outputSource: number
  readonly inputV: number
  readonly outputV: number
  /** Well-known alarms, by their last number. */
  readonly alarms: readonly number[]
}

const ON_MAINS: Scene = {
  batteryStatus: 2,
  secondsOnBattery: 0,
  minutes: 42,
  chargePercent: 100,
  outputSource: 3,
  inputV: 231,
  outputV: 230,
  alarms: [],
}

/** A UPS with the UPS-MIB of RFC 1628, as it is seen in the situations that matter. */
export const UPS_SCENES = {
  normal: ON_MAINS,
  onbattery: {
    ...ON_MAINS,
    secondsOnBattery: 95,
    minutes: 27,
    chargePercent: 71,
    outputSource: 5,
    inputV: 0,
    alarms: [2, 6],
  },
  lowbattery: {
    ...ON_MAINS,
    batteryStatus: 3,
    secondsOnBattery: 900,
    minutes: 3,
    chargePercent: 11,
    outputSource: 5,
    inputV: 0,
    alarms: [2, 3, 6],
  },
  depleted: { ...ON_MAINS, batteryStatus: 4, minutes: 1, chargePercent: 2, alarms: [4] },
  bypass: { ...ON_MAINS, outputSource: 4, alarms: [9] },
  off: { ...ON_MAINS, outputSource: 2, outputV: 0, alarms: [14] },
  commlost: {
    ...ON_MAINS,
    batteryStatus: 1,
    minutes: 1,
    chargePercent: 0,
    outputSource: 1,
    inputV: 0,
    outputV: 0,
    alarms: [20],
  },
  // Built to the compliance clause of the RFC's own module, where normal is 2 and battery is 4.
  legacyenum: { ...ON_MAINS, outputSource: 2 },
} as const satisfies Readonly<Record<string, Scene>>

/** The objects of a scene; `lines` is the number of phases, each a little different from the one before. */
export function upsMib(scene: keyof typeof UPS_SCENES, lines = 1): MibValues {
  const s: Scene = UPS_SCENES[scene]
  const isOnMains = s.inputV > 0
  const values: Record<string, MibValue> = {}
  const put = (oid: string, ...value: MibValue): void => {
    values[`${UPS}.${oid}`] = value
  }
  for (const [i, text] of ['LabPower', 'Sim 3000', 'fw 1.0', 'agent 1.0', 'ups-a'].entries()) {
    put(`1.${i + 1}.0`, 'string', text)
  }
  put('2.1.0', 'integer', s.batteryStatus)
  put('2.2.0', 'integer', s.secondsOnBattery)
  put('2.3.0', 'integer', s.minutes)
  put('2.4.0', 'integer', s.chargePercent)
  put('2.5.0', 'integer', 546)
  put('2.6.0', 'integer', s.outputSource === 5 ? -112 : 3)
  put('2.7.0', 'integer', 25)
  put('3.1.0', 'counter', 4)
  put('3.2.0', 'integer', lines)
  put('4.1.0', 'integer', s.outputSource)
  put('4.2.0', 'integer', 500)
  put('4.3.0', 'integer', lines)
  for (let line = 1; line <= lines; line++) {
    put(`3.3.1.2.${line}`, 'integer', isOnMains ? 500 : 0)
    put(`3.3.1.3.${line}`, 'integer', isOnMains ? s.inputV - line + 1 : 0)
    put(`3.3.1.4.${line}`, 'integer', 31)
    put(`3.3.1.5.${line}`, 'integer', 690)
    put(`4.4.1.2.${line}`, 'integer', s.outputV)
    put(`4.4.1.3.${line}`, 'integer', 28)
    put(`4.4.1.4.${line}`, 'integer', 640)
    put(`4.4.1.5.${line}`, 'integer', 22 + line)
  }
  put('6.1.0', 'gauge', s.alarms.length)
  for (const [i, alarm] of s.alarms.entries()) {
    put(`6.2.1.2.${i + 1}`, 'objectid', `.${ALARMS}.${alarm}`)
    put(`6.2.1.3.${i + 1}`, 'timeticks', 1000 + i)
  }
  put('7.3.0', 'integer', 1)
  put('7.4.0', 'string', 'passed')
  put('9.1.0', 'integer', 230)
  put('9.3.0', 'integer', 230)
  put('9.5.0', 'integer', 3000)
  put('9.6.0', 'integer', 2700)
  put('9.7.0', 'integer', 5)
  return values
}
