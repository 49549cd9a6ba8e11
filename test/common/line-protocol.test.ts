import { existsSync } from 'node:fs'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { decodeLines, encodeMeasurements, type DecodedPoint } from '../../common/line-protocol.ts'
import { measurement, sanitiseTag, type Measurement } from '../../common/measurement.ts'
import { startInfluxd } from '../support/influxd.ts'

tap.setTimeout(120_000)

const NOW_US = 1_700_000_000_000_000
const LIMIT = 100_000

/** Ways to write a field's value, and what they mean. */
const VALUES: readonly (readonly [written: string, value: number | boolean | string])[] = [
  ['1', 1],
  ['-1', -1],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['-.5', -0.5],
  ['5.', 5],
  ['007', 7],
  ['0.1', 0.1],
  ['1e3', 1000],
  ['1.5E-3', 0.0015],
  ['1e+21', 1e21],
  ['123456789012345.6', 123456789012345.6],
  ['0.30000000000000004', 0.30000000000000004],
  ['1.7976931348623157e308', Number.MAX_VALUE],
  ['5e-324', Number.MIN_VALUE],
  ['12i', 12],
  ['-12i', -12],
  ['12u', 12],
  ['9007199254740991i', 9007199254740991],
  ['-9007199254740991i', -9007199254740991],
  ['00000000000000000000012i', 12],
  ['t', true],
  ['T', true],
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['f', false],
  ['F', false],
  ['false', false],
  ['False', false],
  ['FALSE', false],
  ['""', ''],
  ['"a b,c=d"', 'a b,c=d'],
  ['"a\\"b"', 'a"b'],
  ['"a\\\\"', 'a\\'],
  ['"a\\\\\\"b"', 'a\\"b'],
  ['"a\\b"', 'a\\b'],
  ['"a\nb\r\nc"', 'a\nb\r\nc'],
  ['"#"', '#'],
  ['"é 📞"', 'é 📞'],
]

const BAD_LINES: readonly (readonly [line: string, reason: string])[] = [
  [',t=v f=1', 'column 1: expected the name of a measurement, got ",t=v f=1"'],
  ['m', 'column 2: expected a space and the fields, got the end of the line'],
  ['m ', 'column 3: expected the key of a field, got the end of the line'],
  ['m,', 'column 3: expected the key of a tag, got the end of the line'],
  ['m,=v f=1', 'column 3: expected the key of a tag, got "=v f=1"'],
  ['m,t= f=1', 'column 5: expected the value of a tag, got " f=1"'],
  ['m,t=v=w f=1', 'column 6: expected a comma or a space behind a tag, got "=w f=1"'],
  ['m,t=v,t=w f=1', 'column 7: expected each tag once, got "t=w f=1"'],
  ['m,t=v', 'column 6: expected a space and the fields, got the end of the line'],
  ['m f', 'column 4: expected = behind the key of a field, got the end of the line'],
  ['m =1', 'column 3: expected the key of a field, got "=1"'],
  [
    'm f=',
    'column 5: expected a number, true, false or a string in double quotes, got the end of the line',
  ],
  ['m f=1,', 'column 7: expected the key of a field, got the end of the line'],
  ['m f=1, g=2', 'column 7: expected the key of a field, got " g=2"'],
  ['m f=tru', 'column 5: expected a number, true, false or a string in double quotes, got "tru"'],
  ['m f=NaN', 'column 5: expected a number, true, false or a string in double quotes, got "NaN"'],
  ['m f=+1', 'column 5: expected a number, true, false or a string in double quotes, got "+1"'],
  ['m f=1.2.3', 'column 5: expected a number, got "1.2.3"'],
  ['m f=-', 'column 5: expected a number, got "-"'],
  ['m f=.', 'column 5: expected a number, got "."'],
  ['m f=1e', 'column 5: expected a finite number, got "1e"'],
  ['m f=1e999', 'column 5: expected a finite number, got "1e999"'],
  ['m f=0x10', 'column 5: expected a number, got "0x10"'],
  ['m f=1.5i', 'column 5: expected a number, got "1.5i"'],
  ['m f=-1u', 'column 5: expected a number, got "-1u"'],
  ['m f=9007199254740992i', 'column 5: expected an integer within 2^53, got "9007199254740992i"'],
  [
    'm f=9223372036854775807i',
    'column 5: expected an integer within 2^53, got "9223372036854775807i"',
  ],
  ['m f="open', 'column 5: expected the string to be closed by a double quote, got "\\"open"'],
  [
    'm f="x"y 1',
    'column 8: expected a comma, a space or the end of the line behind a string, got "y 1"',
  ],
  ['m f=1 1.5', 'column 7: expected the time as an integer in us, got "1.5"'],
  ['m f=1 now', 'column 7: expected the time as an integer in us, got "now"'],
  ['m f=1 1 2', 'column 9: expected the end of the line behind the time, got "2"'],
]

