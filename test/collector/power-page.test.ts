import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import tap, { test, type Test } from 'tap'
import type { Observation } from '../../collector/topology/dependency.ts'
import type { Observations } from '../../collector/topology/live.ts'
import { compile } from '../../collector/topology/model.ts'
import { campusDrawing } from '../support/campus.ts'
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

browserTest('one page to pin on the wall, and what is not on it', async (t, chromium, server) => {
  const sites: readonly (readonly [string, Desk, expected: readonly RegExp[], left: RegExp])[] = [
    ['office', calmDesk(), [/Calls to 112 for hq: works/, /Facilities, extension 4100/], /^$/],
    ['outage', outageDesk(), [/Calls to 112 for hq: works, on battery, 11 min left/], /^$/],
    [
      'campus',
      powerDesk(NOW_MS, compile(campusDrawing()).model),
      [/Calls to 112 from building 1 for b01/, /Door and night bell of building 10/],
      /^Not on this page: \d+ more single points of failure.* and the drawing of 1\d\d components\./,
    ],
    [
      'large',
      powerDesk(NOW_MS, compile(largeDrawing(10_000)).model),
      [/emergency-112-s000/],
      /^Not on this page: 2[56]\d more services, [\d,]+ more single .* and the drawing of 9,\d\d\d comp/,
    ],
  ]
  for (const [name, desk, expected, left] of sites) {
    show(server, desk)
    const { page } = await visit(t, chromium, server, { viewport: { width: 1280, height: 900 } })
    await page.locator('#components-title').waitFor()
    const path = new URL(`power-print-${name}.pdf`, PICTURES).pathname
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true, path })
    t.equal(/\/Count (\d+)/.exec(pdf.toString('latin1'))?.[1], '1', `${name}: one page`)
    await page.emulateMedia({ media: 'print' })
    await page.setViewportSize({ width: 1054, height: 725 })
    await picture(page, `print-${name}`)
    t.equal(await scrollsSideways(page), false, `${name}: not made smaller to fit`)
    t.equal(await page.evaluate('document.documentElement.scrollHeight <= innerHeight'), true, name)
    const text = spaced(await page.locator('body').innerText())
    for (const words of expected) t.match(text, words, name)
    const leftOut = page.locator('.wall.not-here')
    const said = (await leftOut.count()) === 0 ? '' : spaced(await leftOut.innerText())
    t.match(said, left, name)
    await page.context().close()
  }
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
    const frame = page.locator('.frame')
    await frame.scrollIntoViewIfNeeded()
    const box = await frame.boundingBox()
    const [x, y] = [(box?.x ?? 0) + 200, (box?.y ?? 0) + 30]
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x - 120, y)
    await page.mouse.up()
    t.equal(await frame.evaluate('document.querySelector(".frame").scrollLeft'), 120, 'dragged')
    const width = async (): Promise<unknown> => page.locator('.drawing').getAttribute('width')
    const before = Number(await width())
    await page.getByRole('button', { name: 'Larger' }).click()
    t.equal(Math.round((Number(await width()) / before) * 100), 125)
    await page.getByRole('button', { name: 'Whole' }).click()
    t.ok(Number(await width()) <= (box?.width ?? 0), 'all of it in sight')
    await page.getByLabel('Find').fill('s042-ups')
    await page.getByRole('button', { name: 's042-ups-a' }).click()
    await page.locator('.left-out', { hasText: 'the chain of s042-ups-a' }).waitFor()
    const again = Date.now()
    await page.evaluate('location.hash = "#power/dc-core-a"')
    await page.locator('.left-out', { hasText: 'the chain of dc-core-a' }).waitFor()
    await page.locator('.node.selected').waitFor()
    t.comment(`300 boxes after ${Date.now() - again} ms`)
    await picture(page, 'large-core')
    await page.getByRole('combobox', { name: 'Show' }).selectOption('internal-s007')
    await page.locator('.left-out', { hasText: 'the chain of internal-s007' }).waitFor()
    t.equal(await page.getByText('Nothing of the name').count(), 0)
    await node(page, 's007-pdu-a').click()
    await page.getByRole('button', { name: 'Draw the chain of s007-pdu-a' }).click()
    await page.locator('.left-out', { hasText: 'the chain of s007-pdu-a' }).waitFor()
    t.same(complaints, [])
  },
)

