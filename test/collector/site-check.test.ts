import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { checkSite } from '../../collector/site-check.ts'
import { COLUMNS } from '../../collector/site-import/columns.ts'
import { readNeeds } from '../../collector/site-import/need-notation.ts'
import type { Component } from '../../collector/topology/dependency.ts'
import { isDay } from '../../collector/topology/day.ts'
import { COMMONLY_MISSING } from '../../collector/topology/drawing-schema.ts'
import { largeDrawing } from '../support/large-drawing.ts'

const TODAY = '2026-12-01'

/** A drawing about which there is nothing to say. */
const GOOD = `
components:
  mains: { kind: mains }
  battery: { kind: battery, runtime: 90min }
  ups: { kind: ups, needs: [{ any: [mains, battery] }], watch: { measurement: ups, target: ups-1 } }
  sw: { kind: switch, needs: [ups] }
services:
  emergency-112: { needs: [sw], hold-up: 60min, watch: { measurement: ping, target: sw } }
absent: [ntu, access-point, dect, cooling, collector]
`

/** Every line that check prints, remedies left out. */
function said(text: string): readonly string[] {
  return checkSite(text, 's', TODAY, false).lines.filter((line) => !line.startsWith('    '))
}

/** What check says of the good drawing with something changed or added. */
function changed(from: string, to: string): readonly string[] {
  const text = GOOD.replace(from, to)
  if (text === GOOD) throw new Error(`${from} is not in it`)
  return said(text)
}

function withComponents(lines: string): readonly string[] {
  return changed('services:\n', `${lines}\nservices:\n`)
}

test('a drawing without faults gets no complaint', async (t) => {
  t.same(checkSite(GOOD, 's', TODAY, false), {
    ...checkSite(GOOD, 's', TODAY, false),
    lines: [],
    summary: 's: no errors, 0 warnings, 0 hints; 4 components, 1 service, 0 networks',
  })
})