function decode(text: string, precision: 'ns' | 'us' | 'ms' | 's' = 'us', maxPoints = LIMIT) {
  return decodeLines(text, { precision, nowUs: NOW_US, maxPoints })
}

/** The only point of a text that must hold nothing else. */
function onlyPoint(t: Test, text: string, precision: 'ns' | 'us' | 'ms' | 's' = 'us') {
  const { points, bad } = decode(text, precision)
  t.strictSame(bad, [], `no bad line in ${shown(text.slice(0, 80))}`)
  t.equal(points.length, 1)
  return points[0]?.point
}

function fieldOf(t: Test, written: string) {
  return onlyPoint(t, `m f=${written} 1`)?.fields['f']
}

/** The reason of the only bad line of a text that must hold nothing else. */
function onlyReason(t: Test, text: string, precision: 'ns' | 'us' | 'ms' | 's' = 'us') {
  const { points, bad } = decode(text, precision)
  t.strictSame(points, [])
  t.equal(bad.length, 1)
  return bad[0]?.reason
}

test('a measurement is one line: tags by key, integers with i, microseconds', async (t) => {
  const text = encodeMeasurements([
    measurement(
      'rtp_stream',
      1_700_000_000_000_001,
      { site: 'hq', agent: 'gw 1', codec: 'PCMA' },
      { expected: 500, loss_ratio: 0.03, ended: false, first: true, ssrc: '0x"\\' },
    ),
    measurement('ping', 2, { site: 'a,b=c' }, { sent: 0, round_trip_max_ms: 1e21 }),
  ])
  t.equal(
    text,
    'rtp_stream,agent=gw\\ 1,codec=PCMA,site=hq expected=500i,loss_ratio=0.03,ended=false,first=true,ssrc="0x\\"\\\\" 1700000000000001\n' +
      'ping,site=a\\,b\\=c sent=0i,round_trip_max_ms=1e+21 2\n',
  )
})

test('what line protocol cannot write is left out, never written wrongly', async (t) => {
  const point = (fields: Measurement['fields'], timeUs = 1): Measurement => ({
    name: 'rtp_stream',
    tags: {},
    fields,
    timeUs,
  })
  t.equal(encodeMeasurements([]), '')
  t.equal(encodeMeasurements([point({})]), '', 'a point without fields')
  t.equal(encodeMeasurements([point({ jitter_ms: NaN, loss_ratio: Infinity })]), '')
  t.equal(
    encodeMeasurements([point({ expected: 1.5, lost: 2 ** 53, received: 3 })]),
    'rtp_stream received=3i 1\n',
  )
  t.equal(encodeMeasurements([point({ expected: 1 }, NaN)]), '', 'a time that is no number')
  t.equal(encodeMeasurements([point({ expected: 1 }, 2.6)]), 'rtp_stream expected=1i 3\n')
  t.equal(encodeMeasurements([point({ jitter_ms: -0 })]), 'rtp_stream jitter_ms=0 1\n')
})

