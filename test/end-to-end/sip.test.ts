import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { stringify } from 'yaml'
import { AlertReceiver, type ReceivedAlert } from '../support/alert-receiver.ts'
import { REALM, startKamailio, type Kamailio } from '../support/kamailio.ts'
import { RecordingRelay } from '../support/recording-relay.ts'
import { registerContact } from '../support/register-contact.ts'
import { REGISTERS, credentialsRow, requestOf, runSipp } from '../support/sipp-caller.ts'
import { isSippMissing } from '../support/sipp-callee.ts'

tap.setTimeout(240_000)

const DIST = fileURLToPath(new URL('../../dist', import.meta.url))
const AGENT = join(DIST, 'agent', 'main.js')
const COLLECTOR = join(DIST, 'collector', 'main.js')
const RECEPTION = { user: '31201001', password: 'reception-secret' }
const LOBBY = { user: '31201002', password: 'lobby-secret' }
const PHONES = 400
const CHECK_MS = 5000
const TAP_MS = 5000
const HOLD_MS = 10_000
/** For the check itself, the push, and the rule's own second. */
const SLACK_MS = 5000
const MORNING_S = 40
/** 2,000 in a minute. */
const MORNING_RATE = 33
const FLOOD_RATE = 400
const FLOOD_S = 12
const EXTENSIONS = 60
const MASTER_URL = /Kiestoon collector: (\S+)/

const phones = Array.from(
  { length: PHONES },
  (_, index) => `31202${String(index).padStart(3, '0')}`,
)
const isRoot = process.getuid?.() === 0
const impossible = isSippMissing ?? (isRoot ? undefined : 'capturing needs root')

test(
  'what happens to SIP at a real registrar is told, and nothing else',
  { skip: impossible ?? false },
  async (t) => {
    const accounts = Object.fromEntries([
      ...[RECEPTION, LOBBY].map(({ user, password }) => [user, password] as const),
      ...phones.map((user) => [user, `secret-${user}`] as const),
    ])
    const kamailio = await startKamailio({ accounts, children: 4 })
    if (kamailio === undefined) {
      t.pass('kamailio', { skip: 'missing: apt-get install kamailio' })
      return
    }
    const folder = await mkdtemp(join(tmpdir(), 'kiestoon-sip-'))
    const receiver = new AlertReceiver()
    const children: ChildProcess[] = []
    t.teardown(async () => {
      for (const child of children.toReversed()) await stopped(child)
      receiver.close()
      await kamailio.close()
      await rm(folder, { recursive: true, force: true })
    })
    const config = await collectorConfig(folder, await receiver.open())
    const token = createToken(config)
    const [collector, url] = await startCollector(config)
    children.push(collector)
    const relay = new RecordingRelay(url)
    t.teardown(() => {
      relay.close()
    })
    for (const { user, password } of [RECEPTION, LOBBY])
      await registerContact(kamailio, user, `sip:${user}@127.0.0.1:5070`, password)
    children.push(await startAgent(folder, await relay.open(), token, kamailio))
    const site: Site = { kamailio, receiver, relay }

    await t.test('phones that are registered raise no alert, and 112 would go through', (t) =>
      allIsWell(t, site),
    )
    await t.test('a busy Monday morning raises no alert', (t) => busyMorning(t, site))
    await t.test('an account that is deleted is told of, by name and owner', (t) =>
      deleted(t, site),
    )
    await t.test('a frozen registrar is silence, never a delay', (t) => frozen(t, site))
    await t.test('a flood and an enumeration are told of, by source', (t) => attacked(t, site))
  },
)

if (impossible !== undefined) tap.comment(`end-to-end test skipped: ${impossible}`)

interface Site {
  readonly kamailio: Kamailio
  readonly receiver: AlertReceiver
  readonly relay: RecordingRelay
}

async function allIsWell(t: Test, { relay, receiver }: Site): Promise<void> {
  await until(() => relay.of('sip_registration', 'lobby').length >= 3, 4 * CHECK_MS + SLACK_MS)
  for (const account of ['reception', 'lobby']) {
    const checks = relay.of('sip_registration', account)
    t.ok(checks.length >= 2, `${account} was checked ${checks.length} times`)
    t.ok(
      checks.every(({ registered, accepted }) => registered === true && accepted === true),
      `${account} is registered`,
    )
    t.match(checks.at(-1), { contacts: 1, contact_hosts: '127.0.0.1', status_code: 200 })
  }
  t.match(relay.of('sip_options', 'pbx').at(-1), { alive: true, status_code: 200 })
  t.same(titlesOf(receiver.alerts), [], 'no alert')
}

