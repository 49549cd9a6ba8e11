import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { inspect } from 'node:util'
import { pino } from 'pino'
import { test } from 'tap'
import { z } from 'zod'
import { ConfigError, readConfig } from '../../common/config.ts'
import { PermanentError } from '../../common/errors.ts'
import {
  bytes,
  duration,
  hostPort,
  httpUrl,
  name,
  ratio,
  Secret,
  secret,
} from '../../common/settings.ts'

const SCHEMA = z.strictObject({
  agent: name,
  interval: duration.prefault('10s'),
  limits: z.strictObject({ 'max-points': z.int(), spool: bytes.optional() }).optional(),
  push: z.array(z.strictObject({ url: httpUrl, token: secret.optional() })).default([]),
  targets: z.record(name, z.strictObject({ address: z.string() })).optional(),
  probe: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('ping'), target: z.string() }),
      z.strictObject({ kind: z.literal('ups'), server: hostPort }),
    ])
    .optional(),
})

function complaints(text: string): readonly string[] {
  try {
    readConfig(SCHEMA, text, 'agent.yaml')
  } catch (error) {
    if (error instanceof ConfigError) return error.complaints
    throw error
  }
  return []
}

test('a good file gives typed options with their defaults', async (t) => {
  const config = readConfig(
    SCHEMA,
    'agent: gw-1\nlimits: {max-points: 500, spool: 64MiB}\npush:\n  - url: https://c.example.org\n    token: t0p\nprobe: {kind: ups, server: "[::1]:3493"}\n',
    'agent.yaml',
  )
  t.match(config, {
    agent: 'gw-1',
    interval: 10_000,
    limits: { 'max-points': 500, spool: 67_108_864 },
    push: [{ url: 'https://c.example.org' }],
    probe: { kind: 'ups', server: { host: '::1', port: 3493 } },
  })
  t.equal(config.push[0]?.token?.reveal(), 't0p')
})

test('everything that is wrong is said at once, each where it stands', async (t) => {
  t.strictSame(
    complaints(
      [
        'agent: gw 1', //                 1
        'intervall: 10s', //              2
        'limits:', //                     3
        '  max-points: many', //          4
        '  spool: 64 parsecs', //         5
        'push:', //                       6
        '  - token: x', //                7
        '    colour: red', //             8
        '  - url: ftp://x', //            9
        'targets:', //                   10
        '  gw: {addres: 10.0.0.1}', //   11
      ].join('\n'),
    ),
    [
      'agent.yaml:1:8: agent: expected a name of letters, digits, dot, dash and underscore, at most 64 long',
      'agent.yaml:4:15: limits.max-points: expected number, received string',
      'agent.yaml:5:10: limits.spool: expected a size such as 64MiB',
      'agent.yaml:7:5: push.0.url: missing, expected string',
      'agent.yaml:8:5: push.0: unknown key "colour"',
      'agent.yaml:9:10: push.1.url: expected an address such as https://collector.example.org:8420, without a user name in it',
      'agent.yaml:11:7: targets.gw.address: missing, expected string',
      'agent.yaml:11:8: targets.gw: unknown key "addres", did you mean "address"?',
      'agent.yaml:2:1: unknown key "intervall", did you mean "interval"?',
    ],
  )
  t.throws(() => readConfig(SCHEMA, 'agent: 1\nx: 2', 'f'), PermanentError)
})

test('a mistake gets the complaint that helps', async (t) => {
  for (const [text, expected] of [
    ['', ['agent.yaml:1:1: agent: missing, expected string']],
    ['# nothing', ['agent.yaml:1:1: agent: missing, expected string']],
    ['agent: ', ['agent.yaml:1:8: agent: expected string, received null']],
    ['just text', ['agent.yaml:1:1: expected object, received string']],
    [
      'agent: a\ninterval: 10 parsecs',
      ['agent.yaml:2:11: interval: expected a duration such as 10s, 500ms, 5min, 12h or 30d'],
    ],
    [
      'agent: a\ninterval: 10',
      ['agent.yaml:2:11: interval: expected a duration such as 10s, 500ms, 5min, 12h or 30d'],
    ],
    [
      'agent: a\nprobe: {kind: ups, sever: "a:1"}',
      [
        'agent.yaml:2:8: probe.server: missing, expected host:port',
        'agent.yaml:2:20: probe: unknown key "sever", did you mean "server"?',
      ],
    ],
    [
      'agent: a\nprobe: {kind: pong}',
      ["agent.yaml:2:15: probe.kind: Invalid discriminator value. Expected 'ping' | 'ups'"],
    ],
    [
      'agent: a\n"agent": b',
      ['agent.yaml:2:1: "agent" stands here for the second time: the first is in line 1'],
    ],
    ['agent: a\n__proto__: {polluted: 1}', ['agent.yaml:2:1: unknown key "__proto__"']],
    ['agent: !secret a', ['agent.yaml:1:8: Unresolved tag: !secret']],
    [
      'agent: *nobody',
      ['agent.yaml:1:8: Unresolved alias (the anchor must be set before the alias): nobody'],
    ],
  ] as const)
    t.strictSame(complaints(text), expected, JSON.stringify(text))
})

