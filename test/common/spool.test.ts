import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import tap, { test, type Test } from 'tap'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { Spool, type SpoolOptions } from '../../common/spool.ts'

tap.setTimeout(120_000)

const MIB = 1024 * 1024
/** Of a frame before its payload, see spool-frame.ts. */
const HEADER_BYTES = 36

async function newFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spool-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

async function openSpool(t: Test, folder: string, options: Partial<SpoolOptions> = {}) {
  const spool = await Spool.open({ folder, maxBytes: 10 * MIB, ...options })
  t.teardown(() => spool.close())
  return spool
}

async function appendTexts(spool: Spool, texts: readonly string[], points = 1): Promise<void> {
  for (const text of texts) await spool.append(Buffer.from(text), points)
}

/** Peeks at and acknowledges everything. */
async function drain(spool: Spool): Promise<string[]> {
  const texts: string[] = []
  for (let record = await spool.peek(); record; record = await spool.peek()) {
    texts.push(Buffer.from(record.payload).toString())
    await spool.acknowledge(record.id)
  }
  return texts
}

async function segmentsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .map((name) => join(folder, name))
}

function numbered(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `record ${from + index}`)
}

test('records come back in the order they were appended, each until it is acknowledged', async (t) => {
  const spool = await openSpool(t, await newFolder(t))
  t.equal(await spool.peek(), undefined)
  await spool.append(Buffer.from('one'), 3)
  await spool.append(Buffer.from('two'), 4)
  t.match(spool.counters, { records: 2, points: 7, bytes: 2 * HEADER_BYTES + 6 })
  const one = await spool.peek()
  t.equal(Buffer.from(one?.payload ?? []).toString(), 'one')
  t.equal(one?.points, 3)
  t.equal(await spool.peek(), one, 'the same until it is acknowledged')
  await spool.acknowledge(one?.id ?? '')
  t.match(spool.counters, { records: 1, points: 4 })
  const two = await spool.peek()
  t.equal(Buffer.from(two?.payload ?? []).toString(), 'two')
  t.not(two?.id, one?.id)
  await spool.acknowledge(two?.id ?? '')
  t.equal(await spool.peek(), undefined)
  t.match(spool.counters, {
    records: 0,
    points: 0,
    droppedRecords: 0,
    corruptRecords: 0,
    writeErrors: 0,
  })
})

test('only the record peeked last can be acknowledged', async (t) => {
  const spool = await openSpool(t, await newFolder(t))
  await appendTexts(spool, ['one'])
  await t.rejects(spool.acknowledge('nonsense'), { name: 'PermanentError', code: 'spool-order' })
  const one = await spool.peek()
  await spool.acknowledge(one?.id ?? '')
  await t.rejects(spool.acknowledge(one?.id ?? ''), PermanentError)
})

test('a reader waits for the next record, and no longer than its signal', async (t) => {
  const spool = await openSpool(t, await newFolder(t))
  const waiting = spool.waitForRecord(new AbortController().signal)
  await appendTexts(spool, ['one'])
  await waiting
  await spool.waitForRecord(new AbortController().signal)
  t.same(await drain(spool), ['one'])
  const stop = new AbortController()
  const stopped = spool.waitForRecord(stop.signal)
  stop.abort()
  await t.rejects(stopped, { name: 'AbortError' })
  await t.rejects(spool.waitForRecord(AbortSignal.abort()), { name: 'AbortError' })
  const closed = t.rejects(spool.waitForRecord(new AbortController().signal), {
    name: 'AbortError',
  })
  await spool.close()
  await closed
  await t.rejects(spool.append(Buffer.from('late'), 1), { code: 'spool-closed' })
  await t.rejects(spool.peek(), { code: 'spool-closed' })
  await spool.close()
})

test('what is not acknowledged survives a restart under the same ids', async (t) => {
  const folder = await newFolder(t)
  const before = await openSpool(t, folder, { segmentBytes: 100 })
  await appendTexts(before, numbered(20), 2)
  const delivered = await before.peek()
  await before.acknowledge(delivered?.id ?? '')
  const inFlight = await before.peek()
  await before.close()

  const after = await openSpool(t, folder, { segmentBytes: 100 })
  t.match(after.counters, { records: 19, points: 38, corruptRecords: 0 })
  t.equal((await after.peek())?.id, inFlight?.id, 'delivered once more under its old id')
  await after.append(Buffer.from('new'), 1)
  t.same(await drain(after), [...numbered(19, 1), 'new'])
  await after.close()

  const ids = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const again = await openSpool(t, folder)
    t.equal(await again.peek(), undefined, 'what was acknowledged does not come back')
    await again.append(Buffer.from('x'), 1)
    const record = await again.peek()
    ids.add(record?.id ?? '')
    await again.acknowledge(record?.id ?? '')
    await again.close()
  }
  t.equal(ids.size, 3, 'an id is never used again')
})

