import { batteryAgeDays } from './battery-date.ts'
import { nutNumber, nutNumbers, type NutVariables } from './nut-numbers.ts'
import { readSelfTest } from './self-test.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

/** Words with which the server or a driver says that it hears nothing from the unit. */
const NO_CONTACT = ['WAIT', 'NOCOMM', 'COMMLOST']
/** It says OFF also for a cable that is out, and BYPASS for a battery that is (its source, apcupsd-ups.c). */
const APCUPSD_DRIVER = 'apcupsd-ups'

/**
 * Reads the variables of one UPS as upsd lists them (names: NUT's nut-names.txt, the list RFC 9271 refers to).
 * @param nowUs wall clock, for the age of the battery
 */
export function readNutVariables(variables: NutVariables, nowUs: number): UpsReading {
  const status = variables.get('ups.status')?.trim()
  if (status === undefined) return withoutContact('the server gives no ups.status')
  if (status === '') return withoutContact('ups.status is empty', { status })
  const words = status.split(/\s+/)
  const alarms = text(variables, 'ups.alarm')
  const silence = silenceIn(words, alarms, variables.get('driver.name'))
  if (silence !== undefined) return withoutContact(silence, { status })
  const hasNoBattery = isApcupsdBehind(variables) && words.includes('BYPASS')
  const line = lineOf(hasNoBattery ? words.filter((word) => word !== 'BYPASS') : words)
  return {
    line,
    status,
    commsLost: false,
    ...(line === 'unknown' ? { reason: 'ups.status says neither OL nor OB' } : {}),
    ...nutNumbers(variables),
    ...wordsIn(variables, nowUs),
    ...flagsIn(words, variables, alarms ?? ''),
    ...(hasNoBattery ? { noBattery: true } : {}),
    alarms,
  }
}

/** OL and OB speak of the input only, so what stands between input and load goes first. */
function lineOf(words: readonly string[]): Line {
  if (words.includes('OFF')) return 'off'
  if (words.includes('BYPASS')) return 'bypass'
  if (words.includes('OB')) return 'battery'
  return words.includes('OL') ? 'online' : 'unknown'
}

/** Why nothing of the reading is fresh, where it says so. */
function silenceIn(
  words: readonly string[],
  alarms: string | undefined,
  driver: string | undefined,
): string | undefined {
  const silent = NO_CONTACT.find((word) => words.includes(word))
  if (silent !== undefined) return `ups.status is ${silent}`
  if (/communications? (?:fault|lost|fail)|lost communication/i.test(alarms ?? ''))
    return `ups.alarm is ${alarms ?? ''}`
  return driver === APCUPSD_DRIVER && words.includes('OFF')
    ? 'its driver says OFF for a lost cable too: read apcupsd itself (ups-apcupsd)'
    : undefined
}

/** Status tokens, and what some drivers tell in the text of their alarms only. */
function flagsIn(
  words: readonly string[],
  variables: NutVariables,
  alarms: string,
): Partial<UpsReading> {
  const charger = variables.get('battery.charger.status') ?? ''
  const charges = words.includes('CHRG') || charger === 'charging'
  const discharges = words.includes('DISCHRG') || charger === 'discharging'
  const knowsCharger = charger !== '' || charges || discharges
  const selfTest = readSelfTest(variables.get('ups.test.result'))
  const countdownS = nutNumber(variables, 'ups.timer.shutdown')
  return {
    lowBattery: words.includes('LB'),
    replaceBattery: words.includes('RB') || /replace(?: the)? batter/i.test(alarms),
    noBattery: /no battery|battery (?:is )?(?:missing|disconnected|not present)/i.test(alarms),
    chargerFault: /charger[^.!]*(?:fault|fail)/i.test(alarms) || /fault|fail/i.test(charger),
    overload: words.includes('OVER'),
    overTemperature: /temperature[^.!]*too high|over.?temperature|overheat/i.test(alarms),
    alarm: words.includes('ALARM'),
    forcedShutdown: words.includes('FSD'),
    shutdownPending:
      (countdownS !== undefined && countdownS > 0) || /shutdown (?:imminent|pending)/i.test(alarms),
    calibrating: words.includes('CAL'),
    selfTesting: words.includes('TEST') || selfTest.selfTesting === true,
    boost: words.includes('BOOST'),
    trim: words.includes('TRIM'),
    charging: knowsCharger ? charges : undefined,
    discharging: knowsCharger ? discharges : undefined,
  }
}

function wordsIn(variables: NutVariables, nowUs: number): Partial<UpsReading> {
  const maker = text(variables, 'device.mfr', 'ups.mfr')
  const model = text(variables, 'device.model', 'ups.model')
  const batteryDate = text(variables, 'battery.date')
  // An opaque text to NUT; APC writes its dates the American way.
  const order = /^apc\b|american power/i.test(maker ?? '') ? 'month-first' : 'unknown'
  const isSaid = maker === undefined || model?.startsWith(maker) === true
  return {
    lastTransfer: text(variables, 'input.transfer.reason'),
    batteryDate,
    batteryAgeDays: batteryAgeDays(batteryDate, nowUs, order),
    ...readSelfTest(variables.get('ups.test.result')),
    selfTestDate: text(variables, 'ups.test.date'),
    model: isSaid ? model : [maker, model].filter((part) => part !== undefined).join(' '),
    serial: text(variables, 'device.serial', 'ups.serial'),
    firmware: text(variables, 'ups.firmware'),
  }
}

function isApcupsdBehind(variables: NutVariables): boolean {
  return variables.get('driver.name') === APCUPSD_DRIVER
}

/** The first of the variables that says something. */
function text(variables: NutVariables, ...names: readonly string[]): string | undefined {
  return names
    .map((name) => variables.get(name)?.trim())
    .find((value) => value !== undefined && value !== '')
}
