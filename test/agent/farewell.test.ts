import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import { Agent } from '../../agent/agent.ts'
import type { CollectorAddress } from '../../agent/config.ts'
import { causeOfEnd, type Ask } from '../../agent/ending.ts'
import { Feed, type FeedOptions } from '../../agent/feed.ts'
import type { ProbeContext } from '../../agent/probe.ts'
import { isFarewellGenuine, tokenHash } from '../../common/farewell.ts'
import { decodeLines, type DecodedPoint } from '../../common/line-protocol.ts'
import { createLogger } from '../../common/log.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { Secret } from '../../common/settings.ts'
import { always, ScriptedCollector, until, type Script } from '../support/scripted-collector.ts'

const log = createLogger('test', 'silent')
const TOKEN = 's3cret'
const BOTH = ['on-battery', 'low-battery'] as const
const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const TYPESCRIPT = new URL('../support/typescript.js', import.meta.url).href

function ups(target: string, fields: Parameters<typeof measurement<'ups'>>[3]): Measurement {
  return measurement('ups', 1, { target }, { comms_lost: false, ...fields })
}

function supply(
  target: string,
  fields: Parameters<typeof measurement<'power_supply'>>[3],
): Measurement {
  return measurement('power_supply', 1, { target }, fields)
}

// ---- what feeds the machine

test('farewell is said once per outage, and once more when the battery is low', (t) => {
  const feed = feedOf({ ups: ['ups-1'] })
  t.equal(feed.observe([ups('ups-1', { line: 'online' })]), undefined)
  t.equal(feed.observe([ups('ups-2', { line: 'battery' })]), undefined, 'it feeds others')
  const battery = ups('ups-1', { line: 'battery', charge_ratio: 0.9, runtime_s: 700 })
  t.match(feed.observe([battery]), {
    cause: 'on-battery',
    power: 'ups-1',
    chargeRatio: 0.9,
    runtimeS: 700,
  })
  t.equal(feed.observe([battery]), undefined, 'said already')
  const low = ups('ups-1', { line: 'battery', low_battery: true, runtime_left_s: 60 })
  t.match(feed.observe([low]), { cause: 'low-battery', runtimeS: 60 })
  t.equal(feed.observe([low]), undefined)
  t.equal(feed.observe([battery]), undefined, 'it got better: nothing to say')
  t.match(feed.failure, { cause: 'on-battery' })
  t.equal(feed.observe([ups('ups-1', { line: 'online' })]), undefined)
  t.equal(feed.failure, undefined)
  t.match(feed.observe([battery]), { cause: 'on-battery' }, 'another outage')
  t.equal(feed.observe([ups('ups-1', { line: 'unknown', comms_lost: true })]), undefined)
  t.match(feed.failure, { power: 'ups-1' }, 'lost from sight, it still runs down')
  feed.observe([ups('ups-1', { line: 'online' })])
  feed.observe([ups('ups-1', { line: 'unknown', comms_lost: true })])
  t.equal(feed.failure, undefined)
  t.end()
})

test('of what is done on purpose, or endangers nothing yet, nothing is said', (t) => {
  const said = (fields: Parameters<typeof ups>[1]): string | undefined =>
    feedOf({ ups: ['u'] }).observe([ups('u', fields)])?.cause
  t.equal(said({ line: 'battery', self_testing: true }), undefined)
  t.equal(said({ line: 'battery', calibrating: true }), undefined)
  t.equal(said({ line: 'battery', calibrating: true, low_battery: true }), 'low-battery')
  t.equal(said({ line: 'online', low_battery: true }), undefined)
  t.equal(said({ line: 'online', forced_shutdown: true }), 'low-battery', 'a shutdown was ordered')
  t.equal(said({ line: 'battery', shutdown_pending: true }), 'low-battery')
  t.equal(said({ line: 'bypass' }), undefined)
  t.equal(said({ line: 'unknown', comms_lost: true }), undefined)
  t.end()
})

