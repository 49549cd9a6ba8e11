import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

const PATH = '/usr/bin/chromium'
/** Chromium takes plain http on this name for what it is: not localhost, not trusted. */
export const HOST = 'kiestoon.test'
/** Below the limit of a test file, so that it is Playwright that says what it waited for. */
const PATIENCE_MS = 10_000
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
]

/** Debian's Chromium, headless; undefined where it is not installed. */
export async function launchChromium(): Promise<Browser | undefined> {
  if (!existsSync(PATH)) return undefined
  return await chromium.launch({ executablePath: PATH, args: ARGUMENTS })
}

export interface Window extends BrowserContextOptions {
  /** Where the page's own clock begins; from then on the test moves it. */
  readonly atMs?: number
}

export interface Visit {
  readonly page: Page
  readonly origin: string
  /** What a page should not do: write errors or warnings on the console, throw, or ask anybody else. */
  readonly complaints: readonly string[]
}

/** A window in UTC for a server on this machine, on a name that is not localhost; nothing is loaded yet. */
export async function openPage(
  browser: Browser,
  port: number,
  { atMs, ...options }: Window = {},
): Promise<Visit> {
  const context = await browser.newContext({ timezoneId: 'UTC', ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  if (atMs !== undefined) await page.clock.install({ time: atMs })
  const origin = `http://${HOST}:${port}`
  const complaints: string[] = []
  page.on('console', (message) => {
    // Chromium itself reports the answer 401, which is how the collector says that nobody is logged in
    if (message.location().url === `${origin}/api/v1/session`) return
    complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:'))
      complaints.push(`request: ${url}`)
  })
  return { page, origin, complaints }
}