test('a measurement built by hand cannot inject a line, a tag or a field', async (t) => {
  const evil = [
    'a\nping sent=1i 5',
    'a\r\nping sent=1i 5',
    'a\\',
    'a\\\\',
    'a b\\ ',
    'a\\,c=d',
    'a\\\\,c=d',
    'x f=1',
    'x=1,y=2',
    '"',
    '\u0000\u0085\u2028',
    ' ',
    '',
    '#',
    '\ud800',
  ]
  for (const text of evil) {
    const encoded = encodeMeasurements([
      {
        name: 'ping',
        tags: { site: text, [text]: 'v' },
        fields: { [text]: 1, sent: 1, target: text },
        timeUs: 1,
      },
    ])
    t.match(encoded, /^ping[^\n]*/, shown(text))
    const point = onlyPoint(t, encoded)
    t.equal(point?.name, 'ping')
    t.equal(point?.timeUs, 1)
    t.equal(point?.fields['sent'], 1)
    t.equal(point?.fields['target'], text, 'a string field holds any text')
    t.ok(Object.keys(point?.tags ?? {}).length <= 2)
    t.equal(point?.tags['site'] ?? '', sanitiseTag(text))
  }
})

test('every way to write a value is read', async (t) => {
  for (const [written, value] of VALUES) t.equal(fieldOf(t, written), value, written)
})

test('a float reads as the number JavaScript reads', async (t) => {
  const random = seeded(7)
  for (let round = 0; round < 20_000; round++) {
    const digits = String(Math.floor(random() * 10 ** Math.floor(1 + random() * 17)))
    const cut = Math.floor(random() * (digits.length + 1))
    const written = `${digits.slice(0, cut)}.${digits.slice(cut)}`
    const value = decode(`m f=${written} 1`).points[0]?.point.fields['f']
    if (value !== Number(written)) t.equal(value, Number(written), written)
  }
})

test('names, tags and keys come back without their escapes', async (t) => {
  t.strictSame(onlyPoint(t, 'a\\ b\\,c=d,t\\ 1=v\\,1\\=2\\ 3,u=\\x\\\\y f\\ 1\\,\\=\\"=1,g"=2 5'), {
    name: 'a b,c=d',
    tags: { 't 1': 'v,1=2 3', u: '\\x\\\\y' },
    fields: { 'f 1,="': 1, 'g"': 2 },
    timeUs: 5,
  })
})

test('a time is exact in every precision, and now where there is none', async (t) => {
  const timeUs = (written: string, precision: 'ns' | 'us' | 'ms' | 's') =>
    onlyPoint(t, `m f=1 ${written}`, precision)?.timeUs
  t.equal(timeUs('1700000000123456789', 'ns'), 1_700_000_000_123_456)
  t.equal(timeUs('1700000000123456999', 'ns'), 1_700_000_000_123_456)
  t.equal(timeUs('999', 'ns'), 0)
  t.equal(timeUs('-1', 'ns'), -1)
  t.equal(timeUs('-1000', 'ns'), -1)
  t.equal(timeUs('-1001', 'ns'), -2)
  t.equal(timeUs('1700000000123457', 'us'), 1_700_000_000_123_457)
  t.equal(timeUs('1700000000123', 'ms'), 1_700_000_000_123_000)
  t.equal(timeUs('1700000000', 's'), 1_700_000_000_000_000)
  t.equal(timeUs('', 'ns'), NOW_US)
  t.equal(timeUs('  \t', 'ns'), NOW_US)
  t.match(
    onlyReason(t, 'm f=1 9223372036854775807', 'ns'),
    /^column 7: expected a time in ns within 285 years of 1970/,
  )
  t.match(onlyReason(t, 'm f=1 9007199254740992', 'us'), /285 years/)
  t.match(
    onlyReason(t, 'm f=1 92233720368547758070', 'ns'),
    /expected the time as an integer in ns/,
  )
})

test('blank lines, comments, blanks and CRLF are no matter', async (t) => {
  const { points, bad } = decode(
    '# a "comment\r\n\r\n  \t\n  m  f=1,g="x"  3  \r\n#\nm,t=v  f=2\r\nm f=t\n# end',
  )
  t.strictSame(bad, [])
  t.strictSame(
    points.map(({ line, point }) => [line, point.tags, point.fields, point.timeUs]),
    [
      [4, {}, { f: 1, g: 'x' }, 3],
      [6, { t: 'v' }, { f: 2 }, NOW_US],
      [7, {}, { f: true }, NOW_US],
    ],
  )
})