test('a machine with two supplies runs on until both fail', (t) => {
  const feed = feedOf({ ups: ['a', 'b'] })
  feed.observe([ups('a', { line: 'online' }), ups('b', { line: 'online' })])
  t.equal(feed.observe([ups('a', { line: 'battery', low_battery: true })]), undefined)
  t.match(feed.observe([ups('b', { line: 'battery' })]), { cause: 'on-battery', power: 'b' })
  t.match(feed.observe([ups('b', { line: 'battery', low_battery: true })]), {
    cause: 'low-battery',
  })
  const half = feedOf({ ups: ['a', 'b'] })
  half.observe([ups('a', { line: 'online' }), ups('b', { line: 'battery' })])
  t.match(
    half.observe([ups('a', { line: 'unknown', comms_lost: true })]),
    { power: 'b' },
    'of the other nobody knows',
  )
  t.same(half.unheard, [])
  t.same(feedOf({ ups: ['a', 'c'] }).unheard, ['a', 'c'])
  t.end()
})

test('the machine knows by its own supplies when it runs on battery', (t) => {
  const said = (...points: Measurement[]) => feedOf({}).observe(points)
  const offline = supply('ADP1', { kind: 'mains', online: false })
  const battery = (charge_ratio: number, status = 'discharging') =>
    supply('BAT0', { kind: 'battery', status, charge_ratio, runtime_s: 900 })
  t.match(said(offline, battery(0.8)), {
    cause: 'on-battery',
    power: 'ADP1',
    chargeRatio: 0.8,
    runtimeS: 900,
  })
  t.match(said(offline, battery(0.1)), { cause: 'low-battery' })
  t.equal(said(supply('ADP1', { kind: 'mains', online: true }), battery(0.1)), undefined)
  t.equal(
    said(offline, supply('AC2', { kind: 'mains', online: true }), battery(0.8)),
    undefined,
    'the other adapter is in',
  )
  t.equal(said(offline, battery(0.8, 'charging')), undefined, 'it is fed by USB')
  t.match(said(offline), { power: 'ADP1' }, 'a battery it does not know of')
  t.match(said(battery(0.8)), { power: 'BAT0' }, 'no mains the kernel knows of')
  t.equal(said(battery(0.8, 'not charging')), undefined)
  t.equal(said(supply('BAT0', { kind: 'battery', status: 'unknown' })), undefined)
  t.match(said(supply('ups', { kind: 'ups', online: false, charge_ratio: 0.5 })), { power: 'ups' })
  t.equal(said(supply('ups', { kind: 'ups', online: true, status: 'full' })), undefined)
  t.equal(said(measurement('ping', 1, { target: 'a' }, { received: 0 })), undefined)
  const quiet = new Feed({ ups: [], on: ['low-battery'], lowChargeRatio: 0.2 })
  t.equal(quiet.observe([offline, battery(0.8)]), undefined, 'configured not to say so')
  t.match(quiet.observe([battery(0.2)]), { cause: 'low-battery' })
  t.end()
})

// ---- why the agent ends

test('the cause of the end is what the machine says, or unknown', async (t) => {
  const asked: string[] = []
  const ask =
    (state: string, levels: string): Ask =>
    async (program, ...args) => {
      asked.push([program, ...args].join(' '))
      return program === 'systemctl' ? state : levels
    }
  const table: readonly (readonly [string, string, string])[] = [
    ['stopping', '', 'shutdown'],
    ['running', 'N 5', 'stop'],
    ['degraded', '', 'stop'],
    ['offline', 'N 0', 'shutdown'],
    ['offline', '3 6', 'shutdown'],
    ['', 'N 2', 'stop'],
    ['', 'unknown', 'unknown'],
    ['offline', '', 'unknown'],
    ['', '', 'unknown'],
  ]
  for (const [state, levels, cause] of table)
    t.equal(await causeOfEnd('SIGTERM', ask(state, levels)), cause, `"${state}" "${levels}"`)
  t.same(new Set(asked), new Set(['systemctl is-system-running', 'runlevel']))
  const unasked: Ask = () => Promise.reject(new Error('asked'))
  t.equal(await causeOfEnd('SIGINT', unasked), 'stop')
  t.equal(await causeOfEnd('error', unasked), 'failure')
  t.equal(await causeOfEnd(undefined, unasked), 'stop')
  t.ok(['stop', 'shutdown', 'unknown'].includes(await causeOfEnd('SIGTERM')), 'this machine')
})