test('acknowledged segments leave the disk', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder, { segmentBytes: 1000 })
  await appendTexts(spool, numbered(200))
  t.ok((await segmentsOf(folder)).length > 5)
  await drain(spool)
  t.equal((await segmentsOf(folder)).length, 1, 'but for the one being written')
  t.ok(spool.counters.bytes <= 1000)
})

test('appends made at once are all durable and in order, in few syncs', async (t) => {
  const spool = await openSpool(t, await newFolder(t))
  const texts = numbered(1000)
  await Promise.all(texts.map((text) => spool.append(Buffer.from(text), 1)))
  t.same(await drain(spool), texts)
})

test('over its limit the oldest segment goes, and its points are counted', async (t) => {
  const folder = await newFolder(t)
  const payload = Buffer.alloc(1000 - HEADER_BYTES)
  const spool = await openSpool(t, folder, { maxBytes: 10_000, segmentBytes: 2000 })
  for (let number = 0; number < 10; number++) {
    payload.write(String(number))
    await spool.append(payload, 10)
  }
  t.match(spool.counters, { records: 10, points: 100, bytes: 10_000, droppedRecords: 0 })
  await spool.append(payload, 10)
  t.match(spool.counters, {
    records: 9,
    points: 90,
    bytes: 9000,
    droppedRecords: 2,
    droppedPoints: 20,
  })
  const onDisk = await Promise.all(
    (await segmentsOf(folder)).map(async (path) => (await stat(path)).size),
  )
  t.equal(
    onDisk.reduce((total, size) => total + size, 0),
    9000,
  )
  t.equal(Buffer.from((await spool.peek())?.payload ?? []).toString('utf8', 0, 1), '2')
})

test('a record that is on its way when its segment is dropped is neither lost nor counted', async (t) => {
  const spool = await openSpool(t, await newFolder(t), { maxBytes: 10_000, segmentBytes: 2000 })
  const payload = Buffer.alloc(1000 - HEADER_BYTES)
  for (let number = 0; number < 10; number++) await spool.append(payload, 10)
  const onItsWay = await spool.peek()
  await spool.append(payload, 10)
  t.match(spool.counters, { records: 10, points: 100, droppedRecords: 1, droppedPoints: 10 })
  t.equal((await spool.peek())?.id, onItsWay?.id)
  await spool.acknowledge(onItsWay?.id ?? '')
  t.match(spool.counters, { records: 9, points: 90, droppedRecords: 1 })
  t.not((await spool.peek())?.id, onItsWay?.id)
  t.equal((await drain(spool)).length, 9)
})

test('a spool opened with a smaller limit drops down to it', async (t) => {
  const folder = await newFolder(t)
  const large = await openSpool(t, folder, { segmentBytes: 2000 })
  const payload = Buffer.alloc(1000 - HEADER_BYTES)
  for (let number = 0; number < 10; number++) await large.append(payload, 1)
  await large.close()
  const small = await openSpool(t, folder, { maxBytes: 5000 })
  t.match(small.counters, { records: 4, bytes: 4000, droppedRecords: 6 })
})

test('a record larger than the spool is refused', async (t) => {
  const spool = await openSpool(t, await newFolder(t), { maxBytes: 1000 })
  await t.rejects(spool.append(Buffer.alloc(1000), 1), {
    name: 'PermanentError',
    code: 'spool-record-too-large',
    message: 'a record of 1000 bytes does not fit the spool of 1000 bytes',
  })
  await spool.append(Buffer.alloc(1000 - HEADER_BYTES), 1)
  await spool.append(Buffer.alloc(1000 - HEADER_BYTES), 1)
  t.match(spool.counters, { records: 1, droppedRecords: 1, bytes: 1000 })
})

