import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { Agent } from '../../agent/agent.ts'
import type { AgentConfig } from '../../agent/config.ts'
import type { ProbeContext } from '../../agent/probe.ts'
import { Collector } from '../../collector/collector.ts'
import { collectorConfig } from '../../collector/config.ts'
import { createToken } from '../../collector/http/tokens.ts'
import { readConfig } from '../../common/config.ts'
import { signFarewell, tokenHash } from '../../common/farewell.ts'
import type { EndReason } from '../../common/service.ts'
import { createLogger } from '../../common/log.ts'
import { measurement } from '../../common/measurement.ts'
import { Secret } from '../../common/settings.ts'
import { startNut } from '../support/nut.ts'

/** What an agent says last, and what the collector makes of it: both real, over HTTP. */

tap.setTimeout(60_000)

const log = createLogger('test', 'silent')
const INTERVAL_MS = 200
const US_PER_MS = 1000
const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const TYPESCRIPT = new URL('../support/typescript.js', import.meta.url).href
const AT = '2026-11-22T12:00:00.000Z'

let newestUs = 0

/** Later than the time before it: two readings are never of the same moment. */
function nowUs(): number {
  newestUs = Math.max(newestUs + 1, Date.now() * US_PER_MS)
  return newestUs
}

const overview = z.object({
  agents: z.array(z.object({ agent: z.string(), version: z.string(), rejected: z.number() })),
  alerts: z.array(z.looseObject({ rule: z.string(), summary: z.string() })),
})

test('a collector knows from the farewell why a site is silent', async (t) => {
  const summary = async (
    end: EndReason | undefined,
    ...before: readonly Parameters<ProbeContext['report']>[0][]
  ): Promise<string> => {
    const { url, look, secret } = await startCollector(t)
    const { agent, report } = await startAgent(t, url, secret)
    for (const points of before) report(points)
    // Only of an agent that has said how often it speaks can anybody say that it is silent.
    await until(async () => (await look()).agents.some(({ version }) => version !== ''))
    await agent.close(end)
    const cutOff = async () => (await look()).alerts.find(({ rule }) => rule === 'site-cut-off')
    await until(async () => (await cutOff()) !== undefined)
    const { agents } = await look()
    t.match(agents, [{ agent: 'gw-1', rejected: 0 }], 'its signature was right')
    return (await cutOff())?.summary ?? ''
  }
  const ups = (line: string) =>
    measurement(
      'ups',
      nowUs(),
      { target: 'ups-1' },
      { line, comms_lost: false, low_battery: line === 'battery', charge_ratio: 0.07 },
    )
  t.match(await summary('SIGINT'), /^agent stopped: .*it was stopped, its machine was not/)
  t.match(await summary('error'), /^agent crashed: .*by an error of its own/)
  t.match(
    await summary('SIGINT', [ups('battery')], [ups('online')]),
    /^agent stopped/,
    'the power came back before',
  )
})

test('an agent fed by a failing UPS says farewell before it dies, one that crashes does not', async (t) => {
  const onMains = { 'ups.status': 'OL', 'battery.charge': '97', 'battery.runtime': '2410' }
  const nut = await startNut({ core: { description: 'Core', values: onMains } })
  if (nut === undefined) {
    t.pass('a real upsd', { skip: 'upsd is missing: apt-get install nut-server' })
    return
  }
  t.teardown(async () => nut.close())
  const summary = async (status: string): Promise<string> => {
    await nut.set('core', { ...onMains, 'ups.status': 'OL' })
    const { url, look, secret } = await startCollector(t)
    const folder = await mkdtemp(join(tmpdir(), 'farewell-'))
    t.teardown(async () => rm(folder, { recursive: true }))
    const file = join(folder, 'agent.yaml')
    const target = `core@127.0.0.1:${nut.port}`
    await writeFile(
      file,
      JSON.stringify({
        agent: 'gw-1',
        site: 'hq',
        collectors: [{ url, token: secret }],
        interval: '200ms',
        farewell: { ups: [target] },
        probes: [{ probe: 'ups-nut', server: `127.0.0.1:${nut.port}` }],
      }),
    )
    const child = spawn(process.execPath, ['--import', TYPESCRIPT, MAIN, 'run', '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let logged = ''
    child.stderr.on('data', (chunk: Buffer) => (logged += chunk.toString()))
    t.teardown(() => child.kill('SIGKILL'))
    await until(async () => (await look()).agents.some(({ version }) => version !== ''))
    await nut.set('core', { ...onMains, 'ups.status': status })
    if (status !== 'OL') await until(async () => logged.includes('farewell heard'))
    child.kill('SIGKILL')
    await until(async () => (await look()).alerts.some(({ rule }) => rule === 'site-cut-off'))
    return (await look()).alerts.find(({ rule }) => rule === 'site-cut-off')?.summary ?? ''
  }
  t.match(
    await summary('OB LB DISCHRG'),
    /^power lost: .*gw-1 said farewell: core@127\.0\.0\.1:\d+ was on low battery, 97 % charge left/,
  )
  t.match(await summary('OL'), /^unknown: .*no other site is heard/)
})

test('what is not signed with the token is counted, and not believed', async (t) => {
  const { url, secret, look } = await startCollector(t)
  const timeUs = nowUs()
  const said = { agent: 'gw-1', site: 'hq', timeUs, cause: 'stop', power: '' }
  const send = async (token: string): Promise<number> => {
    const signature = signFarewell(tokenHash(token), said)
    const answer = await fetch(`${url}/api/v2/write?precision=us`, {
      method: 'POST',
      headers: { authorization: `Token ${secret}` },
      body: `farewell cause="stop",signature="${signature}" ${timeUs}\n`,
    })
    return answer.status
  }
  t.equal(await send('somebody else’s'), 400)
  t.match((await look()).agents, [{ agent: 'gw-1', rejected: 1 }])
  t.equal(await send(secret), 204)
})

async function startCollector(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'farewell-'))
  const { secret } = await createToken(folder, { role: 'agent', agent: 'gw-1', site: 'hq' }, AT)
  const config = readConfig(
    collectorConfig,
    `data: ${folder}\nlisten: 127.0.0.1:0\nrules: { site-cut-off: { after: 3s } }\n`,
    'test.yaml',
  )
  const { collector, adminToken = '' } = await Collector.start(config, log)
  t.teardown(async () => {
    await collector.close()
    await rm(folder, { recursive: true })
  })
  const headers = { authorization: `Token ${adminToken}` }
  const look = async (): Promise<z.output<typeof overview>> =>
    overview.parse(await (await fetch(`${collector.url}/api/v1/overview`, { headers })).json())
  return { url: collector.url, secret, look }
}

async function startAgent(t: Test, url: string, secret: string) {
  const folder = await mkdtemp(join(tmpdir(), 'farewell-'))
  let report: ProbeContext['report'] = () => undefined
  const config: AgentConfig = {
    agent: 'gw-1',
    site: 'hq',
    collectors: [{ url, token: new Secret(secret) }],
    intervalMs: INTERVAL_MS,
    spool: { folder, maxBytes: 1_000_000 },
    logLevel: 'silent',
    farewell: { ups: ['ups-1'], on: ['on-battery', 'low-battery'], lowChargeRatio: 0.1 },
    probes: [
      {
        kind: 'p',
        label: 'p',
        intervalMs: INTERVAL_MS,
        create: (context) => {
          report = context.report
          return { measure: async () => [] }
        },
      },
    ],
  }
  const agent = await Agent.start(config, log, { aligned: true })
  t.teardown(async () => {
    await agent.close()
    await rm(folder, { recursive: true })
  })
  return { agent, report }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50))
}