browserTest('one sentence says whether everything has power', async (t, chromium, server) => {
  const model = officeModel()
  const us = NOW_MS * 1000
  const fails = (id: string): Observations =>
    new Map([
      ...calm(NOW_MS),
      [id, { state: 'down', reason: 'no answer', sinceUs: us, atUs: us }] as const,
    ])
  show(server, calmDesk())
  const { page, complaints } = await visit(t, chromium, server)
  let version = 10
  const says = async (desk: Desk, sentence: string): Promise<void> => {
    show(server, desk)
    await page.locator('#verdict', { hasText: sentence }).waitFor()
    t.pass(sentence)
  }
  const desk = (observations: Observations): Desk =>
    powerDesk(NOW_MS, model, observations, { version: version++ })
  await says(calmDesk(), 'All 3 services work, as redundant as drawn')
  t.equal(await page.locator('nav .matter').count(), 0)
  await says(outageDesk(), 'Calls to 112: 11 min left on battery, it should last 1 h')
  t.match(await page.getByRole('link', { name: 'Power' }).innerText(), /11.min left/)
  await says(desk(fails('sw-core')), 'Down: Calls to 112, Calls to outside and Reception')
  t.match(await page.locator('.card').first().innerText(), /because of sw-core/)
  await says(desk(fails('sw-2')), 'Redundancy lost: one more failure stops Calls to 112')
  await says(
    desk(
      new Map([
        ...calm(NOW_MS),
        ['pbx', { state: 'unknown', reason: 'no news for 3 min', sinceUs: us, atUs: us }] as const,
      ]),
    ),
    'Nobody knows whether this works: Calls to 112',
  )
  t.match(
    await page.locator('.card').first().innerText(),
    /may be down\s[^]*nothing is known of pbx/,
  )
  await says(desk(new Map()), 'Nothing is heard of the power yet')
  await says(powerDesk(NOW_MS, undefined, new Map(), { version: 99 }), 'Nothing is drawn yet')
  t.same(complaints, [])
})

browserTest(
  'the example of the first steps is a site file as it stands',
  async (t, chromium, server) => {
    show(server, powerDesk(NOW_MS))
    const { page } = await visit(t, chromium, server)
    const model = officeModel(await page.locator('.example').innerText())
    t.same([...model.drawing.services.keys()], ['emergency-112'])
  },
)

browserTest(
  'a box shows what stops with it, in the drawing and in words, and whether it may be taken out',
  async (t, chromium, server) => {
    show(server, calmDesk())
    const { page, complaints } = await visit(t, chromium, server)
    await node(page, 'ups-1').click()
    const panel = page.getByRole('complementary', { name: 'The chosen one' })
    await panel.getByText('Stops at once: Reception').waitFor()
    const text = spaced(await panel.innerText())
    t.match(text, /ups-1\s+UPS exchange room\s+works: on mains since/)
    t.match(text, /Where\s+B1\/2.14\/rack 3, circuit L3-7\s+Owner\s+Facilities\s+Contract\s+24\/7/)
    t.match(text, /Calls to 112 goes on, without reserve: .*sw-2.* alone would then stop it/)
    t.match(text, '3 more components without power or connection')
    t.match(await node(page, 'ups-1').getAttribute('aria-label'), /chosen one fails: taken out$/)
    t.match(await node(page, 'sw-1').innerHTML(), /stops too/)
    t.match(await node(page, 'service reception').innerHTML(), /stops too/)
    t.match(await node(page, 'service emergency-112').innerHTML(), /without reserve/)
    t.match(await node(page, 'sw-2').getAttribute('class'), /fate-spared/)
    t.equal(page.url().split('#')[1], 'power/ups-1', 'it has an address')

    await panel.getByLabel('From').fill('2026-12-24T10:00')
    await panel.getByLabel('To').fill('2026-12-24T12:00')
    await panel.getByRole('button', { name: 'Ask' }).click()
    await panel.getByText('NO-GO').waitFor()
    t.match(
      spaced(await panel.locator('.no-go').innerText()),
      /ups-1 out from 24 Dec 10:00 to 24 Dec 12:00/,
    )
    await node(page, 'mains-b').click()
    await panel.getByLabel('From').fill('2026-12-24T10:00')
    await panel.getByLabel('To').fill('2026-12-24T10:30')
    await panel.getByRole('button', { name: 'Ask' }).click()
    await panel.locator('.go').waitFor()
    t.match(await panel.locator('.go').innerText(), /^GO\s/)
    await panel.getByLabel('To').fill('2026-12-24T09:00')
    await panel.getByRole('button', { name: 'Ask' }).click()
    await panel.getByText('The end must be after the beginning.').waitFor()
    await panel.getByRole('button', { name: 'Close' }).click()
    await page.getByText('Choose a box in the drawing').waitFor()
    t.same(complaints, [])
  },
)

