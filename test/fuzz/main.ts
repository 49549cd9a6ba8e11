import { fuzz } from './fuzz.ts'
import { describe, fuzzTargets } from './targets.ts'

/**
 * Feeds every parser the same inputs in every run: KIESTOON_FUZZ_INPUTS of them in total, made from KIESTOON_FUZZ_SEED. Names of
 * targets as arguments leave the others out.
 */

const INPUTS = Number(process.env['KIESTOON_FUZZ_INPUTS'] ?? 2_000_000)
const SEED = Number(process.env['KIESTOON_FUZZ_SEED'] ?? 20_251_122)
const names = process.argv.slice(2)

const targets = (await fuzzTargets()).filter(
  ({ name }) => names.length === 0 || names.includes(name),
)
const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0)
const start = performance.now()
let inputs = 0
for (const target of targets) {
  const report = await fuzz(target, Math.ceil((INPUTS * (target.share ?? 1)) / shares), SEED)
  inputs += report.inputs
  if (report.failure !== undefined) process.exitCode = 1
  console.log(describe(report))
}
const seconds = (performance.now() - start) / 1000
console.log(`${inputs} inputs in ${seconds.toFixed(0)} s: ${Math.round(inputs / seconds)}/s`)