test('what makes a site file unusable is an error with its place and what to do', async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'needs: [ups]',
      'needs: [upss]',
      's:6:31: error: components.sw.needs.0: "upss" is not declared under components, did you mean "ups"?',
    ],
    [
      'needs: [ups]',
      'needs: [quite-another-thing]',
      's:6:31: error: components.sw.needs.0: "quite-another-thing" is not declared under components: draw it there, or correct the name',
    ],
    [
      'mains: { kind: mains }',
      'mains: { kind: mains, needs: [sw] }',
      's:3:32: error: components.mains.needs: what it needs leads back to itself: mains -> sw -> ups -> mains: take one of these needs out, or draw a ring of links with path',
    ],
    [
      'needs: [sw], hold',
      'hold',
      's:8:18: error: services.emergency-112: it hangs in the air: list under needs what must work for it, such as needs: [sw-1, pbx]',
    ],
    [
      'measurement: ups',
      'measurement: upps',
      's:5:79: error: components.ups.watch.measurement: no such measurement, did you mean "ups"?',
    ],
    [
      'measurement: ups, ',
      '',
      's:5:64: error: components.ups.watch.measurement: missing, expected a measurement, such as ups or ping',
    ],
    [
      'runtime: 90min',
      'runtme: 90min',
      's:4:29: error: components.battery: unknown key "runtme", did you mean "runtime"?',
    ],
    [
      'runtime: 90min',
      'runtime: 90',
      's:4:38: error: components.battery.runtime: expected a duration such as 10s, 500ms, 5min, 12h or 30d',
    ],
    [
      '{ any: [mains, battery] }',
      '{ anny: [mains, battery] }',
      's:5:29: error: components.ups.needs.0: did you mean "any"? expected the id of a component, { any: [...] }, { all: [...] }, { atLeast: 2, of: [...] } or { path: { from: ..., to: ... } }',
    ],
    [
      '{ any: [mains, battery] }',
      '{ atLeast: 3, of: [mains, battery] }',
      's:5:40: error: components.ups.needs.0.atLeast: expected a number from 1 to 2, as many as are listed',
    ],
    [
      '{ kind: mains }',
      '{ kind: mains }\n  mains: { kind: mains }',
      's:4:3: error: "mains" stands here for the second time: the first is in line 3',
    ],
    [
      'absent:',
      'agents: { gw-1: { runs-on: swi } }\nabsent:',
      's:9:28: error: agents.gw-1.runs-on: "swi" is not declared under components, did you mean "sw"?',
    ],
    [
      'absent:',
      'accepted: { upss: { by: Jan, reason: cost, review: 2027-01-01 } }\nabsent:',
      's:9:19: error: accepted.upss: "upss" is not declared under components, did you mean "ups"?',
    ],
    [
      'absent:',
      'accepted: { ups: { by: Jan, reason: cost, review: 2027-02-29 } }\nabsent:',
      's:9:51: error: accepted.ups.review: expected a day such as 2027-05-31',
    ],
    [
      'absent:',
      'accepted: { ups: { by: Jan, reason: cost } }\nabsent:',
      's:9:18: error: accepted.ups.review: missing, expected string',
    ],
    [
      'absent:',
      'groups: { sw: { members: [upps] } }\nabsent:',
      's:9:15: error: groups.sw: "sw" is a component too: give one another name\ns:9:27: error: groups.sw.members.0: "upps" is not declared under components, did you mean "ups"?',
    ],
    [
      'absent:',
      'groups: { a: { members: [b] }, b: { members: [sw] } }\nabsent:',
      's:9:26: error: groups.a.members.0: "b" is a group: name its members here',
    ],
    [
      'needs: [ups] }',
      'needs: [ups] }\n  l1: { links: [sw, swi] }\n  l2: { links: [sw, sw] }',
      's:7:21: error: components.l1.links.1: "swi" is not declared under components, did you mean "sw"?\ns:8:16: error: components.l2.links: it joins a thing to itself: name the two it joins',
    ],
    [
      'needs: [sw], hold',
      'needs: [{ path: { from: sw, to: ups } }], hold',
      's:8:36: error: services.emergency-112.needs.0.path: no links lead from sw to ups',
    ],
    [
      'needs: [ups] }',
      'needs: [ups], owner: itc }',
      's:6:44: error: components.sw.owner: "itc" is not declared under parties',
    ],
    [
      'absent:',
      'emergency: { sites: { hq: { service: emergncy } } }\nabsent:',
      's:9:38: error: emergency.sites.hq.service: "emergncy" is not declared under services',
    ],
    [
      'absent: [ntu',
      'absent: [modem',
      's:9:10: error: absent.0: Invalid option: expected one of "ntu"|"access-point"|"dect"|"cooling"|"collector"',
    ],
  ]
  for (const [from, to, expected] of rows) {
    t.same(changed(from, to), expected.split('\n'), to)
    t.equal(checkSite(GOOD.replace(from, to), 's', TODAY, false).site, undefined)
  }
})

