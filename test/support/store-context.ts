import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoreContext } from '../../collector/store/index.ts'
import { createLogger } from '../../common/log.ts'

/** A store's surroundings: a folder of its own (or the one given), the real clock, a silent log. */
export async function storeContext(
  given?: string,
): Promise<StoreContext & { readonly remove: () => Promise<void> }> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'kiestoon-store-')))
  return {
    folder,
    log: createLogger('test', 'silent'),
    nowUs: () => Date.now() * 1000,
    every: (ms, run) => {
      const timer = setInterval(run, ms)
      return () => {
        clearInterval(timer)
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
