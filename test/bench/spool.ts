import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Spool } from '../../common/spool.ts'

const RECORD_BYTES = 50_000
const RECORDS = 2000
const MAX_BYTES = 1024 ** 3

/** Records of the size of a gzipped batch, one after the other and 32 at once, then read back. */
export async function bench(): Promise<void> {
  const payload = randomBytes(RECORD_BYTES)
  for (const atOnce of [1, 32]) {
    const folder = await mkdtemp(join(tmpdir(), 'spool-bench-'))
    const spool = await Spool.open({ folder, maxBytes: MAX_BYTES })
    const appended = await perSecond(async () => {
      for (let done = 0; done < RECORDS; done += atOnce)
        await Promise.all(Array.from({ length: atOnce }, () => spool.append(payload, 500)))
    })
    const delivered = await perSecond(async () => {
      for (let record = await spool.peek(); record; record = await spool.peek())
        await spool.acknowledge(record.id)
    })
    console.log(
      `${RECORD_BYTES} bytes, ${atOnce} at once: ${appended} durable appends/s, ${delivered} peeked and acknowledged/s`,
    )
    await spool.close()
    await rm(folder, { recursive: true })
  }
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round((RECORDS * 1000) / (performance.now() - start))
}
