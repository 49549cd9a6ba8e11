import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import tap, { test, type Test } from 'tap'
import { HOST, launchChromium, openPage, type Visit, type Window } from '../support/chromium.ts'
import {
  buildConsole,
  startConsoleServer,
  TOKEN,
  type ConsoleServer,
} from '../support/console-server.ts'
import {
  agentView,
  alertView,
  busyOverview,
  emptyOverview,
  history,
  NO_HISTORY,
  pathView,
  testView,
  worstOverview,
} from '../support/overviews.ts'

/** Pictures to look at; nothing compares them. */
const PICTURES = new URL('../../.tap/', import.meta.url)
const PHONE = { viewport: { width: 360, height: 780 } }
const NOW_MS = Date.UTC(2026, 10, 22, 3, 12, 4)

tap.setTimeout(60_000)

const browser = await launchChromium()
const folder = await mkdtemp(join(tmpdir(), 'kiestoon-console-'))
await mkdir(PICTURES, { recursive: true })
await buildConsole(folder)
tap.teardown(async () => {
  await browser?.close()
  await rm(folder, { recursive: true })
})

/** A test with a browser and a server that speaks as the collector does. */
function browserTest(
  name: string,
  body: (t: Test, chromium: Browser, server: ConsoleServer) => Promise<void>,
): void {
  test(name, async (t) => {
    if (!browser) {
      t.pass(name, { skip: 'chromium is missing: apt-get install chromium' })
      return
    }
    const server = await startConsoleServer(folder)
    t.teardown(() => server.close())
    await body(t, browser, server)
  })
}

/** The console in a window of its own; logs in by the address unless another one is given. */
async function visit(
  t: Test,
  chromium: Browser,
  server: ConsoleServer,
  options: Window & { readonly fragment?: string } = {},
): Promise<Visit> {
  const { fragment = `#token=${TOKEN}`, ...given } = options
  const visit = await openPage(chromium, server.port, given)
  t.teardown(() => visit.page.context().close())
  await visit.page.goto(`${visit.origin}/${fragment}`)
  return visit
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: new URL(`console-${name}.png`, PICTURES).pathname, fullPage: true })
}

async function scrollsSideways(page: Page): Promise<unknown> {
  return await page.evaluate('document.documentElement.scrollWidth > innerWidth')
}

browserTest(
  'a stranger is asked for a token, a wrong one is refused, the right one opens',
  async (t, chromium, server) => {
    server.show(busyOverview(NOW_MS))
    const { page, complaints } = await visit(t, chromium, server, { fragment: '' })
    // the field has the focus: whoever types, types the token
    await page.getByLabel('Token').waitFor()
    await page.keyboard.type('guessed')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'does not know this token' }).waitFor()
    await picture(page, 'login')
    t.equal(server.pages(), 0, 'nothing was shown')
    await page.getByLabel('Token').fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.locator('#verdict', { hasText: 'hq → carrier-b' }).waitFor()
    t.same(complaints, [])
  },
)

browserTest('a token in the address logs in and is not left there', async (t, chromium, server) => {
  server.show(emptyOverview(NOW_MS))
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#verdict').waitFor()
  t.equal(page.url(), `http://${HOST}:${server.port}/`)
  t.same(complaints, [])
})

