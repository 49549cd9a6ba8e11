import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { parse } from 'yaml'
import { readConfig } from '../../common/config.ts'
import { exportSite, importSite, type SiteImport } from '../../collector/site-import.ts'
import { decodeText, readCsv, writeCsv } from '../../collector/site-import/csv.ts'
import { readDrawingCsv, writeDrawingCsv } from '../../collector/site-import/drawing-csv.ts'
import { plainNeeds, readNeeds, writeNeeds } from '../../collector/site-import/need-notation.ts'
import { readNetbox } from '../../collector/site-import/netbox-records.ts'
import { drawNetbox } from '../../collector/site-import/netbox-drawing.ts'
import { noteText } from '../../collector/site-import/note.ts'
import { needsOf, rawDrawing, type RawEntry } from '../../collector/site-import/raw-site.ts'
import { writeSite } from '../../collector/site-import/site-text.ts'
import type { Need } from '../../collector/topology/dependency.ts'
import { siteFile } from '../../collector/topology/site-file.ts'

const TODAY = '2026-12-01'
const NETBOX = new URL('../fixtures/netbox/power.json', import.meta.url)

/** Imports texts as if they were files of these names. */
async function imported(
  t: Test,
  files: Readonly<Record<string, string | Uint8Array>>,
  merge?: string,
): Promise<SiteImport & { readonly said: readonly string[]; readonly value: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-import-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const paths = Object.keys(files).map((file) => join(folder, file))
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content)
  const site = join(folder, 'site.yaml')
  if (merge !== undefined) await writeFile(site, merge)
  const result = await importSite(paths, merge === undefined ? {} : { merge: site }, TODAY)
  return { ...result, said: result.notes.map(noteText), value: parse(result.text) }
}

test('needs in a cell say the same as needs in the file', async (t) => {
  const rows: readonly (readonly [string, readonly Need[]])[] = [
    ['', []],
    ['ups-1', ['ups-1']],
    ['pdu-a + core', ['pdu-a', 'core']],
    ['psu-a | psu-b', [{ any: ['psu-a', 'psu-b'] }]],
    ['core + (psu-a | psu-b)', ['core', { any: ['psu-a', 'psu-b'] }]],
    ['2 of (ups-1, ups-2, ups-3)', [{ atLeast: 2, of: ['ups-1', 'ups-2', 'ups-3'] }]],
    [
      '(router + (wan-1 | wan-2)) | line',
      [{ any: [{ all: ['router', { any: ['wan-1', 'wan-2'] }] }, 'line'] }],
    ],
    ['path (sw-1, sw-9) + pbx', [{ path: { from: 'sw-1', to: 'sw-9' } }, 'pbx']],
    ['1 of (a + b, c | d)', [{ atLeast: 1, of: [{ all: ['a', 'b'] }, { any: ['c', 'd'] }] }]],
  ]
  for (const [text, needs] of rows) {
    t.same(readNeeds(text), { needs }, text)
    t.equal(writeNeeds(needs), text)
  }
  t.same(readNeeds(' a+b\n+ ((c))'), { needs: ['a', 'b', 'c'] }, 'spaces and needless brackets')
  t.same(readNeeds('2 van (a, b)'), readNeeds('2 of (a, b)'), 'Dutch')
  t.same(readNeeds('path + of'), { needs: ['path', 'of'] }, 'words that are names here')
})

test('what is no notation is told with its place', async (t) => {
  const rows: readonly (readonly [string, number, RegExp])[] = [
    ['a + b | c', 6, /both \+ and \| here: say with brackets/],
    ['a, b', 1, /write \+ where all are needed and \| where one is enough, not ","/],
    ['ups 1', 4, /write \+ where all are needed .* not "1"/],
    ['a + (b | c', 10, /"\)" is missing/],
    ['a)', 1, /"\)" closes nothing/],
    ['a +', 3, /it ends where a name is expected/],
    ['+ a', 0, /a name is expected before "\+"/],
    ['a & b', 2, /not "&"/],
    ['4 of (a, b)', 0, /4 of 2: expected 1 to 2/],
    ['0 of (a)', 0, /expected 1 to 1/],
    ['2 of a', 5, /"\(" is missing/],
    ['path (a)', 0, /path \(from, to\)/],
    ['path (a, b | c)', 0, /path \(from, to\)/],
    [`${'('.repeat(40)}a`, 21, /more than 20 brackets/],
    ['a + '.repeat(6000), 0, /longer than 20000/],
  ]
  for (const [text, at, problem] of rows)
    t.match(readNeeds(text), { at, problem }, text.slice(0, 40))
})