/** 2,000 REGISTERs a minute, each challenged, from a branch behind one address, and all of them right. */
async function busyMorning(t: Test, { kamailio, relay, receiver }: Site): Promise<void> {
  const rows = phones.map((user) => credentialsRow(user, `secret-${user}`))
  const calls = MORNING_RATE * MORNING_S
  const code = await runSipp({
    ...{
      steps: REGISTERS,
      port: kamailio.port,
      from: '127.20.0.1',
      rate: MORNING_RATE,
      calls,
      rows,
    },
  })
  t.equal(code, 0, `${calls} phones were let in`)
  await delay(2 * TAP_MS + SLACK_MS)
  const seen = relay.of('sip_source').filter((source) => source['src_ip'] === '127.20.0.1')
  const succeeded = sumOf(seen, 'responses_2xx')
  t.ok(succeeded > 0.95 * calls, `${succeeded} of ${calls} seen on the tap`)
  t.same(titlesOf(receiver.alerts), [], 'no alert')
}

async function deleted(t: Test, { kamailio, receiver }: Site): Promise<void> {
  await kamailio.deleteAccount(RECEPTION.user)
  const deletedMs = Date.now()
  const alert = await receiver.next(
    'firing',
    'account reception',
    2 * (CHECK_MS + HOLD_MS + SLACK_MS),
  )
  if (!t.ok(alert, 'the alert came') || alert === undefined) return
  const tookMs = alert.atMs - deletedMs
  t.comment(`deleted to webhook: ${(tookMs / 1000).toFixed(1)} s; ${alert.body.title}`)
  t.ok(tookMs <= CHECK_MS + HOLD_MS + SLACK_MS, 'in one interval and the hold')
  t.match(alert.body.breach, {
    rule: 'registration-lost',
    labels: { site: 'hq', account: 'reception', owner: 'telecom' },
  })
  t.match(alert.body.text, /^Owner: Telecom team$/m)
  t.match(alert.body.text, /site hq/)
  const whole = JSON.stringify(alert.body)
  t.match(whole, /\*+01@kiestoon\.example/, 'the number is masked')
  t.notMatch(whole, RECEPTION.user)
  const help = await receiver.next('firing', 'emergency calls from hq', HOLD_MS + SLACK_MS)
  t.match(help?.body.text, /account reception/, '112 hangs on that account')
}

async function frozen(t: Test, { kamailio, relay, receiver }: Site): Promise<void> {
  const before = relay.of('sip_registration', 'lobby').length
  kamailio.freeze()
  const alert = await receiver.next(
    'firing',
    `registrar ${REALM}`,
    4 * CHECK_MS + HOLD_MS + SLACK_MS,
  )
  const trunk = await receiver.next('firing', 'trunk pbx', 3 * CHECK_MS + SLACK_MS)
  kamailio.thaw()
  t.ok(alert, 'one alert for all accounts of the registrar')
  t.ok(trunk, 'nor is the trunk')
  const silent = relay
    .of('sip_registration', 'lobby')
    .slice(before)
    .filter(({ timeout }) => timeout === true)
  t.ok(silent.length >= 2, `${silent.length} timeouts`)
  for (const fields of silent) {
    t.notOk('registration_request_delay_ms' in fields, 'a timeout is no delay')
    t.notOk('registered' in fields || 'status_code' in fields)
    t.match(fields, { accepted: false, reason: /no answer in 2000 ms/ })
  }
  const options = relay.of('sip_options', 'pbx').filter(({ timeout }) => timeout === true)
  t.ok(options.length >= 2 && options.every((fields) => !('round_trip_ms' in fields)))
  t.ok(await receiver.next('resolved', 'trunk pbx', 3 * CHECK_MS + SLACK_MS), 'and is heard again')
  t.ok(await receiver.next('resolved', `registrar ${REALM}`, 3 * CHECK_MS + SLACK_MS))
}

