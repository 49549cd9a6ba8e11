import { test } from 'tap'
import { batteryAgeDays } from '../../agent/power/battery-date.ts'
import { FrozenReading } from '../../agent/power/frozen-reading.ts'
import { RuntimeEstimate } from '../../agent/power/runtime-estimate.ts'
import { readSelfTest } from '../../agent/power/self-test.ts'
import { upsPoint, withoutContact, type UpsReading } from '../../agent/power/ups-reading.ts'
import { UpsUnit } from '../../agent/power/ups-unit.ts'
import { complaintAbout, definitionOf } from '../../common/measurement.ts'

const MIN = 60_000
const HOUR = 3_600_000
/** 2026-11-22T00:00:00Z: day 20,779 since 1970. */
const NOW_US = 20_779 * 86_400_000_000

const ON_BATTERY: UpsReading = { line: 'battery', commsLost: false }
const ON_MAINS: UpsReading = { line: 'online', commsLost: false }

test('the time left is the smaller of what the unit says and of what its charge says', (t) => {
  const estimate = new RuntimeEstimate()
  t.same(estimate.observe({ ...ON_MAINS, runtimeS: 2400 }, 0), { runtimeLeftS: 2400 })
  // 1 % a minute from 80 %: at 5 minutes 75 % are left, 75 minutes.
  const said: (number | undefined)[][] = []
  for (let minute = 0; minute <= 6; minute++) {
    const { runtimeEstimateS, runtimeLeftS } = estimate.observe(
      { ...ON_BATTERY, chargeRatio: (80 - minute) / 100, runtimeS: 6000 },
      minute * MIN,
    )
    said.push([runtimeEstimateS && Math.round(runtimeEstimateS), Math.round(runtimeLeftS ?? -1)])
  }
  t.same(said, [
    [undefined, 6000],
    [undefined, 6000],
    [undefined, 6000],
    [undefined, 6000],
    [undefined, 6000],
    [4500, 4500],
    [4440, 4440],
  ])
  const smaller = estimate.observe({ ...ON_BATTERY, chargeRatio: 0.73, runtimeS: 600 }, 7 * MIN)
  t.equal(Math.round(smaller.runtimeEstimateS ?? 0), 4380)
  t.equal(smaller.runtimeLeftS, 600)
  t.end()
})

test('time left does not grow on battery unless the load fell', (t) => {
  const estimate = new RuntimeEstimate()
  const left = (reading: Partial<UpsReading>, atMs: number): number | undefined =>
    estimate.observe({ ...ON_BATTERY, ...reading }, atMs).runtimeLeftS
  t.equal(left({ runtimeS: 900, loadRatio: 0.5 }, 0), 900)
  t.equal(left({ runtimeS: 1200, loadRatio: 0.5 }, MIN), 900, 'it found new minutes')
  t.equal(left({ runtimeS: 1200, loadRatio: 0.47 }, 2 * MIN), 900, 'hardly less load')
  t.equal(left({ runtimeS: 1200 }, 3 * MIN), 900, 'a load nobody knows')
  t.equal(left({ runtimeS: 1500, loadRatio: 0.3 }, 4 * MIN), 1500, 'the load fell')
  t.equal(left({ runtimeS: 1600, loadRatio: 0.6 }, 5 * MIN), 1500, 'the load grew')
  t.same(estimate.observe(withoutContact('away'), 6 * MIN), {})
  t.equal(left({ runtimeS: 1700, loadRatio: 0.6 }, 7 * MIN), 1500, 'remembered meanwhile')
  t.equal(estimate.observe({ ...ON_MAINS, runtimeS: 1800 }, 8 * MIN).runtimeLeftS, 1800)
  t.equal(left({ runtimeS: 1700 }, 9 * MIN), 1700, 'another outage')
  t.equal(left({}, 10 * MIN), 1700)
  t.equal(new RuntimeEstimate().observe(ON_BATTERY, 0).runtimeLeftS, undefined, 'nothing is known')
  t.end()
})

test('a slope needs three readings, five minutes and a charge that falls', (t) => {
  const run = (readings: readonly (readonly [minute: number, percent: number])[]) => {
    const estimate = new RuntimeEstimate()
    let last: number | undefined
    for (const [minute, percent] of readings) {
      const reading = { ...ON_BATTERY, chargeRatio: percent / 100 }
      last = estimate.observe(reading, minute * MIN).runtimeEstimateS
    }
    return last === undefined ? undefined : Math.round(last)
  }
  t.equal(run([[0, 90], [10, 80]]), undefined, 'two readings') // prettier-ignore
  t.equal(run([[0, 90], [2, 88], [4, 86]]), undefined, 'four minutes') // prettier-ignore
  t.equal(run([[0, 90], [3, 90], [6, 90]]), undefined, 'it stands') // prettier-ignore
  t.equal(run([[0, 80], [3, 85], [6, 90]]), undefined, 'it rises') // prettier-ignore
  t.equal(
    run([
      [0, 90],
      [5, 80],
      [10, 70],
    ]),
    2100,
    '2 % a minute, 70 % left',
  )
  t.equal(run([[0, 4], [3, 2], [6, 0]]), 0, 'empty') // prettier-ignore
  // A fast beginning is forgotten after a quarter of an hour: then it is 0.5 % a minute, 55 % left.
  t.equal(run([[0, 90], [5, 70], [20, 65], [25, 62.5], [30, 60], [35, 57.5], [40, 55]]), 6600) // prettier-ignore
  // Polled every 5 s, in whole percent: 1 % every 2 minutes.
  const steps = Array.from({ length: 121 }, (_, i) => [i / 12, 60 - Math.floor(i / 24)] as const)
  const polled = run(steps) ?? 0
  t.ok(Math.abs(polled - 55.5 * 120) < 300, `${polled} s`)
  t.end()
})