// ---- said

test('on battery the farewell overtakes the backlog, signed', async (t) => {
  const collector = await startCollector(t, always(503))
  const { agent, report } = await startAgent(t, [collector])
  report([measurement('ping', 1_800_000_000_000_000, { target: 'a' }, { sent: 1 })])
  await until(() => collector.pushes.length > 0, 'the first attempt')
  const before = collector.pushes.length
  collector.script = always(204)
  report([ups('ups-1', { line: 'battery', charge_ratio: 0.87 })])
  await until(() => farewells(collector).length === 1, 'the farewell')
  await until(() => names(collector).slice(before).includes('ups'), 'the backlog')
  t.ok(
    names(collector).indexOf('farewell') < names(collector).lastIndexOf('ups'),
    'ahead of what was measured',
  )
  const [said] = farewells(collector)
  t.match(said, {
    tags: { agent: 'gw-1', site: 'hq' },
    fields: { cause: 'on-battery', power: 'ups-1', charge_ratio: 0.87 },
  })
  t.ok(said !== undefined && isSigned(said))
  report([ups('ups-1', { line: 'battery', low_battery: true })])
  await until(() => farewells(collector).length === 2, 'the second')
  await agent.close()
  t.same(
    farewells(collector).map(({ fields }) => [fields['cause'], fields['power']]),
    [
      ['on-battery', 'ups-1'],
      ['low-battery', 'ups-1'],
      ['stop', 'ups-1'],
    ],
  )
  t.ok(farewells(collector).every(isSigned))
})

test('every collector hears the farewell, each signed with its own token, whatever becomes of the others', async (t) => {
  const refusing = await startCollector(t, always(503))
  const up = await startCollector(t, always(204))
  const dead = await startCollector(t, (response) => response.destroy())
  const { agent, report } = await startAgent(t, [refusing, up, dead])
  report([ups('ups-1', { line: 'battery' })])
  await until(() => farewells(up).length === 1, 'the farewell')
  await until(() => farewells(refusing).length > 1 && farewells(dead).length > 1, 'further tries')
  refusing.script = always(204)
  await until(() => refusing.pushes.some(({ text }) => text.startsWith('ups,')), 'it to be used')
  const said = farewells(refusing).length
  const start = performance.now()
  await agent.close()
  t.ok(performance.now() - start < 5000, 'the dead one holds nobody up for long')
  t.match(farewells(up).map(causeOf), ['on-battery', 'stop'], 'once each')
  t.same(farewells(refusing).slice(said).map(causeOf), ['stop'])
  t.equal(farewells(dead).map(causeOf).at(-1), 'stop')
  for (const [index, collector] of [refusing, up, dead].entries())
    t.ok(farewells(collector).every((each) => isSigned(each, `${TOKEN}-${index}`)))
  t.notOk(
    farewells(up).some((each) => isSigned(each, `${TOKEN}-0`)),
    'and with no other',
  )
})

test('a farewell from the spool is believed by whichever collector gets it', async (t) => {
  const folder = await temporaryFolder(t)
  const all = [await startCollector(t, always(503)), await startCollector(t, always(503))] as const
  const { agent } = await startAgent(t, all, folder)
  await agent.close('error')
  const [preferred, other] = all
  other.script = always(204)
  const before = farewells(other).length
  await startAgent(t, all, folder)
  await until(() => farewells(other).length > before, 'the one of last time')
  const late = farewells(other).at(-1)
  t.match(late, { fields: { cause: 'failure' } })
  for (const nr of [0, 1]) t.ok(late !== undefined && isSigned(late, `${TOKEN}-${nr}`))
  t.notOk(late !== undefined && isSigned(late, 'another'))
  t.ok(farewells(preferred).every((said) => isSigned(said, `${TOKEN}-0`)))
})

