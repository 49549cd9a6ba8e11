import { batteryAgeDays } from './battery-date.ts'
import { dayNumber } from './calendar-day.ts'
import { readSelfTest } from './self-test.ts'
import { strictNumber } from './strict-number.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

/** STATFLAG, bit by bit (apcupsd's include/defines.h). */
const CALIBRATION = 0x1
const TRIM = 0x2
const BOOST = 0x4
const ONLINE = 0x8
const ON_BATTERY = 0x10
const OVERLOAD = 0x20
const LOW_BATTERY = 0x40
const REPLACE_BATTERY = 0x80
const COMMS_LOST = 0x100
const SHUTTING_DOWN = 0x200
const SHUTDOWN_ORDERED = 0x800000
const BATTERY_PRESENT = 0x4000000

const PERCENT = 100
const S_PER_MIN = 60
const S_PER_DAY = 86_400
const MS_PER_S = 1000
/** apcupsd looks every 60 s where its POLLTIME does not say otherwise. */
const DEFAULT_POLL_MS = 60_000
/** Older than so many of its own looks, and than this, a reading is stale: its stamps are whole seconds, and a look takes a while. */
const STALE_POLLS = 3
const MIN_STALE_S = 15

/** What is known besides the reply itself. */
export interface NisContext {
  /** Wall clock, microseconds since 1970. */
  readonly nowUs: number
  /** How often apcupsd looks, where that was seen. */
  readonly pollMs: number | undefined
}

/** The keys of a status and their values, trimmed. */
export function nisFacts(lines: readonly string[]): ReadonlyMap<string, string> {
  const facts = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) facts.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
  }
  return facts
}

/** Time of apcupsd's last good look at the UPS, seconds since 1970 by its own clock; undefined where it is not written as we know it. */
export function lastLookS(facts: ReadonlyMap<string, string>): number | undefined {
  return secondsOf(facts.get('DATE'))
}

/**
 * Reads a status of apcupsd. STATUS is for people: it says SHUTTING DOWN for ever once a shutdown was decided, and nothing at all on bypass.
 * STATFLAG is what counts, and while contact is lost even that keeps its old bits beside the one that says so.
 */
export function readNisFacts(
  facts: ReadonlyMap<string, string>,
  { nowUs, pollMs }: NisContext,
): UpsReading {
  const status = facts.get('STATUS')
  const flags = flagsOf(facts.get('STATFLAG'))
  const known = { status, staleS: ageOf(facts), pollMs }
  if (flags === undefined) return withoutContact('apcupsd gives no STATFLAG', known)
  if ((flags & COMMS_LOST) !== 0)
    return withoutContact('apcupsd has lost contact to the UPS', known)
  const staleLimitS = Math.max(MIN_STALE_S, (STALE_POLLS * (pollMs ?? DEFAULT_POLL_MS)) / MS_PER_S)
  if (known.staleS !== undefined && known.staleS > staleLimitS)
    return withoutContact(`apcupsd has not read the UPS for ${known.staleS} s`, known)
  const line = lineOf(flags)
  // Bypass, no output and a silent card all look like this, and then the numbers are old ones as well.
  if (line === 'unknown') {
    const reason = 'STATFLAG says neither on line nor on battery: bypass, off, or not known'
    return { line, commsLost: false, reason, ...known }
  }
  return {
    line,
    commsLost: false,
    ...known,
    ...flagsFor(flags, line),
    ...numbersIn(facts, line),
    ...wordsIn(facts, line, nowUs),
  }
}

function flagsFor(flags: number, line: Line): Partial<UpsReading> {
  const has = (bit: number): boolean => (flags & bit) !== 0
  const isShuttingDown = has(SHUTTING_DOWN)
  const isOver = isShuttingDown && line === 'online'
  return {
    lowBattery: has(LOW_BATTERY),
    replaceBattery: has(REPLACE_BATTERY),
    noBattery: !has(BATTERY_PRESENT),
    overload: has(OVERLOAD),
    calibrating: has(CALIBRATION),
    trim: has(TRIM),
    boost: has(BOOST),
    shutdownPending: isShuttingDown && !isOver,
    forcedShutdown: has(SHUTDOWN_ORDERED) && !isOver,
    ...(isOver
      ? { reason: 'apcupsd says SHUTTING DOWN until it is restarted; the UPS is on line' }
      : {}),
  }
}

