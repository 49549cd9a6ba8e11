import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { AlertReceiver, type ReceivedAlert } from '../support/alert-receiver.ts'
import { CollectorProcess, runCollector } from '../support/collector-process.ts'
import { startNut } from '../support/nut.ts'

/** A real upsd with simulated UPSes, the agent and the collector as people run them, and what a webhook is told. */

tap.setTimeout(300_000)

const AGENT = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const TYPESCRIPT = new URL('../support/typescript.js', import.meta.url).href
const US_PER_MS = 1000
/** The driver looks at its file, the agent at the server, and the webhook is called. */
const READ_MS = 12_000
const POLL_MS = 5000
const HOLD_MS = 10_000
const TELL_MS = 1000
const AT_ONCE_MS = 5000

const SITE = (port: number) => `
parties: { facilities: { name: Facilities, notify: [facilities] } }
components:
  mains-a: { kind: mains, owner: facilities }
  mains-b: { kind: mains, owner: facilities }
  battery-1: { kind: battery }
  battery-2: { kind: battery }
  ups-1: { kind: ups, owner: facilities, label: Exchange room, place: B1/2.14/rack 3, circuit: L3-7, serial: AS1234,
    contract: S-77, needs: [{ any: [mains-a, battery-1] }], watch: { measurement: ups, target: core } }
  ups-2: { kind: ups, owner: facilities, needs: [{ any: [mains-b, battery-2] }],
    watch: { measurement: ups, target: 'far@127.0.0.1:${port}' } }
  pbx: { kind: pbx, needs: [{ any: [ups-1, ups-2] }] }
  dect: { kind: dect, needs: [ups-1] }
services:
  emergency-112: { label: Calls to 112, serves: hq, hold-up: 20min, needs: [pbx, dect] }
  call-out: { label: Calls to outside, serves: hq, needs: [pbx] }
`
const MAINS = { 'ups.status': 'OL CHRG', 'battery.charge': '97', 'battery.runtime': '3000' }
const BATTERY = { 'ups.status': 'OB DISCHRG', 'battery.charge': '90', 'battery.runtime': '2400' }

const overview = z.object({
  alerts: z.array(
    z.looseObject({
      rule: z.string(),
      state: z.string(),
      explainedBy: z.string(),
      text: z.string(),
    }),
  ),
})
const powerView = z.object({
  components: z.array(z.looseObject({ id: z.string(), state: z.string(), stateText: z.string() })),
})

test('mains lost, battery low, mains back: one event, told in time; a dead driver is not healthy', async (t) => {
  const nut = await startNut({
    core: { description: 'Drawn as ups-1', values: MAINS },
    far: { description: 'Drawn as ups-2', values: MAINS },
    spare: { description: 'Not drawn', values: MAINS },
  })
  if (nut === undefined) {
    t.pass('a real upsd', { skip: 'upsd is missing: apt-get install nut-server' })
    return
  }
  t.teardown(async () => nut.close())
  const site = await startSite(t, nut.port)
  const { receiver, look } = site
  const after = async (what: () => Promise<unknown>, kind: string, object: string) => {
    await what()
    const alert = await receiver.next(kind, object, READ_MS + HOLD_MS + POLL_MS)
    t.ok(alert, `${kind} ${object}`)
    return alert
  }
  await until(async () => (await site.power()).components.some(({ state }) => state === 'up'))
  await until(async () => {
    const { components } = await site.power()
    return ['ups-1', 'ups-2'].every((id) =>
      components.some((it) => it.id === id && it.state === 'up'),
    )
  })
  t.same(receiver.alerts, [], 'nothing is wrong')

  // On battery: what one more failure would stop, within 5 s of the reading; the unit nobody drew after its hold.
  const lost = await after(
    async () => Promise.all([nut.set('core', BATTERY), nut.set('spare', BATTERY)]),
    'firing',
    'power of hq',
  )
  const lostMs = delayOf(lost)
  t.ok(lostMs <= AT_ONCE_MS, `redundancy lost: told ${lostMs} ms after the reading`)
  t.match(lost?.body, {
    title: /redundancy lost: one more failure of battery-1 stops Calls to 112/,
    text: /What: ups-1 is Exchange room, at B1\/2\.14\/rack 3, circuit L3-7, serial AS1234\nContract: S-77\n/,
    breach: { labels: { owner: 'facilities', class: 'emergency' } },
  })
  const spare = `UPS spare@127.0.0.1:${nut.port}`
  const battery = await receiver.next('firing', spare, READ_MS + HOLD_MS + POLL_MS)
  const batteryMs = delayOf(battery)
  t.ok(batteryMs >= HOLD_MS - POLL_MS / 10, `on battery: not before its hold (${batteryMs} ms)`)
  t.ok(
    batteryMs <= HOLD_MS + POLL_MS + TELL_MS,
    `on battery: told ${batteryMs} ms after the reading`,
  )
  await until(async () =>
    (await look()).alerts.some(
      ({ rule, explainedBy }) => rule === 'ups-on-battery' && explainedBy === 'power of hq',
    ),
  )
  t.notOk(
    receiver.alerts.some(({ body }) => body.breach.object.startsWith('UPS ups-1')),
    'the event says it all',
  )

  // Time runs out: less than 112 should last.
  const short = await after(
    async () => nut.set('core', { ...BATTERY, 'battery.charge': '40', 'battery.runtime': '900' }),
    'escalated',
    'power of hq',
  )
  t.match(short?.body.text, /Calls to 112 1[45] min left \(should be 20 min\)/)
  t.match(short?.body.text, /Minutes left: 1[45]/)

  // Low: at once.
  const low = { 'ups.status': 'OB LB DISCHRG', 'battery.charge': '8', 'battery.runtime': '100' }
  const before = receiver.alerts.length
  await Promise.all([nut.set('core', low), nut.set('spare', low)])
  await until(async () => receiver.alerts.slice(before).some(({ body }) => isLowAlert(body)))
  const lowAlert = receiver.alerts.slice(before).find(({ body }) => isLowAlert(body))
  const lowMs = delayOf(lowAlert)
  t.ok(lowMs <= AT_ONCE_MS, `low battery: told ${lowMs} ms after the reading`)
  await until(async () =>
    receiver.alerts.some(({ body }) => /^escalated: battery low: ups-1/.test(body.text)),
  )

  // Mains is back.
  const resolved = await after(
    async () => Promise.all([nut.set('core', MAINS), nut.set('spare', MAINS)]),
    'resolved',
    'power of hq',
  )
  t.match(resolved?.body.text, /^resolved: power is back/)
  await receiver.next('resolved', spare, READ_MS + HOLD_MS)

  // The driver dies: unknown, not healthy.
  const blind = await after(async () => nut.kill('far'), 'firing', 'UPS ups-2')
  t.match(blind?.body.text, /^no contact: .*DRIVER-NOT-CONNECTED/)
  const { components } = await site.power()
  t.match(
    components.find(({ id }) => id === 'ups-2'),
    { state: 'unknown' },
  )
  const told = receiver.alerts.map(({ body }) => `${body.kind} ${body.breach.object}`)
  t.equal(told.filter((word) => word === 'firing power of hq').length, 1, 'one event, one page')
  t.comment(
    `after the reading: redundancy lost ${lostMs} ms, on battery ${batteryMs} ms (hold ${HOLD_MS}, poll ${POLL_MS}), low battery ${lowMs} ms; no contact told ${delayOf(blind)} ms after the first reading without`,
  )
  t.comment(told.join('\n'))
})

