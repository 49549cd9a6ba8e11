import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { pino } from 'pino'
import tap, { test, type Test } from 'tap'
import { openStore, STORES, storeOptions, type StoreContext } from '../../collector/store/index.ts'
import { DuckDbStore } from '../../collector/store/duckdb-store.ts'
import { duckdbOptions } from '../../collector/store/options.ts'
import { NewestTimes } from '../../collector/store/newest-times.ts'
import type { Query, Series, Store } from '../../collector/store/store.ts'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { influxdMissing, startInfluxd } from '../support/influxd.ts'
import { storeContext } from '../support/store-context.ts'
import { everyField } from '../support/store-points.ts'

tap.setTimeout(120_000)
// What the kernel sends where a file would grow beyond `limitFiles`; unheard, it ends the process.
process.on('SIGXFSZ', () => undefined)

/** 2023-11-14 22:13:20 UTC, a whole multiple of 10 s. */
const START_US = 1_700_000_000_000_000
const SECOND_US = 1_000_000
const HOUR_US = 3600 * SECOND_US
const DAY_US = 24 * HOUR_US
const PATH = { site: 'hq', agent: 'gw-1', from: 'hq', to: 'carrier-b', at: 'hq-edge' }
const TEST_DURATION = { fromUs: START_US, toUs: START_US + HOUR_US }

const WRITER = fileURLToPath(new URL('../support/store-writer.ts', import.meta.url))
const TYPESCRIPT = fileURLToPath(new URL('../support/typescript.js', import.meta.url))

type Open = (context: StoreContext) => Promise<Store>

test('the embedded store keeps the contract', async (t) => {
  await contract(t, () => Promise.resolve((context) => openDuckDb(context)))
})

test('the InfluxDB store keeps the contract', async (t) => {
  if (influxdMissing !== undefined) {
    t.pass('contract', { skip: influxdMissing })
    return
  }
  const server = await startInfluxd()
  let databases = 0
  await contract(t, () => {
    const database = `contract${databases++}`
    const options = storeOptions.parse({ kind: 'influx', url: server.url, database })
    return Promise.resolve((context) => openStore(options, context))
  })
  await server.close()
})

