import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { powerCommand, type PowerOptions } from '../../collector/power-command.ts'
import { ConfigError } from '../../common/config.ts'
import { runCollector } from '../support/collector-process.ts'
import { VECTORS } from '../support/drawings.ts'
import { hasScram, scramCutSets } from '../support/scram.ts'

const NO_SCRAM = hasScram() ? false : 'scram is not installed: apt-get install scram'
const NOW_MS = Date.UTC(2026, 11, 1, 12)
const PLAIN = { isColoured: false, columns: 80 }

const OFFICE = `
components:
  mains: { kind: mains, owner: facilities }
  ups-1: { kind: ups, label: UPS north, place: B1/2.14, needs: [{ any: [mains, battery] }], capacity-w: 300 }
  ups-2: { kind: ups, needs: [mains], capacity-w: 300 }
  battery: { kind: battery, runtime: 20min, failure-probability: 0.02 }
  pbx: { kind: pbx, needs: [{ any: [ups-1, ups-2] }], watts: 250 }
  sw: { kind: switch, needs: [ups-1], watts: 100, poe: { budget-w: 10 } }
  phone: { kind: phone, needs: [sw], watts: 12, poe: { port: 1 } }
  trunk: { kind: trunk }
services:
  call-out: { needs: [pbx, phone, trunk] }
  emergency-112: { needs: [pbx, phone], hold-up: 1h }
accepted:
  trunk: { by: ict, reason: a second is ordered, review: 2027-05-31 }
parties: { facilities: {}, ict: {} }
`

async function fileOf(t: Test, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-power-'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'site.yaml')
  await writeFile(file, text)
  return file
}

async function answer(site: string, options: Partial<PowerOptions> = {}): Promise<string> {
  return powerCommand({ site, order: '3', ...options }, NOW_MS, PLAIN)
}

test('--json says of every vector what was derived by hand', async (t) => {
  for (const { id, components, services, states } of VECTORS.cases) {
    // The cut sets beside the needs are the vectors' own.
    const drawn = Object.fromEntries(
      Object.entries(services).map(([name, { needs }]) => [name, { needs }]),
    )
    const file = await fileOf(t, JSON.stringify({ components, services: drawn }))
    const calm: unknown = JSON.parse(await answer(file, { json: true }))
    t.strictSame(
      calm,
      {
        services: Object.fromEntries(
          Object.entries(services).map(([name, { cutSets: all }]) => {
            const cutSets = all.filter(({ length }) => length <= 3)
            const singles = cutSets.filter(({ length }) => length === 1).flat()
            const none = { newSinglePoints: [], because: [], minutesLeft: null }
            return [name, { up: true, singles, cutSets, residual: cutSets, ...none }]
          }),
        ),
        components: Object.keys(components).length,
        truncated: false,
      },
      id,
    )
    for (const { failed, service, up, residual, newSinglePoints, because = [] } of states) {
      const fail = failed.join()
      const read: unknown = JSON.parse(await answer(file, { json: true, fail }))
      t.match(
        read,
        { services: { [service]: { up, residual, newSinglePoints, because } } },
        `${id} without ${fail}`,
      )
    }
  }
})

test('for people the emergency services come first, then what is to be mended', async (t) => {
  t.equal(
    await answer(await fileOf(t, OFFICE)),
    `emergency-112  up  emergency, hold-up 60 min
  single      pbx, phone, sw, ups-1 (UPS north, B1/2.14)
  pairs       battery + mains

call-out  up
  single      pbx, phone, sw, trunk (accepted), ups-1 (UPS north, B1/2.14)
  pairs       battery + mains

Shorter than promised, without mains
  emergency-112 lasts 20 min, should 60 min

Runs out: batteries stand in for these
  mains       stops call-out, emergency-112 after 20 min

Redundancy that is none: what is left would trip
  ups-2       trips ups-1 and stops call-out, emergency-112

Load
  ups-2       250 W of 300 W when ups-1 is lost: 83 %
  ups-1       362 W of 300 W when ups-2 is lost: it trips

Ports that a switch would not feed
  sw          12 W wanted, 10 W to give: phone

Availability, by the figures in the site file
  call-out    not computed: nothing says how often mains, pbx, phone, sw, trunk,
              ups-1, ups-2 fail
  emergency-112 not computed: nothing says how often mains, pbx, phone, sw,
              ups-1, ups-2 fail

8 components, 2 services, sets of up to 3`,
  )
})

