import type { Overview } from '../http/overview.ts'
import { duration } from './format.ts'
import { Time } from './time.tsx'

const SECOND_MS = 1000

/** What speaks here, and of when it speaks. */
export function Footer({ overview }: { readonly overview: Overview }) {
  return (
    <footer>
      Kiestoon {overview.version} · store {overview.store.kind} · up{' '}
      {duration((overview.atMs - overview.startedMs) / SECOND_MS)} · as of{' '}
      <Time ms={overview.atMs} today={overview.atMs} />
    </footer>
  )
}
