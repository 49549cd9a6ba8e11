import { test } from 'tap'
import { Watches } from '../../collector/evaluate/power/watches.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { seeded } from '../support/drawings.ts'
import { officeModel, OFFICE } from '../support/power-site.ts'

const START_US = Date.UTC(2026, 10, 22, 3) * 1000
const S_US = 1_000_000
const ROUNDS = 400
const SWITCHES = ['sw-core', 'sw-1', 'sw-2']

test('what is kept from one look to the next makes no difference to what the watches say', (t) => {
  const random = seeded(7)
  const model = officeModel()
  const smaller = officeModel(OFFICE.replace(', watch: { measurement: ping, target: sw-2 }', ''))
  const kept = new Watches(undefined, () => undefined)
  let atUs = START_US
  for (let round = 0; round < ROUNDS; round++) {
    atUs += Math.floor(random() * 30) * S_US
    kept.follow(round % 50 < 40 ? model : smaller)
    kept.observe(
      Array.from({ length: Math.floor(random() * 4) }, () => somePoint(random, atUs)),
      atUs,
    )
    if (random() < 0.02) kept.siteLost('hq', atUs)
    if (random() < 0.02) kept.forgetAgent('gw-2')
    const isIsolated = (agent: string): boolean => agent === 'gw-1' && round % 7 === 0
    const fresh = new Watches(JSON.parse(JSON.stringify(kept.memory)), () => undefined)
    fresh.follow(round % 50 < 40 ? model : smaller)
    const [one, other] = [kept.now(atUs, isIsolated), fresh.now(atUs, isIsolated)]
    t.same(sorted(one.components), sorted(other.components), `round ${round}`)
    t.same(kept.siteOf('sw-1'), fresh.siteOf('sw-1'))
  }
  t.end()
})

function sorted<T>(seen: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...seen].sort(([a], [b]) => (a < b ? -1 : 1))
}

function somePoint(random: () => number, atUs: number): Measurement {
  const pick = <T>(from: readonly T[], or: T): T => from[Math.floor(random() * from.length)] ?? or
  const tags = { agent: pick(['gw-1', 'gw-2'], 'gw-1'), site: pick(['hq', 'branch'], 'hq') }
  if (random() < 0.5) {
    const received = pick([0, 5, 5], 5)
    return measurement(
      'ping',
      atUs,
      { ...tags, target: pick(SWITCHES, 'sw-1') },
      { sent: 5, received },
    )
  }
  const target = pick(['ups-1', 'ups-2'], 'ups-1')
  const line = pick(['online', 'online', 'battery', 'unknown'], 'online')
  const leftS = line === 'battery' ? { runtime_left_s: pick([600, 300], 600) } : {}
  return measurement('ups', atUs, { ...tags, target }, { line, comms_lost: false, ...leftS })
}
