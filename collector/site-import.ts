import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parse } from 'yaml'
import { complaintText, ConfigError, readConfigText } from '../common/config.ts'
import { reasonOf } from '../common/errors.ts'
import { checkSite } from './site-check.ts'
import { decodeText } from './site-import/csv.ts'
import {
  isDrawingCsv,
  readDrawingCsv,
  writeDrawingCsv,
  type Imported,
} from './site-import/drawing-csv.ts'
import { drawNetbox } from './site-import/netbox-drawing.ts'
import { readNetbox, type NetboxRecord } from './site-import/netbox-records.ts'
import { noteText, type Note } from './site-import/note.ts'
import { PARTS, rawDrawing, type RawDrawing, type RawEntry } from './site-import/raw-site.ts'
import { mergeSite, writeSite } from './site-import/site-text.ts'
import { siteFile } from './topology/site-file.ts'

/** Of what is wrong with the result as a whole, so much is said. */
const MAX_RESULT_NOTES = 20

export interface ImportOptions {
  readonly from?: 'netbox' | 'csv'
  /** A site file that the import goes into. */
  readonly merge?: string
}

export interface SiteImport {
  /** A site file, as YAML. */
  readonly text: string
  readonly notes: readonly Note[]
}

/**
 * Reads exports and spreadsheets into one site file.
 * @throws ConfigError for a file that cannot be read, or a site file to merge into that is not right
 */
export async function importSite(
  paths: readonly string[],
  { from, merge }: ImportOptions,
  today: string,
): Promise<SiteImport> {
  const files = await Promise.all(
    paths.map(async (path) => ({ file: basename(path), text: await readText(path) })),
  )
  const imports: { file: string; imported: Imported }[] = []
  const records: NetboxRecord[] = []
  const notes: Note[] = []
  for (const { file, text } of files) {
    if (from === 'csv' || (from === undefined && isDrawingCsv(text)))
      imports.push({ file, imported: readDrawingCsv(text, file) })
    else {
      const read = readNetbox(text, file)
      records.push(...read.records)
      notes.push(...read.notes)
    }
  }
  if (records.length > 0) imports.push({ file: 'NetBox', imported: drawNetbox(records) })
  const { drawing, notes: clashes } = joined(imports)
  notes.push(...imports.flatMap(({ imported }) => imported.notes), ...clashes)
  const comments = notes.map(noteText)
  if (merge === undefined) {
    const text = writeSite(drawing, comments)
    return { text, notes: [...notes, ...faultsOf(text)] }
  }
  const before = await readText(merge)
  const checked = checkSite(before, merge, today, false)
  if (checked.site === undefined) throw new ConfigError(checked.lines)
  const merged = mergeSite(before, basename(merge), drawing, comments)
  return { text: merged.text, notes: [...notes, ...merged.notes, ...faultsOf(merged.text)] }
}

export interface SiteExport {
  readonly text: string
  readonly notes: readonly string[]
}

/**
 * The drawing of a site file as a table for a spreadsheet.
 * @throws ConfigError when the file is not right
 */
export async function exportSite(
  path: string,
  separator: string,
  today: string,
): Promise<SiteExport> {
  const text = await readText(path)
  const checked = checkSite(text, path, today, false)
  if (checked.site === undefined) throw new ConfigError(checked.lines)
  const value: unknown = parse(text)
  const others = Object.keys(typeof value === 'object' && value !== null ? value : {}).filter(
    (key) => !PARTS.some((part) => part === key),
  )
  return {
    text: writeDrawingCsv(rawDrawing(value ?? {}), separator),
    notes:
      others.length === 0
        ? []
        : [
            `${path}: not in the table: ${others.join(', ')}; keep the file, and put the edited table into it: site import --merge ${path} TABLE`,
          ],
  }
}

async function readText(path: string): Promise<string> {
  try {
    return decodeText(await readFile(path))
  } catch (error) {
    throw new ConfigError([`cannot read ${path}: ${reasonOf(error)}`])
  }
}

function joined(imports: readonly { readonly file: string; readonly imported: Imported }[]): {
  readonly drawing: RawDrawing
  readonly notes: readonly Note[]
} {
  const notes: Note[] = []
  const drawing = {
    components: new Map<string, RawEntry>(),
    groups: new Map<string, RawEntry>(),
    services: new Map<string, RawEntry>(),
    accepted: new Map<string, RawEntry>(),
  }
  for (const { file, imported } of imports)
    for (const part of PARTS)
      for (const [id, entry] of imported.drawing[part]) {
        if (!drawing[part].has(id)) drawing[part].set(id, entry)
        else
          notes.push({
            severity: 'error',
            file,
            message: `${part}.${id} is in a file before this one: this one is left out`,
          })
      }
  return { drawing, notes }
}

/** What is wrong with the result as a site file: an id that is declared nowhere, a circle. */
function faultsOf(text: string): readonly Note[] {
  const { complaints = [] } = { complaints: undefined, ...readConfigText(siteFile, text, 'result') }
  const more = complaints.length - MAX_RESULT_NOTES
  return [
    ...complaints.slice(0, MAX_RESULT_NOTES).map((complaint): Note => ({
      severity: 'error',
      file: 'result',
      message: complaintText(complaint),
    })),
    ...(more > 0
      ? [{ severity: 'error' as const, file: 'result', message: `${more} more of these` }]
      : []),
  ]
}
