import { test } from 'tap'
import { Evaluator } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import type { FieldValue } from '../../common/measurement.ts'
import { PowerSite } from '../support/power-readings.ts'
import { MONDAY } from '../support/sip-site.ts'

type Fields = Readonly<Record<string, FieldValue>>

const QUIET = {
  ...{ 'emergency-readiness': 'off', 'battery-old': 'off', 'component-down': 'off' },
  ...{ 'redundancy-lost': 'off', 'service-down': 'off', 'power-event': 'off' },
}

function ping(to: PowerSite, target: string, isThere: boolean): void {
  to.read('ping', target, { sent: 5, received: isThere ? 5 : 0 })
}

// ---- what is not drawn

const SWITCHES = ['sw-1', 'sw-2', 'sw-3', 'sw-4']
/** Four switches on one core that is watched, each with a cord of its own. */
const DRIFT = `
parties: { ict: { notify: [network] }, facilities: { notify: [power] } }
components:
  core: { kind: switch, owner: ict, needs: [], watch: { measurement: ping, target: core } }
${SWITCHES.map((id) => `  ${id}: { kind: switch, owner: ${id === 'sw-1' ? 'facilities' : 'ict'}, needs: [core], place: room ${id.slice(-1)}, watch: { measurement: ping, target: ${id} } }`).join('\n')}
services: { s: { serves: hq, needs: [{ any: [sw-1, sw-2, sw-3, sw-4] }] } }
`

function switches(options: Readonly<Record<string, unknown>> = {}, file = DRIFT): PowerSite {
  const made = new PowerSite({ ...QUIET, ...options }, file)
  for (const id of ['core', ...SWITCHES]) ping(made, id, true)
  made.go(10)
  return made
}

/** They die one second after the other, and come back two minutes later. */
function dieTogether(of: PowerSite, ids: readonly string[]): string {
  const told: string[] = []
  for (const id of ids) {
    ping(of, id, false)
    told.push(of.go(1))
  }
  told.push(of.go(120))
  for (const id of ids) ping(of, id, true)
  told.push(of.go(30))
  return told.filter((words) => words !== '').join('\n')
}

test('what dies together while all it shares as drawn goes on working is told to its owners as missing in the drawing', async (t) => {
  const hq = switches()
  t.equal(
    dieTogether(hq, ['sw-1', 'sw-2', 'sw-3']),
    'firing design-drift what sw-1, sw-2 and 1 more share',
  )
  t.match(hq.breach('design-drift'), {
    severity: 'notice',
    summary:
      'died together at 2026-11-23 08:00 UTC: sw-1 (room 1), sw-2 (room 2), sw-3 (room 3); what they share as drawn (core) went on working: something they stand on is not drawn',
    labels: { site: 'hq', owner: 'unknown', owners: 'facilities ict', notify: 'power network' },
    evidence: { died_together: 'sw-1 sw-2 sw-3', times: 1, shared_and_well: 'core' },
  })
  const { id } = hq.breach('design-drift') ?? {}
  t.equal(dieTogether(hq, ['sw-2', 'sw-3', 'sw-4']), '', 'again: the same alert, told once')
  t.match(hq.evaluator.breaches()[0], {
    id,
    summary: /^died together 2 times, the last at /,
    evidence: { died_together: 'sw-1 sw-2 sw-3 sw-4', times: 2 },
  })
  hq.restart()
  t.equal(hq.go(60), '')
  t.equal(hq.go(600), '')
})

test('two may be chance, one after another is no event, and what is known to have failed explains the rest', async (t) => {
  const hq = switches()
  t.equal(dieTogether(hq, ['sw-1', 'sw-2']), '')
  for (const id of ['sw-1', 'sw-2', 'sw-3']) {
    ping(hq, id, false)
    t.equal(hq.go(20), '')
  }
  for (const id of ['sw-1', 'sw-2', 'sw-3']) ping(hq, id, true)
  t.equal(hq.go(120), '')
  t.equal(dieTogether(hq, ['core', 'sw-1', 'sw-2', 'sw-3']), '')
  hq.lose('ping', 'core')
  t.equal(dieTogether(hq, ['sw-1', 'sw-2', 'sw-3']), '', 'nothing is known of the core')
})

test('what is down when first seen, or after nothing was known of it, died at no known time', async (t) => {
  const made = new PowerSite(QUIET, DRIFT)
  ping(made, 'core', true)
  for (const id of SWITCHES) ping(made, id, false)
  t.equal(made.go(120), '')
  const hq = switches()
  for (const id of SWITCHES) hq.lose('ping', id)
  hq.go(120)
  for (const id of SWITCHES) ping(hq, id, false)
  t.equal(hq.go(120), '')
})

test('it waits for people to be at work, may be off, and ends when it was not seen again', async (t) => {
  const hq = switches({ 'design-drift': { 'business-hours': 'mo-fr 08:10-17:00', shown: '1h' } })
  t.equal(dieTogether(hq, ['sw-1', 'sw-2', 'sw-3']), '')
  t.match(hq.go(600), 'firing design-drift')
  t.match(hq.go(3600, 20), 'ended design-drift')
  t.equal(dieTogether(switches({ 'design-drift': 'off' }), ['sw-1', 'sw-2', 'sw-3']), '')
})

// ---- changes of the drawing

