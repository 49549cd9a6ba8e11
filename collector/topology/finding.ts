import type { Model } from './model.ts'
import type { SiteFile } from './site-file.ts'

/**
 * warning: the file says what is hardly meant, or leaves out what the rules need. hint: it may be right; somebody should look.
 * What makes the file unusable is no finding but a complaint.
 */
export interface Finding {
  readonly severity: 'warning' | 'hint'
  /** A word to look it up by, in collector/topology/SITE-FILE.md. */
  readonly code: string
  /** Where in the site file. */
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly remedy: string
}

/** What a look at a site file goes by. */
export interface Explained {
  readonly file: SiteFile
  readonly model: Model
  /** As 2026-12-01. */
  readonly today: string
}

/** The indices of all that is needed by these, through others too. */
export function everythingBelow(model: Model, from: readonly number[]): ReadonlySet<number> {
  const found = new Set<number>(from)
  for (const index of found)
    for (const below of model.components[index]?.below ?? []) found.add(below)
  return found
}

/** "a", "a and b", "a, b and 3 more" */
export function listed(ids: readonly string[]): string {
  if (ids.length > MAX_LISTED)
    return `${ids.slice(0, MAX_LISTED - 1).join(', ')} and ${ids.length - MAX_LISTED + 1} more`
  const last = ids.at(-1) ?? ''
  return ids.length < 2 ? last : `${ids.slice(0, -1).join(', ')} and ${last}`
}

const MAX_LISTED = 5
