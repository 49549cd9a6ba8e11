import { test } from 'tap'
import { inSlices } from '../../collector/in-slices.ts'
import { drawnPoints } from '../../collector/topology/drawn-points.ts'
import { prepareInSteps } from '../../collector/topology/prepare.ts'
import { modelOf } from '../support/drawings.ts'
import { largeDrawing } from '../support/large-drawing.ts'

const COMPONENTS = 1000

test('what is worked out of a drawing in slices leaves room for others, and is what is worked out at once', async (t) => {
  const model = modelOf(largeDrawing(COMPONENTS))
  let isDone = false
  let turns = 0
  const others = (): void => {
    turns++
    if (!isDone) setImmediate(others)
  }
  setImmediate(others)
  await inSlices(prepareInSteps(model))
  isDone = true
  t.ok(turns > 50, `others had their turn ${turns} times meanwhile`)
  t.same(drawnPoints(model), drawnPoints(modelOf(largeDrawing(COMPONENTS))))
  t.equal(drawnPoints(model), drawnPoints(model), 'and once only')
})

test('who asks before the last slice gets the same, and does not disturb it', async (t) => {
  const model = modelOf(largeDrawing(COMPONENTS))
  const steps = prepareInSteps(model)
  for (let step = 0; step < 20; step++) steps.next()
  const asked = drawnPoints(model)
  await inSlices(steps)
  t.equal(drawnPoints(model), asked)
  t.same(asked, drawnPoints(modelOf(largeDrawing(COMPONENTS))))
})