browserTest('the chain can be walked from the keyboard', async (t, chromium, server) => {
  show(server, calmDesk())
  const { page, complaints } = await visit(t, chromium, server)
  await node(page, 'battery-1').waitFor()
  const focused = async (): Promise<unknown> =>
    page.evaluate('document.activeElement?.dataset?.node ?? document.activeElement?.innerText')
  for (let presses = 0; presses < 30 && (await focused()) !== 'battery-1'; presses++)
    await page.keyboard.press('Tab')
  t.equal(await focused(), 'battery-1', 'one stop of Tab is in the drawing')
  const walk: readonly (readonly [key: string, to: string])[] = [
    ['ArrowRight', 'ups-1'],
    ['ArrowRight', 'pdu-a'],
    ['ArrowUp', 'pdu-b'],
    ['ArrowLeft', 'ups-2'],
    ['ArrowDown', 'ups-1'],
  ]
  for (const [key, to] of walk) {
    await page.keyboard.press(key)
    t.equal(await focused(), to, `${key} leads to ${to}`)
  }
  await page.keyboard.press('Enter')
  await page.getByText('Stops at once: Reception').waitFor()
  t.equal(await node(page, 'ups-1').getAttribute('aria-pressed'), 'true')
  t.equal(await focused(), 'ups-1', 'the focus stays')
  await page.keyboard.press('Escape')
  await page.getByText('Choose a box in the drawing').waitFor()
  await page.keyboard.press('End')
  t.match(await focused(), /^service /)
  await page.keyboard.press('Tab')
  t.equal(await focused(), 'Print one page for the wall', 'and one more leaves it')
  t.same(complaints, [])
})

browserTest('what is wrong stands first, and whom to call', async (t, chromium, server) => {
  show(server, calmDesk())
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#components-title').waitFor()
  t.equal(await page.getByText('What is wrong').count(), 0, 'nothing is')
  t.match(spaced(await page.locator('.people').innerText()), /Facilities, extension 4100/)
  show(server, outageDesk())
  const troubles = page.locator('.troubles li')
  await troubles.first().waitFor()
  t.match((await troubles.allInnerTexts()).map(spaced), [
    /^sw-2 switch · Floor 2\s+down: no answer to 5 echo requests, since [\d:]+\s+Where\s+B1\/2.02\s+Call\s+Network team$/,
    /^ups-1 .*\s+degraded: on battery, 62 % charge, 11 min left, since .*\s+Where\s+B1\/2.14\/rack 3, circuit L3-7\s+Call\s+Facilities, extension 4100, day and night\s+Contract\s+24\/7/,
    /^ups-2 ups\s+unknown: no news for 3 min, since/,
  ])
  await page.getByText('input of ups-1 lost: mains-a or something between').waitFor()
  const order = await page.locator('main h2').allInnerTexts()
  t.match(order.slice(0, 2), [/^What is wrong/, /^What works, and for how long/])
  t.same(complaints, [])
})

