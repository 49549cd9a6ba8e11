import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { Collector } from '../../collector/collector.ts'
import { collectorConfig } from '../../collector/config.ts'
import { createToken } from '../../collector/http/tokens.ts'
import { encodeMeasurements } from '../../common/line-protocol.ts'
import { createLogger } from '../../common/log.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { launchChromium, openPage } from '../support/chromium.ts'

/** What the collector serves: built by npm test before it begins. */
const BUILT = new URL('../../dist/console/index.html', import.meta.url)
/** To look at; nothing compares it. */
const PICTURE = new URL('../../.tap/console-story.png', import.meta.url)

test('with the real collector paths appear, a breach shows and resolves, all without a reload', async (t) => {
  const browser = await launchChromium()
  if (!browser) {
    t.pass('story', { skip: 'chromium is missing: apt-get install chromium' })
    return
  }
  t.teardown(() => browser.close())
  if (!existsSync(BUILT)) {
    t.pass('story', { skip: 'the console is not built: npm run build' })
    return
  }
  await mkdir(new URL('.', PICTURE), { recursive: true })
  const collector = await startCollector(t)
  const { page, origin, complaints } = await openPage(browser, collector.port, {
    viewport: { width: 390, height: 844 },
  })
  t.teardown(() => page.context().close())
  await page.goto(`${origin}/#token=${collector.adminToken}`)
  await page.locator('#verdict', { hasText: 'No path measured yet' }).waitFor()
  let loads = 0
  page.on('load', () => loads++)

  // ten-second intervals that end at these moments; the newest is not older than half a minute, as in life
  const endS = Math.floor(Date.now() / 10_000) * 10
  await collector.push([-60, -50].map((ago) => callInterval(endS + ago, 1)))
  await page
    .locator('#verdict', { hasText: 'The one path, hq → carrier-b, is under 3 %' })
    .waitFor()
  await page.locator('#agents', { hasText: 'gw-1' }).waitFor()

  await collector.push([-40, -30, -20].map((ago) => callInterval(endS + ago, 40)))
  const alert = page.locator('#alerts > li')
  await alert.filter({ hasText: 'firing' }).waitFor()
  t.match(await alert.innerText(), /hq → carrier-b/)
  t.match(await alert.innerText(), /owner Carrier B/)
  t.match(await alert.innerText(), /To do: look for drops/)
  await page.locator('#verdict', { hasText: 'The one path, hq → carrier-b, is over 3 %' }).waitFor()
  const row = page.locator('#paths tr.measured')
  t.match(await row.innerText(), /8\.0.%/)
  t.match(await row.innerText(), /MOS 3\.91|3\.91 narrowband/, 'the MOS the agent rated')
  t.match(await row.innerText(), /no round trip measured/, 'none is made up')
  await alert.locator('summary').click()
  await page.screenshot({ path: PICTURE.pathname, fullPage: true })
  const link = /http\S+#alert-\S+/.exec(await alert.locator('.message').innerText())?.[0]
  t.equal(new URL(link ?? 'x:').hash, await alert.getByRole('link').getAttribute('href'))

  await collector.push([-10, 0].map((ago) => callInterval(endS + ago, 0)))
  await alert.filter({ hasText: 'resolved' }).waitFor()
  await page.locator('#verdict', { hasText: 'is under 3 %' }).waitFor()
  t.equal(loads, 0, 'all of it without a reload')
  t.same(complaints, [])
})

