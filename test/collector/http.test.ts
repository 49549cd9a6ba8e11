import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request, type IncomingMessage, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { Collector } from '../../collector/collector.ts'
import { collectorConfig } from '../../collector/config.ts'
import { createToken, revokeToken } from '../../collector/http/tokens.ts'
import { readConfig } from '../../common/config.ts'
import { createLogger } from '../../common/log.ts'

const AT = '2026-11-22T12:00:00.000Z'
const GIB = 1024 ** 3
const MIB = 1024 ** 2
const STEP_MS = 50

const agents = z.object({
  agents: z.array(z.looseObject({ agent: z.string(), points: z.number() })),
})

const changes = z.object({ agents: z.object({ order: z.array(z.string()).optional() }) })

/** A real collector on a free port, with a token for everybody. */
async function open(t: Test, yaml = '') {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-http-'))
  const agent = await createToken(folder, { role: 'agent', agent: 'gw-1', site: 'hq' }, AT)
  const viewer = await createToken(folder, { role: 'viewer' }, AT)
  const config = readConfig(
    collectorConfig,
    `data: ${folder}\nlisten: 127.0.0.1:0\n${yaml}`,
    'test.yaml',
  )
  const { collector, adminToken } = await Collector.start(config, createLogger('test', 'silent'))
  t.teardown(async () => {
    await collector.close()
    await rm(folder, { recursive: true })
  })
  return { folder, url: collector.url, agent, viewer, admin: adminToken ?? '' }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One request with exactly these headers: fetch adds some of its own. */
async function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string | Uint8Array,
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const call = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

function json(answer: Answer): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(answer.text))
}

