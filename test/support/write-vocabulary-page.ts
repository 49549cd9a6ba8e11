import { writeFileSync } from 'node:fs'
import { vocabularyPage } from './vocabulary-page.ts'

writeFileSync(new URL('../../common/VOCABULARY.md', import.meta.url), vocabularyPage())
