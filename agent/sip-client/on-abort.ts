/** Who listens to each signal. */
const listening = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when the signal fires; the function returned takes that back. A thousand checks share one signal, and the list of its own
 * is walked from its beginning by everyone who joins or leaves.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = listening.get(signal) ?? listenTo(signal)
  // Of its own: the same function may listen twice.
  const entry = (): void => {
    callback()
  }
  callbacks.add(entry)
  return () => {
    callbacks.delete(entry)
  }
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>()
  listening.set(signal, callbacks)
  signal.addEventListener(
    'abort',
    () => {
      for (const callback of callbacks) callback()
      callbacks.clear()
    },
    { once: true },
  )
  return callbacks
}
