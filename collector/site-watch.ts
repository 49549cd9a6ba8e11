import { readFile, stat } from 'node:fs/promises'
import { ConfigError, readConfig } from '../common/config.ts'
import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { inSlices } from './in-slices.ts'
import { prepareInSteps } from './topology/prepare.ts'
import { siteFile } from './topology/site-file.ts'
import { Site } from './topology/site.ts'

const NS_PER_MS = 1_000_000n

/** Reads a site file. @throws ConfigError with everything that is wrong in it */
export async function readSite(path: string): Promise<Site> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError([`cannot read the site file: ${reasonOf(error)}`])
  }
  return new Site(readConfig(siteFile, text, path))
}

/** Nobody has to wait for what follows from it once it is in use. */
async function readyToUse(path: string): Promise<Site> {
  const site = await readSite(path)
  if (site.model !== undefined) await inSlices(prepareInSteps(site.model))
  return site
}

/** The site file as it last could be read. */
export class SiteWatch {
  readonly #path: string | undefined
  readonly #log: Logger
  #site: Site
  #mark: string

  private constructor(path: string | undefined, site: Site, mark: string, log: Logger) {
    this.#path = path
    this.#site = site
    this.#mark = mark
    this.#log = log
  }

  /** @throws ConfigError */
  static async open(path: string | undefined, log: Logger): Promise<SiteWatch> {
    if (path === undefined) return new SiteWatch(undefined, new Site(), '', log)
    const mark = await markOf(path)
    return new SiteWatch(path, await readyToUse(path), mark, log)
  }

  /** When the file that is read now was last changed; null without a file. */
  get changedMs(): number | null {
    const [, , mtimeNs] = this.#mark.split(' ')
    return mtimeNs === undefined ? null : Number(BigInt(mtimeNs) / NS_PER_MS)
  }

  get site(): Site {
    return this.#site
  }

  /** Reads the file again if it changed. A file with mistakes changes nothing and is complained about. */
  async follow(): Promise<void> {
    if (this.#path === undefined) return
    const mark = await markOf(this.#path)
    if (mark === this.#mark) return
    this.#mark = mark
    try {
      const site = await readyToUse(this.#path)
      // It was changed again meanwhile, and is being read as it is now.
      if (mark !== this.#mark) return
      this.#site = site
      this.#log.info({ file: this.#path, networks: this.#site.size }, 'site file read again')
    } catch (error) {
      this.#log.error({ reason: reasonOf(error) }, 'site file not usable: the one before stays')
    }
  }
}

async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch {
    return ''
  }
}