test('what is hardly meant, or left out, is a warning or a hint with its place', async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'needs: [ups] }',
      'needs: [ups] }\n  lamp: { kind: lamp, needs: [ups] }',
      's:7:9: warning: components.lamp: nothing needs it, neither a component nor a service [unneeded]',
    ],
    [
      ', watch: { measurement: ping, target: sw }',
      '',
      's:8:18: warning: services.emergency-112: it has no watch: only the drawing says whether it works [unwatched-service]',
    ],
    [
      '{ any: [mains, battery] }',
      'mains, battery',
      's:5:28: warning: components.ups.needs: it needs mains and battery, all at once: without either it stops [both-needed]',
    ],
    [
      'needs: [ups] }',
      'needs: [ups, ups-2] }\n  ups-2: { kind: ups, runtime: 5min, needs: [mains], watch: { measurement: ups, target: ups-2 } }',
      's:6:30: warning: components.sw.needs: it needs ups and ups-2, all at once: without either it stops [both-needed]',
    ],
    [
      'needs: [ups] }',
      'needs: [ups], watch: { measurement: ups, target: ups-1 } }',
      's:6:44: warning: components.sw.watch: components.ups is watched by the same ups of ups-1 [duplicate-watch]',
    ],
    [
      'needs: [ups] }',
      'needs: [ups], watch: { measurement: rtp_stream, target: x } }',
      's:6:59: warning: components.sw.watch.measurement: rtp_stream does not say whether one thing works [mute-watch]',
    ],
    [
      'target: ups-1 }',
      'target: ups-1, agent: gv-1 }',
      's:5:106: warning: components.ups.watch.agent: no agent "gv-1" is under agents [unknown-agent]',
    ],
    [
      'absent:',
      'accepted: { battery: { by: Jan, reason: cost, review: 2027-01-01 } }\nabsent:',
      's:9:22: warning: accepted.battery: it is accepted, but no service falls by its failure alone [not-single]',
    ],
    [
      'absent:',
      'accepted: { sw: { by: Jan, reason: cost, review: 2026-11-30 } }\nabsent:',
      's:9:50: warning: accepted.sw.review: it was to be looked at again on 2026-11-30 [review-passed]',
    ],
    [
      'absent:',
      'sites: { head-office: {} }\nabsent:',
      's:6:43: warning: components.sw.site: no network and nothing under sites is at "head-ofice" [unknown-site]',
    ],
    [
      'kind: battery,',
      'kind: battery, battery-installed: 2026-12-02,',
      's:4:48: warning: components.battery.battery-installed: 2026-12-02 is still to come [future-battery]',
    ],
    [
      'runtime: 90min',
      'runtime: 90min, serial: A1',
      's:6:45: warning: components.sw.serial: serial number A1 is that of battery too [twice]',
    ],
    [
      'kind: battery, runtime: 90min',
      'kind: battery',
      's:4:12: hint: components.battery: how long it was designed to last is not said: only its UPS knows, and only while it is heard [no-runtime]\ns:8:42: hint: services.emergency-112.hold-up: nothing under it says how long it lasts: whether it holds up cannot be judged [hold-up-unknown]',
    ],
    [
      ', watch: { measurement: ups, target: ups-1 }',
      '',
      's:5:8: hint: components.ups: nobody sees how this ups is [unwatched]',
    ],
    [
      'hold-up: 60min, ',
      '',
      's:8:18: hint: services.emergency-112: an emergency service that does not say how long it works without mains [no-hold-up]',
    ],
    [
      'emergency-112: {',
      'call-out: {',
      's:7:1: hint: services: no service is for emergency calls: whether 112 has power is not judged [no-emergency]',
    ],
    [
      'absent:',
      'emergency: { sites: { hq: {} } }\nabsent:',
      's:9:27: hint: emergency.sites.hq: no emergency service serves hq: whether 112 has power there is not judged [no-emergency]',
    ],
    [
      'needs: [ups] }',
      'needs: [] }',
      's:6:7: hint: components.sw: nothing feeds this switch [unfed]',
    ],
    [
      '{ any: [mains, battery] }',
      'mains',
      's:5:8: hint: components.ups: no battery is drawn under it: it is taken to stop with its feed [no-battery]',
    ],
    [
      'sw: {',
      'sw: { label: core switch,',
      's:6:7: hint: components.sw: the whole switch hangs on ups alone [one-supply]',
    ],
    [
      'needs: [sw], hold',
      'needs: [{ any: [sw, sw-2] }], hold',
      's:9:27: hint: services.emergency-112.needs: sw and sw-2 are a choice, but all of them hang on ups [shared-choice]',
    ],
    [
      'absent: [ntu, access-point, dect, cooling, collector]',
      '',
      [
        's:2:1: hint: components: no access point is drawn [no-access-point]',
        's:2:1: hint: components: no DECT base is drawn [no-dect]',
        's:2:1: hint: components: no cooling is drawn [no-cooling]',
        's:2:1: hint: components: the collector itself is not drawn: without it, or the way out of its alerts, nobody is told [no-collector]',
      ].join('\n'),
    ],
  ]
  /** What a row needs beside its change. */
  const besides: Readonly<Record<string, readonly [string, string]>> = {
    'unknown-site': ['needs: [ups] }', 'needs: [ups], site: head-ofice }'],
    twice: ['needs: [ups] }', 'needs: [ups], serial: A1 }'],
    'unknown-agent': ['absent:', 'agents: { gw-1: {} }\nabsent:'],
    'shared-choice': ['needs: [ups] }', 'needs: [ups] }\n  sw-2: { kind: switch, needs: [ups] }'],
    unfed: ['needs: [sw], hold', 'needs: [sw, ups], hold'],
    'no-battery': ['kind: battery, runtime: 90min', 'kind: mains'],
  }
  for (const [from, to, expected] of rows) {
    const code = /\[([a-z-]+)\]$/.exec(expected)?.[1] ?? ''
    const [more, by] = besides[code] ?? ['', '']
    const text = GOOD.replace(from, to).replace(more, by)
    const lines = said(text).filter((line) => line.includes(`[${code}]`) || !(code in besides))
    t.same(lines, expected.split('\n'), to)
    t.ok(checkSite(text, 's', TODAY, false).site, 'it can be used all the same')
  }
  t.same(
    withComponents('  trunk: { kind: trunk, needs: [sw] }').filter((line) => /ntu/i.test(line)),
    [],
    'said to be absent',
  )
  t.match(
    said(
      GOOD.replace('[sw]', '[sw, trunk]')
        .replace('absent: [ntu, ', 'absent: [')
        .replace('services:\n', '  trunk: { kind: trunk, needs: [sw] }\nservices:\n'),
    ),
    [
      /hint: components: the carrier's box in your building \(NTU, modem, ONT\) is not drawn under trunk \[no-ntu\]/,
    ],
  )
  t.match(said('components: { a: {}, b: { needs: [a] } }'), [
    /s:1:13: warning: components: no services are drawn: .* \[no-services\]/,
    /no-emergency/,
  ])
})