/** What every store does. `fresh` gives a way to open one that is empty, and again with what was written. */
async function contract(t: Test, fresh: () => Promise<Open>): Promise<void> {
  const check = async (
    name: string,
    body: (t: Test, store: Store, reopened: () => Promise<Store>) => Promise<void>,
  ): Promise<void> => {
    await t.test(name, async (t) => {
      const context = await storeContext()
      const open = await fresh()
      let store = await open(context)
      // An open store holds the process: of a check that fails it must be closed too.
      t.teardown(async () => {
        await store.close()
        await context.remove()
      })
      await body(t, store, async () => {
        await store.close()
        store = await open(context)
        return store
      })
    })
  }

  await check(
    'every type of field comes back as it went in, what was absent as null',
    async (t, store) => {
      await store.write([
        measurement('rtp_stream', START_US + 1, PATH, {
          expected: 9_007_199_254_740_991,
          lost: -3,
          loss_ratio: 0.1,
          jitter_ms: 1e-9,
          first: true,
          ended: false,
          ssrc: '0x0000abcd',
          src_ip: 'back\\slash "quoted" it\\\'s, a=b é 電話 \\',
        }),
        // As the wire may bring it: measurement() makes no line of its own.
        {
          ...measurement('rtp_stream', START_US + 2, PATH, { expected: 0 }),
          fields: { expected: 0, src_ip: 'two\nlines' },
        },
      ])
      const raw = [
        'expected',
        'lost',
        'loss_ratio',
        'jitter_ms',
        'first',
        'ended',
        'ssrc',
        'src_ip',
      ]
      t.strictSame(
        await store.read({ measurement: 'rtp_stream', columns: { raw }, ...TEST_DURATION }),
        [
          {
            tags: {},
            timesUs: [START_US + 1, START_US + 2],
            values: {
              expected: [9_007_199_254_740_991, 0],
              lost: [-3, null],
              loss_ratio: [0.1, null],
              jitter_ms: [1e-9, null],
              first: [true, null],
              ended: [false, null],
              ssrc: ['0x0000abcd', null],
              src_ip: ['back\\slash "quoted" it\\\'s, a=b é 電話 \\', 'two\nlines'],
            },
          },
        ],
      )
    },
  )

  await check(
    '800 streams of one interval on one path, with every field, written twice, are 800 points with the right sums',
    async (t, store, reopened) => {
      const streams = Array.from({ length: 800 }, (_, index) =>
        measurement('rtp_stream', START_US + 10 * SECOND_US + index + 1, PATH, {
          ...everyField('rtp_stream', index),
          expected: 500,
          lost_unique: index % 4,
        }),
      )
      await store.write(streams)
      await store.write(streams)
      const query: Query = {
        measurement: 'rtp_stream',
        columns: [
          { as: 'streams', field: 'expected', aggregate: 'count' },
          { as: 'expected', field: 'expected', aggregate: 'sum' },
          { as: 'lost', field: 'lost_unique', aggregate: 'sum' },
        ],
        ...TEST_DURATION,
      }
      const expected = [
        {
          tags: {},
          timesUs: [START_US],
          values: { streams: [800], expected: [400_000], lost: [1200] },
        },
      ]
      t.strictSame(await store.read(query), expected)
      const again = await reopened()
      await again.write(streams)
      t.strictSame(await again.read(query), expected, 'the same after a restart')
    },
  )

  await check('of copies of a point the last written stays', async (t, store, reopened) => {
    const point = (second: number, sent: number): Measurement =>
      measurement(
        'ping',
        START_US + second * SECOND_US,
        { site: 'hq', agent: 'a', target: 'gw' },
        { sent },
      )
    const other = measurement(
      'ping',
      START_US + 2 * SECOND_US,
      { site: 'hq', agent: 'a' },
      { sent: 77 },
    )
    const query: Query = {
      measurement: 'ping',
      columns: { raw: ['sent'] },
      ...TEST_DURATION,
      groupBy: ['target'],
    }
    const values = async (from: Store): Promise<unknown> =>
      (await from.read(query)).map((one) => one.values['sent'])
    await store.write([point(1, 10), point(2, 20), point(2, 21), point(3, 30), other])
    t.strictSame(await values(store), [[77], [10, 21, 30]], 'within one batch')
    await store.write([point(2, 22), point(3, 31), point(4, 40), point(2, 23)])
    t.strictSame(await values(store), [[77], [10, 23, 31, 40]], 'in overlapping batches')
    await Promise.all([
      store.write([point(5, 50)]),
      store.write([point(5, 51)]),
      store.write([point(5, 52)]),
    ])
    t.strictSame(
      await values(store),
      [[77], [10, 23, 31, 40, 52]],
      'in batches that were under way together',
    )
    const again = await reopened()
    await again.write([point(1, 11), point(6, 60), point(0, 5)])
    t.strictSame(
      await values(again),
      [[77], [5, 11, 23, 31, 40, 52, 60]],
      'after a restart, and out of order',
    )
  })

  await check(
    'aggregates come in buckets aligned to 1970; buckets without points are absent',
    async (t, store) => {
      const at = (
        second: number,
        fields: Parameters<typeof measurement<'rtp_stream'>>[3],
      ): Measurement => measurement('rtp_stream', START_US + second * SECOND_US, PATH, fields)
      await store.write([
        at(3, { expected: 100, lost: -1, jitter_ms: 2, src_ip: 'a', first: true }),
        at(7, { expected: 300, lost: 4, jitter_ms: 3, src_ip: 'b', first: false }),
        at(9, { expected: 50 }),
        at(25, { expected: 7 }),
        at(26, { jitter_ms: 5.5 }),
        at(31, { src_ip: 'c' }),
      ])
      const query: Query = {
        measurement: 'rtp_stream',
        columns: [
          { as: 'sum', field: 'expected', aggregate: 'sum' },
          { as: 'min', field: 'lost', aggregate: 'min' },
          { as: 'max', field: 'lost', aggregate: 'max' },
          { as: 'mean', field: 'jitter_ms', aggregate: 'mean' },
          { as: 'n', field: 'lost', aggregate: 'count' },
          { as: 'first', field: 'expected', aggregate: 'first' },
          { as: 'last', field: 'first', aggregate: 'last' },
        ],
        fromUs: START_US + 2 * SECOND_US,
        toUs: START_US + 40 * SECOND_US,
        everyUs: 10 * SECOND_US,
      }
      t.strictSame(await store.read(query), [
        {
          tags: {},
          timesUs: [START_US, START_US + 20 * SECOND_US],
          values: {
            sum: [450, 7],
            min: [-1, null],
            max: [4, null],
            mean: [2.5, 5.5],
            n: [2, 0],
            first: [100, 7],
            last: [false, null],
          },
        },
      ])
      const whole: Query = {
        measurement: 'rtp_stream',
        columns: [{ as: 'x', field: 'expected', aggregate: 'last' }],
        fromUs: START_US + 2 * SECOND_US,
        toUs: START_US + 40 * SECOND_US,
      }
      t.strictSame(
        await store.read(whole),
        [{ tags: {}, timesUs: [START_US + 2 * SECOND_US], values: { x: [7] } }],
        'one row over the whole time',
      )
      t.strictSame(
        await store.read({ ...whole, fromUs: START_US + 31 * SECOND_US }),
        [],
        'nothing measured, no series',
      )
    },
  )

  await check(
    'tags choose points and make series; an absent tag is an empty one',
    async (t, store) => {
      const names = [
        'plain',
        "it's",
        'a "b"',
        'x,y=z w',
        'back\\slash',
        "'; DROP TABLE ping; --",
        '電話',
        "\\'",
      ]
      await store.write(
        ['', ...names].map((target, index) =>
          measurement(
            'ping',
            START_US + index,
            { site: 'hq', agent: index % 2 === 0 ? 'even' : 'odd', target },
            { sent: index },
          ),
        ),
      )
      const query: Query = {
        measurement: 'ping',
        columns: { raw: ['sent'] },
        ...TEST_DURATION,
        groupBy: ['target'],
      }
      for (const [index, target] of names.entries()) {
        const series = [
          { tags: { target }, timesUs: [START_US + index + 1], values: { sent: [index + 1] } },
        ]
        t.strictSame(await store.read({ ...query, where: { target: [target] } }), series, target)
      }
      t.strictSame(await store.read({ ...query, where: { target: [''] } }), [
        { tags: { target: '' }, timesUs: [START_US], values: { sent: [0] } },
      ])
      const either = await store.read({
        ...query,
        where: { target: ['', 'plain', 'unheard of'], site: ['hq'] },
      })
      t.strictSame(
        either.map(({ tags }) => tags),
        [{ target: '' }, { target: 'plain' }],
      )
      t.strictSame(await store.read({ ...query, where: { target: [] } }), [], 'none of no values')
      const [all] = await store.read({ ...query, groupBy: [] })
      t.strictSame(
        all?.values['sent'],
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
        'without groupBy it is one series',
      )
      const two = await store.read({
        ...query,
        groupBy: ['agent', 'site'],
        columns: [{ as: 'n', field: 'sent', aggregate: 'count' }],
      })
      t.strictSame(two, [
        { tags: { agent: 'even', site: 'hq' }, timesUs: [START_US], values: { n: [5] } },
        { tags: { agent: 'odd', site: 'hq' }, timesUs: [START_US], values: { n: [4] } },
      ])
    },
  )

  await check('from and to as tags are only names', async (t, store) => {
    await store.write([
      measurement(
        'path',
        START_US,
        { site: 'hq', agent: 'collector', from: 'a', to: 'b', at: 'c', bearer: 'lan' },
        { expected: 4, verdict: 'ok' },
      ),
      measurement('event', START_US, { from: 'a', to: 'b' }, { title: 'over' }),
    ])
    const where = { from: ['a'], to: ['b'] }
    const path = await store.read({
      measurement: 'path',
      columns: { raw: ['verdict'] },
      ...TEST_DURATION,
      where,
      groupBy: ['from', 'to', 'at'],
    })
    t.strictSame(path, [
      { tags: { from: 'a', to: 'b', at: 'c' }, timesUs: [START_US], values: { verdict: ['ok'] } },
    ])
    const event = await store.read({
      measurement: 'event',
      columns: { raw: ['title'] },
      ...TEST_DURATION,
      where,
    })
    t.strictSame(event, [{ tags: {}, timesUs: [START_US], values: { title: ['over'] } }])
  })

  await check(
    'the begin belongs to the time asked for, the end does not; of too many rows the newest stay',
    async (t, store) => {
      await store.write(
        Array.from({ length: 10 }, (_, index) =>
          measurement(
            'ping',
            START_US + index,
            { site: 'hq', agent: 'a', target: index < 5 ? 'p' : 'q' },
            { sent: index },
          ),
        ),
      )
      const query: Query = {
        measurement: 'ping',
        columns: { raw: ['sent'] },
        fromUs: START_US + 2,
        toUs: START_US + 8,
      }
      const values = async (query: Query): Promise<unknown> =>
        (await store.read(query)).map((one) => one.values['sent'])
      t.strictSame(await values(query), [[2, 3, 4, 5, 6, 7]])
      t.strictSame(await values({ ...query, limit: 2 }), [[6, 7]])
      t.strictSame(await values({ ...query, groupBy: ['target'], limit: 4 }), [[4], [5, 6, 7]])
      const buckets: Query = {
        ...query,
        columns: [{ as: 'sent', field: 'sent', aggregate: 'sum' }],
        everyUs: 2,
        groupBy: ['target'],
      }
      t.strictSame(await values({ ...buckets, limit: 3 }), [[4], [5, 13]])
      t.strictSame(await values({ ...query, toUs: query.fromUs }), [])
    },
  )

  await check('a query that cannot be right is refused with its reason', async (t, store) => {
    const query: Query = { measurement: 'ping', columns: { raw: ['sent'] }, ...TEST_DURATION }
    const sum = (field: string): Query => ({
      ...query,
      columns: [{ as: 'x', field, aggregate: 'sum' }],
    })
    const bad: readonly (readonly [Query, RegExp])[] = [
      [{ ...query, columns: { raw: ['sent"'] } }, /no field "sent""/],
      [{ ...query, columns: { raw: [] } }, /no columns/],
      [{ ...query, columns: { raw: ['sent', 'sent'] } }, /twice/],
      [sum('reason'), /sum of reason, which is a string/],
      [sum('toString'), /no field/],
      [{ ...query, groupBy: ['time'] }, /no tag "time"/],
      [{ ...query, where: { 'x" OR 1=1': ['1'] } }, /no tag/],
      [{ ...query, fromUs: NaN }, /whole numbers/],
      [{ ...query, limit: 0 }, /must not be 0/],
      [{ ...query, everyUs: 1 }, /raw points have no buckets/],
    ]
    for (const [wrong, message] of bad) {
      await t.rejects(store.read(wrong), { name: 'PermanentError', code: 'bad-query', message })
    }
    await t.rejects(
      store.write([{ name: 'ping', tags: {}, fields: { sent: 1 }, timeUs: NaN }]),
      PermanentError,
    )
  })

  await check(
    'an answer of more than 50,000 rows is refused before it fills the memory',
    async (t, store) => {
      for (let start = 0; start <= 50_000; start += 2500) {
        await store.write(
          Array.from({ length: 2500 }, (_, index) =>
            measurement('ping', START_US + start + index, { site: 'hq', agent: 'a' }, { sent: 1 }),
          ),
        )
      }
      const query: Query = { measurement: 'ping', columns: { raw: ['sent'] }, ...TEST_DURATION }
      const refusal = { name: 'PermanentError', code: 'too-many-rows' }
      await t.rejects(store.read(query), refusal)
      await t.rejects(store.read({ ...query, limit: 50_001 }), refusal)
      t.equal((await store.read({ ...query, limit: 50_000 }))[0]?.timesUs.length, 50_000)
      t.equal((await store.read({ ...query, toUs: START_US + 50_000 }))[0]?.timesUs.length, 50_000)
    },
  )

  await check('hundreds of small writes at a time are all there', async (t, store) => {
    await store.write([])
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        store.write([
          measurement(
            'ping',
            START_US + index,
            { site: 'hq', agent: `a${index % 7}`, target: 'x' },
            { sent: 1 },
          ),
          measurement('host', START_US + index, { site: 'hq', agent: 'a' }, { load_ratio: 0.5 }),
        ]),
      ),
    )
    const count = async (measurement: 'ping' | 'host', field: string): Promise<unknown> =>
      (
        await store.read({
          measurement,
          columns: [{ as: 'n', field, aggregate: 'count' }],
          ...TEST_DURATION,
        })
      )[0]?.values['n']
    t.strictSame(await count('ping', 'sent'), [300])
    t.strictSame(await count('host', 'load_ratio'), [300])
    t.strictSame(await store.ready(), { ok: true })
  })

  await check('closed it refuses, and closing again is no fault', async (t, store) => {
    await store.close()
    await store.close()
    await t.rejects(store.write([ping(0)]), TransientError)
    await t.rejects(
      store.read({ measurement: 'ping', columns: { raw: ['sent'] }, ...TEST_DURATION }),
      TransientError,
    )
    t.equal((await store.ready()).ok, false)
  })
}

