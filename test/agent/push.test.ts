import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pino } from 'pino'
import tap, { test, type Test } from 'tap'
import type { CollectorAddress } from '../../agent/config.ts'
import { Pusher, type PushLimits } from '../../agent/push.ts'
import { systemClock, type Clock } from '../../agent/scheduler.ts'
import { Secret } from '../../common/settings.ts'
import { Spool } from '../../common/spool.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { listen } from '../support/listen.ts'
import { always, ScriptedCollector, until, type Script } from '../support/scripted-collector.ts'

const REQUEST_MS = 15_000
const JSON_TYPE = { 'content-type': 'application/json' }
const accept = always(204)

tap.setTimeout(60_000)

test('a record goes out as it is, gzipped, with token, batch id and the time of sending', async (t) => {
  const clock = new FakeClock(1_700_000_000_123_456)
  const { spool, collector } = await start(t, accept, { clock })
  await spool.append(gzipSync('ping,target=a sent=1i 1000\n'), 1)
  const [push] = await collector.received(1)
  t.equal(push?.request.method, 'POST')
  t.equal(push?.request.url, '/api/v2/write?precision=us')
  t.equal(push?.text, 'ping,target=a sent=1i 1000\n')
  t.equal(push?.sentAtUs, 1_700_000_000_123_456)
  t.match(push?.request.headers, {
    authorization: 'Token s3cret',
    'content-encoding': 'gzip',
    'content-type': 'text/plain; charset=utf-8',
    'x-kiestoon-batch': /^\S+$/,
  })
  await until(() => spool.counters.records === 0, 'the record to be acknowledged')
})

test('the path of a collector behind a proxy is kept', async (t) => {
  const { spool, collector } = await start(t, accept, { path: '/kiestoon' })
  await spool.append(gzipSync(line(1)), 1)
  const [push] = await collector.received(1)
  t.equal(push?.request.url, '/kiestoon/api/v2/write?precision=us')
})

test('records arrive in order, each once, over one connection', async (t) => {
  const { spool, collector } = await start(t, accept)
  await fill(spool, 30)
  await collector.received(30)
  t.equal(collector.pushes.map(({ text }) => text).join(''), lines(0, 30))
  t.equal(new Set(collector.ids).size, 30)
  t.equal(new Set(collector.pushes.map(({ request }) => request.socket)).size, 1)
})

test('after a failure the same batch comes again under the same id, before any other', async (t) => {
  const script: Script = (response, _, n) =>
    response.writeHead([503, 500, 502, 504][n] ?? 204).end()
  const { spool, collector } = await start(t, script, { limits: { backoffMinMs: 1 } })
  await fill(spool, 2)
  await collector.received(6)
  const [first = '', ...others] = collector.ids
  t.same(others.slice(0, 4), [first, first, first, first])
  t.not(others[4], first)
  t.equal(collector.pushes[5]?.text, line(1))
})

