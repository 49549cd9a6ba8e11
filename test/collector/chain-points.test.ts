import { test } from 'tap'
import { Chain } from '../../collector/evaluate/power/chain.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { OFFICE } from '../support/power-site.ts'

const START_US = Date.UTC(2026, 10, 22, 3) * 1000
const S_US = 1_000_000

test('what the drawing means is stored when it changes and every minute, unwatched single points too', (t) => {
  const site = new Site(readConfig(siteFile, OFFICE, 'site.yaml'))
  const chain = new Chain(
    undefined,
    () => site,
    () => false,
  )
  const see = (atS: number, line: string, runtimeS?: number): readonly Measurement[] => {
    const atUs = START_US + atS * S_US
    const point = (target: string, fed: string, leftS?: number): Measurement =>
      measurement('ups', atUs, { target, agent: 'gw' }, { line: fed, runtime_left_s: leftS })
    chain.observe([point('ups-1', line, runtimeS), point('ups-2', 'online')], atUs)
    chain.tick(atUs)
    return chain.takePoints(atUs)
  }
  const find = (points: readonly Measurement[], id: string): unknown =>
    points.find(({ tags }) => tags['target'] === id)?.fields

  const calm = see(0, 'online')
  t.same(find(calm, 'ups-2'), {
    state: 'up',
    state_code: 0,
    reason: 'on mains',
    stops_services: 0,
  })
  t.same(
    find(calm, 'pbx'),
    { stops: 'call-out, emergency-112, reception', stops_services: 3 },
    'a single point as drawn of which nothing is heard',
  )
  t.match(find(calm, 'call-out'), { state: 'up', state_code: 0, new_single_points: 0 })
  t.same(see(5, 'online'), [], 'no change: nothing is stored')

  const onBattery = see(10, 'battery', 660)
  t.match(find(onBattery, 'ups-1'), { state: 'degraded', state_code: 1, minutes_left: 11 })
  t.match(find(onBattery, 'reception'), { new_singles: 'battery-1', minutes_left: 11 })
  t.same(
    find(onBattery, 'battery-1'),
    { stops: 'reception', stops_services: 1, minutes_left: 11 },
    'what became a single point and is not watched',
  )

  const restored = see(15, 'online')
  t.same(find(restored, 'battery-1'), { stops_services: 0 }, 'and it is said that it is none now')
  const minuteLater = see(75, 'online')
  t.equal(find(minuteLater, 'battery-1'), undefined, 'then no more of it')
  t.match(find(minuteLater, 'ups-2'), { state: 'up' }, 'a minute later all is stored again')
  t.end()
})
