import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'

const OWNER_ONLY = 0o600

/** Writes a text file so that a crash at any moment leaves the old one or the new one, never half a file. */
export async function replaceFile(path: string, text: string, temporary = `${path}.new`) {
  const file = await open(temporary, 'w', OWNER_ONLY)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** What a service must know again after a restart, as one JSON file. */
export class StateFile<State> {
  readonly #path: string
  readonly #log: Logger
  readonly #snapshot: () => State
  #writing: Promise<void> | undefined
  #again = false
  #failing = false

  /** @param snapshot asked for the state at the moment of each write */
  constructor(path: string, snapshot: () => State, log: Logger) {
    this.#path = path
    this.#snapshot = snapshot
    this.#log = log
  }

  /** The state left by the last run, if any. An unreadable file is set aside and said so: to start afresh beats not to start. */
  static async read<State>(
    path: string,
    schema: z.ZodType<State>,
    log: Logger,
  ): Promise<State | undefined> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
    try {
      return schema.parse(JSON.parse(text))
    } catch (error) {
      const aside = `${path}.unreadable`
      await rename(path, aside)
      log.warn({ file: aside, reason: reasonOf(error) }, 'state cannot be read: set aside')
      return undefined
    }
  }

  /** Resolves when a state not older than this call is on the disk, or could not be written (which is logged). */
  async save(): Promise<void> {
    this.#again = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#again) {
      this.#again = false
      try {
        await replaceFile(this.#path, JSON.stringify(this.#snapshot()))
        this.#failing = false
      } catch (error) {
        if (!this.#failing) {
          this.#log.error({ file: this.#path, reason: reasonOf(error) }, 'cannot write the state')
        }
        this.#failing = true
      }
    }
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** Makes a rename in the folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