test('the waits between attempts double from 0.5 s to 60 s, less a random part', async (t) => {
  const clock = new FakeClock()
  let random = 1
  const { spool, collector } = await start(t, always(500), { clock, random: () => random })
  await fill(spool, 1)
  const waits: number[] = []
  for (let attempt = 1; attempt <= 9; attempt++) {
    waits.push(await backoff(clock, collector, attempt))
    await clock.advance(waits.at(-1) ?? 0)
  }
  t.same(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  random = 0.2
  await backoff(clock, collector, 10)
  await clock.advance(60_000)
  t.equal(await backoff(clock, collector, 11), 12_000, 'a fifth of 60 s')
})

test('in a hurry it is tried at once, and soon again', async (t) => {
  const clock = new FakeClock()
  const { spool, pusher, collector } = await start(t, always(500), { clock, random: () => 1 })
  await fill(spool, 1)
  const waits: number[] = []
  for (let attempt = 1; attempt <= 8; attempt++) {
    waits.push(await backoff(clock, collector, attempt))
    if (attempt !== 4 && attempt !== 6) await clock.advance(waits.at(-1) ?? 0)
    else pusher.hurry()
  }
  t.same(waits, [500, 1000, 2000, 4000, 1000, 2000, 1000, 2000])
})

test('Retry-After is obeyed, in seconds or as a date, for five minutes at most', async (t) => {
  const clock = new FakeClock(Date.UTC(2026, 0, 1, 12, 0, 0) * 1000)
  const answers = [
    [429, '7'],
    [503, 'Thu, 01 Jan 2026 12:01:07 GMT'],
    [503, '86400'],
    [503, 'soon'],
  ] as const
  const { spool, collector } = await start(
    t,
    (response, _, n) => {
      const [status, retryAfter] = answers[n] ?? [204, '']
      response.writeHead(status, { 'retry-after': retryAfter }).end()
    },
    { clock, random: () => 1 },
  )
  await fill(spool, 1)
  const waits: number[] = []
  for (let attempt = 1; attempt <= 4; attempt++) {
    waits.push(await backoff(clock, collector, attempt))
    await clock.advance(waits.at(-1) ?? 0)
  }
  t.same(waits, [7000, 60_000, 300_000, 4000])
})

test('what the collector refuses is not sent again; the points are counted and the first reason logged', async (t) => {
  const refusal = {
    code: 'invalid',
    message: 'partial write',
    accepted: 2,
    rejected: 1,
    errors: [{ line: 2, reason: 'unknown measurement "x"' }],
  }
  const { spool, collector, pusher, logged } = await start(t, (response, _, n) =>
    n === 0
      ? response.writeHead(400, JSON_TYPE).end(JSON.stringify(refusal))
      : response.writeHead(204).end(),
  )
  await spool.append(gzipSync(lines(0, 3)), 3)
  await spool.append(gzipSync(line(3)), 1)
  await collector.received(2)
  t.equal(new Set(collector.ids).size, 2)
  await until(() => spool.counters.records === 0, 'both to be acknowledged')
  t.same(pusher.counters, { rejectedPoints: 1, failures: 0 })
  t.match(logged(), [{ points: 1, reason: 'unknown measurement "x"' }])
})

test('a refusal that does not say how much is refused counts for the whole batch', async (t) => {
  const { spool, pusher } = await start(t, always(400, JSON_TYPE, '{"code":"invalid"}'))
  await spool.append(gzipSync(lines(0, 3)), 3)
  await until(() => spool.counters.records === 0, 'the record to be acknowledged')
  t.equal(pusher.counters.rejectedPoints, 3)
})

test('a wrong token loses nothing, is logged once a minute, and heals', async (t) => {
  const clock = new FakeClock()
  const { spool, collector, logged } = await start(
    t,
    always(401, JSON_TYPE, '{"code":"unauthorized","message":"no such token"}'),
    { clock, random: () => 1 },
  )
  await fill(spool, 2)
  for (let attempt = 1; attempt <= 6; attempt++) {
    await clock.advance(await backoff(clock, collector, attempt))
  }
  t.equal(spool.counters.points, 2)
  t.equal(logged().length, 1, '6 attempts within 31.5 s')
  t.match(logged()[0]?.['msg'], /does not accept our token/)
  t.match(logged()[0]?.['reason'], /no such token/)
  await clock.advance(await backoff(clock, collector, 7))
  await backoff(clock, collector, 8)
  t.equal(logged().length, 2, 'and again after a minute')
  collector.script = accept
  await clock.advance(60_000)
  await until(() => spool.counters.records === 0, 'both to be acknowledged')
})

test('a batch too large is halved until it is taken, and a single point too large is dropped', async (t) => {
  const { spool, collector, pusher } = await start(t, (response, { text }) => {
    const isTaken = text.split('\n').length - 1 <= 2 && !text.includes('target=t5')
    response.writeHead(isTaken ? 204 : 413).end()
  })
  await spool.append(gzipSync(lines(0, 8)), 8)
  await spool.append(gzipSync(line(8)), 1)
  await until(() => spool.counters.records === 0, 'all to be acknowledged')
  const taken = collector.pushes.filter(
    ({ text }) => text.split('\n').length - 1 <= 2 && !text.includes('target=t5'),
  )
  t.equal(taken.map(({ text }) => text).join(''), lines(0, 9).replace(line(5), ''))
  t.equal(new Set(collector.ids).size, collector.ids.length, 'each part has an id of its own')
  t.same(pusher.counters, { rejectedPoints: 1, failures: 0 })
})

test('an answer given before the whole batch was sent counts', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      socket.once('data', () => socket.resetAndDestroy())
    })
  })
  const port = await listen(server)
  t.teardown(() => server.close())
  const spool = await Spool.open({ folder: await temporaryFolder(t), maxBytes: 16_000_000 })
  const pusher = makePusher(spool, [`http://127.0.0.1:${port}`], {})
  await spool.append(gzipSync(`event text="${randomBytes(3_000_000).toString('hex')}" 1\n`), 1)
  pusher.start()
  await until(() => pusher.counters.rejectedPoints + pusher.counters.failures > 0, 'an answer')
  t.same(pusher.counters, { rejectedPoints: 1, failures: 0 })
  await pusher.stop(100)
  await spool.close()
})