test('more appends at once than the spool can hold are refused, not kept in memory', async (t) => {
  const spool = await openSpool(t, await newFolder(t), { maxBytes: 10_000 })
  const appends = Array.from({ length: 20 }, () =>
    spool.append(Buffer.alloc(1000 - HEADER_BYTES), 1),
  )
  const results = await Promise.allSettled(appends)
  const refused = results.filter((result) => result.status === 'rejected')
  t.ok(refused.length > 0 && refused.length <= 10)
  t.match(refused[0]?.reason, { name: 'TransientError', code: 'spool-busy' })
  t.equal(spool.counters.records, 20 - refused.length)
})

test('a segment cut off anywhere gives every whole record before the cut', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder)
  const texts = ['a', 'bb', '', 'dddd', 'KSP1KSP1']
  await appendTexts(spool, texts)
  await spool.close()
  const [path = ''] = await segmentsOf(folder)
  const whole = await readFile(path)
  const ends = texts.reduce<number[]>(
    (sofar, text) => [...sofar, (sofar.at(-1) ?? 0) + HEADER_BYTES + text.length],
    [],
  )
  t.equal(ends.at(-1), whole.length)
  for (let length = 0; length < whole.length; length++) {
    const cut = join(folder, `cut-${length}`)
    await mkdir(cut)
    await writeFile(join(cut, '000000000007.segment'), whole.subarray(0, length))
    const torn = await Spool.open({ folder: cut, maxBytes: MIB })
    const { corruptRecords } = torn.counters
    await torn.append(Buffer.from('next'), 1)
    const expected = [...texts.slice(0, ends.filter((end) => end <= length).length), 'next']
    const found = await drain(torn)
    if (String(found) !== String(expected) || corruptRecords !== 0)
      t.same(
        { found, corruptRecords },
        { found: expected, corruptRecords: 0 },
        `cut after ${length} bytes`,
      )
    await torn.close()
  }
})

test('a damaged byte anywhere costs one record, which is counted', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder)
  const texts = ['alpha', 'bravo', 'charlie', 'delta']
  await appendTexts(spool, texts, 5)
  await spool.close()
  const [path = ''] = await segmentsOf(folder)
  const whole = await readFile(path)
  for (let at = 0; at < whole.length; at++) {
    const hurt = join(folder, `hurt-${at}`)
    await mkdir(hurt)
    const bytes = Buffer.from(whole)
    bytes[at] = (whole[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(join(hurt, '000000000007.segment'), bytes)
    const damaged = await Spool.open({ folder: hurt, maxBytes: MIB })
    const found = await drain(damaged)
    const { records, points, corruptRecords } = damaged.counters
    const lost = texts.filter((text) => !found.includes(text))
    if (
      found.length !== 3 ||
      lost.length !== 1 ||
      corruptRecords !== 1 ||
      records !== 0 ||
      points !== 0
    )
      t.fail(`byte ${at}`, { found, records, points, corruptRecords })
    await damaged.close()
  }
})

test('what is left between and behind rubbish is found', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder, { segmentBytes: MIB })
  await appendTexts(spool, ['one'])
  await spool.close()
  const [path = ''] = await segmentsOf(folder)
  const one = await readFile(path)
  const rubbish = Buffer.concat([
    randomBytes(200_000),
    Buffer.from('KSP1'.repeat(50_000)),
    one.subarray(0, 20),
  ])
  await writeFile(path, Buffer.concat([rubbish, one, rubbish, one, rubbish]))
  const found = await openSpool(t, folder)
  t.equal(found.counters.records, 2)
  t.equal(found.counters.corruptRecords, 3)
  t.same(await drain(found), ['one', 'one'])
})

test('zeros that a power cut left at the end are no damage', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder)
  await appendTexts(spool, ['one'])
  await spool.close()
  const [path = ''] = await segmentsOf(folder)
  await truncate(path, 5000)
  const after = await openSpool(t, folder)
  t.match(after.counters, { records: 1, corruptRecords: 0 })
  t.same(await drain(after), ['one'])
})

test('damage that comes while the spool is open is counted, and reading goes on behind it', async (t) => {
  const folder = await newFolder(t)
  const spool = await openSpool(t, folder, { segmentBytes: 200 })
  await appendTexts(spool, numbered(12), 5)
  const [, second = '', third = ''] = await segmentsOf(folder)
  // Four records each; 8, 9 and 10 stand where the third is overwritten.
  await rm(second)
  const file = await open(third, 'r+')
  await file.write(randomBytes(50), 0, 50, HEADER_BYTES + 5)
  await file.close()
  t.same(await drain(spool), [...numbered(4), 'record 11'])
  t.match(spool.counters, { records: 0, points: 0, corruptRecords: 7 })
  await appendTexts(spool, ['next'])
  t.same(await drain(spool), ['next'])
})