test('every finding is followed by what to do', async (t) => {
  const { lines } = checkSite(GOOD.replace('absent', '# absent'), 's', TODAY, false)
  t.equal(lines.length, 8)
  t.match(lines[3], /^ {4}handsets need one, .*; none here\? absent: \[dect\]$/)
  const coloured = checkSite(GOOD.replace('absent', '# absent'), 's', TODAY, true)
  t.match(coloured.lines[0], 's:2:1: \u001b[36mhint\u001b[0m: components')
})

test('a UPS with a runtime and no battery drawn has one within', async (t) => {
  const { site } = checkSite(
    `components:
  room: { kind: room }
  mains: { kind: mains }
  ups: { kind: ups, label: UPS 1, runtime: 30min, battery-installed: 2024-01-31, needs: [room, mains] }
  drawn: { kind: ups, runtime: 30min, needs: [{ any: [mains, cells] }] }
  cells: { kind: battery }
services: { s: { needs: [ups, drawn] } }`,
    's',
    TODAY,
    false,
  )
  const { components = new Map<string, Component>() } = site?.model?.drawing ?? {}
  t.same(components.get('ups')?.needs, [{ any: ['mains', 'ups-battery'] }, 'room'])
  t.same(components.get('ups-battery'), {
    id: 'ups-battery',
    kind: 'battery',
    needs: [],
    fails: true,
    runtimeS: 1800,
    batteryInstalled: '2024-01-31',
    label: 'battery of UPS 1',
  })
  t.notOk(components.has('drawn-battery'))
})

test('each topology of the vectors is a valid site file by itself', async (t) => {
  const { cases } = z
    .object({
      cases: z.array(
        z.object({
          id: z.string(),
          components: z.record(z.string(), z.unknown()),
          services: z.record(z.string(), z.object({ needs: z.unknown() })),
        }),
      ),
    })
    .parse(JSON.parse(read('../fixtures/topology/spof.json')))
  t.ok(cases.length > 5)
  for (const { id, components, services } of cases) {
    const checked = checkSite(stringify({ components, services }), id, TODAY, false)
    t.equal(checked.site?.model?.services.length, Object.keys(services).length, id)
  }
})

test('the example has no faults, and shows every option of the drawing', async (t) => {
  const text = read('../../collector/site.example.yaml')
  const { lines } = checkSite(text, 's', TODAY, false)
  t.same(
    lines.filter((line) => /: (error|warning): /.test(line)),
    [],
  )
})