/** An error as every error must be: JSON with a code and a sentence, and nothing of our insides. */
function isRefusal(t: Test, answer: Answer, status: number, code: string, message = /./): void {
  t.equal(answer.status, status, `${status} ${code}`)
  t.match(answer.headers['content-type'], /^application\/json/)
  const { code: got, message: said } = json(answer)
  t.equal(got, code)
  t.match(said, message)
  t.notMatch(answer.text, /node_modules|\.ts:|\.js:|at .*\(/)
}

/** An answer that does not end. */
async function listenTo(url: string, authorization: string): Promise<IncomingMessage> {
  const call = request(url, { headers: { authorization }, agent: false }).end()
  return await new Promise((resolve, reject) => {
    call.once('response', resolve).once('error', reject)
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, STEP_MS))
}

test('it says that it lives and whether it works, to anybody; what is not there is said in JSON', async (t) => {
  const { url } = await open(t)
  t.match(await send('GET', `${url}/healthz`), { status: 200, text: '{"status":"ok"}' })
  t.match(await send('GET', `${url}/readyz`), { status: 200, text: '{"status":"ready"}' })
  const page = await send('GET', `${url}/`)
  t.equal(page.status, 200)
  t.match(page.headers, {
    'content-security-policy': /default-src 'none'.*script-src 'self'/,
    'x-frame-options': /./,
    'x-content-type-options': 'nosniff',
  })
  t.notMatch(String(page.headers['content-security-policy']), /unsafe|upgrade-insecure/)
  t.notOk(page.headers['strict-transport-security'], 'not without TLS')
  isRefusal(t, await send('GET', `${url}/api/v1/nothing`), 404, 'not-found')
  isRefusal(t, await send('GET', `${url}/%2e%2e/%2e%2e/package.json`), 404, 'not-found')
  const wrong = await send('GET', `${url}/api/v2/write`)
  isRefusal(t, wrong, 405, 'method-not-allowed', /POST/)
  t.equal(wrong.headers.allow, 'POST')
  isRefusal(t, await send('PUT', `${url}/api/v1/session`), 405, 'method-not-allowed')
})

test('nobody gets in without the right token', async (t) => {
  const { folder, url, agent, viewer, admin } = await open(t)
  const write = async (authorization?: string, query = ''): Promise<Answer> =>
    send(
      'POST',
      `${url}/write${query}`,
      authorization === undefined ? {} : { authorization },
      'ping,target=a sent=1i',
    )
  isRefusal(t, await write(), 401, 'unauthorized', /token is needed/)
  isRefusal(t, await write('Token wrong'), 401, 'unauthorized', /unknown token/)
  isRefusal(t, await write(`Digest ${agent.secret}`), 401, 'unauthorized')
  isRefusal(t, await write(`Token ${viewer.secret}`), 403, 'forbidden', /token create --agent/)
  isRefusal(t, await write(`Token ${admin}`), 403, 'forbidden')
  isRefusal(t, await write(undefined, '?p=wrong'), 401, 'unauthorized')
  const basic = Buffer.from(`anybody:${agent.secret}`).toString('base64')
  for (const good of [`Token ${agent.secret}`, `Bearer ${agent.secret}`, `Basic ${basic}`])
    t.equal((await write(good)).status, 204)
  t.equal((await write(undefined, `?p=${agent.secret}`)).status, 204)
  isRefusal(t, await write('Token wrong', `?p=${agent.secret}`), 401, 'unauthorized')

  const look = async (path: string, secret?: string): Promise<Answer> =>
    send(
      'GET',
      `${url}/api/v1/${path}`,
      secret === undefined ? {} : { authorization: `Bearer ${secret}` },
    )
  for (const path of ['overview', 'events', 'session']) {
    isRefusal(t, await look(path), 401, 'unauthorized')
    isRefusal(t, await look(path, 'wrong'), 401, 'unauthorized')
    isRefusal(t, await look(path, agent.secret), 403, 'forbidden', /role viewer/)
  }
  t.equal((await look('overview', viewer.secret)).status, 200)
  t.equal((await look('session', admin)).text, '{"role":"admin","anonymous":false}')

  await revokeToken(folder, agent.token.id, AT)
  await until(async () => (await write(`Token ${agent.secret}`)).status === 401)
  isRefusal(t, await write(`Token ${agent.secret}`), 401, 'unauthorized', /is revoked/)
})

test('what cannot be read is refused with the reason, before it costs anything', async (t) => {
  const { url, agent } = await open(t)
  const authorization = `Token ${agent.secret}`
  const write = async (body: string | Uint8Array, headers = {}, query = ''): Promise<Answer> =>
    send('POST', `${url}/api/v2/write${query}`, { authorization, ...headers }, body)
  const line = 'ping,target=a sent=1i\n'
  const gzip = { 'content-encoding': 'gzip' }
  isRefusal(t, await write(line, {}, '?precision=h'), 400, 'precision')
  isRefusal(t, await write(line, {}, '?precision=s&precision=ns'), 400, 'precision')
  isRefusal(t, await write(line, { 'content-encoding': 'br' }), 415, 'unsupported-encoding')
  isRefusal(t, await write(line, gzip), 400, 'corrupt-gzip')
  isRefusal(t, await write(gzipSync(line).subarray(0, 20), gzip), 400, 'corrupt-gzip')
  isRefusal(t, await write(line, { 'content-type': 'no type' }), 415, 'bad-request')
  isRefusal(t, await write(Buffer.alloc(10 * MIB + 1)), 413, 'too-large')
  isRefusal(t, await write(line.repeat(20_001)), 413, 'too-many-points', /20000/)
  t.equal((await write(gzipSync(line), gzip)).status, 204)
  t.equal((await write(line, { 'content-encoding': 'identity' })).status, 204)
  t.equal((await write(line, { 'content-type': 'application/json' })).status, 204)
  t.equal((await write('')).status, 204, 'nothing to refuse')
  const many = await write('x\n'.repeat(3))
  isRefusal(t, many, 400, 'invalid', /no line could be taken; line 1/)
  t.match(json(many), { accepted: 0, rejected: 3, error: /^unable to parse/ })
})

test('a body that unpacks to 1 GB costs neither memory nor time', async (t) => {
  const { url, agent } = await open(t)
  // Ten gzip members of 100 MiB of zeros: 1 MB that unpacks to 1 GB.
  const bomb = Buffer.concat(new Array<Buffer>(10).fill(gzipSync(Buffer.alloc(GIB / 10))))
  const before = process.memoryUsage().rss
  const since = performance.now()
  let highest = before
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage().rss)
  }, 5)
  const headers = { authorization: `Token ${agent.secret}`, 'content-encoding': 'gzip' }
  const answer = await send('POST', `${url}/api/v2/write`, headers, bomb)
  clearInterval(watch)
  isRefusal(t, answer, 413, 'too-large', /33554432 bytes/)
  t.ok(highest - before < 150 * MIB, `${Math.round((highest - before) / MIB)} MiB more`)
  t.ok(performance.now() - since < 2000, `${Math.round(performance.now() - since)} ms`)
})