browserTest('one sentence answers whether calls can sound right', async (t, chromium, server) => {
  const busy = busyOverview(NOW_MS)
  server.show(busy)
  const { page, complaints } = await visit(t, chromium, server)
  const says = async (sentence: string): Promise<void> => {
    await page.locator('#verdict', { hasText: sentence }).waitFor()
    t.pass(sentence)
  }
  await says('1 of 4 paths over 3 %: hq → carrier-b')
  t.equal(
    await page.locator('.facts').innerText(),
    '3 alerts firing · 1 of 4 agents silent · 1 of 4 agents not measuring everything · 2 paths cannot be judged · 1 path with nothing measured now',
  )
  t.equal(await page.title(), '(3) firing · Kiestoon')
  t.match(
    await page.locator('#paths-title').innerText(),
    'Paths 7 paths, measured in 9 ways; alerts first, then by name',
  )
  server.show(worstOverview(NOW_MS))
  await says('The sound of calls stopped: hq → carrier-a and 1 more path')
  t.match(await page.locator('.facts').innerText(), /^1 of 3 paths over 3.%: hq → carrier-b · 5/)
  server.show({
    ...busy,
    alerts: worstOverview(NOW_MS).alerts.filter(({ rule }) => rule === 'site-cut-off'),
  })
  await says('Nothing is heard any more: site branch-4')

  const one = pathView(NOW_MS)
  const calm = { ...emptyOverview(NOW_MS), agents: [agentView(NOW_MS)] }
  server.show({ ...calm, paths: [one, pathView(NOW_MS, { to: 'carrier-b' })] })
  await says('All 2 paths under 3 %')
  t.equal(await page.title(), 'Kiestoon')
  server.show({ ...calm, paths: [one] })
  await says('The one path, hq → carrier-a, is under 3 %')
  server.show({
    ...calm,
    paths: [one, pathView(NOW_MS, { to: 'b', verdict: 'silent', lossRatio: null })],
  })
  await says('The one path judged now is under 3 %')
  server.show({
    ...calm,
    paths: [
      pathView(NOW_MS, { to: 'b', verdict: 'over' }),
      pathView(NOW_MS, { verdict: 'tainted' }),
    ],
  })
  await says('The one path judged now is over 3 %: hq → b')
  server.show({ ...calm, paths: [pathView(NOW_MS, { verdict: 'silent', lossRatio: null })] })
  await says('Nothing measured now: no calls, no test streams')
  server.show({ ...calm, paths: [pathView(NOW_MS, { verdict: 'tainted' })] })
  await says('No path can be judged now')
  const over = ['b', 'c', 'd', 'e'].map((to) =>
    pathView(NOW_MS, { to, verdict: 'severe', limitRatio: 0.05 }),
  )
  server.show({ ...calm, paths: [...over, one] })
  await says('4 of 5 paths over their limit: hq → b, hq → c, hq → d and 1 more')
  // the same path judged from calls and from a test stream is one path
  server.show({ ...calm, paths: [testView(NOW_MS, { verdict: 'over' }), one] })
  await says('The one path, hq → carrier-a, is over 3 %')
  t.same(complaints, [])
})

browserTest(
  'what was not measured is a dash or a gap, never a number',
  async (t, chromium, server) => {
    server.show({
      ...emptyOverview(NOW_MS),
      paths: [
        pathView(NOW_MS, {
          verdict: 'silent',
          lossRatio: null,
          jitterMs: null,
          mosLq: null,
          effectiveLossRatio: null,
          streams: 0,
          lastSeenMs: NOW_MS - 130_000,
          history: history((step) => (step < 10 || step === 40 || step > 77 ? null : 0.01)),
        }),
        pathView(NOW_MS, { to: 'b', verdict: 'tainted', lossRatio: 0.0304, sensorDrops: 304 }),
        pathView(NOW_MS, { to: 'c', verdict: 'too-few', lossRatio: 0.0001, history: NO_HISTORY }),
        testView(NOW_MS, { to: 'd' }),
        pathView(NOW_MS, { to: 'e', verdict: 'unknown', jitterMs: 31.4, mosLq: 3.594 }),
      ],
      agents: [agentView(NOW_MS, { clockOffsetMs: null, spoolPoints: null, version: '' })],
    })
    const { page, complaints } = await visit(t, chromium, server)
    const [silent, tainted, few, test, unknown] = ['carrier-a', 'b', 'c', 'd', 'e'].map((to) =>
      page
        .getByRole('row')
        .filter({ has: page.getByRole('button', { name: `hq → ${to}`, exact: true }) }),
    )
    await silent?.waitFor()
    const cells = await silent?.getByRole('cell').allInnerTexts()
    t.same(
      cells?.map((cell) => cell.replaceAll(/\s+/g, ' ').trim()),
      [
        'calls at hq-edge last 2 min 10 s ago · lan · Network team',
        '– no loss measured limit 3 %',
        '– not measured',
        '– no jitter measured',
        '– no MOS: no stream with a rated codec',
        '– no round trip measured',
        '',
      ],
    )
    t.match(
      (await test?.getByRole('cell').allInnerTexts())?.map((cell) => cell.replaceAll(/\s+/g, ' ')),
      [
        /^test stream at hq-edge/,
        /^0\.2 %/,
        /only where the packets of calls are counted/,
        '3.4 ms',
        /only where the packets of calls are counted/,
        '12.4 ms',
      ],
    )
    t.match(await unknown?.innerText(), /unknown: the agent itself is cut off/)
    t.match(await unknown?.innerText(), /31\.4.ms\s+over 30.ms\s+3\.59 narrowband\s+below 3\.6/)
    t.match(await silent?.innerText(), 'nothing measured now')
    t.match(await tainted?.innerText(), /cannot be judged: the tap itself dropped packets/)
    t.match(await tainted?.innerText(), /3\.04.%/, 'a figure over the limit is not rounded to it')
    t.match(await few?.innerText(), /too few packets to judge/)
    t.match(await few?.innerText(), /<.0\.1.%/, 'some loss is not none')
    await tainted?.getByRole('button').click()
    await page.getByText('The tap dropped 304 packets of its own').waitFor()
    await few?.getByRole('button').click()
    await page.getByText('No MOS: it is rated where').waitFor()
    const drawn = await silent?.locator('.sparkline .loss').getAttribute('d')
    t.equal(drawn?.match(/M/g)?.length, 2, 'the line is broken where nothing was measured')
    t.match(await page.locator('#agents tbody tr').innerText(), /clock offset not measured/)
    t.same(complaints, [])
  },
)