test('a bad line is named by line and column, and the good ones around it stay', async (t) => {
  const { points, bad } = decode(
    'm f=1 1\nm,t f=1 2\nm f="two\nlines" 3\nm f=1,g="x\ny",h=abc 4\nm f=1 5\n',
  )
  t.strictSame(
    points.map(({ line, point }) => [line, point.timeUs]),
    [
      [1, 1],
      [3, 3],
      [7, 5],
    ],
  )
  t.strictSame(bad, [
    { line: 2, reason: 'column 4: expected = behind the key of a tag, got " f=1 2"' },
    {
      line: 5,
      reason:
        'line 6 column 6 (the point begins on line 5): expected a number, true, false or a string in double quotes, got "abc 4"',
    },
  ])
})

test('every kind of bad line has a reason that says what was expected and where', async (t) => {
  for (const [line, reason] of BAD_LINES) {
    t.equal(onlyReason(t, line), reason, line)
    const { points, bad } = decode(`m f=1 1\n${line}\nm f=1 2\n`)
    t.equal(bad[0]?.line, 2)
    t.strictSame(
      points.map(({ point }) => point.timeUs),
      [1, 2],
      `the lines around ${line} are kept`,
    )
  }
})

test('a line break in a string of a bad line cannot start a point of its own', async (t) => {
  const { points, bad } = decode(
    'm,t f="x\nadmin granted=1i 5\n" 1\nm f=1,f2=no,f3="x\nadmin granted=1i 5\n" 1\nm f=1 7',
  )
  t.strictSame(
    points.map(({ line, point }) => [line, point.name, point.timeUs]),
    [[7, 'm', 7]],
  )
  t.strictSame(
    bad.map(({ line }) => line),
    [1, 4],
  )
})

test('more points than allowed are not read, and that is said', async (t) => {
  const { points, bad } = decode('m f=1 1\nbad\nm f=1 3\n\nm f=1 5\nm f=1 6\n', 'us', 3)
  t.equal(points.length, 2)
  t.strictSame(bad[1], {
    line: 5,
    reason: 'more than 3 points at once: this line and all behind it were not read',
  })
  t.equal(bad.length, 2)
  t.strictSame(decode('m f=1 1\n# end\n\n', 'us', 1).bad, [], 'exactly as many are allowed')
})

