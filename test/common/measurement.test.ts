import { test } from 'tap'
import {
  complaintAbout,
  definitionOf,
  isMeasurementName,
  measurement,
  measurementNames,
  sanitiseTag,
} from '../../common/measurement.ts'

const TIME_US = 1_700_000_000_000_000

test('what was not measured is absent', async (t) => {
  t.strictSame(
    measurement(
      'ping',
      TIME_US,
      { site: 'hq', agent: undefined, target: '' },
      {
        sent: 10,
        received: 0,
        loss_ratio: NaN,
        round_trip_min_ms: undefined,
        round_trip_max_ms: Infinity,
      },
    ),
    { name: 'ping', tags: { site: 'hq' }, fields: { sent: 10, received: 0 }, timeUs: TIME_US },
  )
})

test('the compiler knows every measurement, tag and type', async (t) => {
  // @ts-expect-error -- no such measurement
  measurement('pong', TIME_US, {}, {})
  // @ts-expect-error -- no such tag
  measurement('ping', TIME_US, { colour: 'red' }, {})
  // @ts-expect-error -- no such field
  measurement('ping', TIME_US, {}, { colour: 1 })
  // @ts-expect-error -- a number
  measurement('ping', TIME_US, {}, { sent: '10' })
  t.ok(isMeasurementName('rtp_stream'))
  t.notOk(isMeasurementName('constructor'))
  t.ok(measurementNames().includes('ups'))
})

test('tags and strings are cleaned on the way in', async (t) => {
  const { tags, fields } = measurement(
    'ups',
    TIME_US,
    { site: 'a\nups,x=y charge_ratio=1', target: 'C:\\ups\\' },
    { status: 'x'.repeat(5000), reason: `${'x'.repeat(1023)}📞` },
  )
  t.strictSame(tags, { site: 'a ups,x=y charge_ratio=1', target: 'C:\\ups' })
  t.equal(fields['status'], 'x'.repeat(1024))
  t.equal(fields['reason'], 'x'.repeat(1023), 'a character is not cut in two')
})

test('a tag has no control characters, no blanks around it, no trailing backslash, and an end', async (t) => {
  for (const [value, clean] of [
    ['plain', 'plain'],
    ['', ''],
    [' \t\r\n', ''],
    ['a\r\nb', 'a b'],
    ['a\u0000\u001b[31mb\u007f\u0085c\u2028d', 'a [31mb c d'],
    ['  a b  ', 'a b'],
    ['a\\', 'a'],
    ['a\\\\ \\', 'a'],
    ['a\\\n', 'a'],
    ['\\', ''],
    ['a\\b', 'a\\b'],
    ['x'.repeat(200), 'x'.repeat(128)],
    [`${'x'.repeat(127)}📞`, 'x'.repeat(127)],
    [`${'x'.repeat(126)}📞📞`, `${'x'.repeat(126)}📞`],
    [`${'x'.repeat(127)}\\y`, 'x'.repeat(127)],
    ['é=,"', 'é=,"'],
  ] as const) {
    t.equal(sanitiseTag(value), clean)
    t.equal(sanitiseTag(clean), clean, 'once is enough')
  }
})

test('cleaning a hostile tag takes no time', async (t) => {
  const start = performance.now()
  sanitiseTag('\\ '.repeat(5_000_000))
  sanitiseTag('\n'.repeat(5_000_000))
  t.ok(performance.now() - start < 1000)
})

test('a point that does not fit the vocabulary is told why', async (t) => {
  const good = {
    name: 'ping',
    tags: { site: 'hq', agent: 'a', target: 't' },
    fields: { sent: 1 },
    timeUs: TIME_US,
  }
  t.equal(complaintAbout(good), undefined)
  t.equal(
    complaintAbout({ ...good, fields: { sent: 1, colour: 'red' } }),
    undefined,
    'an unknown field is no fault',
  )
  for (const [change, complaint] of [
    [{ name: 'pong' }, 'unknown measurement "pong"'],
    [{ name: 'toString' }, 'unknown measurement "toString"'],
    [{ name: '__proto__' }, 'unknown measurement "__proto__"'],
    [{ tags: { colour: 'red' } }, 'ping has no tag "colour"'],
    [{ tags: { constructor: 'red' } }, 'ping has no tag "constructor"'],
    [{ tags: { site: 'x'.repeat(129) } }, 'tag site is longer than 128 characters'],
    [{ fields: {} }, 'no field that ping knows'],
    [{ fields: { constructor: 1 } }, 'no field that ping knows'],
    [{ fields: { sent: 1.5 } }, 'field sent must be integer, got 1.5'],
    [{ fields: { sent: 'ten' } }, 'field sent must be integer, got a string'],
    [{ fields: { sent: true } }, 'field sent must be integer, got true'],
    [{ fields: { sent: 2 ** 53 } }, 'field sent must be integer, got 9007199254740992'],
    [{ fields: { loss_ratio: Infinity } }, 'field loss_ratio must be float, got Infinity'],
    [{ timeUs: 0 }, 'time out of range'],
    [{ timeUs: 1.5 }, 'time out of range'],
    [{ timeUs: NaN }, 'time out of range'],
    [{ timeUs: Number.MAX_SAFE_INTEGER }, 'time out of range'],
  ] as const)
    t.equal(complaintAbout({ ...good, ...change }), complaint, complaint)
})

test('every name of the vocabulary is snake_case, explained, and either a tag or a field', async (t) => {
  for (const measurementName of measurementNames()) {
    const { meaning, tags, fields } = definitionOf(measurementName)
    t.ok(meaning.length > 10, measurementName)
    for (const key of [measurementName, ...Object.keys(tags), ...Object.keys(fields)])
      t.match(key, /^[a-z][a-z0-9_]*$/, `${measurementName} ${key}`)
    t.ok(Object.keys(fields).length > 0)
    for (const key of ['site', 'agent', ...Object.keys(tags)])
      t.notOk(Object.hasOwn(fields, key), `${measurementName}: ${key} is not a field as well`)
  }
})
