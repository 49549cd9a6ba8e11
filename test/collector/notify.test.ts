import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { test, type Test } from 'tap'
import type { Breach } from '../../collector/evaluate/breach.ts'
import { count, lasting, percent, utcMinute } from '../../collector/evaluate/words.ts'
import { NOTIFIERS, notifierOptions } from '../../collector/notify/index.ts'
import { messageOf } from '../../collector/notify/message.ts'
import type { Notification, Notifier } from '../../collector/notify/notifier.ts'
import { readConfig } from '../../common/config.ts'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { listen } from '../support/listen.ts'

const S = 1_000_000
/** 2026-11-22 03:12 UTC */
const SINCE = 1_795_317_120 * S

const BREACH: Breach = {
  id: 'path-loss/hq/carrier-b/carrier-b/stream/1795317120000000',
  fingerprint: 'path-loss/hq/carrier-b/carrier-b/stream',
  rule: 'path-loss',
  object: 'hq -> carrier-b',
  state: 'firing',
  severity: 'warning',
  summary: '8.1 % of 1,000 packets lost, limit 3 %',
  labels: {
    from: 'hq',
    to: 'carrier-b',
    at: 'carrier-b',
    segment: 'hq -> carrier-b',
    source: 'stream',
    site: 'hq',
    bearer: 'internet',
    owner: 'carrier-b',
  },
  evidence: {
    streams: 4,
    streams_over: 3,
    worst_stream: '0x1a2b3c4d 10.0.0.1 -> 203.0.113.1 9.4 %',
    expected: 1000,
    lost_unique: 81,
    loss_ratio: 0.081,
    limit_ratio: 0.03,
  },
  sinceUs: SINCE,
  firedUs: SINCE + 20 * S,
  updatedUs: SINCE + 20 * S,
}

const LINK = 'http://127.0.0.1:8420/#/alerts/1'

test('figures and times read as people say them', async (t) => {
  t.equal(percent(0.081), '8.1 %')
  t.equal(percent(0.0812345), '8.12 %')
  t.equal(percent(0.03), '3 %')
  t.equal(percent(0.29), '29 %')
  t.equal(percent(0), '0 %')
  t.equal(percent(0.00004), '0.004 %')
  t.equal(count(1234567), '1,234,567')
  t.equal(utcMinute(SINCE), '2026-11-22 03:12 UTC')
  t.equal(lasting(45 * S), '45 s')
  t.equal(lasting(150 * S), '3 min')
  t.equal(lasting(185 * 60 * S), '3 h 5 min')
})

test('the message says what, where, how bad, since when, whose, what to do, and where the evidence is', async (t) => {
  t.same(messageOf('firing', BREACH, LINK), {
    title: 'hq -> carrier-b: 8.1 % loss (limit 3 %)',
    text: [
      '8.1 % of 1,000 packets lost, limit 3 %',
      'Where: hq -> carrier-b, bearer internet, site hq',
      'Streams over the limit: 3 of 4; worst: 0x1a2b3c4d 10.0.0.1 -> 203.0.113.1 9.4 %',
      'Since: 2026-11-22 03:12 UTC',
      'Severity: warning',
      'Owner: carrier-b',
      'To do: look for drops, errors and load on this segment, then call its owner; what lies beyond it did not cause this loss',
      `Evidence: ${LINK}`,
    ].join('\n'),
  })
})

