import { readdirSync } from 'node:fs'
import type { FuzzReport, FuzzTarget } from './fuzz.ts'

/** The files of this folder that are no target. */
const OTHERS: readonly string[] = [
  'corpus.ts',
  'fuzz.ts',
  'main.ts',
  'read-capture.ts',
  'targets.ts',
]

/** Every target there is: one in each other file of this folder. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  const files = readdirSync(new URL('.', import.meta.url))
    .filter((file) => file.endsWith('.ts') && !OTHERS.includes(file))
    .sort()
  return await Promise.all(
    files.map(async (file) => {
      const module: unknown = await import(new URL(file, import.meta.url).href)
      if (!hasTarget(module)) throw new Error(`test/fuzz/${file} exports no target`)
      return module.target
    }),
  )
}

/** One line for people. */
export function describe(report: FuzzReport): string {
  const { name, inputs, inputsPerS, slowestMs, grownOctets, failure } = report
  return [
    name.padEnd(16),
    `${inputs} inputs`.padEnd(16),
    `${inputsPerS}/s`.padEnd(12),
    `slowest ${slowestMs.toFixed(1)} ms`.padEnd(18),
    `grown by ${Math.round(grownOctets / 1024)} KiB`,
    failure === undefined ? '' : `\n  FAILED ${failure}`,
  ].join(' ')
}

function hasTarget(module: unknown): module is { target: FuzzTarget } {
  return (
    typeof module === 'object' &&
    module !== null &&
    'target' in module &&
    typeof module.target === 'object' &&
    module.target !== null &&
    'run' in module.target &&
    typeof module.target.run === 'function'
  )
}