test('one bad line of a thousand costs one line', async (t) => {
  const { url, agent, viewer } = await open(t)
  const lines = Array.from({ length: 1000 }, (_, i) =>
    i === 776 ? 'ping,target=a sent="many"' : `ping,target=t${i % 50} sent=${i}i ${i + 1}`,
  )
  const answer = await send(
    'POST',
    `${url}/api/v2/write?precision=s`,
    { authorization: `Token ${agent.secret}` },
    lines.join('\n'),
  )
  isRefusal(
    t,
    answer,
    400,
    'partial',
    /^1 of 1000 lines were refused, the others are stored; line 777/,
  )
  t.match(json(answer), {
    accepted: 999,
    rejected: 1,
    errors: [{ line: 777, reason: 'field sent must be integer, got a string' }],
    error: /^partial write: /,
  })
  const overview = await send('GET', `${url}/api/v1/overview`, {
    authorization: `Token ${viewer.secret}`,
  })
  const [gw] = agents.parse(JSON.parse(overview.text)).agents
  t.match(gw, {
    agent: 'gw-1',
    site: 'hq',
    points: 999,
    rejected: 1,
    clockOffsetMs: null,
    silent: false,
  })
})

test('what Telegraf sends to InfluxDB 1 is understood', async (t) => {
  const { url, agent, viewer } = await open(t)
  const body = gzipSync(`ping,target=router sent=5i,received=5i ${Date.now()}000000\n`)
  const answer = await send(
    'POST',
    `${url}/write?consistency=any&db=telegraf&rp=`,
    {
      authorization: `Basic ${Buffer.from(`telegraf:${agent.secret}`).toString('base64')}`,
      'content-encoding': 'gzip',
      'content-type': 'text/plain; charset=utf-8',
      'transfer-encoding': 'chunked',
      'user-agent': 'Telegraf/1.38',
    },
    body,
  )
  t.match(answer, { status: 204, text: '' })
  const overview = await send('GET', `${url}/api/v1/overview`, {
    authorization: `Bearer ${viewer.secret}`,
  })
  t.equal(agents.parse(JSON.parse(overview.text)).agents[0]?.points, 1)
})

test('the clock of an agent is measured at every push', async (t) => {
  const { url, agent, viewer } = await open(t)
  const hourAhead = (Date.now() + 3_600_000) * 1000
  const headers = {
    authorization: `Token ${agent.secret}`,
    'x-kiestoon-sent-at': String(hourAhead),
    'x-kiestoon-batch': 'b-1',
  }
  const answer = await send(
    'POST',
    `${url}/api/v2/write?precision=us`,
    headers,
    `ping,target=a sent=1i ${hourAhead}`,
  )
  t.equal(answer.status, 204, 'an hour ahead, and corrected')
  const overview = await send('GET', `${url}/api/v1/overview`, {
    authorization: `Bearer ${viewer.secret}`,
  })
  const offsetMs = Number(agents.parse(JSON.parse(overview.text)).agents[0]?.['clockOffsetMs'])
  t.ok(offsetMs > -3_600_001 && offsetMs < -3_590_000, `${offsetMs} ms`)
})

test('people log in with a token and get a cookie no script can read', async (t) => {
  const { url, agent, viewer } = await open(t)
  const session = `${url}/api/v1/session`
  const type = { 'content-type': 'application/json' }
  const login = async (token: string, headers = {}): Promise<Answer> =>
    send('POST', session, { ...type, ...headers }, JSON.stringify({ token }))
  const answer = await login(viewer.secret, { 'sec-fetch-site': 'same-origin' })
  t.match(answer, { status: 200, text: '{"role":"viewer","anonymous":false}' })
  const [set = ''] = answer.headers['set-cookie'] ?? []
  t.match(set, /^kiestoon_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/)
  const cookie = `other=1; ${set.split(';', 1)[0] ?? ''}`
  t.equal((await send('GET', session, { cookie })).text, '{"role":"viewer","anonymous":false}')
  t.equal((await send('GET', `${url}/api/v1/overview`, { cookie })).status, 200)
  isRefusal(t, await send('POST', `${url}/write`, { cookie }, 'x'), 401, 'unauthorized')

  isRefusal(t, await login(viewer.secret, { 'sec-fetch-site': 'cross-site' }), 403, 'cross-origin')
  isRefusal(t, await login(agent.secret), 403, 'forbidden')
  isRefusal(t, await send('POST', session, type, '{"token": 1}'), 400, 'invalid')
  isRefusal(t, await send('POST', session, type, '{'), 400, 'bad-request')
  isRefusal(t, await send('POST', session, type, 'x'.repeat(5000)), 413, 'too-large')

  for (const headers of [{}, { 'sec-fetch-site': 'same-site' }, { origin: 'http://evil.example' }])
    isRefusal(t, await send('DELETE', session, { cookie, ...headers }), 403, 'cross-origin')
  const out = await send('DELETE', session, { cookie, origin: url })
  t.equal(out.status, 204)
  t.match(out.headers['set-cookie'], [/^kiestoon_session=; .*Max-Age=0/])
  isRefusal(t, await send('GET', session, { cookie }), 401, 'unauthorized')
})

