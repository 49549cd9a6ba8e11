// Writes batches to an embedded store for ever and prints the number of each that was acknowledged: to be killed.
// node --import .../typescript.js store-writer.ts FOLDER FIRST_BATCH
import { measurement } from '../../common/measurement.ts'
import { openStore, storeOptions } from '../../collector/store/index.ts'
import { storeContext } from './store-context.ts'

const WRITERS = 4
const POINTS = 50

const [folder = '.', first = '0'] = process.argv.slice(2)
const store = await openStore(
  storeOptions.parse({ kind: 'duckdb', retention: '9999d' }),
  await storeContext(folder),
)
let next = Number(first)
await Promise.all(
  Array.from({ length: WRITERS }, async () => {
    for (;;) {
      const batch = next++
      const points = Array.from({ length: POINTS }, (_, index) =>
        measurement(
          'ping',
          1_700_000_000_000_000 + batch * 1000 + index,
          { site: 'hq', agent: 'a', target: 'gateway' },
          { sent: batch },
        ),
      )
      await store.write(points)
      process.stdout.write(`${batch}\n`)
    }
  }),
)
