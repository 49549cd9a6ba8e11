import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** SCRAM, an independent analyser of fault trees (Debian package scram). */
export function hasScram(): boolean {
  return spawnSync('scram', ['--version']).status === 0
}

/** Minimal cut sets of one fault tree, in the words of its labels; sorted within, the smallest first, then by text. */
export function scramCutSets(
  mef: string,
  order: number,
  algorithm: 'bdd' | 'zbdd' | 'mocus' = 'zbdd',
): readonly (readonly string[])[] {
  const folder = mkdtempSync(join(tmpdir(), 'kiestoon-scram-'))
  try {
    const file = join(folder, 'tree.xml')
    writeFileSync(file, mef)
    const args = [`--${algorithm}`, '-l', String(order), '--verbosity', '0', file]
    const { status, stdout, stderr } = spawnSync('scram', args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    if (status !== 0) throw new Error(`scram: ${stderr}`)
    return productsOf(stdout, labelsOf(mef))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function labelsOf(mef: string): ReadonlyMap<string, string> {
  const found = mef.matchAll(/<define-basic-event name="([^"]*)"><label>([^<]*)<\/label>/g)
  return new Map([...found].map(([, name = '', label = '']) => [name, label]))
}

function productsOf(
  report: string,
  labels: ReadonlyMap<string, string>,
): readonly (readonly string[])[] {
  const products = [...report.matchAll(/<product order="\d+"[^>]*>(.*?)<\/product>/gs)]
  return products
    .map(([, product = '']) =>
      [...product.matchAll(/<basic-event name="([^"]*)"/g)]
        .map(([, name = '']) => labels.get(name) ?? name)
        .sort(),
    )
    .sort(bySizeThenText)
}

function bySizeThenText(a: readonly string[], b: readonly string[]): number {
  if (a.length !== b.length) return a.length - b.length
  const at = a.findIndex((id, place) => id !== b[place])
  return (a[at] ?? '') < (b[at] ?? '') ? -1 : 1
}