browserTest('a breach appears and resolves without a reload', async (t, chromium, server) => {
  const calm = { ...emptyOverview(NOW_MS), paths: [pathView(NOW_MS, { to: 'carrier-b' })] }
  server.show(calm)
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#alerts-title').waitFor()
  await page.getByText('No alert is firing.').waitFor()
  let loads = 0
  page.on('load', () => loads++)

  const over = pathView(NOW_MS, {
    to: 'carrier-b',
    verdict: 'over',
    firing: true,
    lossRatio: 0.081,
  })
  server.show({ ...calm, paths: [over], alerts: [alertView(NOW_MS)] })
  const alert = page.locator('#alerts > li')
  await alert
    .filter({ hasText: 'hq → carrier-b: 8.1 % of 1,500 packets lost, limit 3 %' })
    .waitFor()
  t.match(
    await alert.innerText(),
    /firing\s+warning[^]*since 03:08:04, for 4.min · owner Carrier B/,
  )
  t.equal(await alert.locator('time').first().getAttribute('title'), '2026-11-22 03:08:04 UTC')

  server.show({
    ...calm,
    alerts: [alertView(NOW_MS, { state: 'resolved', closedMs: NOW_MS - 60_000 })],
  })
  await alert.filter({ hasText: 'resolved' }).waitFor()
  t.match(await alert.innerText(), /lasted 3.min/)
  await page.getByText('No alert is firing.').waitFor()
  t.equal(loads, 0)
  t.same(complaints, [])
})

browserTest(
  'the address of an alert opens that alert, and says when it is gone',
  async (t, chromium, server) => {
    server.show(busyOverview(NOW_MS))
    const { page, complaints } = await visit(t, chromium, server)
    await page.locator('#verdict').waitFor()
    const firing = page.locator('#alerts > li').filter({ hasText: 'tap eth1 of agent branch-2-gw' })
    t.match(await firing.innerText(), /warning\s+tap blind[^]*To do: see whether the capture runs/)
    await page.goto(`http://${HOST}:${server.port}/#alert-loss-branch-3-hq-1`)
    await page.reload()
    const message = page.locator('.alert.wanted .message')
    await message.waitFor()
    t.match(await message.innerText(), 'Where: hq -> carrier-b, bearer internet')
    await page.evaluate('location.hash = "#alert-forgotten"')
    await page.getByText('no longer listed').waitFor()
    t.same(complaints, [])
  },
)

