import { explainDrawing } from './explain-drawing.ts'
import { explainPower } from './explain-power.ts'
import { explainWatches } from './explain-watches.ts'
import type { Explained, Finding } from './finding.ts'
import { missingThings } from './missing-things.ts'

/**
 * What somebody should look at in a site file that can be used: mistakes people make, and what nobody draws until asked.
 * Warnings first; in the order of the file's parts.
 */
export function explain(explained: Explained): readonly Finding[] {
  const findings = [
    ...explainDrawing(explained),
    ...explainPower(explained),
    ...explainWatches(explained),
    ...missingThings(explained),
  ]
  const warnings = findings.filter(({ severity }) => severity === 'warning')
  return [...warnings, ...findings.filter(({ severity }) => severity === 'hint')]
}
