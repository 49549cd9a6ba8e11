import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test, type Test } from 'tap'
import { openStore, storeOptions, type StoreContext } from '../../collector/store/index.ts'
import type { Store } from '../../collector/store/store.ts'
import { TransientError } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { influxdMissing, startInfluxd, type Influxd } from '../support/influxd.ts'
import { listen } from '../support/listen.ts'
import { storeContext } from '../support/store-context.ts'

tap.setTimeout(90_000)

const START_US = 1_700_000_000_000_000
const WEEK_US = 7 * 86_400_000_000
/** The store's deadlines and pauses, of up to 30 s, are this much shorter here. */
const FASTER = 50

test('an InfluxDB that crashes and comes back while points are written has each of them once', async (t) => {
  const server = await real(t)
  if (!server) return
  const context = await fast()
  const store = await open(context, server.url)
  for (let batch = 0; batch < 60; batch++) {
    await store.write(batchOf(batch))
    if (batch === 20 || batch === 40) await server.kill()
    if (batch === 30 || batch === 50) await server.start()
  }
  await eventually(t, async () => (await count(store)).n === 6000)
  t.strictSame(await count(store), { n: 6000, sent: 17_997_000 })
  await store.close()
  await server.close()
  await context.remove()
})

test('while InfluxDB is away the points wait on disk, also over a restart of the collector', async (t) => {
  const server = await real(t)
  if (!server) return
  const context = await fast()
  let store = await open(context, server.url)
  await store.write(batchOf(0))
  await eventually(t, async () => (await count(store)).n === 100)
  await server.stop()
  await store.write(batchOf(1))
  await eventually(t, async () => /100 points wait/.test((await store.ready()).reason ?? ''))
  t.match(
    await store.ready(),
    { ok: true, reason: /InfluxDB at .*ECONNREFUSED/ },
    'it still takes writes',
  )
  await t.rejects(store.read(SUM), TransientError)
  await store.close()

  store = await open(context, server.url)
  await store.write(batchOf(2))
  await server.start()
  await eventually(t, async () => (await count(store)).n === 300)
  t.strictSame(await count(store), { n: 300, sent: 44_850 })
  await eventually(t, async () => (await store.ready()).reason === undefined)
  await store.close()
  await server.close()
  await context.remove()
})

test('a point that InfluxDB cannot take does not hold up the others', async (t) => {
  const server = await real(t)
  if (!server) return
  // In the week before, somebody has written `sent` as text: there a number clashes, for the type is one per week.
  await fetch(`${server.url}/query?q=CREATE+DATABASE+kiestoon`, { method: 'POST' })
  const wrong = `ping,site=hq,agent=a sent="text" ${START_US - WEEK_US}`
  const { status } = await fetch(`${server.url}/write?db=kiestoon&precision=u`, {
    method: 'POST',
    body: wrong,
  })
  t.equal(status, 204)
  const context = await fast()
  const store = await open(context, server.url)
  const points = batchOf(0)
  points.splice(37, 0, { ...ping(0), timeUs: START_US - WEEK_US + 1 })
  points.splice(70, 0, { ...ping(0), timeUs: START_US - WEEK_US + 2 })
  await store.write(points)
  await store.write(batchOf(1))
  await eventually(t, async () => (await count(store)).n === 200)
  t.strictSame(await count(store), { n: 200, sent: 19_900 })
  t.strictSame(await store.ready(), { ok: true })
  await store.close()
  await server.close()
  await context.remove()
})

test('a user who may not create databases writes to and reads from one that exists', async (t) => {
  const server = await real(t, 'auth-enabled = true')
  if (!server) return
  const ask = async (statement: string): Promise<void> => {
    const authorization = `Basic ${Buffer.from('root:correct horse').toString('base64')}`
    const body = new URLSearchParams({ q: statement })
    t.equal(
      (await fetch(`${server.url}/query`, { method: 'POST', body, headers: { authorization } }))
        .status,
      200,
    )
  }
  await ask(`CREATE USER "root" WITH PASSWORD 'correct horse' WITH ALL PRIVILEGES`)
  const context = await fast()
  const stranger = await open(context, server.url)
  await stranger.write(batchOf(0))
  await eventually(t, async () => /401/.test((await stranger.ready()).reason ?? ''))
  await stranger.close()

  await ask('CREATE DATABASE "kiestoon"')
  await ask(`CREATE USER "collector" WITH PASSWORD 'battery staple'`)
  await ask('GRANT ALL ON "kiestoon" TO "collector"')
  const store = await open(context, server.url, {
    username: 'collector',
    password: 'battery staple',
  })
  await eventually(t, async () => (await count(store)).n === 100)
  await store.close()
  await server.close()
  await context.remove()
})

