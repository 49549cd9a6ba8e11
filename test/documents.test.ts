import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { parse } from 'yaml'
import { z } from 'zod'
import { PROBES } from '../agent/probes/index.ts'
import { measurementNames } from '../common/measurement.ts'
import { vocabularyPage } from './support/vocabulary-page.ts'

test('the vocabulary page says what the vocabulary says', async (t) => {
  t.equal(text('common/VOCABULARY.md'), vocabularyPage(), 'npm run vocabulary writes it anew')
})

test('the README names every probe and every measurement', async (t) => {
  const readme = text('README.md')
  for (const name of [...Object.keys(PROBES), ...measurementNames()])
    t.ok(readme.includes(`\`${name}\``), name)
})

test('the example of an agent shows every probe', async (t) => {
  const example: unknown = parse(text('agent/agent.example.yaml'))
  const shown = JSON.stringify(example) + text('agent/agent.example.yaml')
  for (const name of Object.keys(PROBES)) t.ok(shown.includes(`probe: ${name}`), name)
})

test('every npm script the documents speak of exists', async (t) => {
  const scripts = z
    .looseObject({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(text('package.json'))).scripts
  for (const file of ['README.md', 'CONTRIBUTING.md']) {
    for (const [, script] of text(file).matchAll(/npm run ([a-z-]+)/g))
      t.ok(script !== undefined && script in scripts, `${file}: ${script}`)
  }
})

function text(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
}
