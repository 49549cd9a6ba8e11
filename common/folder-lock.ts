import { once } from 'node:events'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { PermanentError, reasonOf } from './errors.ts'

const LOCK_NAME = 'lock'
/** A socket's path holds 107 bytes on Linux, 103 elsewhere, and a longer one is cut without a word. */
const MAX_SOCKET_PATH_BYTES = 100
/** Each attempt fails only when another process took the lock, gave it back, or cleared it in the very same moment. */
const ATTEMPTS = 100
const WAIT_FOR_TURN_MS = 20

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
      await removeStale(path(LOCK_NAME), directory)
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

/**
 * Many may find the same stale lock; one at a time looks at it again and takes it away. What keeps the others out meanwhile is a
 * socket without a file (a Linux abstract one), which the kernel takes back by itself; it holds within one network namespace.
 */
async function removeStale(path: string, directory: FileHandle): Promise<void> {
  const { dev, ino } = await directory.stat()
  const turn = await listen(`\0kiestoon-folder-lock-${dev}-${ino}`)
  if (turn === undefined) {
    await delay(WAIT_FOR_TURN_MS)
    return
  }
  try {
    if (!(await isAnswered(path))) await rm(path, { force: true })
  } finally {
    await turn.close()
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