test('guessing tokens is slowed down, without locking out who has one', async (t) => {
  const { url, viewer } = await open(t)
  const login = async (token: string): Promise<Answer> =>
    send(
      'POST',
      `${url}/api/v1/session`,
      { 'content-type': 'application/json' },
      JSON.stringify({ token }),
    )
  for (let i = 0; i < 30; i++) t.equal((await login(viewer.secret)).status, 200)
  for (let i = 0; i < 10; i++) isRefusal(t, await login('guess'), 401, 'unauthorized')
  const refused = await login('guess')
  isRefusal(t, refused, 429, 'too-many-attempts')
  t.match(refused.headers['retry-after'], /^\d+$/)
})

test('who sits at the machine may look without a token only where that is configured', async (t) => {
  const { url } = await open(t, 'console: { anonymous: loopback }')
  const look = async (headers = {}): Promise<Answer> =>
    send('GET', `${url}/api/v1/session`, headers)
  const { port } = new URL(url)
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]'])
    t.equal((await look({ host })).text, '{"role":"viewer","anonymous":true}', host)
  t.equal((await send('GET', `${url}/api/v1/overview`)).status, 200)
  isRefusal(t, await look({ host: 'evil.example' }), 401, 'unauthorized')
  isRefusal(t, await look({ host: 'localhost.evil.example' }), 401, 'unauthorized')
  for (const header of ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'])
    isRefusal(t, await look({ [header]: '203.0.113.1' }), 401, 'unauthorized')
  isRefusal(t, await look({ authorization: 'Token wrong' }), 401, 'unauthorized')
  isRefusal(t, await send('POST', `${url}/write`, {}, 'ping,target=a sent=1i'), 401, 'unauthorized')
})

test('an open console is told at once, and again when something changes', async (t) => {
  const { url, agent, viewer } = await open(t, 'limits: { viewers: 1 }')
  const authorization = `Bearer ${viewer.secret}`
  const response = await listenTo(`${url}/api/v1/events`, authorization)
  t.match(response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  t.match(response.headers['content-security-policy'], /default-src 'none'/)
  let text = ''
  response.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const shown = (): number[] =>
    [...text.matchAll(/^event: overview\ndata: (.*)$/gm)].map(
      ([, data]) => agents.parse(JSON.parse(data ?? '')).agents.length,
    )
  const changed = (): readonly string[] =>
    [...text.matchAll(/^event: change\ndata: (.*)$/gm)].flatMap(
      ([, data]) => changes.parse(JSON.parse(data ?? '')).agents.order ?? [],
    )
  await until(async () => shown().length > 0)
  t.equal(shown()[0], 0)
  isRefusal(
    t,
    await send('GET', `${url}/api/v1/events`, { authorization }),
    503,
    'too-many-viewers',
  )
  await send(
    'POST',
    `${url}/write`,
    { authorization: `Token ${agent.secret}` },
    'ping,target=a sent=1i',
  )
  await until(async () => changed().includes('hq\ngw-1'))
  t.equal(shown().length, 1, 'what is new, and not all of it again')
  response.destroy()
  await until(async () => {
    const again = await listenTo(`${url}/api/v1/events`, authorization)
    again.destroy()
    return again.statusCode === 200
  })
  t.pass('who leaves makes room')
})

test('requests that are not HTTP are answered and dropped', async (t) => {
  const { url } = await open(t)
  const { port } = new URL(url)
  for (const garbage of [
    '\x16\x03\x01\x02\x00',
    'GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n',
    `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
  ]) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    socket.write(garbage)
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    await once(socket, 'close')
    t.match(text, /^HTTP\/1\.1 4[\s\S]*\{"code":"[a-z-]+","message":"[^"]+"\}$/)
  }
  t.equal((await send('GET', `${url}/healthz`)).status, 200)
})
