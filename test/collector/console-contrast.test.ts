import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import tap, { test } from 'tap'
import { launchChromium, openPage } from '../support/chromium.ts'
import { buildConsole, startConsoleServer, TOKEN } from '../support/console-server.ts'
import { contrast, contrastsOf } from '../support/contrast.ts'
import { busyOverview, emptyOverview, worstOverview } from '../support/overviews.ts'
import {
  calm,
  officeModel,
  outage,
  powerDesk,
  stormyHistory,
  withPower,
} from '../support/power-site.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 3, 12, 4)
/** WCAG 2.2, success criterion 1.4.3: for text of any size. */
const LEAST = 4.5

tap.setTimeout(120_000)

const browser = await launchChromium()
const folder = await mkdtemp(join(tmpdir(), 'kiestoon-contrast-'))
if (browser) await buildConsole(folder)
tap.teardown(async () => {
  await browser?.close()
  await rm(folder, { recursive: true })
})

test('contrast is what WCAG says it is', (t) => {
  t.equal(contrast([0, 0, 0], [255, 255, 255]), 21)
  t.equal(contrast([9, 9, 9], [9, 9, 9]), 1)
  // The grey that just passes on white, as its explanations have it.
  t.equal(contrast([118, 118, 118], [255, 255, 255]).toFixed(2), '4.54')
  t.end()
})

for (const colorScheme of ['light', 'dark'] as const)
  test(`all text can be read, ${colorScheme}`, async (t) => {
    if (!browser) {
      t.pass('contrast', { skip: 'chromium is missing: apt-get install chromium' })
      return
    }
    const server = await startConsoleServer(folder)
    t.teardown(() => server.close())
    const { page, origin } = await openPage(browser, server.port, { colorScheme, atMs: NOW_MS })
    t.teardown(() => page.context().close())
    const read = async (what: string): Promise<void> => {
      const all = await contrastsOf(page)
      t.ok(all.length > 3, `${what}: ${all.length} pairs, the weakest ${all[0]?.ratio.toFixed(2)}`)
      const weak = all.filter(({ ratio }) => ratio < LEAST)
      t.same(
        weak.map(({ ratio, where }) => `${ratio.toFixed(2)} ${where}`),
        [],
        what,
      )
    }
    await page.goto(`${origin}/`)
    await page.getByLabel('Token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    await read('login')

    const quiet = powerDesk(NOW_MS, officeModel(), calm(NOW_MS))
    const history = stormyHistory(NOW_MS)
    const stormy = powerDesk(NOW_MS, officeModel(), outage(NOW_MS), { history, version: 2 })
    server.power(quiet)
    server.show(withPower(busyOverview(NOW_MS), quiet))
    await page.getByLabel('Token').fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.locator('#paths tr.measured').first().waitFor()
    await unfold(page)
    await read('quality, busy')
    server.show(withPower(worstOverview(NOW_MS), quiet))
    await page.locator('.headline.tone-over').waitFor()
    await unfold(page)
    await read('quality at its worst')
    server.show(withPower(emptyOverview(NOW_MS), quiet))
    await page.locator('#verdict', { hasText: 'No path' }).waitFor()
    await read('quality, nothing measured')

    await page.getByRole('link', { name: 'Power' }).click()
    await page.locator('#components-title').waitFor()
    await unfold(page)
    await read('power, calm')
    await page.locator('[data-node="ups-1"]').click()
    await page.locator('.consequences').waitFor()
    const panel = page.getByRole('complementary', { name: 'The chosen one' })
    const ask = async (to: string): Promise<void> => {
      await panel.getByLabel('From').fill('2026-12-24T10:00')
      await panel.getByLabel('To').fill(`2026-12-24T${to}`)
      await panel.getByRole('button', { name: 'Ask' }).click()
    }
    await ask('12:00')
    await panel.locator('.no-go').waitFor()
    await ask('09:00')
    await panel.locator('.complaint').waitFor()
    await unfold(page)
    await read('power, a UPS chosen')
    await page.locator('[data-node="mains-b"]').click()
    await ask('10:30')
    await panel.locator('.go').waitFor()
    await read('power, GO')
    await page.getByLabel('Find').fill('ups')
    await page.locator('.found button').first().waitFor()
    await read('power, searched')

    server.power(stormy)
    server.show(withPower(busyOverview(NOW_MS), stormy))
    await page.locator('.troubles li').first().waitFor()
    await unfold(page)
    await read('power, outage')
    await page.locator('[data-node="sw-core"]').click()
    await page.locator('.tag.dies').first().waitFor()
    await read('power, outage, a switch chosen')
    server.hush()
    await page.clock.runFor(60_000)
    await page.locator('#live.lost').waitFor()
    await read('power, no longer live')
  })

/** All that can be opened is open. */
async function unfold(page: Page): Promise<void> {
  await page.evaluate(
    'for (const each of document.querySelectorAll("button[aria-expanded=false]")) each.click()',
  )
  await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
}