test('a table is read whoever wrote it', async (t) => {
  const cells = (text: string): readonly (readonly string[])[] =>
    readCsv(text).rows.map((row) => row.cells.map((cell) => cell.text))
  const table = [
    ['id', 'needs'],
    ['a', 'b, c'],
    ['d', 'say "e"\nand f'],
  ]
  t.same(cells('id,needs\na,"b, c"\nd,"say ""e""\nand f"\n'), table)
  t.same(cells('\ufeffid;needs\r\na;b, c\r\n\r\n;;\r\nd;"say ""e""\nand f"'), table, 'Dutch Excel')
  t.same(cells('id\tneeds\ra\tb, c\rd\t"say ""e""\nand f"\r'), table, 'tabs, an old Mac')
  t.same(cells('sep=|\nid|needs\n a | b, c '), table.slice(0, 2))
  t.same(readCsv('id,x\na,"open\nb,c').problem, {
    line: 2,
    column: 3,
    message:
      'a quote is opened here and never closed: close it, or write it twice ("") where it is part of the text',
  })
  t.same(
    readCsv('id\n"a\nb"\nc').rows.map(({ line }) => line),
    [1, 2, 4],
    'lines within a cell count',
  )
  t.same(cells('id\n"x"y'), [['id'], ['xy']])
  t.equal(decodeText(Buffer.from('\ufeffcaf\u00e9')), 'caf\u00e9')
  t.equal(decodeText(Buffer.from('caf\u00e9', 'latin1')), 'caf\u00e9', 'Windows-1252')
  t.equal(decodeText(Buffer.from('\ufeffcaf\u00e9', 'utf16le')), 'caf\u00e9', 'Unicode text')
  t.equal(
    writeCsv([['a', '=1+1', '+31 20', "'=x", 'b;c', ' d']], ';'),
    `\ufeffa;'=1+1;'+31 20;''=x;"b;c";" d"\r\n`,
    'no formula comes of it',
  )
})

test('a spreadsheet becomes a site file, whatever Excel made of it', async (t) => {
  const { value, said } = await imported(t, {
    'facilities.csv': [
      'Naam;Soort;Nodig;Plaats;Groep;Eigenaar;Accu geplaatst;Looptijd;Verbruik;fails;Bewaking;hold-up;promise;Members;Accepted by;accepted-reason;accepted review',
      'mains;mains;;kelder;LK1;facilities;;;;;;;;;J. de Vries;one cable in the street;1-6-2027',
      'accu-1;battery;;;;;13-5-2024;30 min;;;;;;;;;',
      'ups-1;ups;mains | accu-1;"B1; rack 3";;facilities;;;1,5;;ups ups-1@nut by gw-1;;;;;;',
      'phones;phone;ups-1;;;;;;;ONWAAR;;;;;;;',
      'call-out;service;phones;;;ict;;;;;ping sw-1;60min;99,9%;;;;',
      'duct;duct;;street;;;;;;;;;;"ups-1, phones";;;',
    ].join('\r\n'),
  })
  t.same(said, [])
  t.same(value, {
    parties: { facilities: {}, ict: {} },
    components: {
      mains: { kind: 'mains', place: 'kelder', circuit: 'LK1', owner: 'facilities' },
      'accu-1': { kind: 'battery', 'battery-installed': '2024-05-13', runtime: '30 min' },
      'ups-1': {
        kind: 'ups',
        needs: [{ any: ['mains', 'accu-1'] }],
        place: 'B1; rack 3',
        owner: 'facilities',
        watts: 1.5,
        watch: { measurement: 'ups', target: 'ups-1@nut', agent: 'gw-1' },
      },
      phones: { kind: 'phone', needs: ['ups-1'], fails: false },
    },
    groups: { duct: { kind: 'duct', place: 'street', members: ['ups-1', 'phones'] } },
    services: {
      'call-out': {
        needs: ['phones'],
        owner: 'ict',
        watch: { measurement: 'ping', target: 'sw-1' },
        'hold-up': '60min',
        promise: '99.9%',
      },
    },
    accepted: {
      mains: { by: 'J. de Vries', reason: 'one cable in the street', review: '2027-06-01' },
    },
  })
})