test('on battery a reading that stands still is not believed', (t) => {
  const frozen = new FrozenReading()
  const reading: UpsReading = {
    ...ON_BATTERY,
    status: 'OB DISCHRG',
    lowBattery: false,
    chargeRatio: 0.62,
    runtimeS: 700,
    inputV: 0,
  }
  t.same(frozen.check(reading, 0), { ...reading, frozen: false })
  t.same(frozen.check(reading, 299_999), { ...reading, frozen: false })
  t.same(frozen.check(reading, 300_000), {
    line: 'unknown',
    commsLost: true,
    frozen: true,
    reason: 'frozen: on battery, and not one number has changed for 5 min',
    status: 'OB DISCHRG',
    staleS: undefined,
    pollMs: undefined,
  })
  t.match(frozen.check({ ...reading, chargeRatio: 0.61 }, 301_000), {
    line: 'battery',
    frozen: false,
  })
  t.match(frozen.check({ ...reading, chargeRatio: 0.61 }, 600_999), { frozen: false })
  t.match(frozen.check({ ...reading, chargeRatio: 0.61 }, 601_000), { frozen: true })
  t.end()
})

test('what need not change on battery is no proof', (t) => {
  const standing = (reading: UpsReading, atMs: number): UpsReading => {
    const frozen = new FrozenReading()
    frozen.check(reading, 0)
    return frozen.check(reading, atMs)
  }
  const { frozen: ofContact } = standing({ ...ON_BATTERY, inputV: 0 }, 10 * HOUR)
  t.equal(ofContact, undefined, 'a unit that tells by a contact only')
  const charge = { ...ON_BATTERY, chargeRatio: 0.99 }
  t.match(standing(charge, 14 * MIN), { line: 'battery', frozen: false }, 'slow to fall')
  t.match(standing(charge, 15 * MIN), { line: 'unknown', frozen: true })
  t.match(standing({ ...charge, chargeRatio: 0 }, HOUR), { line: 'battery' }, 'nothing can fall')
  const slow = { ...ON_BATTERY, onBatteryS: 5, pollMs: 4 * MIN }
  t.match(standing(slow, 11 * MIN), { frozen: false }, 'its source looks every 4 min')
  t.match(standing(slow, 12 * MIN), { frozen: true })
  t.end()
})

test('on mains a reading that stands still is odd after a day, and believed', (t) => {
  const frozen = new FrozenReading()
  const reading: UpsReading = { ...ON_MAINS, chargeRatio: 1, inputV: 230.4 }
  frozen.check(reading, 0)
  t.same(frozen.check(reading, 24 * HOUR - 1), reading)
  t.same(frozen.check(reading, 25 * HOUR), {
    ...reading,
    reason: 'not one number has changed for 25 h: it may be frozen',
  })
  t.same(frozen.check({ ...reading, inputV: 230.5 }, 26 * HOUR), { ...reading, inputV: 230.5 })
  const dull: UpsReading = { ...ON_MAINS, chargeRatio: 1 }
  frozen.check(dull, 27 * HOUR)
  t.same(frozen.check(dull, 100 * HOUR), dull, 'without a voltage nothing is odd')
  t.end()
})

test('the date of a battery is read where it is one', (t) => {
  const age = (text: string, order?: 'month-first'): number | undefined =>
    batteryAgeDays(text, NOW_US, order)
  t.equal(age('2026-11-22'), 0)
  t.equal(age('2026-11-23'), 0, 'today, where it is tomorrow already')
  t.equal(age('2026-11-24'), undefined, 'in the future')
  t.equal(age('2025-11-22'), 365)
  t.equal(age('2022/11/22'), 1461, 'with a leap day')
  t.equal(age('20240229'), 997)
  t.equal(age('2023-02-29'), undefined)
  t.equal(age('2026-13-01'), undefined)
  t.equal(age('1999-12-31'), 9823)
  t.equal(age('1970-01-01'), undefined, 'a clock never set')
  t.equal(age('0000-00-00'), undefined)
  t.equal(age('11/21/26'), 1, 'the 21st is no month')
  t.equal(age('21/11/2026'), 1)
  t.equal(age('10/11/26'), undefined, 'October or November: not guessed')
  t.equal(age('10/11/26', 'month-first'), 42)
  t.equal(age('11/11/26'), 11)
  t.equal(age('06/12/99', 'month-first'), 10_025)
  t.equal(age('2019-06-12 10:22:33 +0000'), 2720)
  for (const text of ['', 'not set', '2026', '2026-1-1', '2026-11/22', '31/31/26', 'x2026-11-22'])
    t.equal(age(text), undefined, text)
  t.equal(batteryAgeDays(undefined, NOW_US), undefined)
  t.end()
})