test('the options of every store are in the list, and a wrong kind is named', async (t) => {
  t.strictSame(
    STORES.map(({ name }) => name),
    ['duckdb', 'influx'],
  )
  t.strictSame(storeOptions.parse({ kind: 'duckdb', 'memory-limit': '128MiB', retention: '7d' }), {
    kind: 'duckdb',
    'memory-limit': 134_217_728,
    retention: 604_800_000,
  })
  const complaint = (value: unknown): unknown =>
    storeOptions.safeParse(value).error?.issues[0]?.message
  t.equal(complaint({ kind: 'sqlite' }), 'expected kind: duckdb or kind: influx')
  t.equal(complaint({ kind: 'duckdb', 'memory-limit': '1MiB' }), 'expected at least 48MiB')
  t.equal(
    complaint({ kind: 'influx', url: 'http://db:8086', password: 'x' }),
    'expected a username beside the password',
  )
})

test('what the store knows of newest times never calls a point new that was there', (t) => {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const nowUs = 1_000_000
  const newest = new NewestTimes(0, 20)
  const written = new Set<string>()
  let called = 0
  for (let step = 0; step < 20_000; step++) {
    const series = random(60)
    const timeUs = (series < 3 ? nowUs + 5 * HOUR_US : 0) + step + random(50)
    const isNew = newest.advance(series, timeUs, nowUs)
    if (isNew) called++
    if (isNew && written.has(`${series} ${timeUs}`))
      t.fail(`series ${series} at ${timeUs} was there`)
    written.add(`${series} ${timeUs}`)
  }
  t.ok(called > 5000, `${called} of 20,000 found without a look into the store`)
  t.end()
})