test('what is wrong in a table is told with line, column and remedy, and stands in the file', async (t) => {
  const { said, text, value } = await imported(t, {
    'd.csv': [
      'id,kind,needs,runtime,colour,battery-installed,watts,needs', // 1
      'a b,ups,,,,,,', //                                              2
      ',ups,,,,,,', //                                                 3
      'a,ups,b + c | d,30,red,5/6/2024,many,x', //                     4
      'a,ups,,,,,,', //                                                5
      'b,ups,c,,,,,,stray', //                                         6
      'c,"never', //                                                   7
    ].join('\n'),
  })
  const rows = [
    'd.csv:1:23: error: no column is called "colour": it is left out',
    'd.csv:1:54: error: a second column for needs: it is left out',
    'd.csv:2:1: error: id "a b": expected a name of letters, digits, dot, dash and underscore, at most 64 long; the row is left out',
    'd.csv:3:1: error: this row has no id: give it a short name; the row is left out',
    'd.csv:4:13: error: needs: both + and | here: say with brackets which belong together, as in a + (b | c); the cell is left out',
    'd.csv:4:17: error: runtime: expected a duration such as 30min, 15s or 8h, not "30": minutes? Then write 30min; the cell is left out',
    'd.csv:4:24: error: battery-installed: expected a day such as 2027-05-31, not "5/6/2024"; the cell is left out',
    'd.csv:4:33: error: watts: expected a number, not "many"; the cell is left out',
    'd.csv:5:1: error: "a" is in line 4 already: give each row a name of its own; the row is left out',
    'd.csv:6:14: error: "stray" is in no column: the first row ends before',
    'd.csv:7:3: error: a quote is opened here and never closed: close it, or write it twice ("") where it is part of the text',
  ]
  t.same(said, [
    ...rows,
    'result: error: 6:14: components.b.needs.0: "c" is not declared under components: draw it there, or correct the name',
  ])
  t.same(value, { components: { a: { kind: 'ups' }, b: { kind: 'ups', needs: ['c'] } } })
  for (const row of rows) t.ok(text.includes(`\n# ${row}\n`), row)
})

test('the power of NetBox becomes a drawing', async (t) => {
  const { value, said } = await imported(t, { 'power.json': await readFile(NETBOX) })
  t.match(value, {
    components: {
      lk2: { kind: 'panel', label: 'LK2', site: 'head-office', place: 'Basement' },
      'lk2-group-7': {
        kind: 'breaker',
        circuit: 'LK2 Group 7',
        'capacity-w': 2944,
        needs: ['lk2'],
      },
      'lk2-group-12': { 'capacity-w': 8868 },
      'ups-1': { kind: 'ups', serial: 'AS1951123', needs: ['lk2-group-7'] },
      'ups-1-out-1': { kind: 'outlet', needs: ['ups-1'] },
      'pdu-a': { kind: 'pdu', needs: ['ups-1-out-1'], place: 'Room 2.14 / R3' },
      'pdu-b': { kind: 'pdu', needs: ['lk2-group-8'] },
      'pdu-a-outlet-1': { kind: 'outlet', circuit: 'leg A', needs: ['pdu-a'] },
      'core-switch-psu-1': { kind: 'psu', needs: ['pdu-a-outlet-1'] },
      'core-switch-psu-2': { kind: 'psu', needs: ['pdu-b-outlet-1'] },
      'core-switch': {
        kind: 'switch',
        label: 'Core switch',
        watts: 180,
        needs: [{ any: ['core-switch-psu-1', 'core-switch-psu-2'] }],
      },
      'sw-floor-3': { kind: 'switch', watts: 90, needs: ['pdu-a-outlet-2'] },
      'old-fax': { kind: 'device' },
    },
  })
  t.equal(rawDrawing(value).components.size, 16)
  t.same(said, [
    'power.json:1208:3: cable P-108 is planned: not drawn',
    'power.json:98:3: feed Group 8 of LK2 is failed: drawn as if it worked; "power --fail" shows what that means',
    'power.json:156:3: feed Group 9 of LK2 is planned: not drawn',
    'NetBox: 1 free outlet of PDU A: left out',
    'power.json:509:3: inlet Power of old-fax is plugged into nothing: nothing feeds it',
    'power.json:1578:3: old-fax is offline: drawn as if it worked',
    'NetBox: taken to work on any one of their supplies, which NetBox does not say: core-switch',
    'NetBox: 1 cable of data: left out',
    'NetBox: not used: comments of powerpanel (1 record)',
    'NetBox: not used: description of poweroutlet (1 record)',
    'NetBox: not used: custom_fields of device (1 record)',
    'NetBox: NetBox does not know the grid, batteries, watches and services: add what feeds each panel, the battery of each UPS, and services',
  ])
})