test('a damaged or missing position brings records back, never loses any', async (t) => {
  const folder = await newFolder(t)
  const before = await openSpool(t, folder)
  await appendTexts(before, numbered(3))
  await before.acknowledge((await before.peek())?.id ?? '')
  await before.close()
  await writeFile(join(folder, 'position'), randomBytes(60))
  const after = await openSpool(t, folder)
  t.same(await drain(after), numbered(3))
})

test('a large spool is read through a small window', async (t) => {
  const folder = await newFolder(t)
  const payload = randomBytes(50_000)
  const spool = await openSpool(t, folder, { maxBytes: 200 * MIB, segmentBytes: 64 * MIB })
  for (let number = 0; number < 40; number++)
    await Promise.all(Array.from({ length: 30 }, () => spool.append(payload, 1)))
  await spool.close()
  const memory = process.memoryUsage().arrayBuffers
  const again = await openSpool(t, folder, { maxBytes: 200 * MIB })
  t.equal(again.counters.records, 1200)
  t.ok(process.memoryUsage().arrayBuffers - memory < 30 * MIB, 'to count the records')
})

test('a second process is kept out, and a dead one is not', async (t) => {
  const folder = await newFolder(t)
  const worker = startWorker(folder, 0)
  await worker.lines(1)
  await t.rejects(Spool.open({ folder, maxBytes: MIB }), {
    name: 'PermanentError',
    code: 'folder-locked',
    message: `${folder} is in use by another process`,
  })
  await worker.kill()
  t.ok((await readdir(folder)).includes('lock'), 'the dead process left its lock')
  const spool = await openSpool(t, folder)
  await t.rejects(
    Spool.open({ folder, maxBytes: MIB }),
    { code: 'folder-locked' },
    'nor this one twice',
  )
  await spool.close()
  t.notOk((await readdir(folder)).includes('lock'))
})

test('of many that want a dead one its folder at once one gets it', async (t) => {
  const folder = await newFolder(t)
  const worker = startWorker(folder, 0)
  await worker.lines(1)
  await worker.kill()
  const opens = await Promise.allSettled(
    Array.from({ length: 8 }, () => Spool.open({ folder, maxBytes: MIB })),
  )
  const opened = opens.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  t.equal(opened.length, 1)
  for (const spool of opened) await spool.close()
})

test('a folder with a long name, or none that can be made, is no surprise', async (t) => {
  const folder = join(await newFolder(t), 'x'.repeat(120))
  const spool = await openSpool(t, folder)
  await t.rejects(Spool.open({ folder, maxBytes: MIB }), { code: 'folder-locked' })
  await appendTexts(spool, ['one'])
  t.same(await drain(spool), ['one'])
  const file = join(folder, 'file')
  await writeFile(file, '')
  await t.rejects(Spool.open({ folder: join(file, 'below'), maxBytes: MIB }), {
    name: 'PermanentError',
    code: 'spool-folder',
    message: /cannot make the spool: .*ENOTDIR/,
  })
})

test('killed at any moment, no record is lost or out of order', async (t) => {
  const folder = await newFolder(t)
  const ROUNDS = 12
  const appended = new Set<number>()
  const asked = new Set<number>()
  const acknowledged = new Set<number>()
  let next = 0
  for (let round = 0; round < ROUNDS; round++) {
    const worker = startWorker(folder, next)
    // Anywhere between the first record and some hundred: by then it is in the middle of something.
    await worker.lines(1 + ((round * 37) % 300))
    for (const line of await worker.kill()) {
      const [what, text = ''] = line.split(' ')
      const number = Number(text)
      if (what === '+') appended.add(number)
      if (what === '?') asked.add(number)
      if (what === '-') acknowledged.add(number)
      next = Math.max(next, number + 10)
    }
    // The numbers of appends that were under way are not known: leave room for them.
    const spool = await Spool.open({ folder, maxBytes: 1 << 30, segmentBytes: 100_000 })
    t.equal(spool.counters.corruptRecords, 0)
    await spool.close()
  }
  const spool = await openSpool(t, folder, { maxBytes: 1 << 30 })
  const found = (await drain(spool)).map((text) => Number(text.split(' ', 1)[0]))
  const there = new Set(found)
  t.ok(
    appended.size > 300,
    `${appended.size} appended, ${acknowledged.size} acknowledged, ${found.length} left`,
  )
  t.same(
    [...appended].filter((number) => !there.has(number) && !asked.has(number)),
    [],
    'none is lost',
  )
  t.same(
    [...acknowledged].filter((number) => there.has(number)),
    [],
    'none acknowledged comes back',
  )
  t.equal(there.size, found.length, 'none is there twice')
  t.same(
    found,
    [...found].sort((one, other) => one - other),
    'they are in order',
  )
})