test('an answer that InfluxDB cuts short is no answer', async (t) => {
  const server = await real(t, 'max-row-limit = 150')
  if (!server) return
  const context = await fast()
  const store = await open(context, server.url)
  await store.write(batchOf(0))
  await store.write(batchOf(1))
  await eventually(t, async () => (await count(store)).n === 200)
  const query = { ...SUM, columns: { raw: ['sent'] } }
  await t.rejects(store.read(query), { name: 'PermanentError', message: /max-row-limit/ })
  t.equal((await store.read({ ...query, limit: 100 }))[0]?.timesUs.length, 100)
  await store.close()
  await server.close()
  await context.remove()
})

test('a tag with a line break in it stays one tag of one point', async (t) => {
  const server = await real(t)
  if (!server) return
  const context = await fast()
  const store = await open(context, server.url)
  const target = 'friendly\ninjected,x=y v=666 1700000000000000\\'
  await store.write([
    {
      name: 'ping',
      tags: { site: 'hq', agent: 'a', target },
      fields: { sent: 1 },
      timeUs: START_US,
    },
  ])
  t.strictSame(await count(store), { n: 1, sent: 1 })
  const answer = await fetch(`${server.url}/query?db=kiestoon&q=SHOW+MEASUREMENTS`)
  t.strictSame(await answer.json(), {
    results: [
      {
        statement_id: 0,
        series: [{ name: 'measurements', columns: ['name'], values: [['ping']] }],
      },
    ],
  })
  await store.close()
  await server.close()
  await context.remove()
})

test('a server that stalls, cuts off, fails or talks nonsense gets every batch again, in order', async (t) => {
  const misbehaviours: Readonly<Record<string, (socket: Socket) => void>> = {
    'stalls after the headers': (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'),
    'never answers': () => undefined,
    'cuts the body': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"res'),
    'resets the connection': (socket) => socket.destroy(),
    'fails with 500': (socket) =>
      socket.end('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}'),
    'fails with 503 and stalls': (socket) =>
      socket.write('HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\n'),
    'refuses with 401': (socket) =>
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}'),
    'refuses with 400 and stalls': (socket) =>
      socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\n'),
    'asks to wait with 429': (socket) =>
      socket.end('HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n'),
    'talks nonsense': (socket) => socket.end('I am not an HTTP server\r\n\r\n'),
  }
  const context = await fast()
  const peer = await misbehaving()
  const store = await open(context, peer.url)
  for (const [batch, [name, misbehave]] of Object.entries(misbehaviours).entries()) {
    // Twice, as the package itself tries once more.
    peer.misbehave.push(misbehave, misbehave)
    await store.write(batchOf(batch))
    await eventually(t, () => peer.stored.has(`${START_US + batch * 100_000 + 99_000}`), name)
  }
  t.equal(peer.stored.size, 100 * Object.keys(misbehaviours).length)
  t.strictSame([...peer.stored], [...peer.stored].sort(), 'in order of time')
  await store.close()
  await peer.close()
  await context.remove()
})

test('a read from a server that stalls or talks nonsense fails soon, and the store goes on', async (t) => {
  const context = await fast()
  const peer = await misbehaving()
  const store = await open(context, peer.url)
  await eventually(t, async () => (await store.ready()).reason === undefined)
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"results"',
    'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]',
    'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"results":[]}',
  ]
  for (const answer of answers) {
    peer.answer = answer
    await t.rejects(store.read(SUM), TransientError, answer)
  }
  peer.answer = undefined
  t.strictSame(await store.read(SUM), [])
  await store.close()
  await peer.close()
  await context.remove()
})

test('a web server that says yes to everything is not taken for InfluxDB', async (t) => {
  const context = await fast()
  const peer = await misbehaving()
  peer.answer = 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>hi</html>'
  const store = await open(context, peer.url)
  await store.write(batchOf(0))
  await eventually(t, async () => /100 points wait/.test((await store.ready()).reason ?? ''))
  await delay(100)
  t.equal(peer.stored.size, 0)
  await store.close()
  await peer.close()
  await context.remove()
})

test('a full spool drops the oldest points and says how many', async (t) => {
  const context = await fast()
  const options = storeOptions.parse({
    kind: 'influx',
    url: 'http://127.0.0.1:1',
    'spool-max': '1MiB',
  })
  const store = await openStore(options, context)
  for (let batch = 0; batch < 200; batch++) await store.write(batchOf(batch))
  const { ok, reason = '' } = await store.ready()
  t.equal(ok, true)
  const [, waiting, lost] = /(\d+) points wait in the spool, (\d+) points lost/.exec(reason) ?? []
  t.ok(Number(lost) > 0 && Number(lost) + Number(waiting) === 20_000, reason)
  await store.close()
  await context.remove()
})