test('tables of NetBox say the same, as imported in bulk and as exported', async (t) => {
  const bulk = {
    'panels.csv': 'site,location,name\nHQ,Basement,LK2\n',
    'feeds.csv':
      'site,power_panel,name,status,type,supply,phase,voltage,amperage,max_utilization\nHQ,LK2,Group 7,active,primary,ac,single-phase,230,16,80\n',
    'ports.csv':
      'device,name,type,maximum_draw,allocated_draw\npdu-a,Inlet,iec-60320-c20,,\nsw-1,PSU,iec-60320-c14,120,90\n',
    'outlets.csv': 'device,name,type,power_port,feed_leg\npdu-a,Outlet 1,iec-60320-c13,Inlet,\n',
    'cables.csv':
      'side_a_site,side_a_device,side_a_power_panel,side_a_type,side_a_name,side_b_device,side_b_type,side_b_name,type,status\nHQ,,LK2,dcim.powerfeed,Group 7,pdu-a,dcim.powerport,Inlet,power,connected\nHQ,pdu-a,,dcim.poweroutlet,Outlet 1,sw-1,dcim.powerport,PSU,power,connected\n',
    'devices.csv':
      'name,role,manufacturer,device_type,serial,site,rack,status\nsw-1,Access switch,Acme,S1,X1,HQ,R1,active\n',
  }
  const exported = {
    'panels.csv': 'Name,Site,Location,Feeds\nLK2,HQ,Basement,1\n',
    'feeds.csv':
      'Name,Power panel,Rack,Status,Type,Supply,Voltage,Amperage,Phase,Max utilization,Cable,Link Peer\nGroup 7,LK2,\u2014,Active,Primary,AC,230,16,Single-phase,80%,#1,Inlet\n',
    'ports.csv':
      'Name,Device,Label,Type,Maximum draw (W),Allocated draw (W),Cable\nInlet,pdu-a,,C20,,,#1\nPSU,sw-1,,C14,120,90,#2\n',
    'outlets.csv':
      'Name,Device,Label,Type,Power Port,Feed Leg,Cable\nOutlet 1,pdu-a,,C13,Inlet,\u2014,#2\n',
    'cables.csv':
      'ID,Label,Termination A,Termination B,Device A,Device B,Status,Type\n1,,Group 7,Inlet,,pdu-a,Connected,Power\n2,,Outlet 1,PSU,pdu-a,sw-1,Connected,Power\n',
    'devices.csv':
      'Name,Status,Site,Rack,Role,Type,Serial number\nsw-1,Active,HQ,R1,Access switch,S1,X1\n',
  }
  for (const [name, files] of Object.entries({ bulk, exported })) {
    const { value, said } = await imported(t, files)
    t.match(
      value,
      {
        components: {
          'lk2-group-7': { kind: 'breaker', needs: ['lk2'], 'capacity-w': 2944 },
          'pdu-a': { kind: 'pdu', needs: ['lk2-group-7'] },
          'pdu-a-outlet-1': { kind: 'outlet', needs: ['pdu-a'] },
          'sw-1': {
            kind: 'switch',
            serial: 'X1',
            watts: 90,
            needs: ['pdu-a-outlet-1'],
            place: 'R1',
          },
        },
      },
      name,
    )
    t.match(said, [/^NetBox: NetBox does not know the grid/], name)
  }
})

