import { definitionOf, measurementNames } from '../../common/measurement.ts'

/** The vocabulary as a page for people, made from the table the program itself uses. */
export function vocabularyPage(): string {
  const chapters = measurementNames().map((name) => {
    const { meaning, tags, fields } = definitionOf(name)
    const tagRows = Object.entries(tags).map(([tag, text]) => `| \`${tag}\` | ${cell(text)} |`)
    const fieldRows = Object.entries(fields).map(
      ([field, { type, unit, meaning: text, source }]) =>
        `| \`${field}\` | ${type} | ${unit ?? ''} | ${cell(text)} | ${source ?? ''} |`,
    )
    return [
      `## ${name}`,
      '',
      `${meaning[0]?.toUpperCase()}${meaning.slice(1)}.`,
      '',
      ...(tagRows.length > 0 ? ['| tag | meaning |', '| --- | --- |', ...tagRows, ''] : []),
      '| field | type | unit | meaning | source |',
      '| --- | --- | --- | --- | --- |',
      ...fieldRows,
      '',
    ].join('\n')
  })
  return `${HEAD}\n${chapters.join('\n')}`
}

const HEAD = `# Vocabulary

What agents push and the collector stores, made from \`common/vocabulary.ts\` (\`npm run vocabulary\` writes this page anew).

Every point has the tags \`site\` and \`agent\`; the collector sets them from the token the point came with. Times are microseconds since 1970.
A field never changes its type or unit. What was not measured is absent: there is no zero, no default and no last known value in its place.
Ratios are 0..1. Never average them: add up the counts and divide.
`

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