test('the words for a self-test are those of NUT, UPS-MIB and apcupsd', (t) => {
  const passed = { selfTestFailed: false }
  const failed = { selfTestFailed: true }
  const table: readonly (readonly [string, object])[] = [
    ['Done and passed', passed],
    ['done and passed', passed],
    ['Done and error', failed],
    ['General test failed', failed],
    ['Battery failed', failed],
    ['Test not passed', failed],
    ['Done and warning', {}],
    ['Aborted', {}],
    ['No test initiated', {}],
    ['Test scheduled', {}],
    ['invalid test', {}],
    ['In progress', { selfTesting: true }],
    ['doneAnd???', {}],
  ]
  for (const [words, expected] of table)
    t.same(readSelfTest(words), { selfTest: words, ...expected }, words)
  t.same(readSelfTest('OK'), { selfTest: 'passed', selfTestFailed: false })
  t.same(readSelfTest('NG'), { selfTest: 'failed', selfTestFailed: true })
  t.same(readSelfTest('BT'), { selfTest: 'failed: battery capacity', selfTestFailed: true })
  t.same(readSelfTest('WN'), { selfTest: 'warning' })
  t.same(readSelfTest('IP'), { selfTest: 'in progress', selfTesting: true })
  t.same(readSelfTest('NO'), { selfTest: 'none' })
  t.same(readSelfTest('??'), {})
  t.same(readSelfTest(''), {})
  t.same(readSelfTest(undefined), {})
  t.end()
})

test('a change of line, low battery or contact is urgent, and nothing else is', (t) => {
  const unit = new UpsUnit()
  const isUrgent = (reading: UpsReading): boolean => unit.judge(reading, 0).isUrgent
  t.notOk(isUrgent(ON_MAINS), 'on mains from the beginning')
  t.notOk(isUrgent({ ...ON_MAINS, chargeRatio: 0.9, replaceBattery: true }))
  t.ok(isUrgent(ON_BATTERY))
  t.notOk(isUrgent({ ...ON_BATTERY, chargeRatio: 0.8 }))
  t.ok(isUrgent({ ...ON_BATTERY, lowBattery: true }))
  t.ok(isUrgent({ ...ON_BATTERY, lowBattery: true, forcedShutdown: true }))
  t.ok(isUrgent(withoutContact('the server says DATA-STALE')))
  t.notOk(isUrgent(withoutContact('the server says DRIVER-NOT-CONNECTED')))
  t.ok(isUrgent(ON_MAINS))
  t.ok(new UpsUnit().judge(withoutContact('away'), 0).isUrgent, 'not heard of from the beginning')
  t.end()
})

test('every field of a reading becomes one of the vocabulary', (t) => {
  const whole: Required<UpsReading> = {
    line: 'battery',
    commsLost: false,
    status: 's',
    reason: 'r',
    lowBattery: true,
    replaceBattery: true,
    noBattery: true,
    chargerFault: true,
    overload: true,
    overTemperature: true,
    alarm: true,
    alarms: 'a',
    forcedShutdown: true,
    shutdownPending: true,
    calibrating: true,
    selfTesting: true,
    boost: true,
    trim: true,
    charging: true,
    discharging: true,
    redundancyLost: true,
    frozen: false,
    staleS: 1,
    pollMs: 2,
    chargeRatio: 0.3,
    lowChargeRatio: 0.4,
    runtimeS: 5,
    runtimeEstimateS: 6,
    runtimeLeftS: 7,
    lowRuntimeS: 8,
    onBatteryS: 9,
    transfers: 10,
    lastTransfer: 'l',
    loadRatio: 0.11,
    loadW: 12,
    nominalW: 13,
    inputV: 14,
    inputHz: 15,
    outputV: 16,
    batteryV: 17,
    temperatureC: 18,
    batteryDate: 'd',
    batteryAgeDays: 19,
    selfTest: 't',
    selfTestFailed: true,
    selfTestDate: 'e',
    model: 'm',
    serial: 'n',
    firmware: 'f',
  }
  const point = upsPoint(whole, { target: 'ups-1', source: 'nut' }, NOW_US)
  t.equal(complaintAbout(point), undefined)
  t.same(Object.keys(point.fields).sort(), Object.keys(definitionOf('ups').fields).sort())
  t.equal(Object.keys(point.fields).length, Object.keys(whole).length)
  t.same(point.tags, { target: 'ups-1', source: 'nut' })
  t.end()
})