test('cables may come from the ports themselves or from a trace', async (t) => {
  const device = { id: 1, name: 'sw-1' }
  const pdu = { id: 2, name: 'pdu-a' }
  const url = (endpoint: string): string => `https://n.example.org/api/dcim/${endpoint}/7/`
  const outlet = { id: 7, url: url('power-outlets'), name: 'Outlet 1', device: pdu }
  const byPeer = [
    {
      ...{ id: 9, url: url('power-ports'), name: 'PSU', device, allocated_draw: 90 },
      ...{ link_peers: [outlet], link_peers_type: 'dcim.poweroutlet' },
    },
  ]
  const trace = [
    [
      [{ id: 9, url: url('power-ports'), name: 'PSU', device }],
      { id: 4, url: url('cables'), status: { value: 'connected', label: 'Connected' } },
      [outlet],
    ],
  ]
  for (const [name, json] of Object.entries({ byPeer, trace })) {
    const { value } = await imported(t, { 'x.json': JSON.stringify(json) })
    t.match(
      value,
      {
        components: {
          'sw-1': { needs: ['pdu-a-outlet-1'] },
          'pdu-a-outlet-1': { kind: 'outlet', needs: ['pdu-a'] },
          'pdu-a': { kind: 'pdu' },
        },
      },
      name,
    )
  }
})

test('an export that is none is told of, and where it breaks', async (t) => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['[{"id": 1,]', /^x:1:\d+: error: this is no JSON/],
    ['[1]', /^x:1:2: error: expected a record of NetBox/],
    ['[\n {"name": "x", "colour": 1}]', /^x:2:2: error: of no kind that is known here/],
    ['', /^x:1:1: error: the file is empty/],
    ['a,b\n1,2', /^x:1:1: error: these columns are of no export that is known here/],
  ]
  for (const [text, said] of rows) t.match(readNetbox(text, 'x').notes.map(noteText), [said], text)
  const { said } = await imported(t, {
    'x.json': JSON.stringify({
      'power-ports': [
        { id: 1, name: 'A', device: { name: 'd' } },
        { id: 2, name: 'B', device: { name: 'e' } },
      ],
      cables: [
        {
          label: 'C1',
          a_terminations: [{ object_type: 'dcim.powerport', object_id: 1 }],
          b_terminations: [{ object_type: 'dcim.powerport', object_id: 2 }],
        },
        {
          label: 'C2',
          a_terminations: [{ object_type: 'dcim.powerport', object_id: 1 }],
          b_terminations: [{ object_type: 'dcim.poweroutlet', object_id: 77 }],
        },
      ],
    }),
  })
  t.match(said, [
    /cable C1 joins inlet A of d and inlet B of e: power goes from an outlet or a feed to an inlet/,
    /cable C2: an end of it is not in the export: export power ports, outlets and feeds too/,
    /inlet A of d is plugged into nothing/,
    /inlet B of e is plugged into nothing/,
    /NetBox does not know/,
  ])
})

test('an import goes into a site file without losing what people wrote there', async (t) => {
  const site = `# ours
parties: { ict: { name: Network team } }
components:
  ups-1: { kind: ups, place: attic, needs: [mains], watch: { measurement: ups, target: ups-1 } } # watched
  mains: { kind: mains }
services:
  call: { needs: [ups-1] }
`
  const table =
    'id,kind,needs,place,owner\nups-1,ups,mains,cellar,facilities\nsw-1,switch,ups-1,,ict\n'
  const { text, said } = await imported(t, { 'd.csv': table }, site)
  t.equal(
    text,
    `# ours
parties: { ict: { name: Network team }, facilities: {} }
components:
  ups-1: { kind: ups, place: cellar, needs: [ mains ], watch: { measurement: ups, target: ups-1 }, owner: facilities } # watched
  mains: { kind: mains }
  sw-1:
    kind: switch
    needs: [ ups-1 ]
    owner: ict
services:
  call: { needs: [ ups-1 ] }
`,
  )
  t.same(said, [
    'site.yaml: components.ups-1.place: was attic, is cellar',
    'site.yaml: parties.facilities: declared for what it owns; say who it is',
    'site.yaml: not in the import, and kept: mains',
  ])
  await t.rejects(imported(t, { 'd.csv': table }, 'components: { a: { needs: [b] } }'), {
    message: /site\.yaml:1:28: error: components\.a\.needs\.0: "b" is not declared/,
  })
})

