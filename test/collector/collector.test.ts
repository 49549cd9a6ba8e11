import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { createToken, revokeToken } from '../../collector/http/tokens.ts'
import { openStore, storeOptions } from '../../collector/store/index.ts'
import { AlertReceiver } from '../support/alert-receiver.ts'
import { CollectorProcess, runCollector } from '../support/collector-process.ts'
import { storeContext } from '../support/store-context.ts'

tap.setTimeout(120_000)

const AT = '2026-11-22T12:00:00.000Z'
const BATCH_POINTS = 100
const BATCHES = 60
const KILLS = 3
const KILL_AFTER_MS = 400
const RETRY_MS = 20
const STEP_MS = 50
const INTERVAL_MS = 10_000
const PATIENCE_MS = 15_000

const overview = z.object({
  paths: z.array(
    z.looseObject({
      from: z.string(),
      to: z.string(),
      history: z.object({ loss: z.array(z.number().nullable()) }),
    }),
  ),
  alerts: z.array(z.looseObject({ object: z.string(), state: z.string(), sinceMs: z.number() })),
  agents: z.array(z.looseObject({ agent: z.string(), points: z.number() })),
})

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-collector-'))
  await mkdir(join(folder, 'data'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  return folder
}

async function startIn(t: Test, ...args: readonly string[]): Promise<CollectorProcess> {
  const collector = await CollectorProcess.start(args)
  t.teardown(async () => collector.end('SIGKILL'))
  return collector
}

async function seen(url: string, secret: string): Promise<z.infer<typeof overview>> {
  const headers = { authorization: `Bearer ${secret}` }
  const response = await fetch(`${url}/api/v1/overview`, { headers })
  return overview.parse(await response.json())
}

/** Makes a key and a certificate for 127.0.0.1; false where openssl is missing. */
async function selfSigned(key: string, cert: string): Promise<boolean> {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-days', '2', '-keyout', key, '-out', cert],
      ...curve,
      ...subject,
    ])
    return true
  } catch {
    return false
  }
}

async function getTls(
  url: string,
  tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer },
): Promise<{ readonly status: number | undefined; readonly headers: IncomingHttpHeaders }> {
  return await new Promise((resolve, reject) => {
    request(url, { ...tls, agent: false }, (response) => {
      response.resume()
      resolve({ status: response.statusCode, headers: response.headers })
    })
      .on('error', reject)
      .end()
  })
}

async function until(condition: () => Promise<boolean> | boolean): Promise<boolean> {
  const end = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > end) return false
    await delay(STEP_MS)
  }
  return true
}

test('nothing acknowledged is lost and nothing counted twice when the collector is killed with -9', async (t) => {
  const folder = await folderOf(t)
  const data = join(folder, 'data')
  const secrets: string[] = []
  // One at a time may change the tokens.
  for (const agent of ['gw-1', 'gw-2'])
    secrets.push((await createToken(data, { role: 'agent', agent, site: 'hq' }, AT)).secret)
  let collector = await startIn(t, '--data', data, '--listen', '127.0.0.1:0')
  const { url } = collector
  let failures = 0

  /** Pushes a batch again and again until it is acknowledged, as an agent does. */
  const push = async (secret: string, batch: number): Promise<void> => {
    const beginUs = Date.now() * 1000
    const body = Array.from(
      { length: BATCH_POINTS },
      (_, i) => `ping,target=t sent=1i ${beginUs + batch * BATCH_POINTS + i}`,
    ).join('\n')
    for (;;) {
      const headers = {
        authorization: `Token ${secret}`,
        'x-kiestoon-batch': `batch-${batch}`,
        'x-kiestoon-sent-at': String(Date.now() * 1000),
      }
      const status = await fetch(`${url}/api/v2/write?precision=us`, {
        method: 'POST',
        headers,
        body,
      })
        .then((response) => response.status)
        .catch(() => 0)
      if (status === 204) return
      failures++
      await delay(RETRY_MS)
    }
  }
  const writers = secrets.map(async (secret) => {
    for (let batch = 0; batch < BATCHES; batch++) {
      await push(secret, batch)
      await delay(RETRY_MS)
    }
  })
  for (let kill = 0; kill < KILLS; kill++) {
    await delay(KILL_AFTER_MS)
    await collector.end('SIGKILL')
    collector = await startIn(t, '--data', data, '--listen', new URL(url).host)
  }
  await Promise.all(writers)
  t.ok(failures > 0, `${failures} pushes failed on the way`)
  await collector.end('SIGKILL')

  const options = storeOptions.parse({ kind: 'duckdb' })
  const context = await storeContext()
  t.teardown(context.remove)
  const store = await openStore(options, { ...context, folder: join(data, 'store') })
  const series = await store.read({
    measurement: 'ping',
    columns: [{ as: 'sum', field: 'sent', aggregate: 'sum' }],
    fromUs: 0,
    toUs: Number.MAX_SAFE_INTEGER,
    groupBy: ['agent'],
  })
  await store.close()
  t.same(
    series.map(({ tags, values }) => [tags['agent'], values['sum']]),
    [
      ['gw-1', [BATCHES * BATCH_POINTS]],
      ['gw-2', [BATCHES * BATCH_POINTS]],
    ],
  )
})