browserTest('everything can be done from the keyboard', async (t, chromium, server) => {
  server.show({ ...busyOverview(NOW_MS), notices: [] })
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#verdict').waitFor()
  const focused = async (): Promise<unknown> =>
    page.evaluate(
      '((it) => (it === document.body ? "" : it.innerText || it.className))(document.activeElement)',
    )
  const tabTo = async (wanted: RegExp): Promise<void> => {
    for (let presses = 0; presses < 40; presses++) {
      if (wanted.test(String(await focused()))) return
      await page.keyboard.press('Tab')
    }
    t.fail(`nothing like ${String(wanted)} takes the focus`)
  }
  await tabTo(/carrier-b: 8.1/)
  await page.keyboard.press('Enter')
  await page.locator('.alert .message').first().waitFor({ state: 'visible' })

  await tabTo(/^hq → carrier-b$/)
  await page.keyboard.press('Tab')
  const charts = page.getByRole('slider')
  t.ok(await charts.evaluate('document.activeElement.className === "charts"'), 'then its charts')
  const says = async (): Promise<string> =>
    ((await charts.getAttribute('aria-valuetext')) ?? '').replaceAll('\u00a0', ' ')
  await page.keyboard.press('End')
  t.equal(
    await says(),
    '03:11:50  calls at hq-edge: loss 0.3 %, jitter 3.4 ms, MOS 4.36; receivers report: loss 8.8 %, over, jitter 9.6 ms; test stream: loss 7.6 %, over, jitter 12.6 ms',
  )
  await page.locator('.read-out', { hasText: '03:11:50' }).waitFor()
  await page.keyboard.press('Home')
  t.match(await says(), /^02:57:00 {2}calls at hq-edge: loss 0.1 %/)
  for (let step = 0; step < 20; step++) await page.keyboard.press('ArrowRight')
  t.match(await says(), /^03:00:20 .*; test stream: nothing measured$/)
  t.match(await charts.getAttribute('aria-label'), /test stream: highest loss 8\.8.%, 24 of 81/)
  t.equal(await page.locator('.legend').first().locator('li').count(), 3, 'three lines of loss')
  t.equal(await page.locator('.plot').count(), 3)

  await tabTo(/^The same as figures$/)
  await page.keyboard.press('Enter')
  const figures = page.getByRole('region', { name: 'Figures of the last 15 minutes' })
  t.match(
    (await figures.locator('tbody tr').first().innerText()).replaceAll('\u00a0', ' '),
    /^03:11:50\s+0\.3 %\s+3\.4 ms\s+4\.36\s+8\.8 %, over/,
  )

  await tabTo(/^branch-2 → hq$/)
  await page.keyboard.press('Space')
  await page.getByText('branch-2 → hq, last 15 minutes').waitFor()
  t.equal(await page.locator('button[aria-expanded=true]').count(), 2)
  t.same(complaints, [])
})

browserTest(
  'a page that hears nothing says since when it is old, and recovers',
  async (t, chromium, server) => {
    const context = await chromium.newContext({ timezoneId: 'UTC' })
    t.teardown(() => context.close())
    const page = await context.newPage()
    await page.clock.install({ time: NOW_MS })
    server.show(busyOverview(NOW_MS))
    await page.goto(`http://${HOST}:${server.port}/#token=${TOKEN}`)
    await page.locator('#live', { hasText: /^live$/ }).waitFor()
    server.hush()
    await page.clock.runFor(33_000)
    t.equal(await page.locator('#live').innerText(), 'live')
    await page.clock.runFor(4000)
    await page.locator('#live', { hasText: /^not live since 03:12:0\d$/ }).waitFor()
    await page.locator('#verdict', { hasText: 'At 03:12:04: 1 of 4 paths over 3 %' }).waitFor()
    await page.getByRole('alert').filter({ hasText: 'What follows is old' }).waitFor()
    t.equal(await page.title(), 'not live · Kiestoon')
    await picture(page, 'not-live')
    server.show(emptyOverview(NOW_MS + 60_000))
    await page.locator('#live', { hasText: /^live$/ }).waitFor()
    await page.locator('#verdict', { hasText: 'No path measured yet' }).waitFor()
    t.pass('live again')
  },
)

browserTest('a session taken away leads back to the login', async (t, chromium, server) => {
  server.show(busyOverview(NOW_MS))
  const { page } = await visit(t, chromium, server)
  await page.locator('#verdict').waitFor()
  server.forgetSessions()
  await page.getByLabel('Token').waitFor()
  t.equal(await page.locator('#paths').count(), 0, 'nothing stays in sight')
})

browserTest('an empty console says what to do next', async (t, chromium, server) => {
  server.show(emptyOverview(NOW_MS))
  const { page, complaints } = await visit(t, chromium, server, PHONE)
  await page.locator('#verdict', { hasText: 'No path measured yet' }).waitFor()
  await page.getByText('kiestoon-collector token create').waitFor()
  await page.getByText('kiestoon-agent run --config agent.yaml').waitFor()
  t.equal(await scrollsSideways(page), false)
  await picture(page, 'empty')
  server.show({ ...emptyOverview(NOW_MS), agents: [agentView(NOW_MS)] })
  await page.getByText('kiestoon-agent once --config agent.yaml').waitFor()
  t.same(complaints, [])
})