const tmpfs = await mountTmpfs()
test(
  'a full disk',
  { skip: tmpfs ? false : 'mounting a tmpfs is not permitted here' },
  async (t) => {
    if (tmpfs === undefined) return
    t.teardown(tmpfs.unmount)

    await t.test(
      'refuses records, counts that, and goes on when there is space again',
      async (t) => {
        const folder = join(tmpfs.folder, 'running')
        const spool = await openSpool(t, folder, { maxBytes: 100 * MIB, segmentBytes: 200_000 })
        let written = 0
        let failure: unknown
        while (failure === undefined && written < 1000)
          await spool.append(randomBytes(50_000), 1).then(
            () => written++,
            (error: unknown) => (failure = error),
          )
        t.ok(failure instanceof TransientError)
        t.match(failure, {
          code: 'spool-disk-full',
          message: /cannot write to the spool in .*running: ENOSPC/,
        })
        t.match(spool.counters, { records: written, writeErrors: 1 })
        await t.rejects(spool.append(randomBytes(50_000), 1), { code: 'spool-disk-full' })
        t.match(spool.counters, { records: written, writeErrors: 2 })

        for (let delivered = 0; delivered < 8; delivered++)
          await spool.acknowledge((await spool.peek())?.id ?? '')
        await spool.append(Buffer.from('after'), 1)
        t.match(spool.counters, { records: written - 8 + 1, writeErrors: 2, corruptRecords: 0 })
        await spool.close()
        const again = await openSpool(t, folder, { maxBytes: 100 * MIB })
        t.match(again.counters, { records: written - 8 + 1, corruptRecords: 0 })
        const texts = await drain(again)
        t.equal(texts.at(-1), 'after')
        await again.close()
        await rm(folder, { recursive: true })
      },
    )

    await t.test('does not keep a spool from being opened', async (t) => {
      const folder = join(tmpfs.folder, 'opening')
      await mkdir(folder)
      const filler = join(tmpfs.folder, 'filler')
      await t.rejects(writeFile(filler, Buffer.alloc(2 * MIB)), { code: 'ENOSPC' })
      const spool = await openSpool(t, folder)
      await t.rejects(spool.append(randomBytes(50_000), 1), { code: 'spool-disk-full' })
      await rm(filler)
      await appendTexts(spool, ['one', 'two'])
      await spool.acknowledge((await spool.peek())?.id ?? '')
      await spool.close()
      const again = await openSpool(t, folder)
      t.same(await drain(again), ['two'])
      await again.close()
    })
  },
)

/** One MiB of disk of our own; undefined where that is not permitted. */
async function mountTmpfs(): Promise<{ folder: string; unmount: () => Promise<void> } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'spool-disk-'))
  const run = (...command: [string, ...string[]]) =>
    spawnSync(command[0], command.slice(1)).status === 0
  if (!run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder)) {
    await rm(folder, { recursive: true })
    return undefined
  }
  return {
    folder,
    unmount: async () => {
      run('umount', folder)
      await rm(folder, { recursive: true })
    },
  }
}

/** A process that appends and acknowledges until it is killed. */
function startWorker(folder: string, first: number) {
  const program = new URL('../support/spool-worker.ts', import.meta.url).pathname
  const loader = new URL('../support/typescript.js', import.meta.url).href
  const worker = spawn(process.execPath, ['--import', loader, program, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: string[] = []
  const lines = createInterface({ input: worker.stdout })
  lines.on('line', (line) => said.push(line))
  const closed = once(lines, 'close')
  return {
    lines: async (count: number) => {
      while (said.length < count) await once(lines, 'line')
    },
    kill: async () => {
      worker.kill('SIGKILL')
      await closed
      return said
    },
  }
}
