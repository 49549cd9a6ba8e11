import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { qualityDashboard } from './quality.ts'

const file = fileURLToPath(new URL('./quality.json', import.meta.url))
const style = await resolveConfig(file)
await writeFile(
  file,
  await format(JSON.stringify(qualityDashboard()), { ...style, filepath: file }),
)