test('when a collector fails, the next takes over at once and stays, and the preferred one is tried again after a minute', async (t) => {
  const clock = new FakeClock()
  const second = await ScriptedCollector.start(accept)
  t.teardown(() => second.close())
  const { spool, collector: first } = await start(t, always(500), {
    clock,
    random: () => 1,
    others: [second.url],
  })
  await fill(spool, 3)
  await second.received(3)
  t.equal(first.pushes.length, 1)
  t.equal(first.ids[0], second.ids[0], 'the batch that failed there comes here')
  await clock.advance(59_000)
  await fill(spool, 1)
  await second.received(4)
  t.equal(first.pushes.length, 1, 'not tried before its time')
  await clock.advance(1000)
  await fill(spool, 1)
  await second.received(5)
  t.equal(first.pushes.length, 2, 'tried, failed, and not waited for')
  first.script = accept
  await clock.advance(60_000)
  await fill(spool, 2)
  await first.received(4)
  t.equal(second.pushes.length, 5)
})

test('when the one in use fails, the preferred one is asked at once', async (t) => {
  const clock = new FakeClock()
  const second = await ScriptedCollector.start(accept)
  t.teardown(() => second.close())
  const { spool, collector: first } = await start(t, always(500), { clock, others: [second.url] })
  await fill(spool, 1)
  await second.received(1)
  await clock.advance(1000)
  first.script = accept
  second.script = always(500)
  await fill(spool, 1)
  await first.received(2)
  t.equal(first.ids[1], second.ids[1])
})

