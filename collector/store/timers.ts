import type { StoreContext } from './options.ts'

type Every = StoreContext['every']

/** Resolves after so many milliseconds, or at once when the signal fires. */
export async function pause(ms: number, every: Every, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const end = (): void => {
      stop()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const stop = every(ms, end)
    signal.addEventListener('abort', end)
  })
}

/**
 * The task's own end; or, after so many milliseconds or when the signal fires, the error that `expire` returns (which also stops the
 * task, where it can).
 */
export async function withDeadline<T>(
  task: Promise<T>,
  limit: { readonly ms: number; readonly every: Every; readonly signal: AbortSignal },
  expire: () => Error,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const end = (): void => {
      release()
      reject(expire())
    }
    const release = (): void => {
      stop()
      limit.signal.removeEventListener('abort', end)
    }
    const stop = limit.every(limit.ms, end)
    limit.signal.addEventListener('abort', end)
    task.then(resolve, reject).finally(release)
  })
}