test('a store killed at any moment has every batch it acknowledged, and each whole or not at all', async (t) => {
  const context = await storeContext()
  const acknowledged: number[] = []
  for (const [round, wanted] of [1, 40, 200].entries()) {
    const child = spawn(
      process.execPath,
      ['--import', TYPESCRIPT, WRITER, context.folder, String(round * 100_000)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let count = 0
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(Number(line))
      if (++count === wanted) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    t.equal(child.signalCode, 'SIGKILL')
  }
  const store = await openDuckDb(context)
  const [series] = await store.read({
    measurement: 'ping',
    columns: { raw: ['sent'] },
    fromUs: START_US,
    toUs: START_US + HOUR_US,
  })
  const points = new Map<unknown, number>()
  for (const batch of series?.values['sent'] ?? []) points.set(batch, (points.get(batch) ?? 0) + 1)
  t.strictSame(
    acknowledged.filter((batch) => points.get(batch) !== 50),
    [],
    `${acknowledged.length} batches`,
  )
  t.strictSame(
    [...points.values()].filter((count) => count !== 50),
    [],
  )
  await store.close()
  await context.remove()
})

test('a file in use or unreadable is named together with the remedy', async (t) => {
  const context = await storeContext()
  const child = spawn(process.execPath, ['--import', TYPESCRIPT, WRITER, context.folder, '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await t.rejects(openDuckDb(context), {
    name: 'PermanentError',
    code: 'store-locked',
    message: /measurements\.duckdb is in use by another process/,
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await context.remove()

  await mkdir(context.folder)
  await writeFile(join(context.folder, 'measurements.duckdb'), 'not a database, '.repeat(1000))
  await t.rejects(openDuckDb(context), {
    name: 'PermanentError',
    code: 'store-corrupt',
    message: /measurements\.duckdb cannot be read: restore it/,
  })
  await context.remove()
})

test('a database of an older version gets the columns it lacks and keeps its points', async (t) => {
  const context = await storeContext()
  const instance = await DuckDBInstance.create(join(context.folder, 'measurements.duckdb'))
  const connection = await instance.connect()
  await connection.run(
    `CREATE TABLE ping ("sent" BIGINT, "dropped_long_ago" DOUBLE, "agent" VARCHAR, "time" TIMESTAMP, "site" VARCHAR)`,
  )
  await connection.run(`INSERT INTO ping VALUES (3, 1.5, 'a', make_timestamp(${START_US}), 'hq')`)
  connection.closeSync()
  instance.closeSync()

  const store = await openDuckDb(context)
  const tags = { site: 'hq', agent: 'a' }
  await store.write([
    measurement('ping', START_US, tags, { sent: 4 }),
    measurement('ping', START_US, { ...tags, target: 'gw' }, { sent: 5, received: 5 }),
  ])
  const series = await store.read({
    measurement: 'ping',
    columns: { raw: ['sent', 'received'] },
    ...TEST_DURATION,
    groupBy: ['target'],
  })
  t.strictSame(series, [
    { tags: { target: '' }, timesUs: [START_US], values: { sent: [4], received: [null] } },
    { tags: { target: 'gw' }, timesUs: [START_US], values: { sent: [5], received: [5] } },
  ])
  await store.close()
  await context.remove()
})

test('a large database of the first version, with its large blocks and few columns, takes what is written now', async (t) => {
  const context = await storeContext()
  const path = join(context.folder, 'measurements.duckdb')
  const instance = await DuckDBInstance.create(path, { default_block_size: '262144' })
  const connection = await instance.connect()
  await connection.run(
    `CREATE TABLE rtp_stream AS SELECT make_timestamp(${START_US} + range * 1000) AS "time", 'hq' AS site, 'gw-1' AS agent,
      (range % 3)::BIGINT AS lost_unique, 500::BIGINT AS expected, random() AS jitter_ms FROM range(300000)`,
  )
  connection.closeSync()
  instance.closeSync()

  let store = await openDuckDb(context)
  t.teardown(async () => {
    await store.close()
    await context.remove()
  })
  const query: Query = {
    measurement: 'rtp_stream',
    columns: [
      { as: 'n', field: 'expected', aggregate: 'count' },
      { as: 'expected', field: 'expected', aggregate: 'sum' },
      { as: 'octets', field: 'octets', aggregate: 'count' },
    ],
    ...TEST_DURATION,
  }
  for (let round = 0; round < 20; round++) {
    const points = Array.from({ length: 2000 }, (_, index) =>
      measurement('rtp_stream', START_US + 600 * SECOND_US + round * 2000 + index, PATH, {
        ...everyField('rtp_stream', index),
        expected: 500,
      }),
    )
    await store.write(points)
    if (round === 19) await store.write(points)
  }
  const expected = { n: [340_000], expected: [170_000_000], octets: [40_000] }
  t.strictSame((await store.read(query))[0]?.values, expected)
  await store.close()
  store = await openDuckDb(context)
  t.strictSame((await store.read(query))[0]?.values, expected, 'the same after a restart')
})

test('a full disk refuses writes, keeps what it took, and goes on when there is room again', async (t) => {
  const context = await storeContext()
  const store = await openDuckDb(context)
  const first = Array.from({ length: 5000 }, (_, index) => ping(index))
  const second = Array.from({ length: 2000 }, (_, index) => ping(5000 + index))
  await store.write(first)
  limitFiles((await stat(join(context.folder, 'measurements.duckdb.wal'))).size)
  await t.rejects(store.write(second), { name: 'TransientError', code: 'store-failed' })
  t.equal((await store.ready()).ok, false)
  t.strictSame(await sums(store), { n: 5000, sent: 12_497_500 }, 'nothing half written')
  limitFiles('unlimited')
  t.strictSame(await store.ready(), { ok: true })
  await store.write(second)
  t.strictSame(await sums(store), { n: 7000, sent: 24_496_500 })
  await store.close()
  await context.remove()
})

test('a disk that fills up while the log is folded in loses nothing that was acknowledged', async (t) => {
  const context = await storeContext()
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(line) })
  let store = await openDuckDb(context)
  await store.write(Array.from({ length: 20_000 }, (_, index) => ping(index)))
  await store.close()
  store = await openDuckDb({ ...context, log })
  limitFiles((await stat(join(context.folder, 'measurements.duckdb'))).size)
  await store.write(Array.from({ length: 1000 }, (_, index) => ping(20_000 + index)))
  // Points older than the retention, so that there is something to delete and to fold in.
  await store.write(
    Array.from({ length: 3000 }, (_, index) => ({ ...ping(index), timeUs: 1 + index })),
  )
  await store.expire()
  t.match(logged.join(''), /checkpoint.*retention not done/i)
  limitFiles('unlimited')
  await store.write([ping(21_000)])
  t.match(logged.join(''), /opened anew/)
  t.strictSame(await store.ready(), { ok: true })
  t.strictSame(await sums(store), { n: 21_001, sent: 220_510_500 })
  await store.close()
  await context.remove()
})

test('points strewn over years and sent twice are there once', async (t) => {
  const context = await storeContext()
  const store = await openDuckDb(context)
  const strewn = Array.from({ length: 500 }, (_, day) => ({
    ...ping(1),
    timeUs: START_US - day * 24 * HOUR_US,
  }))
  await store.write(strewn)
  await store.write(strewn)
  const [series] = await store.read({
    measurement: 'ping',
    columns: [{ as: 'n', field: 'sent', aggregate: 'count' }],
    fromUs: 0,
    toUs: START_US + HOUR_US,
  })
  t.strictSame(series?.values, { n: [500] })
  await store.close()
  await context.remove()
})

test('a store whose folder somebody deleted begins a new one, which nobody else may read', async (t) => {
  const context = await storeContext()
  const store = await openDuckDb(context)
  await store.write([ping(0)])
  await rm(context.folder, { recursive: true })
  await store.write([ping(1), ping(2)])
  t.strictSame(await store.ready(), { ok: true })
  t.strictSame(await sums(store), { n: 2, sent: 3 }, 'what was in it is gone')
  t.equal((await stat(context.folder)).mode & 0o777, 0o700)
  await store.close()
  const again = await openDuckDb(context)
  t.strictSame(await sums(again), { n: 2, sent: 3 })
  await again.close()
  await context.remove()
})

test('points beyond the retention go, and the file does not grow for ever', async (t) => {
  const context = await storeContext()
  let nowUs = START_US
  const options = duckdbOptions.parse({ kind: 'duckdb', retention: '2d' })
  const store = await DuckDbStore.open(options, { ...context, nowUs: () => nowUs })
  const sizes: number[] = []
  for (let day = 0; day < 10; day++) {
    const points = Array.from({ length: 20_000 }, (_, index) =>
      measurement(
        'ping',
        nowUs + index,
        { site: 'hq', agent: 'a' },
        { sent: index, round_trip_p50_ms: (index * 7919) % 10_007 },
      ),
    )
    await store.write(points)
    nowUs += DAY_US
    await store.expire()
    sizes.push((await stat(join(context.folder, 'measurements.duckdb'))).size)
  }
  const [series] = await store.read({
    measurement: 'ping',
    columns: [{ as: 'n', field: 'sent', aggregate: 'count' }],
    fromUs: START_US,
    toUs: nowUs,
    everyUs: DAY_US,
  })
  t.strictSame(series?.values['n'], [20_000, 20_000], 'two days are left')
  const [third = 0] = sizes.slice(2)
  t.ok(Math.max(...sizes) <= 2 * third, sizes.join(' '))
  await store.close()
  await context.remove()
})

async function openDuckDb(context: StoreContext): Promise<DuckDbStore> {
  return await DuckDbStore.open(
    duckdbOptions.parse({ kind: 'duckdb', retention: '9999d' }),
    context,
  )
}

function ping(number: number): Measurement {
  return measurement(
    'ping',
    START_US + number * 1000,
    { site: 'hq', agent: 'a', target: `t${number % 10}` },
    {
      sent: number,
      round_trip_p50_ms: (number * 7919) % 10_007,
      reason: `number ${number}`,
    },
  )
}

async function sums(store: Store): Promise<unknown> {
  const [series]: readonly Series[] = await store.read({
    measurement: 'ping',
    columns: [
      { as: 'n', field: 'sent', aggregate: 'count' },
      { as: 'sent', field: 'sent', aggregate: 'sum' },
    ],
    fromUs: START_US,
    toUs: START_US + HOUR_US,
  })
  return { n: series?.values['n']?.[0], sent: series?.values['sent']?.[0] }
}

/** The largest file this process may write from now on: to the store, a full disk. */
function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
}