test('a collector that is not there, hangs, breaks off, talks nonsense or never ends is tried again', async (t) => {
  const long = 'x'.repeat(64 * 1024)
  const misdeeds: Readonly<Record<string, Script>> = {
    'never answers': () => undefined,
    'closes without an answer': (response) => {
      response.destroy()
    },
    'closes in the middle of the answer': (response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half')
      setImmediate(() => response.destroy())
    },
    'is no HTTP server': (response) => {
      response.socket?.end('220 mail.example.org ESMTP\r\n')
    },
    'sends an answer without end': (response) => {
      response.writeHead(200)
      const more = (): void => {
        if (!response.destroyed) response.write(long, () => setImmediate(more))
      }
      more()
    },
    'sends half a header': (response) => {
      response.socket?.write('HTTP/1.1 204 No Con')
    },
    'sends an answer and never ends it': (response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half')
    },
    'switches protocols': (response) => {
      response.socket?.write('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    },
    'is a captive portal': always(200, { 'content-type': 'text/html' }, '<html>log in</html>'),
    'is a proxy that refuses with a page': always(400, { 'content-type': 'text/html' }, '<html>'),
    'has moved': always(301, { location: 'http://127.0.0.1:1/' }),
    'does not know the path': always(404),
  }
  for (const [misdeed, script] of Object.entries(misdeeds)) {
    const { spool, collector, pusher } = await start(t, script, {
      limits: { requestMs: 300, backoffMinMs: 1, backoffMaxMs: 20 },
    })
    await fill(spool, 1)
    await collector.received(1)
    await until(() => pusher.counters.failures > 0, `a failure: ${misdeed}`)
    collector.script = accept
    await until(() => spool.counters.records === 0, `the record to arrive: ${misdeed}`)
    t.equal(new Set(collector.ids).size, 1, misdeed)
    await pusher.stop(100)
  }
  const gone = await freePort()
  const folder = await temporaryFolder(t)
  const spool = await Spool.open({ folder, maxBytes: 1_000_000 })
  const pusher = makePusher(spool, [`http://127.0.0.1:${gone}`], { limits: { backoffMinMs: 1 } })
  t.teardown(() => spool.close())
  await fill(spool, 1)
  pusher.start()
  await until(() => pusher.counters.failures > 2, 'refused connections')
  const collector = await ScriptedCollector.start(accept, { port: gone })
  t.teardown(() => collector.close())
  await until(() => spool.counters.records === 0, 'the record to arrive')
  await pusher.stop(100)
})

test('a kept connection that the collector has closed meanwhile is no failure', async (t) => {
  const { spool, collector, pusher } = await start(t, accept)
  for (let count = 0; count < 5; count++) {
    await fill(spool, 1)
    await collector.received(count + 1)
    await until(() => spool.counters.records === 0, 'the record to be acknowledged')
    collector.pushes[count]?.request.socket.destroy()
  }
  t.same(pusher.counters, { rejectedPoints: 0, failures: 0 })
})

test('ending tries what is left once more, and no longer than it may', async (t) => {
  const { spool, collector, pusher } = await start(t, always(503, { 'retry-after': '60' }))
  await fill(spool, 3)
  await collector.received(1)
  await until(() => pusher.counters.failures === 1, 'the first failure')
  collector.script = accept
  await pusher.stop(2000)
  t.equal(collector.pushes.length, 4, 'all three, without waiting for the minute')
  t.equal(spool.counters.records, 0)

  const hanging = await start(t, () => undefined)
  await fill(hanging.spool, 3)
  await hanging.collector.received(1)
  const begunMs = performance.now()
  await hanging.pusher.stop(200)
  t.ok(performance.now() - begunMs < 2000, 'a collector that hangs does not hold us up')
  t.equal(hanging.spool.counters.records, 3, 'and nothing is lost')
})

test('a collector with an authority of our own asks for our certificate, and nobody else is trusted', async (t) => {
  const folder = await temporaryFolder(t)
  const pki = await makeCertificates(folder)
  if (pki === undefined) {
    t.pass('mutual TLS', { skip: 'openssl is missing: apt-get install openssl' })
    return
  }
  const tls = { ...pki, requestCert: true, rejectUnauthorized: true }
  const { spool, collector } = await start(t, accept, { tls, address: pki })
  await fill(spool, 1)
  await collector.received(1)
  t.equal(collector.pushes[0]?.text, line(0))

  const limits = { backoffMinMs: 1 }
  const stranger = await start(t, accept, { tls, address: { ca: pki.ca }, limits })
  await fill(stranger.spool, 1)
  await until(
    () => stranger.pusher.counters.failures > 1,
    'refusal of a client without certificate',
  )
  const impostor = await start(t, accept, { tls: { key: pki.key, cert: pki.cert }, limits })
  await fill(impostor.spool, 1)
  await until(() => impostor.pusher.counters.failures > 1, 'refusal of an unknown authority')
  t.equal(stranger.collector.pushes.length + impostor.collector.pushes.length, 0)
})

interface StartOptions {
  readonly clock?: Clock
  readonly random?: () => number
  readonly limits?: Partial<PushLimits>
  readonly path?: string
  readonly others?: readonly string[]
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly address?: Partial<CollectorAddress>
}

/** A scripted collector, a spool and a pusher between them, all gone when the test is. */
async function start(t: Test, script: Script, options: StartOptions = {}): Promise<Started> {
  const { path = '', others = [], tls } = options
  const folder = await temporaryFolder(t)
  const collector = await ScriptedCollector.start(script, tls === undefined ? {} : { tls })
  const spool = await Spool.open({ folder, maxBytes: 1_000_000 })
  const texts: string[] = []
  const urls = [`${collector.url}${path}`, ...others]
  const pusher = makePusher(spool, urls, options, (text) => texts.push(text))
  pusher.start()
  t.teardown(async () => {
    await collector.close()
    const stopped = pusher.stop(100)
    if (options.clock instanceof FakeClock) await options.clock.advance(100)
    await stopped
    await spool.close()
  })
  const logged = (): Record<string, unknown>[] =>
    texts.flatMap((text) => {
      const entry: unknown = JSON.parse(text)
      return isRecord(entry) && entry['level'] === pino.levels.values['warn'] ? [entry] : []
    })
  return { collector, spool, pusher, logged }
}

interface Started {
  readonly collector: ScriptedCollector
  readonly spool: Spool
  readonly pusher: Pusher
  /** Warnings logged so far. */
  readonly logged: () => readonly Readonly<Record<string, unknown>>[]
}

function makePusher(
  spool: Spool,
  urls: readonly string[],
  options: StartOptions,
  write: (text: string) => void = () => undefined,
): Pusher {
  const { clock = systemClock, random = Math.random, limits = {}, address = {} } = options
  const collectors = urls.map((url) => ({ url, token: new Secret('s3cret'), ...address }))
  return new Pusher({ collectors, spool, clock, random, limits, log: pino({}, { write }) })
}

/** The wait before the next attempt, once this many have been made. */
async function backoff(
  clock: FakeClock,
  collector: ScriptedCollector,
  attempts: number,
): Promise<number> {
  await collector.received(attempts)
  await until(() => clock.delays.some((ms) => ms !== REQUEST_MS), 'the pusher to wait')
  return Math.min(...clock.delays)
}

async function fill(spool: Spool, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await spool.append(gzipSync(line(n)), 1)
}

function line(n: number): string {
  return `ping,target=t${n} sent=1i ${1000 + n}\n`
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => line(from + index)).join('')
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-push-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A self-signed certificate for 127.0.0.1 that is its own authority; undefined without openssl. */
async function makeCertificates(folder: string): Promise<Certificates | undefined> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const { status } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', '2', '-subj', '/CN=kiestoon test', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', cert],
  ])
  if (status !== 0) return undefined
  const pem = await readFile(cert, 'utf8')
  return { ca: pem, cert: pem, key: await readFile(key, 'utf8') }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