/** Two dozen switches of two owners, each a stand-in for one other. */
function fileWith(singles: number, options = ''): string {
  const ids = Array.from({ length: 12 }, (_, at) => `sw-${at + 1}`)
  const needs = ids.map((id, at) => (at < singles ? id : `{ any: [${id}, other-${id}] }`))
  return `
parties: { ict: { notify: [network] }, facilities: { notify: [power] } }
components:
${ids.map((id, at) => `  ${id}: { kind: switch, owner: ${at === 0 ? 'facilities' : 'ict'}, site: hq }\n  other-${id}: { kind: switch }`).join('\n')}
services: { s: { label: All, serves: hq, needs: [${needs.join(', ')}] } }
${options}`
}

test('a site file that adds many single points is one notice for each owner, bounded, and over when all are mended', async (t) => {
  const read = (text: string) => new Site(readConfig(siteFile, text, 'site.yaml'))
  let file = read(fileWith(0))
  const options = rulesOptions.parse({ 'design-change': {} })
  let evaluator = new Evaluator(options, undefined, () => file)
  const at = (minutes: number) =>
    evaluator
      .tick(MONDAY + minutes * 60_000_000)
      .changes.map(({ kind, breach: { object, summary, labels } }) => [
        ...[kind, object, summary, labels['notify']],
      ])
  t.same(at(0), [])
  file = read(fileWith(12))
  const names = [10, 11, 12, 2, 3, 4, 5, 6, 7, 8].map((one) => `switch sw-${one} (All)`)
  t.same(at(1), [
    ['firing', 'switch sw-1', 'by a change of the site file its failure alone stops All', 'power'],
    [
      ...['firing', '11 single points'],
      `by a change of the site file 11 stop services by their failure alone: ${names.join(', ')} and 1 more`,
      'network',
    ],
  ])
  evaluator = new Evaluator(options, JSON.parse(JSON.stringify(evaluator.snapshot())), () => file)
  t.same(at(3), [], 'a restart does not tell it again')
  file = read(fileWith(2))
  t.same(at(5), [], 'some of them are mended')
  t.match(
    evaluator.breaches().map(({ object, state }) => [object, state]),
    [
      ['switch sw-1', 'firing'],
      ['switch sw-2', 'firing'],
    ],
  )
  file = read(fileWith(2, 'accepted: { sw-2: { by: R, reason: soon, review: 2026-11-24 } }'))
  t.match(at(7), [['resolved', /./, 'accepted until 2026-11-24']])
  file = read(fileWith(0))
  t.match(at(9), [['resolved', 'switch sw-1', 'no single point of failure any more']])
})

// ---- redundancy that is none

/** Two UPSes that stand in for each other; lamps that need both hang on them where it is asked for. */
function feeds(lamp = ''): string {
  return `
parties: { facilities: {} }
components:
  mains: { kind: mains, fails: false }
  ups-a: { kind: ups, owner: facilities, site: hq, capacity-w: 1000, needs: [mains], watch: { measurement: ups, target: ups-a } }
  ups-b: { kind: ups, owner: facilities, site: hq, needs: [mains], watch: { measurement: ups, target: ups-b } }
  psu-a: { kind: psu, needs: [ups-a] }
  psu-b: { kind: psu, needs: [ups-b] }
  pbx: { kind: pbx, needs: [{ any: [psu-a, psu-b] }] }
  ${lamp}
services: { calls: { label: Calls, serves: hq, needs: [pbx] } }
`
}

function loads(of: PowerSite, a: Fields, b: Fields): void {
  of.ups('ups-a', a)
  of.ups('ups-b', b)
}

test('two feeds that measure more than one of them can carry are redundancy on paper only', async (t) => {
  const hq = new PowerSite(QUIET, feeds())
  loads(hq, { load_w: 560 }, { load_ratio: 0.6, nominal_w: 800 })
  t.equal(hq.go(590), '', 'a peak')
  t.equal(hq.go(30), 'firing paper-redundancy ups-a and ups-b')
  t.match(hq.breach('paper-redundancy'), {
    severity: 'warning',
    summary:
      'redundancy on paper only: when ups-a is lost, ups-b has to carry 1040 W of 800 W (130 %, as measured): it trips, and Calls stops',
    labels: { site: 'hq', owner: 'facilities', component: 'ups-b' },
    evidence: { lost: 'ups-a', survivor: 'ups-b', load_w: 1040, capacity_w: 800 },
  })
  hq.restart()
  t.equal(hq.go(600), '')
  loads(hq, { load_w: 300 }, { load_ratio: 0.3, nominal_w: 800 })
  t.equal(hq.go(3500), '')
  t.equal(hq.go(150), 'ended paper-redundancy ups-a and ups-b')
})

test('what nobody measured is not judged: a load of one feed only, a load that does not move, an unknown capacity', async (t) => {
  for (const [file, a, b] of [
    [feeds(), { load_w: 900 }, {}],
    [feeds(), { load_w: 900 }, { load_ratio: 0.9 }],
    [
      feeds('lamps: { kind: lamp, needs: [ups-a, ups-b] }'),
      { load_w: 900 },
      { load_w: 700, nominal_w: 800 },
    ],
    [feeds(), { load_w: 400 }, { load_w: 380, nominal_w: 800 }],
    [feeds(), { load_w: 900, comms_lost: true }, { load_w: 700, nominal_w: 800 }],
  ] as const) {
    const hq = new PowerSite({ ...QUIET, 'power-blind': 'off' }, file)
    loads(hq, a, b)
    t.equal(hq.go(900), '')
  }
  const quiet = new PowerSite({ ...QUIET, 'paper-redundancy': 'off' }, feeds())
  loads(quiet, { load_w: 900 }, { load_w: 700, nominal_w: 800 })
  t.equal(quiet.go(900), '')
})
