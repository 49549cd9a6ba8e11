import { readFile } from 'node:fs/promises'
import { complaintText, ConfigError, readConfigText } from '../common/config.ts'
import { reasonOf } from '../common/errors.ts'
import { count, counted } from './evaluate/words.ts'
import { explain } from './topology/explain.ts'
import type { Finding } from './topology/finding.ts'
import { siteFile } from './topology/site-file.ts'
import { Site } from './topology/site.ts'

/** Of one kind of complaint, so many are printed: the rest are the same again. */
const MAX_OF_A_KIND = 10
const MAX_ERRORS = 100

export interface SiteCheck {
  /** Undefined where the file cannot be used. */
  readonly site: Site | undefined
  /** What is to be said, a line or two each: `file:line:column: error|warning|hint: where: what`, and what to do. */
  readonly lines: readonly string[]
  readonly summary: string
}

/**
 * Reads a site file and says what is wrong in it, and what somebody should look at.
 * @param today as 2026-12-01
 * @throws ConfigError when it cannot be read
 */
export async function checkSiteFile(
  path: string,
  today: string,
  isColoured: boolean,
): Promise<SiteCheck> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError([`cannot read the site file: ${reasonOf(error)}`])
  }
  return checkSite(text, path, today, isColoured)
}

export function checkSite(
  text: string,
  file: string,
  today: string,
  isColoured: boolean,
): SiteCheck {
  const read = readConfigText(siteFile, text, file)
  const word = (severity: Severity): string =>
    isColoured ? `\u001b[${COLOURS[severity]}m${severity}\u001b[0m` : severity
  if (read.complaints !== undefined) {
    const { complaints } = read
    const more = complaints.length - MAX_ERRORS
    return {
      site: undefined,
      lines: [
        ...complaints
          .slice(0, MAX_ERRORS)
          .map((it) => `${file}:${complaintText(it, `${word('error')}: `)}`),
        ...(more > 0 ? [`${file}: ${count(more)} more errors`] : []),
      ],
      summary: `${file}: ${counted(complaints.length, 'error')}, cannot be used`,
    }
  }
  const site = new Site(read.value)
  const { model } = site
  const findings = model === undefined ? [] : explain({ file: read.value, model, today })
  const placed = findings.map((it) => ({ it, place: read.places.of(it.path) }))
  const shown = kindsLimited(placed)
  return {
    site,
    lines: [
      ...shown.flatMap(({ it: { severity, code, path, message, remedy }, place }) => [
        `${file}:${place.line}:${place.column}: ${word(severity)}: ${path.map(String).join('.')}: ${message} [${code}]`,
        `    ${remedy}`,
      ]),
      ...leftOut(file, findings),
    ],
    summary: summaryOf(file, site, findings),
  }
}

type Severity = 'error' | Finding['severity']

const COLOURS: Readonly<Record<Severity, number>> = { error: 31, warning: 33, hint: 36 }

function kindsLimited<T extends { readonly it: Finding }>(placed: readonly T[]): readonly T[] {
  const seen = new Map<string, number>()
  return placed.filter(({ it: { severity, code } }) => {
    const key = `${severity} ${code}`
    const before = seen.get(key) ?? 0
    seen.set(key, before + 1)
    return before < MAX_OF_A_KIND
  })
}

function leftOut(file: string, findings: readonly Finding[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { severity, code } of findings) {
    const key = `${severity}s [${code}]`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts]
    .filter(([, number]) => number > MAX_OF_A_KIND)
    .map(([key, number]) => `${file}: ${count(number - MAX_OF_A_KIND)} more ${key}`)
}

function summaryOf(file: string, site: Site, findings: readonly Finding[]): string {
  const { components = [], services = [] } = site.model ?? {}
  const warnings = findings.filter(({ severity }) => severity === 'warning').length
  const said = [
    'no errors',
    counted(warnings, 'warning'),
    counted(findings.length - warnings, 'hint'),
  ]
  const drawn = [
    counted(components.length, 'component'),
    counted(services.length, 'service'),
    counted(site.size, 'network'),
  ]
  return `${file}: ${said.join(', ')}; ${drawn.join(', ')}`
}
