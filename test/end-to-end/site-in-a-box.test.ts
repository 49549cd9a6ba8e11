import tap, { test } from 'tap'
import { SiteInABox } from '../support/site-in-a-box.ts'

tap.setTimeout(360_000)

const LOSS = 'path-loss'
const ON_BATTERY_WITHIN_MS = 45_000
/** As the site file draws it. */
const BATTERY_MIN = 14
const FIRING_WITHIN_MS = 60_000
const RESOLVED_WITHIN_MS = 150_000

test('npm start tells the whole story and leaves nothing behind', async (t) => {
  const lab = new SiteInABox(18_421, ['--calm', '5'])
  t.teardown(() => {
    lab.kill()
  })
  const paths = await lab.paths(4)
  t.ok(paths.includes('hq -> carrier-b'), `live paths: ${paths.join(', ')}`)
  t.ok(
    await lab.says(/FIRING\s.*carrier-b.*loss.*signature verified/, FIRING_WITHIN_MS),
    'the alert reaches webhook and terminal',
  )
  t.match(await lab.firing(LOSS), [/carrier-b/], 'the console shows it')
  t.ok(
    await lab.says(/RESOLVED\s.*hq -> carrier-b/, RESOLVED_WITHIN_MS),
    'the link heals and the alert resolves',
  )
  t.strictSame(await lab.firing(LOSS), [], 'no loss fires any more')
  const { agents } = await lab.overview()
  t.strictSame(
    agents.filter(({ silent }) => silent),
    [],
    'both agents are heard',
  )
  await lab.interrupt(t)
})

test('without capture rights the paths come from test streams, and power may fail first', async (t) => {
  const lab = new SiteInABox(18_422, ['--no-capture', '--calm', '5', '--story', 'power'])
  t.teardown(() => {
    lab.kill()
  })
  const paths = await lab.paths(4)
  t.strictSame(paths, ['carrier-a -> hq', 'carrier-b -> hq', 'hq -> carrier-a', 'hq -> carrier-b'])
  const { notices, paths: rows } = await lab.overview()
  t.ok(rows.every(({ source }) => source === 'test'))
  t.match(notices.join(' '), /test stream/)
  t.match(lab.output, /no right to capture/)

  await t.test('a port that is taken is said plainly', async (t) => {
    const second = new SiteInABox(18_422, ['--no-capture'])
    t.equal(await second.exitCode(), 1)
    t.match(second.output, /18422/)
    t.match(second.output, /npm start -- --port/)
    t.match(second.output, /another program listens there/)
  })

  await t.test('a lost mains runs the minutes of a battery down, and is told of', async (t) => {
    t.ok(
      await lab.says(/FIRING\s.*(?:UPS|power).*signature verified/i, ON_BATTERY_WITHIN_MS),
      'the alert reaches webhook and terminal',
    )
    const { components, services } = await lab.power()
    const ups = components.find(({ id }) => id === 'ups-a')
    t.equal(ups?.state, 'degraded', 'UPS A is on battery')
    t.match(components.find(({ id }) => id === 'ups-b')?.state, 'up')
    const emergency = services.find(({ id }) => id === 'emergency-112')
    t.ok(
      emergency?.minutesLeft && emergency.minutesLeft < BATTERY_MIN,
      `minutes left for 112: ${emergency?.minutesLeft ?? 'none'}`,
    )
    t.equal(
      services.find(({ id }) => id === 'call-out')?.minutesLeft,
      null,
      'calls to outside hang on the other mains too',
    )
  })
  await lab.interrupt(t)
})