test('the title fits the lock screen and tells the kinds of change apart', async (t) => {
  const critical: Breach = { ...BREACH, severity: 'critical' }
  const worse = '12 % of 500 packets lost in the newest interval, severe above 10 %'
  const closedUs = SINCE + 720 * S
  const summary = 'no calls since 2026-11-22 03:20 UTC, not proven healed'
  const closed: Breach = { ...BREACH, state: 'resolved', closedUs }
  const ended: Breach = { ...BREACH, state: 'ended', summary, closedUs }
  const edge: Breach = { ...BREACH, labels: { ...BREACH.labels, segment: 'hq -> hq-edge' } }
  const few: Breach = { ...BREACH, evidence: { ...BREACH.evidence, loss_ratio: 0.01 } }
  const call: Breach = { ...BREACH, rule: 'call-loss' }
  const silent: Breach = {
    ...BREACH,
    rule: 'agent-silent',
    object: 'agent gw-1',
    summary: 'not heard from since 2026-11-22 03:12 UTC, limit 30 s',
    labels: { agent: 'gw-1', site: 'hq' },
    evidence: {},
  }
  const titles = [
    messageOf('firing', critical, ''),
    messageOf('escalated', { ...critical, summary: worse }, ''),
    messageOf('resolved', closed, ''),
    messageOf('ended', ended, ''),
    messageOf('firing', edge, ''),
    messageOf('firing', few, ''),
    messageOf('firing', call, ''),
    messageOf('firing', { ...BREACH, reopened: 1 }, ''),
    messageOf('firing', silent, ''),
  ].map(({ title }) => title)
  t.same(titles, [
    'CRITICAL hq -> carrier-b: 8.1 % loss (limit 3 %)',
    'WORSE hq -> carrier-b: 12 % of 500 packets lost in the newest interval, severe above 10 %',
    'resolved: hq -> carrier-b, after 12 min',
    'ended: hq -> carrier-b: no calls since 2026-11-22 03:20 UTC, not proven healed',
    'hq -> carrier-b: 8.1 % loss (limit 3 %) on hq -> hq-edge',
    'hq -> carrier-b: 3 of 4 streams over 3 % loss',
    'hq -> carrier-b: one call loses 8.1 %',
    'again: hq -> carrier-b: 8.1 % loss (limit 3 %)',
    'agent gw-1: not heard from since 2026-11-22 03:12 UTC, limit 30 s',
  ])
  for (const title of titles) t.ok(title.length <= 90, title)
  t.match(messageOf('firing', silent, '').text, /Owner: unknown/, 'an unknown owner is said')
  t.match(messageOf('firing', silent, '').text, '\nWhere: agent gw-1, site hq\n')
  t.match(messageOf('firing', edge, '').text, 'hq -> carrier-b, measured on hq -> hq-edge, bearer')
  t.match(messageOf('resolved', closed, '').text, 'Since: 2026-11-22 03:12 UTC, for 12 min\n')
  const long = messageOf('firing', { ...BREACH, object: 'x'.repeat(300) }, '')
  t.equal(long.title.length, 120)
})

// ---- webhook

const NOTIFICATION: Notification = {
  id: '0123456789abcdef',
  kind: 'firing',
  breach: BREACH,
  ...messageOf('firing', BREACH, LINK),
  link: LINK,
}

/** Seconds the tests' clock stands at. */
const NOW_S = 1_795_317_140

function make(entry: Record<string, unknown>, lines: string[] = []): Notifier {
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(line) })
  return notifierOptions.parse(entry).create({ log, now: () => NOW_S * 1000 + 999 })
}

/** An HTTP server for the length of a test; gives its address. */
async function receiver(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  const port = await listen(server)
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${port}/hook/T0PS3CRET`
}

/** An address on which nobody listens any more. */
async function nobody(): Promise<string> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}/`
}

