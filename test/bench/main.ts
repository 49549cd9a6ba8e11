// npm run bench [-- name ...]: prints measured figures; never part of the tests.
import { readdir } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'

const GIB = 1024 ** 3

const found = await readdir(new URL('.', import.meta.url))
const names = found
  .flatMap((file) => /^(.+)\.ts$/.exec(file)?.[1] ?? [])
  .filter((name) => name !== 'main')
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')}; there are ${names.join(', ')}`)
  process.exit(2)
}
const processor = cpus()
console.log(
  `${new Date().toISOString()}  ${processor[0]?.model ?? 'unknown processor'}, ${processor.length} cores, ` +
    `${(totalmem() / GIB).toFixed(0)} GiB, Node ${process.version}`,
)
for (const name of wanted.length > 0 ? wanted : names) {
  console.log(`\n## ${name}`)
  const module: unknown = await import(new URL(`./${name}.ts`, import.meta.url).href)
  if (hasBench(module)) await module.bench()
}

function hasBench(module: unknown): module is { bench: () => Promise<void> } {
  return (
    typeof module === 'object' &&
    module !== null &&
    'bench' in module &&
    typeof module.bench === 'function'
  )
}