test('a breach survives a restart: it pages once, and its history stays on the screen', async (t) => {
  const folder = await folderOf(t)
  const data = join(folder, 'data')
  const receiver = new AlertReceiver()
  const config = join(folder, 'collector.yaml')
  const site = join(folder, 'site.yaml')
  await writeFile(
    site,
    `parties: { ict: {}, carrier-b: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, bearer: lan, owner: ict }
  carrier-b: { cidr: [198.51.100.0/24], bearer: wan, owner: carrier-b }
agents: { gw-b: { at: carrier-b } }
`,
  )
  await writeFile(
    config,
    `listen: 127.0.0.1:0
data: ${data}
site-file: ${site}
notify: [{ notifier: webhook, url: "${await receiver.open()}" }]
`,
  )
  t.teardown(() => {
    receiver.close()
  })
  const { secret } = await createToken(data, { role: 'agent', agent: 'gw-b', site: 'b' }, AT)
  const viewer = await createToken(data, { role: 'viewer' }, AT)
  const lastEndMs = Date.now() - INTERVAL_MS / 2

  /** Four streams, each losing 40 of 500 packets, in the interval that ended so many intervals before the last. */
  const pushInterval = async (url: string, intervalsAgo: number): Promise<void> => {
    const endUs = (lastEndMs - intervalsAgo * INTERVAL_MS) * 1000
    const body = Array.from(
      { length: 4 },
      (_, i) =>
        `rtp_stream,codec=PCMA,source=capture interval_ms=10000,active_ms=10000,src_ip="10.1.0.${i + 1}",dst_ip="198.51.100.9",` +
        `ssrc="0x0000000${i}",payload_type=8i,expected=500i,received=460i,lost=40i,lost_unique=40i ${endUs + i}`,
    ).join('\n')
    const headers = { authorization: `Token ${secret}` }
    const answer = await fetch(`${url}/api/v2/write?precision=us`, {
      method: 'POST',
      headers,
      body,
    })
    t.equal(answer.status, 204)
  }
  const first = await startIn(t, '--config', config)
  for (const ago of [4, 3, 2, 1]) await pushInterval(first.url, ago)
  const alert = await receiver.next('firing', 'hq -> carrier-b', PATIENCE_MS)
  t.match(alert?.body.breach.labels, {
    from: 'hq',
    to: 'carrier-b',
    at: 'carrier-b',
    owner: 'carrier-b',
  })
  const link: unknown = alert?.body['link']
  t.match(link, new RegExp(`^${first.url}/#alert-`))
  const before = await seen(first.url, viewer.secret)
  await first.end('SIGKILL')

  const second = await startIn(t, '--config', config)
  t.notMatch(second.stdout.join('\n'), /Admin token/, 'only the first start makes an admin token')
  const restored = await seen(second.url, viewer.secret)
  t.match(restored.alerts, [{ object: 'hq -> carrier-b', state: 'firing' }])
  t.equal(restored.alerts[0]?.sinceMs, before.alerts[0]?.sinceMs)
  const [path] = restored.paths
  t.match(path, { from: 'hq', to: 'carrier-b', firing: true, owner: 'carrier-b', bearer: 'wan' })
  const losses = (path?.history.loss ?? []).flatMap((loss) => loss ?? [])
  t.ok(losses.length >= 3, `${losses.length} steps of history`)
  t.ok(losses.every((loss) => loss === 0.08))
  await pushInterval(second.url, 0)
  await delay(2000)
  // Killed between a delivery and the note of it, the collector delivers again, under the same id: receivers drop the copy.
  const ids = new Set(receiver.alerts.map(({ body }) => body['id']))
  t.equal(ids.size, 1, 'nobody is paged a second time')
})

test('an agent whose token was revoked while the collector was down is not missed', async (t) => {
  const folder = await folderOf(t)
  const data = join(folder, 'data')
  const agent = await createToken(data, { role: 'agent', agent: 'gw-1', site: 'hq' }, AT)
  const viewer = await createToken(data, { role: 'viewer' }, AT)
  const first = await startIn(t, '--data', data, '--listen', '127.0.0.1:0')
  const headers = { authorization: `Token ${agent.secret}` }
  await fetch(`${first.url}/write`, { method: 'POST', headers, body: 'ping,target=t sent=1i' })
  t.match(await seen(first.url, viewer.secret), { agents: [{ agent: 'gw-1', points: 1 }] })
  await first.end('SIGTERM')
  await revokeToken(data, agent.token.id, AT)
  const second = await startIn(t, '--data', data, '--listen', '127.0.0.1:0')
  t.ok(await until(async () => (await seen(second.url, viewer.secret)).agents.length === 0))
})