test('the example goes to a spreadsheet and back unchanged', async (t) => {
  const file = new URL('../../collector/site.example.yaml', import.meta.url)
  const before: unknown = parse(await readFile(file, 'utf8'))
  for (const separator of [',', ';', '\t']) {
    const { text, notes } = await exportSite(file.pathname, separator, TODAY)
    t.match(notes, [
      /not in the table: parties, networks, agents, absent, sites, emergency; keep the file/,
    ])
    const { drawing, notes: faults } = readDrawingCsv(text, 'd.csv')
    t.same(faults, [])
    t.same(normalised(drawing), normalised(rawDrawing(before)))
  }
})

test('drawings made at random survive a spreadsheet and YAML', async (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const drawing = randomDrawing(seed)
    const back = readDrawingCsv(writeDrawingCsv(drawing, seed % 2 === 0 ? ',' : ';'), 'd.csv')
    if (back.notes.length > 0) t.same(back.notes, [], `seed ${seed}`)
    const isSame = JSON.stringify(normalised(back.drawing)) === JSON.stringify(normalised(drawing))
    if (!isSame) t.same(normalised(back.drawing), normalised(drawing), `CSV, seed ${seed}`)
    const text = writeSite(drawing, ['a comment'])
    const value: unknown = parse(text)
    const isKept =
      JSON.stringify(normalised(rawDrawing(value))) === JSON.stringify(normalised(drawing))
    if (!isKept) t.same(normalised(rawDrawing(value)), normalised(drawing), `YAML, seed ${seed}`)
    readConfig(siteFile, text, 'site.yaml')
  }
  t.pass('300 of them')
})

test('needs made at random are read back as they were written', async (t) => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = generator(seed)
    const needs = Array.from({ length: random(4) }, () => randomNeed(random, 4))
    const read = readNeeds(writeNeeds(needs))
    if (JSON.stringify(read) !== JSON.stringify({ needs: plainNeeds(needs) }))
      t.same(read, { needs: plainNeeds(needs) }, `seed ${seed}: ${writeNeeds(needs)}`)
  }
  t.pass('2,000 of them')
})

test('a large export is drawn in seconds', async (t) => {
  const text = JSON.stringify({
    'power-feeds': Array.from({ length: 500 }, (_, nr) => ({
      id: nr,
      name: `F${nr}`,
      power_panel: { name: 'P' },
    })),
    'power-ports': Array.from({ length: 10_000 }, (_, nr) => ({
      id: nr,
      name: 'PSU',
      device: { name: `d${nr}` },
    })),
    cables: Array.from({ length: 10_000 }, (_, nr) => ({
      id: nr,
      a_terminations: [{ object_type: 'dcim.powerfeed', object_id: nr % 500 }],
      b_terminations: [{ object_type: 'dcim.powerport', object_id: nr }],
    })),
  })
  const begun = performance.now()
  const { records } = readNetbox(text, 'x.json')
  const { drawing } = drawNetbox(records)
  const tookMs = performance.now() - begun
  t.equal(drawing.components.size, 10_501)
  t.comment(`${tookMs.toFixed(0)} ms`)
  t.ok(tookMs < 10_000)
})

type Random = (below: number) => number