test('what is no YAML is said with its place', async (t) => {
  for (const [text, place] of [
    ['agent: [a', /^agent\.yaml:1:10: .*sequence/],
    ['agent: "a', /^agent\.yaml:1:10: Missing closing "quote/],
    ['agent: a\n\tinterval: 10s', /^agent\.yaml:2:1: /],
    ['agent: a\n---\nagent: b', /^agent\.yaml:2:1: .*multiple documents/],
    ['a: b: c', /^agent\.yaml:1:4: /],
    ['@', /^agent\.yaml:1:1: /],
  ] as const)
    t.match(complaints(text)[0], place, JSON.stringify(text))
})

test('a few lines that would grow to billions are refused', async (t) => {
  const laughs = ['a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]']
  for (let level = 1; level < 12; level++) {
    const alias = `*a${level - 1}`
    laughs.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => alias).join(', ')}]`)
  }
  t.match(complaints(laughs.join('\n'))[0], /^agent\.yaml:1:1: Excessive alias count/)
})

test('keys no schema can follow are complained about without a guess', async (t) => {
  const schema = z.strictObject({ a: z.lazy(() => z.strictObject({ known: z.string() })) })
  try {
    readConfig(schema, 'a: {known: x, knwon: y}', 'f')
    t.fail('it was accepted')
  } catch (error) {
    t.equal(error instanceof Error ? error.message : '', 'f:1:15: a: unknown key "knwon"')
  }
})

test('durations, sizes and shares are read with their units', async (t) => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5 s', 1500],
    ['5min', 300_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
  ] as const)
    t.equal(duration.parse(text), ms, text)
  for (const text of [
    '10',
    '10 parsecs',
    '-1s',
    '1e3s',
    's',
    '10constructor',
    '10 toString',
    '10S',
    '',
  ])
    t.throws(() => duration.parse(text), /expected a duration such as 10s/, text)
  t.equal(bytes.parse('64MiB'), 67_108_864)
  t.equal(bytes.parse('1.5 kB'), 1500)
  t.throws(() => bytes.parse('64 mib'), /expected a size such as 64MiB/)
  t.equal(ratio.parse('3%'), 0.03)
  t.equal(ratio.parse('0.5 %'), 0.005)
  t.equal(ratio.parse(0.03), 0.03)
  t.equal(ratio.parse('100%'), 1)
  for (const wrong of ['101%', 3, -0.1, 'three', NaN, null])
    t.throws(() => ratio.parse(wrong), /expected a share/, String(wrong))
})

test('addresses and names are what they say', async (t) => {
  t.same(hostPort.parse('nut.example.org:3493'), { host: 'nut.example.org', port: 3493 })
  t.same(hostPort.parse('[2001:db8::1]:53'), { host: '2001:db8::1', port: 53 })
  for (const wrong of ['host', 'host:', ':1', 'host:65536', 'a b:1', '::1:53', 'host:1x'])
    t.throws(() => hostPort.parse(wrong), /expected host:port, such as/, wrong)
  t.equal(httpUrl.parse('http://[::1]:8420/x'), 'http://[::1]:8420/x')
  for (const wrong of [
    'ftp://h',
    'h:1',
    'http://user@h',
    'http://:word@h',
    'javascript:alert(1)',
    '',
  ])
    t.throws(() => httpUrl.parse(wrong), /expected an address such as/, wrong)
  t.equal(name.parse('gw-1.hq_a'), 'gw-1.hq_a')
  for (const wrong of ['', '-a', '.', '../x', 'a b', 'a\n', 'é', 'x'.repeat(65)])
    t.throws(() => name.parse(wrong), /expected a name of letters/, wrong)
})

test('a secret is never seen but where it is revealed', async (t) => {
  const hidden = new Secret('hunter2')
  let logged = ''
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString()
      done()
    },
  })
  const log = pino(sink)
  log.info({ hidden, nested: { list: [hidden] } }, `started with ${String(hidden)}`)
  log.info(hidden)
  log.error(new Error(`no ${hidden.toString()}`), '%s %o %j', hidden, hidden, hidden)
  for (const seen of [
    logged,
    JSON.stringify({ hidden }),
    String(hidden),
    inspect(hidden, { showHidden: true, depth: 9 }),
    inspect({ hidden }),
    Object.entries(hidden).join(),
    JSON.stringify(structuredClone(hidden)),
  ])
    t.notMatch(seen, /hunter2/)
  t.match(inspect({ hidden }), /\[secret\]/)
  t.match(logged, /\[secret\]/)
  t.equal(hidden.reveal(), 'hunter2')
})

test('a secret comes from the first line of a file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'secret-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'token'), ' hunter2 \nsecond line\n')
  await writeFile(join(folder, 'empty'), '\n')
  t.equal(secret.parse({ file: join(folder, 'token') }).reveal(), 'hunter2')
  t.throws(() => secret.parse({ file: join(folder, 'empty') }), /empty is empty/)
  t.throws(() => secret.parse({ file: join(folder, 'none') }), /cannot read the secret: ENOENT/)
  t.throws(() => secret.parse({ flie: 'x' }), /expected a secret, or \{ file:/)
  t.throws(() => secret.parse(''), /expected a secret/)
})
