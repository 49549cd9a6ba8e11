/** Writes to stdout; resolves when it is written, or nobody reads any more. */
export async function print(text: string): Promise<void> {
  // Whoever read it may go away; write() tells, and says so here too.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => undefined)
  await new Promise<void>((resolve) => {
    process.stdout.write(text, () => {
      resolve()
    })
  })
}