test('ten thousand components with a ring, or with ten thousand slips, are answered in seconds', async (t) => {
  const { components, services } = largeDrawing(10_000)
  const written = (change: (id: string, needs: readonly unknown[]) => readonly unknown[]): string =>
    stringify(
      {
        components: Object.fromEntries(
          [...components.values()].map(({ id, kind, needs }) => [
            id,
            { kind, needs: change(id, needs) },
          ]),
        ),
        services: Object.fromEntries(
          [...services.values()].map(({ id, needs }) => [id, { needs }]),
        ),
      },
      { aliasDuplicateObjects: false },
    )
  const ring = written((id, needs) => (id === 's042-room' ? ['s042-phone-07'] : needs))
  const begun = performance.now()
  const { lines } = checkSite(ring, 's', TODAY, false)
  const ringMs = performance.now() - begun
  t.match(lines, [
    /^s:\d+:\d+: error: components\..*leads back to itself: .*s042-room -> s042-phone-07 -> s042-sw-2 -> .*: take one/,
  ])
  const slips = written((id, needs) => needs.map(() => `${id}x`))
  const second = performance.now()
  const many = checkSite(slips, 's', TODAY, false)
  const slipsMs = performance.now() - second
  t.match(many.summary, /^s: [\d,]+ errors, cannot be used$/)
  t.equal(many.lines.length, 101)
  t.match(many.lines.at(-1), /^s: [\d,]+ more errors$/)
  const third = performance.now()
  const calm = checkSite(
    written((_, needs) => needs),
    's',
    TODAY,
    false,
  )
  const calmMs = performance.now() - third
  t.ok(calm.lines.length < 200, 'of one kind, ten are printed')
  t.comment(
    `ring ${ringMs.toFixed(0)} ms, slips ${slipsMs.toFixed(0)} ms, none ${calmMs.toFixed(0)} ms`,
  )
  t.ok(Math.max(ringMs, slipsMs, calmMs) < 10_000, 'seconds, on a busy machine')
})

test('the page about the site file names every word, and its notation is that of the programs', async (t) => {
  const page = read('../../collector/topology/SITE-FILE.md')
  const folder = new URL('../../collector/topology/', import.meta.url)
  const sources = readdirSync(folder).filter((file) => /^explain-.*\.ts$/.test(file))
  const codes = sources.flatMap((file) =>
    [...read(new URL(file, folder).href).matchAll(/code: '([a-z-]+)'/g)].map(
      ([, code = '']) => code,
    ),
  )
  t.ok(codes.length > 15)
  for (const code of [...codes, ...COMMONLY_MISSING.map((what) => `no-${what}`)])
    t.ok(page.includes(`| \`${code}\``), code)
  for (const { name } of COLUMNS) t.ok(page.includes(`\`${name}\``), `column ${name}`)
  const rows = [...page.matchAll(/^\| [^|]*\| `(\[.*?\])`\s+\| `(.*?)`\s+\|$/gm)]
  t.equal(rows.length, 7)
  for (const [, inFile = '', inCell = ''] of rows) {
    const needs: unknown = parse(inFile)
    t.same(readNeeds(inCell.replaceAll('\\|', '|')), { needs }, inCell)
  }
  const [first = ''] = /(?<=```yaml\n)[^`]*/.exec(page) ?? []
  const { site, lines } = checkSite(
    `${first}services: { s: { needs: [phone-reception], watch: { measurement: ping, target: x } } }`,
    's',
    TODAY,
    false,
  )
  t.equal(site?.model?.components.length, 6, 'the battery of ups-1 is drawn with it')
  t.same(
    lines.filter((line) => /: (error|warning): /.test(line)),
    [],
  )
})

test('a day is one of the calendar', async (t) => {
  for (const day of ['2027-05-31', '2028-02-29', '2000-02-29', '2027-04-30']) t.ok(isDay(day), day)
  for (const day of [
    '2027-02-29',
    '2100-02-29',
    '2027-04-31',
    '2027-13-01',
    '2027-5-1',
    '31-05-2027',
    '',
  ])
    t.notOk(isDay(day), day)
})

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}