browserTest('what the drawing shows, the table says', async (t, chromium, server) => {
  show(server, outageDesk())
  const { page, complaints } = await visit(t, chromium, server)
  const table = page.locator('#components')
  await table.waitFor()
  const tree = spaced(await table.ariaSnapshot())
  for (const row of [
    'ups-1 ups · UPS exchange room degraded on battery, 62 % charge, 11 min left since 03:06:04 mains-a or battery-1 stops Calls to outside, Calls to 112 and Reception B1/2.14/rack 3, circuit L3-7 Facilities',
    'ups-2 ups unknown no news for 3 min',
    'mains-a mains · Street main A unknown may be lost: ups-1 has lost its input',
    'mains-b mains · Street main B not watched nothing watches it',
    'sw-2 switch · Floor 2 down no answer to 5 echo requests',
    '3 phones phone · desk-1, desk-2 and desk-3 down what it needs does not work',
  ])
    t.match(tree, `row "${row}`, row)
  const boxes = await page.locator('.drawing [role=button]').evaluateAll(labelsOf)
  t.equal(boxes.length, 16 + 3, 'a button for each component and service')
  t.ok(
    boxes.includes(
      'ups-1, UPS exchange room, ups, degraded: on battery, 62 % charge, 11 min left, new single point of failure',
    ),
  )
  t.match(
    await node(page, 'ups-2').getAttribute('class'),
    /look-unknown/,
    'unknown has its own look',
  )
  t.match(await node(page, 'mains-b').getAttribute('class'), /look-assumed/)
  const points = page.locator('#single-points')
  t.match(
    spaced(await points.innerText()),
    /pbx\s[^]*by R. de Vries: a second exchange comes with the new building; look again on 2027-05-31/,
  )
  t.match(
    spaced(await points.innerText()),
    /Calls to 112 lasts shorter than it should: 40 min without mains/,
  )
  const lane = page.getByRole('img', {
    name: /^ups-1: degraded from 02:41:04 to 02:44:04, on battery, 98 %/,
  })
  t.equal(await lane.count(), 1)
  t.equal(await page.getByRole('img', { name: /highest 8.6.%, limit 3 %/ }).count(), 1)
  t.same(complaints, [])
})

browserTest(
  'a change is shown without a reload, and nothing moves',
  async (t, chromium, server) => {
    show(server, calmDesk())
    const { page, complaints } = await visit(t, chromium, server)
    await node(page, 'ups-1').waitFor()
    const before = await node(page, 'ups-1').getAttribute('transform')
    let loads = 0
    page.on('load', () => loads++)
    show(server, outageDesk())
    await page.locator('[data-node="ups-1"].look-caution').waitFor()
    t.equal(await node(page, 'ups-1').getAttribute('transform'), before)
    t.equal(loads, 0)
    // Reception alone runs out: it is now more urgent than calls to outside, and stays where it stands.
    show(server, calmDesk())
    await page.locator('[data-node="ups-1"].look-ok').waitFor()
    const reception = node(page, 'service reception')
    const place = await reception.getAttribute('transform')
    const us = NOW_MS * 1000
    const battery: Observation = {
      ...{ state: 'degraded', reason: 'on battery, 11 min left', inputLost: true },
      ...{ runtimeLeftS: 660, sinceUs: us, atUs: us },
    }
    const observations = new Map([...calm(NOW_MS), ['ups-1', battery] as const])
    show(server, powerDesk(NOW_MS, officeModel(), observations, { version: 3 }))
    await page.locator('[data-node="ups-1"].look-caution').waitFor()
    t.match(await page.locator('.card a').allInnerTexts(), ['Calls to 112', 'Reception'])
    t.equal(await reception.getAttribute('transform'), place)
    const width =
      'getComputedStyle(document.querySelector("[data-node=\\"service reception\\"] .box")).strokeWidth'
    t.equal(await page.evaluate(width), '3px', 'and looks as it stands')
    await page.getByRole('link', { name: 'Quality' }).click()
    await page.locator('#paths-title, #alerts-title').first().waitFor()
    await page.goBack()
    await node(page, 'ups-1').waitFor()
    t.same(complaints, [])
  },
)

browserTest('an alert has its address from this page too', async (t, chromium, server) => {
  show(server, calmDesk(), busyOverview(NOW_MS))
  const { page, complaints } = await visit(t, chromium, server)
  await page.locator('#components-title').waitFor()
  await page.evaluate('location.hash = "#alert-tap-blind-branch-2"')
  await page.locator('.alert.wanted .message').waitFor()
  await page.evaluate('location.hash = "#power/nobody"')
  await page.getByText('Nothing of the name nobody is drawn in the site file.').waitFor()
  t.same(complaints, [])
})

function node(page: Page, name: string): Locator {
  return page.locator(`[data-node="${name}"]`)
}

function labelsOf(boxes: readonly { getAttribute(name: string): string | null }[]): string[] {
  return boxes.map((box) => box.getAttribute('aria-label') ?? '')
}

/** Spaces that do not break read like others. */
function spaced(text: string): string {
  return text.replaceAll('\u00a0', ' ')
}