async function failure(promise: Promise<void>): Promise<unknown> {
  return await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

const never = new AbortController().signal

test('a webhook is a JSON post, signed over its time and body', async (t) => {
  const got: { method: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []
  const url = await receiver(t, (request, response) => {
    void text(request).then((body) => {
      got.push({ method: request.method, headers: request.headers, body })
      response.writeHead(204).end()
    })
  })
  await make({ notifier: 'webhook', url, secret: 'hush' }).notify(NOTIFICATION, never)
  await make({ notifier: 'webhook', url }).notify(NOTIFICATION, never)
  const [signed, plain] = got
  if (signed === undefined || plain === undefined) throw new Error('nothing came')
  t.equal(signed.method, 'POST')
  t.equal(signed.headers['content-type'], 'application/json')
  t.equal(signed.headers['x-kiestoon-delivery'], '0123456789abcdef')
  t.match(JSON.parse(signed.body), {
    schema: 1,
    id: '0123456789abcdef',
    kind: 'firing',
    title: 'hq -> carrier-b: 8.1 % loss (limit 3 %)',
    link: LINK,
    breach: { object: 'hq -> carrier-b', labels: { owner: 'carrier-b' }, sinceUs: SINCE },
  })
  const mac = createHmac('sha256', 'hush').update(`${NOW_S}.${signed.body}`).digest('hex')
  t.equal(signed.headers['x-kiestoon-signature'], `t=${NOW_S},v1=${mac}`)
  t.equal(plain.headers['x-kiestoon-signature'], undefined)
})

test('the answer decides whether trying again makes sense', async (t) => {
  let status = 200
  let headers: Record<string, string> = {}
  const url = await receiver(t, (request, response) => {
    request.resume()
    response.writeHead(status, headers).end('no such\u0007 key\n')
  })
  const webhook = make({ notifier: 'webhook', url })
  for (status of [200, 201, 202, 204])
    t.equal(await failure(webhook.notify(NOTIFICATION, never)), undefined, `${status}`)
  for (status of [408, 429, 500, 502, 503, 504]) {
    const error = await failure(webhook.notify(NOTIFICATION, never))
    t.ok(error instanceof TransientError, `${status}`)
  }
  for (status of [400, 401, 403, 404, 410, 422]) {
    const error = await failure(webhook.notify(NOTIFICATION, never))
    t.ok(error instanceof PermanentError, `${status}`)
    if (!(error instanceof PermanentError)) continue
    t.match(error.message, new RegExp(`^127\\.0\\.0\\.1:\\d+ answered ${status}: no such key$`))
    t.notMatch(error.message, 'T0PS3CRET', 'the path of the address may be a secret')
  }
  status = 503
  headers = { 'retry-after': '7' }
  t.match(await failure(webhook.notify(NOTIFICATION, never)), { retryAfterMs: 7000 })
  headers = { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }
  t.match(await failure(webhook.notify(NOTIFICATION, never)), { retryAfterMs: undefined })
})

test('a redirect is not followed', async (t) => {
  let elsewhere = 0
  const other = await receiver(t, (_, response) => {
    elsewhere++
    response.end()
  })
  for (const status of [301, 302, 307, 308]) {
    const url = await receiver(t, (_, response) => {
      response.writeHead(status, { location: other }).end()
    })
    const error = await failure(make({ notifier: 'webhook', url }).notify(NOTIFICATION, never))
    t.ok(error instanceof PermanentError)
  }
  t.equal(elsewhere, 0)
})

test('a receiver that hangs, breaks off or is not there is worth another try', async (t) => {
  const hanging = await receiver(t, () => undefined)
  const halfway = await receiver(t, (_, response) => {
    response.writeHead(500)
    response.write('begun')
  })
  const breaking = await receiver(t, (request) => request.socket.destroy())
  const startedMs = performance.now()
  const [hung, half, broken, refused] = await Promise.all(
    [hanging, halfway, breaking, await nobody()].map(async (url) =>
      failure(make({ notifier: 'webhook', url }).notify(NOTIFICATION, never)),
    ),
  )
  const tookMs = performance.now() - startedMs
  t.ok(tookMs > 9_900 && tookMs < 20_000, `gave up after ${tookMs} ms`)
  for (const error of [hung, half, broken, refused]) t.ok(error instanceof TransientError)
  t.match(refused, { message: /ECONNREFUSED/ })
})

test('closing breaks off a delivery under way', async (t) => {
  const url = await receiver(t, () => undefined)
  const closing = new AbortController()
  const delivery = failure(make({ notifier: 'webhook', url }).notify(NOTIFICATION, closing.signal))
  closing.abort()
  t.ok((await delivery) instanceof TransientError)
})

// ---- log and options

test('log is one structured line a change', async (t) => {
  const lines: string[] = []
  await make({ notifier: 'log' }, lines).notify(NOTIFICATION, never)
  await make({ notifier: 'log', level: 'error' }, lines).notify(NOTIFICATION, never)
  t.match(
    lines.map((line): unknown => JSON.parse(line)),
    [
      {
        level: 40,
        alert: 'firing',
        severity: 'warning',
        rule: 'path-loss',
        link: LINK,
        msg: 'hq -> carrier-b: 8.1 % loss (limit 3 %)',
      },
      { level: 50 },
    ],
  )
})

test('the options of a channel are read by its kind, and complain where they stand', async (t) => {
  t.same(
    NOTIFIERS.map(({ name }) => name),
    ['webhook', 'log'],
  )
  t.match(notifierOptions.parse({ notifier: 'log' }), { name: 'log', severity: 'warning' })
  const named = {
    notifier: 'webhook',
    name: 'oncall',
    severity: 'critical',
    url: 'https://x.example',
  }
  t.match(notifierOptions.parse(named), { name: 'oncall', severity: 'critical' })
  const read = (yaml: string) => () => readConfig(notifierOptions, yaml, 'c.yaml')
  t.throws(read('notifier: pager'), {
    message: 'c.yaml:1:11: notifier: expected notifier: webhook or log',
  })
  t.throws(read('{}'), { message: /expected notifier: webhook or log/ })
  t.throws(read('notifier: webhook\nurl: ftp://x'), {
    message: /^c\.yaml:2:6: url: expected an address/,
  })
  t.throws(read('notifier: log\nlevl: info'), { message: /levl/ })
})
