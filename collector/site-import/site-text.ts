import { Document, isCollection, isMap, parseDocument, type YAMLMap } from 'yaml'
import { writeNeeds } from './need-notation.ts'
import type { Note } from './note.ts'
import { needsOf, PARTS, type RawDrawing } from './raw-site.ts'

const WIDTH = 120
/** So many notes are kept in the file. */
const MAX_COMMENTS = 200
const MAX_LISTED = 50
const HEADING = '# What the import did not understand, or wants to be looked at:'

/** A site file that says what was imported; what was not understood stands as a comment at its end. */
export function writeSite(drawing: RawDrawing, comments: readonly string[]): string {
  const parts = PARTS.flatMap((part) =>
    drawing[part].size === 0 ? [] : [[part, Object.fromEntries(drawing[part])] as const],
  )
  const parties = Object.fromEntries(ownersIn(drawing).map((owner) => [owner, {}]))
  const document = new Document(
    { ...(ownersIn(drawing).length > 0 ? { parties } : {}), ...Object.fromEntries(parts) },
    { aliasDuplicateObjects: false },
  )
  for (const part of PARTS) {
    const entries = document.get(part)
    if (isMap(entries)) for (const { value } of entries.items) if (isMap(value)) flowInside(value)
  }
  return textOf(document, comments)
}

/**
 * A site file with an import put into it: what the import says of a thing goes before what the file says of it; all else in the file, its
 * comments among them, stays as it is.
 * @param text a site file that was found to be right
 */
export function mergeSite(
  text: string,
  file: string,
  drawing: RawDrawing,
  comments: readonly string[],
): { readonly text: string; readonly notes: readonly Note[] } {
  // What an import before this one wanted looked at is not carried along.
  const [kept = ''] = text.split(HEADING, 1)
  const document = parseDocument(kept)
  const notes: Note[] = []
  const note = (message: string): void => {
    notes.push({ severity: 'note', file, message })
  }
  for (const part of PARTS) {
    for (const [id, entry] of drawing[part]) {
      if (!document.hasIn([part, id])) {
        const node = document.createNode(entry, { aliasDuplicateObjects: false })
        if (isMap(node)) flowInside(node)
        document.setIn([part, id], node)
        continue
      }
      for (const [key, value] of Object.entries(entry)) {
        const before = plain(document.getIn([part, id, key]))
        if (isSame(key, before, value)) continue
        if (before !== undefined)
          note(`${part}.${id}.${key}: was ${shown(key, before)}, is ${shown(key, value)}`)
        document.setIn([part, id, key], document.createNode(value))
      }
    }
  }
  for (const owner of ownersIn(drawing)) {
    if (document.hasIn(['parties', owner])) continue
    document.setIn(['parties', owner], document.createNode({}))
    note(`parties.${owner}: declared for what it owns; say who it is`)
  }
  const drawn = document.get('components')
  const ids = isMap(drawn) ? drawn.items.map(({ key }) => String(plain(key))) : []
  const others = ids.filter((id) => !drawing.components.has(id))
  if (others.length > 0 && drawing.components.size > 0)
    note(
      `not in the import, and kept: ${others.slice(0, MAX_LISTED).join(', ')}${others.length > MAX_LISTED ? ' ...' : ''}`,
    )
  return { text: textOf(document, comments), notes }
}

function ownersIn(drawing: RawDrawing): readonly string[] {
  const owners = PARTS.flatMap((part) => [...drawing[part].values()]).map(({ owner }) => owner)
  return [...new Set(owners.filter((owner) => typeof owner === 'string'))].sort()
}

function textOf(document: Document, comments: readonly string[]): string {
  const text = document.toString({ lineWidth: WIDTH, flowCollectionPadding: true })
  const more = comments.length - MAX_COMMENTS
  const shownComments = [
    ...comments.slice(0, MAX_COMMENTS),
    ...(more > 0 ? [`... and ${more} more`] : []),
  ]
  if (shownComments.length === 0) return text
  const lines = shownComments.map((line) => `# ${line.replaceAll(/[\r\n]+/g, ' ')}\n`)
  return `${text}\n${HEADING}\n${lines.join('')}`
}

/** needs: [a, { any: [b, c] }] in one line reads better than a ladder. */
function flowInside(entry: YAMLMap): void {
  for (const { value } of entry.items) if (isCollection(value)) value.flow = true
}

function isSame(key: string, a: unknown, b: unknown): boolean {
  return a !== undefined && shown(key, a) === shown(key, b)
}

function shown(key: string, value: unknown): string {
  if (key === 'needs') return writeNeeds(needsOf({ needs: value }))
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Of a node, what it says. */
function plain(node: unknown): unknown {
  if (typeof node !== 'object' || node === null || !('toJSON' in node)) return node
  return typeof node.toJSON === 'function' ? JSON.parse(JSON.stringify(node)) : node
}