/** Both bits: the battery carries the load. */
function lineOf(flags: number): Line {
  if ((flags & ON_BATTERY) !== 0) return 'battery'
  return (flags & ONLINE) !== 0 ? 'online' : 'unknown'
}

function numbersIn(facts: ReadonlyMap<string, string>, line: Line): Partial<UpsReading> {
  const read = (key: string, unit: string): number | undefined => quantity(facts.get(key), unit)
  const minutes = (key: string): number | undefined => times(read(key, 'Minutes'), S_PER_MIN)
  const charge = read('BCHARGE', 'Percent')
  const load = read('LOADPCT', 'Percent')
  const transfers = strictNumber(facts.get('NUMXFERS'))
  return {
    chargeRatio: charge !== undefined && charge <= PERCENT ? charge / PERCENT : undefined,
    runtimeS: minutes('TIMELEFT'),
    lowRuntimeS: minutes('DLOWBATT'),
    onBatteryS: line === 'battery' ? read('TONBATT', 'Seconds') : undefined,
    loadRatio: times(load, 1 / PERCENT),
    nominalW: read('NOMPOWER', 'Watts'),
    inputV: read('LINEV', 'Volts'),
    inputHz: read('LINEFREQ', 'Hz'),
    outputV: read('OUTPUTV', 'Volts'),
    batteryV: read('BATTV', 'Volts'),
    temperatureC: quantity(facts.get('ITEMP'), 'C', true),
    transfers: Number.isSafeInteger(transfers) ? transfers : undefined,
  }
}

function wordsIn(
  facts: ReadonlyMap<string, string>,
  line: Line,
  nowUs: number,
): Partial<UpsReading> {
  const word = (key: string): string | undefined => {
    const value = facts.get(key) ?? ''
    return value === '' || value === 'N/A' ? undefined : value
  }
  const lastTransfer = word('LASTXFER')
  const selfTest = readSelfTest(word('SELFTEST'))
  const isTesting = line === 'battery' && /self.?test/i.test(lastTransfer ?? '')
  return {
    lastTransfer,
    ...selfTest,
    selfTesting: isTesting || selfTest.selfTesting === true,
    selfTestDate: word('LASTSTEST'),
    batteryDate: word('BATTDATE'),
    // American order: apcupsd hands on what APC's units write.
    batteryAgeDays: batteryAgeDays(word('BATTDATE'), nowUs, 'month-first'),
    model: word('MODEL'),
    serial: word('SERIALNO'),
    firmware: word('FIRMWARE'),
  }
}

function flagsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^0x[0-9a-f]{1,8}\b/i.test(text) ? parseInt(text, 16) : undefined
}

/** `27.0 Minutes`; undefined for another unit, and for the negative numbers that mean "not supported". */
function quantity(
  text: string | undefined,
  unit: string,
  mayBeNegative = false,
): number | undefined {
  const [number, ...words] = (text ?? '').split(/\s+/)
  if (words[0] !== unit) return undefined
  const value = strictNumber(number)
  return value !== undefined && (value >= 0 || mayBeNegative) ? value : undefined
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor
}

/** END APC is now, DATE was the last good look: both by apcupsd's own clock, so ours does not matter. */
function ageOf(facts: ReadonlyMap<string, string>): number | undefined {
  const [lookedS, nowS] = [lastLookS(facts), secondsOf(facts.get('END APC'))]
  return lookedS === undefined || nowS === undefined ? undefined : Math.max(0, nowS - lookedS)
}

/** `2026-11-22 12:45:44 +0000`: seconds since 1970. */
function secondsOf(text: string | undefined): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/.exec(
    text ?? '',
  )
  if (match === null) return undefined
  const number = (group: number): number => Number(match[group])
  const day = dayNumber(number(1), number(2), number(3))
  if (day === undefined) return undefined
  const east = (match[7] === '-' ? -1 : 1) * (number(8) * 60 + number(9)) * S_PER_MIN
  return day * S_PER_DAY + (number(4) * 60 + number(5)) * S_PER_MIN + number(6) - east
}
