import { z } from 'zod'
import type { Need } from '../topology/dependency.ts'
import { needsInFile } from '../topology/need-file.ts'

/** A part of a site file as it is written there: keys in the order of the file, durations still as "30min". */
export type RawEntry = Readonly<Record<string, unknown>>

/** What a drawing consists of, as written. */
export interface RawDrawing {
  readonly components: ReadonlyMap<string, RawEntry>
  readonly groups: ReadonlyMap<string, RawEntry>
  readonly services: ReadonlyMap<string, RawEntry>
  readonly accepted: ReadonlyMap<string, RawEntry>
}

export const PARTS = ['components', 'groups', 'services', 'accepted'] as const

const entries = z.record(z.string(), z.record(z.string(), z.unknown())).default({})
const raw = z.looseObject({
  components: entries,
  groups: entries,
  services: entries,
  accepted: entries,
})

/** Of a site file that was found to be right. */
export function rawDrawing(value: unknown): RawDrawing {
  const { components, groups, services, accepted } = raw.parse(value)
  const mapped = (part: Record<string, RawEntry>): ReadonlyMap<string, RawEntry> =>
    new Map(Object.entries(part))
  return {
    ...{ components: mapped(components), groups: mapped(groups) },
    ...{ services: mapped(services), accepted: mapped(accepted) },
  }
}

/** What an entry needs; nothing where it says nothing, or nonsense. */
export function needsOf(entry: RawEntry): readonly Need[] {
  const read = needsInFile.safeParse(entry['needs'] ?? [])
  return read.success ? read.data : []
}
