import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import tap, { test, type Test } from 'tap'
import { compile } from '../../collector/topology/model.ts'
import { launchChromium, openPage, type Visit, type Window } from '../support/chromium.ts'
import {
  buildConsole,
  startConsoleServer,
  TOKEN,
  type ConsoleServer,
} from '../support/console-server.ts'
import { largeDrawing } from '../support/large-drawing.ts'
import { busyOverview, emptyOverview } from '../support/overviews.ts'
import {
  calm,
  officeModel,
  outage,
  powerDesk,
  stormyHistory,
  withPower,
} from '../support/power-site.ts'

/** Pictures to look at; nothing compares them. */
const PICTURES = new URL('../../.tap/', import.meta.url)
const NOW_MS = Date.UTC(2026, 10, 22, 3, 12, 4)

tap.setTimeout(90_000)

const browser = await launchChromium()
const folder = await mkdtemp(join(tmpdir(), 'kiestoon-power-page-'))
await mkdir(PICTURES, { recursive: true })
await buildConsole(folder)
tap.teardown(async () => {
  await browser?.close()
  await rm(folder, { recursive: true })
})

type Desk = ReturnType<typeof powerDesk>

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

function show(server: ConsoleServer, desk: Desk, overview = emptyOverview(NOW_MS)): void {
  server.power(desk)
  server.show(withPower(overview, desk))
}

/** The page Power in a window of its own. */
async function visit(
  t: Test,
  chromium: Browser,
  server: ConsoleServer,
  { hash = '#power', ...options }: Window & { readonly hash?: string } = {},
): Promise<Visit> {
  const visit = await openPage(chromium, server.port, options)
  t.teardown(() => visit.page.context().close())
  await visit.page.goto(`${visit.origin}/#token=${TOKEN}`)
  await visit.page.locator('#verdict').waitFor()
  await visit.page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  return visit
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: new URL(`power-${name}.png`, PICTURES).pathname, fullPage: true })
}

async function scrollsSideways(page: Page): Promise<unknown> {
  return await page.evaluate('document.documentElement.scrollWidth > innerWidth')
}

function calmDesk(): Desk {
  return powerDesk(NOW_MS, officeModel(), calm(NOW_MS))
}

function outageDesk(): Desk {
  const history = stormyHistory(NOW_MS)
  return powerDesk(NOW_MS, officeModel(), outage(NOW_MS), { history, version: 2 })
}

browserTest(
  'light and dark, phone and wall, for somebody to look at',
  async (t, chromium, server) => {
    for (const [name, width, colorScheme, desk, hash] of [
      ['calm', 1280, 'light', calmDesk(), '#power'],
      ['outage', 1280, 'light', outageDesk(), '#power'],
      ['outage-dark', 1280, 'dark', outageDesk(), '#power/pdu-a'],
      ['wall', 1920, 'dark', outageDesk(), '#power'],
      ['phone', 360, 'light', outageDesk(), '#power/ups-1'],
      ['empty', 1280, 'light', powerDesk(NOW_MS), '#power'],
    ] as const) {
      show(server, desk, busyOverview(NOW_MS))
      const { page, complaints } = await visit(t, chromium, server, {
        ...{ viewport: { width, height: 900 }, colorScheme, hash },
      })
      await page.locator(name === 'empty' ? '#draw-title' : '#components-title').waitFor()
      if (hash.includes('/')) await page.locator('.consequences').waitFor()
      t.equal(await scrollsSideways(page), false, name)
      await picture(page, name)
      t.same(complaints, [], name)
    }
  },
)

browserTest('one page to pin on the wall', async (t, chromium, server) => {
  show(server, calmDesk())
  const { page } = await visit(t, chromium, server, { viewport: { width: 1280, height: 900 } })
  await page.locator('#components-title').waitFor()
  const pdf = await page.pdf({
    ...{ preferCSSPageSize: true, printBackground: true },
    path: new URL('power-print.pdf', PICTURES).pathname,
  })
  await page.emulateMedia({ media: 'print' })
  await page.setViewportSize({ width: 1054, height: 725 })
  await picture(page, 'print')
  t.match(pdf.toString('latin1'), /\/Count 1\b/, 'one page')
})

browserTest(
  'of 10,000 components a part is drawn, and the rest is found',
  async (t, chromium, server) => {
    const { model } = compile(largeDrawing(10_000))
    show(server, powerDesk(NOW_MS, model))
    const begun = Date.now()
    const { page, complaints } = await visit(t, chromium, server, {
      viewport: { width: 1280, height: 900 },
    })
    await page.locator('.left-out').waitFor()
    t.comment(`shown after ${Date.now() - begun} ms`)
    await picture(page, 'large')
    const again = Date.now()
    await page.evaluate('location.hash = "#power/dc-core-a"')
    await page.getByRole('button', { name: 'Draw the chain of dc-core-a' }).click()
    await page.locator('.left-out', { hasText: 'the chain of dc-core-a' }).waitFor()
    await page.locator('.node.selected').waitFor()
    t.comment(`300 boxes after ${Date.now() - again} ms`)
    await picture(page, 'large-core')
    t.same(complaints, [])
  },
)