async function attacked(t: Test, { kamailio, receiver }: Site): Promise<void> {
  const { port } = kamailio
  const flood = runSipp({
    steps: `${requestOf('REGISTER', 1).replace(' retrans="500"', '')}<recv response="401"></recv>`,
    ...{ port, from: '127.66.0.1', rate: FLOOD_RATE, calls: FLOOD_RATE * FLOOD_S },
    rows: [RECEPTION.user],
  })
  // As svwar does: an INVITE or OPTIONS to each extension, and on what the answer says of it.
  const scan = runSipp({
    steps: `${requestOf('INVITE', 1, '', 'friendly-scanner').replace(' retrans="500"', '')}
      <recv response="404"></recv>`,
    ...{ port, from: '127.77.0.1', rate: 20, calls: EXTENSIONS },
    rows: Array.from({ length: EXTENSIONS }, (_, index) => String(100 + index)),
  })
  const [flooded, scanned] = await Promise.all([
    receiver.next('firing', 'source 127.66.0.1', FLOOD_S * 1000 + 4 * TAP_MS),
    receiver.next('firing', 'source 127.77.0.1', FLOOD_S * 1000 + 4 * TAP_MS),
    flood,
    scan,
  ])
  t.match(flooded?.body.breach, { rule: 'sip-flood', labels: { source_ip: '127.66.0.1' } })
  t.match(scanned?.body.breach, { rule: 'sip-scan', labels: { source_ip: '127.77.0.1' } })
  t.comment(`${flooded?.body.title ?? 'no flood'}; ${scanned?.body.title ?? 'no scan'}`)
  const about = receiver.alerts.filter(({ body }) => body.text.includes('127.20.'))
  t.same(titlesOf(about), [], 'nobody accuses the branch')
}

function titlesOf(alerts: readonly ReceivedAlert[]): string[] {
  return alerts.map(({ body }) => body.title)
}

function sumOf(all: readonly Readonly<Record<string, unknown>>[], name: string): number {
  return all.reduce((sum, fields) => sum + Number(fields[name] ?? 0), 0)
}

async function collectorConfig(folder: string, webhook: string): Promise<string> {
  const siteFile = join(folder, 'site.yaml')
  const emergency = { trunk: 'pbx', account: 'reception', 'caller-id': '+31201234567' }
  await writeFile(
    siteFile,
    stringify({
      parties: { telecom: { name: 'Telecom team' } },
      networks: { pbx: { cidr: ['127.0.0.0/8'], site: 'hq', bearer: 'lan', owner: 'telecom' } },
      agents: { 'gw-1': { at: 'pbx' } },
      emergency: { sites: { hq: { ...emergency, location: 'Main street 1, Utrecht' } } },
    }),
  )
  const file = join(folder, 'collector.yaml')
  await writeFile(
    file,
    stringify({
      listen: '127.0.0.1:0',
      data: join(folder, 'data'),
      'site-file': siteFile,
      notify: [{ notifier: 'webhook', url: webhook }],
    }),
  )
  return file
}

function createToken(config: string): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [COLLECTOR, 'token', 'create', '--config', config, '--agent', 'gw-1', '--site', 'hq'],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

async function startCollector(config: string): Promise<[ChildProcess, string]> {
  const child = spawn(process.execPath, [COLLECTOR, 'run', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (piece: Buffer) => (said += piece.toString()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = MASTER_URL.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('close', () => {
      reject(new Error(`the collector ended: ${said}`))
    })
  })
  return [child, url]
}

async function startAgent(
  folder: string,
  url: string,
  token: string,
  { port }: Kamailio,
): Promise<ChildProcess> {
  const file = join(folder, 'agent.yaml')
  const asks = { interval: `${CHECK_MS}ms`, timeout: '2s' }
  await writeFile(
    file,
    stringify({
      agent: 'gw-1',
      site: 'hq',
      collectors: [{ url, token }],
      spool: { folder: join(folder, 'spool') },
      probes: [
        {
          probe: 'sip-register',
          ...asks,
          registrar: `sip:${REALM}`,
          proxy: `sip:127.0.0.1:${port}`,
          accounts: [
            { name: 'reception', ...RECEPTION },
            { name: 'lobby', ...LOBBY },
          ],
        },
        { probe: 'sip-options', ...asks, targets: [{ name: 'pbx', uri: `sip:127.0.0.1:${port}` }] },
        { probe: 'rtp-capture', interval: `${TAP_MS}ms`, interface: 'lo', 'sip-ports': [port] },
      ],
    }),
  )
  const child = spawn(process.execPath, [AGENT, 'run', '--config', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await once(child, 'spawn')
  return child
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}

async function until(isTrue: () => boolean, withinMs: number): Promise<void> {
  const endMs = Date.now() + withinMs
  while (!isTrue() && Date.now() < endMs) await delay(100)
}
