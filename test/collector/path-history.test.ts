import { test } from 'tap'
import { PathHistory } from '../../collector/path-history.ts'
import type { Query, Series } from '../../collector/store/store.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'

/** 2026-11-22 03:00 UTC */
const NIGHT_MS = 1_795_316_400_000
const H_MS = 3_600_000

function verdict(endMs: number, lost: number): Measurement {
  return measurement(
    'path',
    endMs * 1000,
    { from: 'hq', to: 'carrier-b', at: 'carrier-b', source: 'stream' },
    { interval_ms: 10_000, expected: 500, lost_unique: lost, loss_ratio: lost / 500 },
  )
}

test('verdicts from before our clock was set back do not hide those of now', async (t) => {
  const history = new PathHistory()
  history.add([verdict(NIGHT_MS + 2 * H_MS, 0)])
  t.same(history.views(NIGHT_MS), [], 'nothing old is shown as fresh')
  history.add([verdict(NIGHT_MS, 40)])
  const [path] = history.views(NIGHT_MS)
  t.equal(path?.lossRatio, 0.08)
  t.same(
    path?.history.flatMap(([, loss]) => loss ?? []),
    [0.08],
  )
})

test('what is read back from the store is never more than a store gives', async (t) => {
  let asked: Query | undefined
  const read = async (query: Query): Promise<readonly Series[]> => {
    asked = query
    return []
  }
  await new PathHistory().load({ read }, NIGHT_MS)
  t.equal(asked?.limit, 50_000)
})
