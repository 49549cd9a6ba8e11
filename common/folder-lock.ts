import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { link, open, rename, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { PermanentError, reasonOf } from './errors.ts'

const LOCK_NAME = 'lock'
/** A socket's path holds 107 bytes on Linux, 103 elsewhere, and a longer one is cut without a word. */
const MAX_SOCKET_PATH_BYTES = 100
/** Each attempt fails only when another process took the lock, or gave it back, in the very same moment. */
const ATTEMPTS = 5

export interface FolderLock {
  release(): Promise<void>
}

/**
 * Keeps a second process out of a folder. The lock is a listening socket in it: the kernel closes it when its process dies, however
 * it dies, so that a lock that nobody answers is stale. Unlike a process id this holds between containers too, where ids repeat.
 * @throws PermanentError when another process has it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const directory = await open(folder, 'r')
  try {
    const path = shortPath(folder, directory.fd)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const server = await listen(path(LOCK_NAME))
      if (server !== undefined) {
        return {
          release: async () => {
            await server.close()
            await directory.close()
          },
        }
      }
      if (await isAnswered(path(LOCK_NAME))) break
      await removeStale(path)
    }
  } catch (error) {
    await directory.close()
    throw new PermanentError('folder-lock', `cannot lock ${folder}: ${reasonOf(error)}`, {
      cause: error,
    })
  }
  await directory.close()
  throw new PermanentError('folder-locked', `${folder} is in use by another process`)
}

function shortPath(folder: string, fd: number): (name: string) => string {
  const fits = Buffer.byteLength(folder) + LOCK_NAME.length * 4 < MAX_SOCKET_PATH_BYTES
  return (name) => join(fits ? folder : `/proc/self/fd/${fd}`, name)
}

/** Undefined when something is there already. */
async function listen(path: string): Promise<{ close: () => Promise<void> } | undefined> {
  const server = createServer((socket) => socket.destroy())
  server.unref()
  server.listen(path)
  try {
    await once(server, 'listening')
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return undefined
    throw error
  }
  return {
    close: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOENT')) return false
    throw error
  } finally {
    socket.destroy()
  }
}

/** Two processes may find the same stale lock: what was taken away is looked at again, and put back if it had been renewed. */
async function removeStale(path: (name: string) => string): Promise<void> {
  const aside = path(`${LOCK_NAME}-${randomBytes(4).toString('hex')}`)
  try {
    await rename(path(LOCK_NAME), aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if (await isAnswered(aside)) await link(aside, path(LOCK_NAME))
  await rm(aside)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
