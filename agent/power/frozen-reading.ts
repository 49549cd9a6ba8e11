import { withoutContact, type UpsReading } from './ups-reading.ts'

/** On battery time runs down: units count it in minutes at the coarsest. */
const TIMES_MUST_CHANGE_MS = 300_000
/** Charge in whole percent, and volts in tenths: with a small load on a large battery they stand still for longer. */
const LEVELS_MUST_CHANGE_MS = 900_000
/** A source that itself looks seldom gets the time for some of its own looks. */
const POLLS = 3
/** On mains nothing has to change; voltages that do not move for a day are odd, and no more than that. */
const ODD_ON_MAINS_MS = 86_400_000
const MS_PER_MIN = 60_000
const MS_PER_H = 3_600_000

/**
 * Finds units whose reading stands still: a card, driver or server that goes on giving what it last had. On battery the time left, the
 * time on battery, the charge or the voltage must change: where none does, the reading is not believed. On mains standing still proves
 * nothing, for a full battery stays full: it is told as odd when even the voltages have not moved for a day.
 */
export class FrozenReading {
  #numbers = ''
  #line: UpsReading['line'] = 'unknown'
  #sinceMs = 0

  /**
   * The reading, or what is left of it when it cannot be true.
   * @param atMs of the reading, by a clock that is never stepped
   */
  check(reading: UpsReading, atMs: number): UpsReading {
    const { line } = reading
    if (line === 'unknown') return reading
    const numbers = numbersOf(reading)
    if (numbers !== this.#numbers || line !== this.#line) {
      this.#numbers = numbers
      this.#line = line
      this.#sinceMs = atMs
      return line === 'battery' ? { ...reading, frozen: false } : reading
    }
    const standsMs = atMs - this.#sinceMs
    if (line === 'battery') return onBattery(reading, standsMs)
    const isOdd = reading.inputV !== undefined && standsMs >= ODD_ON_MAINS_MS
    if (line !== 'online' || !isOdd || reading.reason !== undefined) return reading
    const hours = Math.floor(standsMs / MS_PER_H)
    return { ...reading, reason: `not one number has changed for ${hours} h: it may be frozen` }
  }
}

function onBattery(reading: UpsReading, standsMs: number): UpsReading {
  const limitMs = limitOf(reading)
  if (limitMs === undefined) return reading
  if (standsMs < limitMs) return { ...reading, frozen: false }
  const { status, staleS, pollMs } = reading
  const minutes = Math.floor(standsMs / MS_PER_MIN)
  const reason = `frozen: on battery, and not one number has changed for ${minutes} min`
  return { ...withoutContact(reason, { status, staleS, pollMs }), frozen: true }
}

/** How long it may stand still; undefined where the unit gives nothing that must change, and nobody can tell. */
function limitOf(reading: UpsReading): number | undefined {
  const { runtimeS, onBatteryS, chargeRatio, batteryV, pollMs = 0 } = reading
  const hasTime = onBatteryS !== undefined || (runtimeS !== undefined && runtimeS > 0)
  const hasLevel = batteryV !== undefined || (chargeRatio !== undefined && chargeRatio > 0)
  if (!hasTime && !hasLevel) return undefined
  return Math.max(hasTime ? TIMES_MUST_CHANGE_MS : LEVELS_MUST_CHANGE_MS, POLLS * pollMs)
}

function numbersOf(reading: UpsReading): string {
  return [
    reading.chargeRatio,
    reading.runtimeS,
    reading.onBatteryS,
    reading.loadRatio,
    reading.loadW,
    reading.inputV,
    reading.inputHz,
    reading.outputV,
    reading.batteryV,
    reading.temperatureC,
  ].join(' ')
}