test('a UPS on battery is on the page Power within two seconds of its reading', async (t) => {
  const browser = await launchChromium()
  if (!browser || !existsSync(BUILT)) {
    await browser?.close()
    t.pass('power', { skip: 'chromium is missing, or the console is not built' })
    return
  }
  t.teardown(() => browser.close())
  const collector = await startCollector(t)
  const { page, origin, complaints } = await openPage(browser, collector.port)
  t.teardown(() => page.context().close())
  await page.goto(`${origin}/#token=${collector.adminToken}`)
  await page.getByRole('link', { name: 'Power' }).click()
  await page.locator('#verdict', { hasText: 'Nothing is heard of the power yet' }).waitFor()
  await collector.push([upsReading('online', 2400)])
  await page.locator('#verdict', { hasText: 'Calls to 112: works' }).waitFor()
  const begunMs = Date.now()
  await collector.push([upsReading('battery', 660)])
  await page.locator('#verdict', { hasText: 'Calls to 112: 11 min left' }).waitFor()
  const tookMs = Date.now() - begunMs
  t.ok(tookMs < 2000, `shown after ${tookMs} ms`)
  await page.locator('[data-node="ups-1"]', { hasText: 'on battery, 11 min left' }).waitFor()
  await page.locator('.events li', { hasText: 'ups-1 degraded: on battery, 62 %' }).waitFor()
  t.same(complaints, [])
})

function upsReading(line: string, leftS: number): Measurement {
  return measurement(
    'ups',
    Date.now() * 1000,
    { target: 'ups-1', source: 'nut' },
    { line, charge_ratio: 0.62, runtime_s: leftS, runtime_left_s: leftS, comms_lost: false },
  )
}

/** One call from hq to carrier-b over the ten seconds before `endS`. */
function callInterval(endS: number, lost: number): Measurement {
  return measurement(
    'rtp_stream',
    endS * 1_000_000 + 1,
    { codec: 'PCMA', source: 'capture' },
    {
      interval_ms: 10_000,
      active_ms: 10_000,
      src_ip: '10.1.0.7',
      src_port: 4000,
      dst_ip: '203.0.113.9',
      dst_port: 5000,
      ssrc: '0x00005eed',
      payload_type: 8,
      expected: 500,
      received: 500 - lost,
      lost,
      lost_unique: lost,
      duplicates: 0,
      reordered: 0,
      jitter_ms: 2.5,
      discard_ratio_adaptive: 0.01,
      mos_lq: lost > 10 ? 3.91 : 4.4,
      mos_scale: 'narrowband',
      mos_assumed: false,
      sensor_drops: 0,
    },
  )
}

/** A collector of its own, which knows an agent gw-1 that sees the calls where they arrive at the carrier. */
async function startCollector(t: Test): Promise<{
  readonly port: number
  readonly adminToken: string
  readonly push: (points: readonly Measurement[]) => Promise<void>
}> {
  const data = await mkdtemp(join(tmpdir(), 'kiestoon-story-'))
  const site = join(data, 'site.yaml')
  await writeFile(
    site,
    `parties: { ict: { name: Network team }, carrier-b: { name: Carrier B } }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, bearer: lan, owner: ict }
  carrier-b: { cidr: [203.0.113.0/24], bearer: internet, owner: carrier-b }
agents: { gw-1: { at: carrier-b } }
components:
  mains-a: { kind: mains }
  ups-1: { kind: ups, place: B1/2.14, needs: [mains-a], watch: { measurement: ups, target: ups-1 } }
services:
  emergency-112: { label: Calls to 112, needs: [ups-1], hold-up: 60min }
`,
  )
  const config = collectorConfig.parse({
    listen: '127.0.0.1:0',
    data,
    'site-file': site,
    rules: { 'path-loss': { 'clear-hold': '10s' } },
  })
  const { secret } = await createToken(
    data,
    { role: 'agent', agent: 'gw-1', site: 'hq' },
    new Date().toISOString(),
  )
  const { collector, adminToken = '' } = await Collector.start(
    config,
    createLogger('test', 'silent'),
  )
  t.teardown(async () => {
    await collector.close()
    await rm(data, { recursive: true })
  })
  return {
    port: Number(new URL(collector.url).port),
    adminToken,
    push: async (points) => {
      const answer = await fetch(`${collector.url}/api/v2/write?precision=us`, {
        method: 'POST',
        headers: { authorization: `Token ${secret}` },
        body: encodeMeasurements(points),
      })
      t.equal(answer.status, 204, await answer.text())
    },
  }
}