browserTest(
  'a phone needs no sideways scrolling, whatever the names are',
  async (t, chromium, server) => {
    const long = 'x'.repeat(128)
    const busy = busyOverview(NOW_MS)
    server.show(busy)
    const { page, complaints } = await visit(t, chromium, server, { ...PHONE, colorScheme: 'dark' })
    await page.locator('#verdict').waitFor()
    t.equal(await scrollsSideways(page), false)
    await page.locator('.alert summary').first().click()
    await picture(page, 'phone')
    const path = pathView(NOW_MS, {
      from: long,
      to: long,
      at: long,
      owner: long,
      bearer: long,
      verdict: 'over',
    })
    server.show({
      ...busy,
      notices: [long],
      paths: [path],
      alerts: [
        alertView(NOW_MS, { summary: long, text: long, object: long, owner: long, segment: long }),
      ],
      agents: [
        agentView(NOW_MS, {
          agent: long,
          site: long,
          version: long,
          problems: [{ what: long, reason: long }],
        }),
      ],
    })
    await page.locator('#agents', { hasText: long }).waitFor()
    t.equal(await scrollsSideways(page), false)
    t.same(complaints, [])
  },
)

browserTest('two hundred paths are shown, and the rest is counted', async (t, chromium, server) => {
  const paths = Array.from({ length: 200 }, (_, index) => pathView(NOW_MS, { to: `site-${index}` }))
  server.show({ ...emptyOverview(NOW_MS), paths, pathsLeftOut: 7 })
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#verdict', { hasText: 'All 200 paths under 3 %' }).waitFor()
  t.equal(await page.locator('.sparkline').count(), 200)
  await page.getByText('7 further paths not listed: these are the worst.').waitFor()
  t.same(complaints, [])
})

browserTest(
  'a path measured in several ways is one path, and says how each was measured',
  async (t, chromium, server) => {
    server.show(busyOverview(NOW_MS))
    const { page, complaints } = await visit(t, chromium, server)
    const path = page.locator('tbody.path').first()
    await path.locator('.plot canvas').first().waitFor()
    t.equal(await path.getByRole('rowheader').count(), 1)
    t.match(
      await path.getByRole('rowheader').innerText(),
      /hq → carrier-b\s+over 3.%\s*alert firing/,
    )
    const how = await path.locator('td.how').allInnerTexts()
    t.match(
      how.map((words) => words.replaceAll(/\s+/g, ' ')),
      [
        'calls at hq-edge under 3 % 12 streams · lan · Network team',
        'receivers report at carrier-b over 3 % 11 of 12 streams over · internet · Carrier B',
        'test stream at carrier-b over 3 % 1 stream · internet · Carrier B',
      ],
    )
    t.match(
      await path.locator('.how-measured').innerText(),
      /counted at hq-edge: what was lost between hq and hq-edge; what is lost behind hq-edge is not in it/,
    )
    t.match(
      await path.locator('.comparison').innerText(),
      /Up to hq-edge 0\.2.% was lost; over the whole way receivers in carrier-b report 7\.9.%/,
    )
    t.match(await path.locator('.legend').last().innerText(), /calls at hq-edge, narrowband 4\.36/)
    await path.locator('.u-over').first().hover()
    await path.locator('.read-out', { hasText: /^03:04:[0-5]0$/ }).waitFor()
    t.match(
      (await path.locator('.legend').first().innerText()).replaceAll('\u00a0', ' '),
      /receivers report 0\.3 %/,
      'the pointer reads all charts at once',
    )
    t.same(complaints, [])
  },
)

browserTest('an agent whose probes fail says which and why', async (t, chromium, server) => {
  server.show(busyOverview(NOW_MS))
  const { page, complaints } = await visit(t, chromium, server)
  const agent = page.getByRole('row').filter({ hasText: 'branch-2-gw' })
  await agent.waitFor()
  t.match(await agent.getAttribute('class'), 'tone-caution')
  t.match(
    await agent.innerText(),
    /tap blind: the tap dropped 304 packets[^]*ups-nut: connect ECONNREFUSED 10\.2\.0\.9:3493/,
  )
  t.same(complaints, [])
})

browserTest(
  'light and dark, desk and wall, for somebody to look at',
  async (t, chromium, server) => {
    server.show(busyOverview(NOW_MS))
    for (const [name, width, colorScheme] of [
      ['light', 1280, 'light'],
      ['dark', 1280, 'dark'],
      ['wall', 1920, 'dark'],
    ] as const) {
      const { page, complaints } = await visit(t, chromium, server, {
        viewport: { width, height: 900 },
        colorScheme,
      })
      await page.locator('.plot canvas').first().waitFor()
      t.equal(await scrollsSideways(page), false)
      await picture(page, name)
      t.same(complaints, [])
    }
  },
)