test('it ends within two seconds of SIGTERM, whoever is still connected', async (t) => {
  const folder = await folderOf(t)
  const collector = await startIn(t, '--data', join(folder, 'data'), '--listen', '127.0.0.1:0')
  const admin = (await readFile(join(folder, 'data', 'admin-token'), 'utf8')).trim()
  t.ok(await until(async () => collector.stdout.length > 1))
  t.match(collector.stdout[1], admin, 'printed once')
  const response = await fetch(`${collector.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${admin}` },
  })
  t.equal(response.status, 200)
  const since = Date.now()
  t.equal(await collector.end('SIGTERM'), 0)
  t.ok(Date.now() - since < 2000, `${Date.now() - since} ms`)
  await t.resolves(response.text(), 'the stream came to an orderly end')
})

test('the site file is followed; a bad one changes nothing', async (t) => {
  const folder = await folderOf(t)
  const data = join(folder, 'data')
  const site = join(folder, 'site.yaml')
  const config = join(folder, 'collector.yaml')
  await writeFile(site, 'networks: { hq: { cidr: [10.1.0.0/16], site: hq } }\n')
  await writeFile(config, `listen: 127.0.0.1:0\ndata: ${data}\nsite-file: ${site}\n`)
  const collector = await startIn(t, '--config', config)
  await appendFile(site, 'agents: { gw-1: { at: nowhere } }\n')
  t.ok(await until(() => collector.stderr.includes('the one before stays')))
  t.match(collector.stderr, /site\.yaml:2:23: agents\.gw-1\.at: .{0,2}nowhere/)
  await writeFile(site, 'networks: { hq: { cidr: [10.1.0.0/16] }, lab: { cidr: [10.2.0.0/16] } }\n')
  collector.signal('SIGHUP')
  t.ok(await until(() => collector.stderr.includes('"networks":2')))
})

test('a start that cannot succeed says everything that is wrong, and how to mend it', async (t) => {
  const folder = await folderOf(t)
  const data = join(folder, 'data')
  const collector = await startIn(t, '--data', data, '--listen', '127.0.0.1:0')
  const { host } = new URL(collector.url)
  const config = join(folder, 'collector.yaml')
  const site = join(folder, 'site.yaml')
  const file = join(folder, 'file')
  await writeFile(file, '')
  await writeFile(site, 'networks: { hq: { cidr: [10.1.0.0/99] } }\n')
  await writeFile(
    config,
    `listen: ${host}\ndata: ${file}/data\nsite-file: ${site}\ntls: { cert: ${file}, key: ${file} }\n`,
  )
  const wrong = await runCollector('run', '--config', config)
  t.equal(wrong.code, 1)
  t.equal(wrong.stdout, '')
  const lines = wrong.stderr.trim().split('\n')
  t.equal(lines.length, 4)
  t.match(lines[0], /cannot write in the data folder .*--data/)
  t.match(
    lines[1],
    /cannot listen on 127\.0\.0\.1:\d+ \(another program listens there already\).*--listen/,
  )
  t.match(lines[2], /cannot use the certificates/)
  t.match(lines[3], /site\.yaml:1:26: networks\.hq\.cidr\.0: expected a block/)

  const second = await runCollector('run', '--data', data, '--listen', '127.0.0.1:0')
  t.equal(second.code, 1, 'two collectors on one data folder')
  t.equal(second.stderr.trim().split('\n').length, 1)
  t.equal((await fetch(`${collector.url}/readyz`)).status, 200, 'the first goes on')
})

test('with TLS it speaks nothing else, and a client needs a certificate where that is configured', async (t) => {
  const folder = await folderOf(t)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = await selfSigned(key, cert)
  if (!made) {
    t.pass('TLS', { skip: 'openssl is missing: apt-get install openssl' })
    return
  }
  const config = join(folder, 'collector.yaml')
  await writeFile(
    config,
    `listen: 127.0.0.1:0\ndata: ${folder}/data\ntls: { cert: ${cert}, key: ${key}, client-ca: ${cert} }\n`,
  )
  const collector = await startIn(t, '--config', config)
  t.match(collector.url, /^https:/)
  const tls = { cert: await readFile(cert), key: await readFile(key), ca: await readFile(cert) }
  const health = await getTls(`${collector.url}/healthz`, tls)
  t.equal(health.status, 200)
  t.match(health.headers['strict-transport-security'], /max-age/)
  await t.rejects(
    getTls(`${collector.url}/healthz`, { ca: tls.ca }),
    'no certificate, no connection',
  )
  await t.rejects(fetch(`${collector.url.replace('https', 'http')}/healthz`))
  collector.signal('SIGHUP')
  t.equal((await getTls(`${collector.url}/healthz`, tls)).status, 200)
})