/** The same numbers for the same seed (mulberry32). */
function generator(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function randomNeed(random: Random, depth: number): Need {
  const kind = depth === 0 ? 0 : random(6)
  const some = (): Need[] =>
    Array.from({ length: 1 + random(3) }, () => randomNeed(random, depth - 1))
  if (kind === 1) return { any: some() }
  if (kind === 2) return { all: some() }
  if (kind === 3) {
    const of = some()
    return { atLeast: 1 + random(of.length), of }
  }
  return ['sw-1', 'of', 'path', '112', 'a.b_c', 'UPS'][random(6)] ?? 'x'
}

const TEXTS = [
  'UPS 1',
  'a;b',
  '=1+1',
  '+31 20 123',
  "'q",
  '"quoted"',
  'two\nlines',
  'caf\u00e9',
  'a, b',
  '- x',
  '#no',
  'yes',
  '12',
  '0x1',
  '2024-01-01',
  'a: b',
  '{x}',
  '@y',
]

/** A drawing without circles: what is drawn needs what was drawn before. */
function randomDrawing(seed: number): ReturnType<typeof rawDrawing> {
  const random = generator(seed)
  const pick = <T>(list: readonly T[]): T | undefined => list[random(list.length)]
  const maybe = (entry: Record<string, unknown>, key: string, value: unknown): void => {
    if (random(3) === 0) entry[key] = value
  }
  const components = new Map<string, RawEntry>()
  const groups = new Map<string, RawEntry>()
  const services = new Map<string, RawEntry>()
  const accepted = new Map<string, RawEntry>()
  const choose = (depth: number): Need => {
    const ids = [...components.keys()]
    const some = (): Need[] => Array.from({ length: 2 + random(2) }, () => choose(depth - 1))
    const kind = depth === 0 ? 0 : random(5)
    if (kind === 1) return { any: some() }
    if (kind === 2) return { atLeast: 2, of: some() }
    if (kind === 3) return { any: [{ all: some() }, pick(ids) ?? 'c0'] }
    return pick(ids) ?? 'c0'
  }
  const count = 2 + random(8)
  for (let nr = 0; nr < count; nr++) {
    const entry: Record<string, unknown> = { kind: pick(['mains', 'ups', 'x y', 'switch']) }
    if (nr > 0 && random(4) > 0)
      entry['needs'] = Array.from({ length: 1 + random(2) }, () => choose(2))
    maybe(entry, 'label', pick(TEXTS))
    maybe(entry, 'place', pick(TEXTS))
    maybe(entry, 'circuit', pick(TEXTS))
    maybe(entry, 'serial', pick(TEXTS))
    maybe(entry, 'contract', pick(TEXTS))
    maybe(entry, 'runtime', pick(['30min', '1.5h', '90 s']))
    maybe(entry, 'battery-installed', '2024-02-29')
    maybe(entry, 'watts', pick([0, 1.5, 1e3]))
    maybe(entry, 'capacity-w', 2700)
    maybe(entry, 'count', 24)
    maybe(entry, 'fails', random(2) === 0)
    maybe(entry, 'failure-probability', pick([0, 0.0005, 1e-7]))
    maybe(entry, 'poe', { port: 1 + random(48), priority: 'critical' })
    maybe(entry, 'watch', {
      measurement: 'ups',
      target: pick(['ups-1', 'ups 1@a b', '10.0.0.1']),
      ...(random(2) === 0 ? { agent: 'gw-1' } : {}),
    })
    components.set(`c${nr}`, entry)
    if (random(5) === 0)
      accepted.set(`c${nr}`, { by: pick(TEXTS), reason: pick(TEXTS), review: '2027-06-01' })
  }
  components.set('l', { kind: 'link', links: ['c0', 'c1'] })
  if (random(2) === 0) groups.set('g', { kind: 'duct', label: pick(TEXTS), members: ['c0', 'c1'] })
  const service: Record<string, unknown> = {
    needs: [choose(2), { path: { from: 'c0', to: 'c1' } }],
  }
  maybe(service, 'hold-up', '60min')
  maybe(service, 'promise', pick(['99.99%', 0.999]))
  maybe(service, 'emergency', true)
  maybe(service, 'serves', 'hq')
  services.set('s', service)
  return { components, groups, services, accepted }
}

/** Keys in order, needs without what makes no difference, so that drawings can be compared. */
function normalised(drawing: ReturnType<typeof rawDrawing>): unknown {
  const part = (entries: ReadonlyMap<string, RawEntry>): unknown =>
    Object.fromEntries([...entries].map(([id, entry]) => [id, sorted(entry)] as const))
  return {
    components: part(drawing.components),
    groups: part(drawing.groups),
    services: part(drawing.services),
    accepted: part(drawing.accepted),
  }
}

function sorted({ needs, ...entry }: RawEntry): unknown {
  const plain = needs === undefined ? [] : plainNeeds(needsOf({ needs }))
  const all = Object.entries({ ...entry, ...(plain.length === 0 ? {} : { needs: plain }) })
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
}