test('no password but the configured one is ever sent, and an IPv6 address is reached', async (t) => {
  const context = await fast()
  for (const [credentials, expected] of [
    [{}, ':'],
    [{ username: 'collector', password: 'a:b' }, 'collector:a:b'],
  ] as const) {
    const peer = await misbehaving('::1')
    const store = await open(context, `${peer.url}/behind/a/proxy/`, credentials)
    await store.write(batchOf(0))
    await eventually(t, () => peer.stored.size === 100)
    const sent = [...peer.authorizations].map((one) => Buffer.from(one, 'base64').toString())
    t.strictSame(sent, [expected])
    t.strictSame([...peer.paths], ['/behind/a/proxy/query', '/behind/a/proxy/write'])
    await store.close()
    await peer.close()
  }
  await context.remove()
})

const SUM = {
  measurement: 'ping',
  columns: [
    { as: 'n', field: 'sent', aggregate: 'count' },
    { as: 'sent', field: 'sent', aggregate: 'sum' },
  ],
  fromUs: START_US,
  toUs: START_US + WEEK_US / 7,
} as const

async function count(store: Store): Promise<{ n: unknown; sent: unknown }> {
  try {
    const [series] = await store.read(SUM)
    return { n: series?.values['n']?.[0], sent: series?.values['sent']?.[0] }
  } catch (error) {
    if (error instanceof TransientError) return { n: undefined, sent: undefined }
    throw error
  }
}

function ping(number: number): Measurement {
  return measurement(
    'ping',
    START_US + number * 1000,
    { site: 'hq', agent: 'a', target: 'gw' },
    { sent: number },
  )
}

/** The hundred points of that number. */
function batchOf(batch: number): Measurement[] {
  return Array.from({ length: 100 }, (_, index) => ping(batch * 100 + index))
}

async function real(t: Test, http?: string): Promise<Influxd | undefined> {
  if (influxdMissing === undefined) return await startInfluxd(http)
  t.pass('influxd', { skip: influxdMissing })
  return undefined
}

async function fast(): Promise<StoreContext & { readonly remove: () => Promise<void> }> {
  const context = await storeContext()
  return { ...context, every: (ms, run) => context.every(Math.ceil(ms / FASTER), run) }
}

async function open(
  context: StoreContext,
  url: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Store> {
  return await openStore(storeOptions.parse({ kind: 'influx', url, ...more }), context)
}

/** Looks every few milliseconds; a condition that never comes is ended by the test's own time limit. */
async function eventually(
  t: Test,
  condition: () => boolean | Promise<boolean>,
  name?: string,
): Promise<void> {
  while (!(await condition())) await delay(5)
  t.pass(name ?? 'in the end')
}

interface Misbehaving {
  readonly url: string
  /** What it does with the next writes; when there is none left it stores them. */
  readonly misbehave: ((socket: Socket) => void)[]
  /** The times of the points it stored. */
  readonly stored: Set<string>
  readonly authorizations: Set<string>
  readonly paths: Set<string>
  /** What it answers to queries instead of an empty result. */
  answer: string | undefined
  readonly close: () => Promise<void>
}

/** A server that speaks as much HTTP as the store needs to hear, or less. */
async function misbehaving(host = '127.0.0.1'): Promise<Misbehaving> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    let received = ''
    socket.on('data', (data) => {
      received += data.toString('latin1')
      const head = received.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
      if (head < 0 || received.length < head + 4 + length) return
      const request = received.slice(0, head)
      const body = received.slice(head + 4)
      received = ''
      handle(request, body, socket)
    })
  })
  const handle = (request: string, body: string, socket: Socket): void => {
    const path = /^POST ([^ ?]*)/.exec(request)?.[1] ?? ''
    peer.paths.add(path)
    peer.authorizations.add(/authorization: Basic (\S+)/i.exec(request)?.[1] ?? 'none')
    if (path.endsWith('/query')) {
      socket.write(peer.answer ?? 'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"results":[{}]}')
      return
    }
    const misbehave = peer.misbehave.shift()
    if (misbehave) {
      misbehave(socket)
      return
    }
    for (const line of body.split('\n')) peer.stored.add(line.split(' ').at(-1) ?? '')
    socket.write('HTTP/1.1 204 No Content\r\n\r\n')
  }
  const port = await listenOn(server, host)
  const peer: Misbehaving = {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    misbehave: [],
    stored: new Set(),
    authorizations: new Set(),
    paths: new Set(),
    answer: undefined,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return peer
}

async function listenOn(server: Server, host: string): Promise<number> {
  if (host === '127.0.0.1') return await listen(server)
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