test('keys that mean something to JavaScript are harmless', async (t) => {
  const { points, bad } = decode(
    'm,__proto__=x f=1 1\nm __proto__=1 2\nm,constructor=x,toString=y f=1,hasOwnProperty=t,valueOf="v" 3\n__proto__ f=1 4\n',
  )
  t.equal(bad.length, 2)
  t.match(bad[0]?.reason, /^column 3: expected another key for a tag, got "__proto__=x/)
  t.strictSame(points[0]?.point.tags, { constructor: 'x', toString: 'y' })
  t.strictSame(Object.keys(points[0]?.point.fields ?? {}), ['f', 'hasOwnProperty', 'valueOf'])
  t.equal(points[1]?.point.name, '__proto__')
  t.strictSame(Object.keys(Object.prototype), [])
})

test('garbage takes time in proportion to its length', async (t) => {
  const LENGTH = 1_000_000
  const fields = Array.from({ length: 200_000 }, (_, index) => `f${index}=1`).join(',')
  const cases = [
    ','.repeat(LENGTH),
    'm' + ','.repeat(LENGTH),
    'm,' + 'a=b,'.repeat(LENGTH / 4),
    'm f=1' + ','.repeat(LENGTH),
    `m ${fields} 1`,
    '\\'.repeat(LENGTH),
    'm f="' + '\\'.repeat(LENGTH),
    'm f="\n'.repeat(LENGTH / 6) + 'm f=1',
    'm f="\\"\n'.repeat(LENGTH / 8) + 'm f=1',
    'm,t f="\n'.repeat(LENGTH / 8),
    'm f=x,g="\n'.repeat(LENGTH / 8),
    'm f="x" "\n'.repeat(LENGTH / 8),
    'm f=' + '1'.repeat(LENGTH),
    'm f=1.' + '1'.repeat(LENGTH) + 'e5',
    'm f=1 ' + '1'.repeat(LENGTH),
    '"'.repeat(LENGTH),
    '="'.repeat(LENGTH / 2),
    ' '.repeat(LENGTH) + 'x',
    '\n'.repeat(LENGTH) + 'x',
    '\r'.repeat(LENGTH) + 'x',
    'm f=1' + '\r'.repeat(LENGTH) + 'x',
    '#\n'.repeat(LENGTH / 2),
    'm f=1\n'.repeat(LENGTH / 6),
  ]
  for (const [index, text] of cases.entries()) {
    const start = performance.now()
    const { points, bad } = decode(text, 'us', LENGTH)
    const tookMs = performance.now() - start
    t.ok(
      tookMs < 3000,
      `case ${index}: ${Math.round(tookMs)} ms, ${points.length} points, ${bad.length} bad lines`,
    )
  }
})

test('any point that is encoded comes back as it was', async (t) => {
  const random = seeded(1)
  const points: Measurement[] = []
  for (let round = 0; round < 20_000; round++) {
    const tags: Record<string, string> = {}
    for (const key of ['site', 'agent', 'codec', nastyText(random)]) {
      const value = sanitiseTag(nastyText(random))
      const clean = sanitiseTag(key.replaceAll('\\', ''))
      if (value !== '' && clean !== '') tags[clean] = value
    }
    const fields = {
      expected: Math.floor((random() - 0.5) * 2 * Number.MAX_SAFE_INTEGER),
      jitter_ms: (random() - 0.5) * 10 ** Math.floor(random() * 600 - 300) || 0,
      ended: random() < 0.5,
      src_ip: nastyText(random),
      dst_ip: nastyText(random),
    }
    points.push({
      name: 'rtp_stream',
      tags,
      fields,
      timeUs: Math.floor(random() * Number.MAX_SAFE_INTEGER),
    })
  }
  const { points: back, bad } = decode(encodeMeasurements(points))
  t.strictSame(bad, [])
  t.equal(back.length, points.length)
  const same = (one: DecodedPoint | undefined, other: DecodedPoint) =>
    JSON.stringify(one && { ...one, tags: Object.entries(one.tags).sort() }) ===
    JSON.stringify({ ...other, tags: Object.entries(other.tags).sort() })
  const changed = points.filter((point, index) => !same(back[index]?.point, point))
  t.strictSame(changed.slice(0, 3), [])
})

test('200,000 broken inputs neither throw nor yield a broken point', async (t) => {
  const random = seeded(2)
  const good =
    'rtp_stream,agent=gw\\ 1,site=h\\,q expected=500i,loss_ratio=0.03e-1,ended=false,ssrc="0x\\"\\\\\n" 1700000000000001\n'
  const alphabet = 'mtf1,= "\\\n\r\t#-.eiutTrue\u0000é'
  const pick = (text: string) => text.charAt(Math.floor(random() * text.length))
  let points = 0
  let bad = 0
  for (let round = 0; round < 200_000; round++) {
    let text = ''
    if (round % 3 === 0)
      for (let length = random() * 40; length > 0; length--) text += pick(alphabet)
    else if (round % 3 === 1)
      text = good.slice(random() * good.length) + good.slice(0, random() * good.length)
    else {
      const at = Math.floor(random() * good.length)
      text = good.slice(0, at) + pick(alphabet) + good.slice(at + Math.floor(random() * 3)) + good
    }
    const read = decode(text)
    points += read.points.length
    bad += read.bad.length
    const lines = text.split('\n').length
    for (const { line, point } of read.points)
      if (!isWhole(point) || line < 1 || line > lines)
        t.fail('a broken point', { text, point, line })
    for (const { line, reason } of read.bad)
      if (line < 1 || line > lines || !/column \d+.*: expected .*, got /.test(reason))
        t.fail('a broken complaint', { text, line, reason })
  }
  t.ok(points > 50_000 && bad > 50_000, `${points} points, ${bad} bad lines`)
})

test('a real influxd', { skip: missingInfluxd() }, async (t) => {
  const influxd = await startInfluxd()
  t.teardown(() => influxd.close())
  const url = `http://127.0.0.1:${influxd.port}`
  const write = async (body: string) =>
    (await fetch(`${url}/write?db=oracle&precision=u`, { method: 'POST', body })).status
  const query = async (text: string) => {
    const answer = await fetch(`${url}/query?db=oracle&epoch=u&q=${encodeURIComponent(text)}`)
    return ANSWER.parse(await answer.json()).results[0].series
  }
  await fetch(`${url}/query?q=CREATE+DATABASE+oracle`, { method: 'POST' })

  await t.test('stores what we write as we meant it', async (t) => {
    const random = seeded(3)
    const texts = [
      'C:\\dir\\x',
      'a\\,b',
      'a\\\\,b',
      'a\\ b',
      'a\\=b',
      'it\\\'s "q"',
      '\\"',
      '\\\\"',
      'x\ninjected,a=b v=666',
      'a\\\\',
      '#',
      ...Array.from({ length: 500 }, () => nastyText(random)),
    ]
    const points = texts.map((text, index): Measurement => {
      const tags = { site: text, agent: `number-${index}` }
      const fields = { src_ip: text, expected: index }
      return { name: 'rtp_stream', tags, fields, timeUs: NOW_US + index }
    })
    t.equal(await write(encodeMeasurements(points)), 204)
    const [series] = await query('SELECT expected, site, src_ip FROM rtp_stream')
    const rows = new Map(series?.values.map(([time, ...row]) => [time, row]))
    for (const [index, text] of texts.entries())
      t.strictSame(rows.get(NOW_US + index), [index, sanitiseTag(text) || null, text], shown(text))
    t.equal((await query('SHOW MEASUREMENTS'))[0]?.values.length, 1, 'nothing was injected')
  })

  await t.test('reads values as we read them', async (t) => {
    // InfluxDB 1.6 knows unsigned integers only when built for them.
    const values = VALUES.filter(([written]) => written !== '12u')
    const lines = values.map(([written], index) => `value,number=${index} f${index}=${written} 1\n`)
    t.equal(await write(lines.join('')), 204)
    for (const [index, [written, value]] of values.entries()) {
      const [series] = await query(`SELECT f${index} FROM value`)
      t.equal(series?.values[0]?.[1], value, written)
    }
  })

  await t.test('refuses what we refuse', async (t) => {
    for (const [line, reason] of BAD_LINES) {
      // It has integers of 64 bits, and takes "x"y for a longer string.
      if (reason.includes('2^53') || reason.includes('behind a string')) continue
      t.equal(await write(line), 400, line)
    }
  })
})

const ANSWER = z.object({
  results: z.tuple([
    z.object({
      series: z.array(z.object({ values: z.array(z.array(z.unknown())) })),
    }),
  ]),
})

/** In plain letters: a test's name must not break the report it stands in. */
function shown(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16)}`,
  )
}

function missingInfluxd(): string | false {
  return existsSync('/usr/bin/influxd') ? false : 'influxd is missing: apt-get install influxdb'
}

function isWhole({ name, tags, fields, timeUs }: DecodedPoint): boolean {
  return (
    name !== '' &&
    Object.entries(tags).every(([key, value]) => key !== '' && value !== '') &&
    Object.keys(fields).length > 0 &&
    Object.values(fields).every((value) => typeof value !== 'number' || Number.isFinite(value)) &&
    Number.isSafeInteger(timeUs)
  )
}

/** Text of the characters that hurt. */
function nastyText(random: () => number): string {
  const pieces = [
    '\\',
    '"',
    ',',
    '=',
    ' ',
    '\n',
    '\r',
    '\t',
    "'",
    '#',
    'é',
    '📞',
    'a',
    '0',
    'i',
    '\u0001',
    '\u2028',
  ]
  let text = ''
  for (let length = random() * 8; length > 0; length--)
    text += pieces[Math.floor(random() * pieces.length)] ?? ''
  return text
}

/** Numbers in 0..1, the same ones in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
