import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { capacity } from '../../collector/topology/capacity.ts'
import { minimalCutSets } from '../../collector/topology/cut-sets.ts'
import type { Drawing, Observation } from '../../collector/topology/dependency.ts'
import { drawnPoints } from '../../collector/topology/drawn-points.ts'
import { forecast } from '../../collector/topology/forecast.ts'
import { LiveModel } from '../../collector/topology/live.ts'
import { toMef } from '../../collector/topology/mef.ts'
import type { Model } from '../../collector/topology/model.ts'
import { whatIf } from '../../collector/topology/what-if.ts'
import { modelOf, NOW_US, seen } from '../support/drawings.ts'
import { largeDrawing } from '../support/large-drawing.ts'
import { hasScram } from '../support/scram.ts'

const SIZES = [150, 1000, 10_000]
const CHILD = 'KIESTOON_BENCH_POWER'
const MIB_PER_KIB = 1 / 1024
const TARGET = { cutSetsMs: 1000, rssMib: 300, updateMs: 100, whatIfMs: 50 }
/** Every so many components one is made to fail, one after another. */
const TRIED = 200

/**
 * The engine on drawings of a company of many sites, each size in a process of its own, cold: cut sets of order 3 of all services, then the
 * overlay as it changes by one component, what-if, and the rest. Beside it SCRAM on one service of the largest.
 */
export async function bench(): Promise<void> {
  const size = process.env[CHILD]
  if (size !== undefined) {
    measure(Number(size))
    return
  }
  for (const one of SIZES) {
    const main = fileURLToPath(new URL('main.ts', import.meta.url))
    const args = ['--import', './test/support/typescript.js', main, 'power']
    const env = { ...process.env, [CHILD]: String(one) }
    const { stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
    console.log(stdout.split('\n').slice(3).join('\n'))
  }
  besideScram()
}

function measure(size: number): void {
  const drawing = largeDrawing(size)
  console.log(`${drawing.components.size} components, ${drawing.services.size} services`)
  const compiled = timed(() => modelOf(drawing))
  print('compile', compiled.ms)
  const model = compiled.result
  const cutSets = timed(() => minimalCutSets(model, { order: 3 }))
  print('cut sets of order 3, all services', cutSets.ms, TARGET.cutSetsMs)
  const sizes = [0, 0, 0, 0]
  for (const { sets } of cutSets.result.values())
    for (const { length } of sets) sizes[length] = (sizes[length] ?? 0) + 1
  console.log(`  ${sizes[1] ?? 0} singles, ${sizes[2] ?? 0} pairs, ${sizes[3] ?? 0} triples`)
  const rssMib = process.resourceUsage().maxRSS * MIB_PER_KIB
  console.log(`  peak RSS so far ${rssMib.toFixed(0)} MiB (at most ${TARGET.rssMib})`)
  measureLive(model, drawing)
  print('single points, what runs out, design gaps', timed(() => drawnPoints(model)).ms)
  print('capacity', timed(() => capacity(modelOf(withWatts(drawing)))).ms)
  const peakMib = process.resourceUsage().maxRSS * MIB_PER_KIB
  console.log(`  peak RSS in the end ${peakMib.toFixed(0)} MiB`)
}

function measureLive(model: Model, drawing: Drawing): void {
  const made = timed(() => new LiveModel(model))
  print('live model, once', made.ms)
  const live = made.result
  const calm = new Map([...drawing.components.keys()].map((id) => [id, seen('up')]))
  print('first overlay, everything watched', timed(() => live.overlay(calm)).ms)
  const ids = [...drawing.components.keys()].sort()
  const tried = ids.filter((_, at) => at % Math.ceil(ids.length / TRIED) === 0)
  const worst = ids.filter((id) => id.startsWith('dc-'))
  const updates: number[] = []
  const questions: number[] = []
  for (const id of [...tried, ...worst]) {
    const now = new Map<string, Observation>([...calm, [id, seen('down')]])
    updates.push(timed(() => forecast(live, now, live.overlay(now), NOW_US)).ms)
    updates.push(timed(() => forecast(live, calm, live.overlay(calm), NOW_US)).ms)
    questions.push(timed(() => whatIf(live, calm, { fail: [id] }, NOW_US)).ms)
  }
  printAll('update after one change, with forecast', updates, TARGET.updateMs)
  printAll('what-if', questions, TARGET.whatIfMs)
}

/** On a service without k of n, which SCRAM expands. */
function besideScram(): void {
  if (!hasScram()) {
    console.log('scram is not installed (apt-get install scram): nothing beside it')
    return
  }
  const model = modelOf(largeDrawing(SIZES.at(-1) ?? 0))
  const service = model.services.find(({ id }) => id.startsWith('emergency'))
  if (service === undefined) return
  const folder = mkdtempSync(join(tmpdir(), 'kiestoon-bench-'))
  const file = join(folder, 'tree.xml')
  writeFileSync(file, toMef(model, service))
  for (const algorithm of ['bdd', 'zbdd', 'mocus']) {
    const args = [`--${algorithm}`, '-l', '3', '--verbosity', '0', '-o', '/dev/null', file]
    const run = timed(() => spawnSync('scram', args))
    print(`scram --${algorithm}, ${service.id} alone`, run.ms)
  }
  rmSync(folder, { recursive: true, force: true })
  const ours = timed(() => minimalCutSets(model, { order: 3, services: [service.id] }))
  print(`ours, ${service.id} alone`, ours.ms)
}

function withWatts(drawing: Drawing): Drawing {
  const draws: Readonly<Record<string, number>> = { phone: 6, switch: 60, router: 30, pbx: 300 }
  const components = new Map(
    [...drawing.components].map(([id, component]) => {
      const { kind } = component
      const capacityW = kind === 'ups' || kind === 'pdu' ? { capacityW: 400 } : {}
      return [id, { ...component, watts: draws[kind] ?? 0, ...capacityW }]
    }),
  )
  return { ...drawing, components }
}

function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const start = performance.now()
  const result = work()
  return { ms: performance.now() - start, result }
}

function print(what: string, ms: number, atMost?: number): void {
  const target = atMost === undefined ? '' : `  (at most ${atMost})`
  console.log(`  ${what.padEnd(42)}${ms.toFixed(1).padStart(9)} ms${target}`)
}

function printAll(what: string, all: readonly number[], atMost: number): void {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1)
  console.log(
    `  ${what.padEnd(42)}${at(0.5).padStart(9)} ms median, 95 % ${at(0.95)}, worst ${at(1)} of ${all.length}  (at most ${atMost})`,
  )
}