test('a farewell nobody heard waits in the spool, and is told when the agent is back', async (t) => {
  const folder = await temporaryFolder(t)
  const away = await startCollector(t, (response) => response.destroy())
  const { agent } = await startAgent(t, [away], folder)
  await agent.close('error')
  t.ok(farewells(away).length > 1, 'tried again and again')
  const ids = away.pushes.map(({ id }) => id).filter((id) => id.startsWith('farewell-'))
  t.equal(new Set(ids).size, 1, 'and it is always the same')
  away.script = always(204)
  const before = farewells(away).length
  await startAgent(t, [away], folder)
  await until(() => farewells(away).length > before, 'the one of last time')
  const late = farewells(away).at(-1)
  t.match(late, { fields: { cause: 'failure' } })
  t.ok(late !== undefined && isSigned(late), 'its signature still holds')
})

test('an agent told to end by a signal says farewell within a second', async (t) => {
  const collector = await startCollector(t, always(204))
  const folder = await temporaryFolder(t)
  const file = join(folder, 'agent.yaml')
  await writeFile(
    file,
    `{ agent: gw-1, site: hq, interval: 200ms, probes: [{ probe: host }], collectors: [{ url: '${collector.url}', token: ${TOKEN} }] }`,
  )
  const child = spawn(process.execPath, ['--import', TYPESCRIPT, MAIN, 'run', '-c', file], {
    stdio: 'ignore',
  })
  const exit = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  await until(() => collector.pushes.length > 0, 'the agent to run')
  const start = performance.now()
  child.kill('SIGINT')
  await until(() => farewells(collector).length === 1, 'the farewell')
  t.ok(performance.now() - start < 1000)
  t.match(farewells(collector), [{ fields: { cause: 'stop' } }])
  t.ok(farewells(collector).every(isSigned))
  await exit
  t.equal(child.exitCode, 0)
})

// ---------------------------------------------------------------------------------------------------------------------

function feedOf(options: Partial<FeedOptions>): Feed {
  return new Feed({ ups: [], on: BOTH, lowChargeRatio: 0.1, ...options })
}

async function startAgent(
  t: Test,
  collectors: readonly ScriptedCollector[],
  folder?: string,
): Promise<{ readonly agent: Agent; readonly report: ProbeContext['report'] }> {
  let report: ProbeContext['report'] = () => undefined
  const agent = await Agent.start(
    {
      agent: 'gw-1',
      site: 'hq',
      collectors: collectors.map(({ url }, index): CollectorAddress => ({
        url,
        token: new Secret(collectors.length === 1 ? TOKEN : `${TOKEN}-${index}`),
      })),
      intervalMs: 3_600_000,
      spool: { folder: join(folder ?? (await temporaryFolder(t)), 'spool'), maxBytes: 1_000_000 },
      logLevel: 'silent',
      farewell: { ups: ['ups-1'], on: BOTH, lowChargeRatio: 0.1 },
      probes: [
        {
          kind: 'p',
          label: 'p',
          intervalMs: 3_600_000,
          create: (context) => {
            report = context.report
            return { measure: async () => [] }
          },
        },
      ],
    },
    log,
    { pushLimits: { backoffMaxMs: 50 } },
  )
  t.teardown(() => agent.close())
  return { agent, report }
}

async function startCollector(t: Test, script: Script): Promise<ScriptedCollector> {
  const collector = await ScriptedCollector.start(script)
  t.teardown(() => collector.close())
  return collector
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'farewell-'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  return folder
}

function pointsOf({ pushes }: ScriptedCollector): readonly DecodedPoint[] {
  const options = { precision: 'us', nowUs: 0, maxPoints: 10_000 } as const
  return pushes.flatMap(({ text }) => decodeLines(text, options).points.map(({ point }) => point))
}

function names(collector: ScriptedCollector): readonly string[] {
  return pointsOf(collector).map(({ name }) => name)
}

function farewells(collector: ScriptedCollector): readonly DecodedPoint[] {
  return pointsOf(collector).filter(({ name }) => name === 'farewell')
}

function causeOf({ fields }: DecodedPoint): unknown {
  return fields['cause']
}

function isSigned({ fields, timeUs }: DecodedPoint, token: unknown = TOKEN): boolean {
  const { cause, power = '', signature } = fields
  const said = { agent: 'gw-1', site: 'hq', timeUs, cause: String(cause), power: String(power) }
  const secret = typeof token === 'string' ? token : TOKEN
  return isFarewellGenuine(tokenHash(secret), said, signature)
}
