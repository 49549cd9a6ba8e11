/** Writes to stdout; resolves when it is written, or nobody reads any more. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.once('error', () => {
      resolve() // whoever read it has gone away
    })
    process.stdout.write(text, () => {
      resolve()
    })
  })
}