test('what is taken out gets GO or NO-GO, within a window if one is given', async (t) => {
  const file = await fileOf(t, OFFICE)
  t.match(
    await answer(file, { fail: 'ups-2' }),
    /^Take out ups-2\? {2}GO\n {2}no service notices$/m,
  )
  t.match(
    await answer(file, { fail: 'ups-1', window: '22:00/23:00' }),
    /Take out ups-1 \(UPS north, B1\/2\.14\) from .*\? {2}NO-GO\n {2}stops {7}call-out, emergency-112/,
  )
  const short = await answer(file, { fail: 'mains', window: '22:00/22:10' })
  t.match(short, /Take out mains from .*\? {2}GO\n {2}no reserve/)
  const long = await answer(file, { fail: 'mains', window: '22:00/23:00' })
  t.match(
    long,
    /\? {2}NO-GO\n {2}runs out {4}call-out after 20 min, emergency-112 after 20 min\n {2}empty {7}battery after 20 min/,
  )
})

test('colours are for terminals', async (t) => {
  const file = await fileOf(t, OFFICE)
  const options = { site: file, order: '1', fail: 'sw' }
  const coloured = await powerCommand(options, NOW_MS, { isColoured: true, columns: 80 })
  t.match(coloured, /\u001b\[31mDOWN\u001b\[0m/)
  t.notMatch(await powerCommand(options, NOW_MS, PLAIN), '\u001b')
  const widest = Math.max(...(await answer(file)).split('\n').map(({ length }) => length))
  t.ok(widest <= 80, `${widest} columns`)
})

test(
  '--mef writes a fault tree for each service, in which SCRAM finds the same',
  { skip: NO_SCRAM },
  async (t) => {
    const file = await fileOf(t, OFFICE)
    const folder = join(file, '..', 'trees')
    await answer(file, { mef: folder })
    t.strictSame((await readdir(folder)).sort(), ['call-out.xml', 'emergency-112.xml'])
    t.strictSame(scramCutSets(await readFile(join(folder, 'emergency-112.xml'), 'utf8'), 3), [
      ['pbx'],
      ['phone'],
      ['sw'],
      ['ups-1'],
      ['battery', 'mains'],
    ])
  },
)

test('what is wrong is said with its place, and what was meant', async (t) => {
  const file = await fileOf(t, OFFICE)
  const complaintsOf = async (site: string, options: Partial<PowerOptions>) =>
    answer(site, options).then(
      () => [],
      (error: unknown) => (error instanceof ConfigError ? error.complaints : [String(error)]),
    )
  t.strictSame(await complaintsOf(file, { fail: 'usp-1,mains' }), [
    '--fail usp-1: no component has this id, did you mean "ups-1"?',
  ])
  t.strictSame(await complaintsOf(file, { order: '4' }), ['--order 4: expected 1, 2 or 3'])
  t.match(await complaintsOf(file, { fail: 'sw', window: 'tonight' }), [
    /^--window tonight: expected/,
  ])
  const wrong = await fileOf(t, OFFICE.replace('needs: [mains]', 'needs: [mians]'))
  t.match(await complaintsOf(wrong, {}), [/site\.yaml:5:\d+: .*"mians" is not declared/])
  t.match(await complaintsOf(await fileOf(t, 'networks: {}'), {}), [/no components/])
})

test('the program answers with the same, and with exit code 2 for what it did not understand', async (t) => {
  const file = await fileOf(t, OFFICE)
  const [help, plain, wrong] = await Promise.all([
    runCollector('power', '--help'),
    runCollector('power', '--site', file, '--json'),
    runCollector('power', '--site', file, '--fail', 'nobody'),
  ])
  t.match(help, { code: 0, stdout: /Examples:\n {2}kiestoon-collector power --site site\.yaml\n/ })
  t.equal(plain.code, 0)
  t.equal(plain.stdout.trim(), await answer(file, { json: true }))
  t.match(wrong, { code: 2, stdout: '', stderr: /--fail nobody: no component has this id/ })
})
