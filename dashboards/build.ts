import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { powerDashboard } from './power.ts'
import { qualityDashboard } from './quality.ts'

const BOARDS = { 'quality.json': qualityDashboard(), 'power.json': powerDashboard() } as const

for (const [name, board] of Object.entries(BOARDS)) {
  const file = fileURLToPath(new URL(name, import.meta.url))
  const style = await resolveConfig(file)
  await writeFile(file, await format(JSON.stringify(board), { ...style, filepath: file }))
}