function isLowAlert({ breach, kind }: ReceivedAlert['body']): boolean {
  return kind !== 'resolved' && breach['rule'] === 'ups-low-battery'
}

/** From the reading it is about, which is when it began, to the webhook. */
function delayOf(alert: ReceivedAlert | undefined): number {
  const sinceUs = alert?.body.breach['sinceUs']
  if (alert === undefined || typeof sinceUs !== 'number') return NaN
  return Math.round(alert.atMs - sinceUs / US_PER_MS)
}

async function startSite(t: Test, nutPort: number) {
  const folder = await mkdtemp(join(tmpdir(), 'power-'))
  const receiver = new AlertReceiver()
  const hook = await receiver.open()
  const file = async (name: string, value: string): Promise<string> => {
    await writeFile(join(folder, name), value)
    return join(folder, name)
  }
  await file('site.yaml', SITE(nutPort))
  const config = await file(
    'collector.yaml',
    JSON.stringify({
      ...{ data: join(folder, 'data'), listen: '127.0.0.1:0', 'site-file': 'site.yaml' },
      console: { anonymous: 'loopback' },
      notify: [{ notifier: 'webhook', name: 'facilities', url: hook, severity: 'warning' }],
    }),
  )
  const made = await runCollector(
    ...['token', 'create', '--config', config, '--agent', 'gw-1'],
    ...['--site', 'hq'],
  )
  const token = made.stdout.trim()
  const collector = await CollectorProcess.start(['--config', config])
  const agentFile = await file(
    'agent.yaml',
    JSON.stringify({
      ...{ agent: 'gw-1', site: 'hq', collectors: [{ url: collector.url, token }] },
      probes: [{ probe: 'ups-nut', server: `127.0.0.1:${nutPort}` }],
    }),
  )
  const agent = spawn(process.execPath, ['--import', TYPESCRIPT, AGENT, 'run', '-c', agentFile], {
    stdio: 'ignore',
  })
  t.teardown(async () => {
    agent.kill('SIGKILL')
    await collector.end('SIGTERM')
    receiver.close()
    await rm(folder, { recursive: true })
  })
  const get = async (path: string): Promise<unknown> =>
    await (await fetch(`${collector.url}${path}`)).json()
  return {
    receiver,
    look: async () => overview.parse(await get('/api/v1/overview')),
    power: async () => powerView.parse(await get('/api/v1/power')),
  }
}

async function until(isSo: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  const endMs = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > endMs) throw new Error(`not within ${withinMs} ms: ${isSo.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
