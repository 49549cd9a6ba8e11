export interface Instruction {
  readonly keyword: string
  readonly rest: string
}

export interface Stage {
  readonly name: string
  readonly from: string
  readonly instructions: readonly Instruction[]
}

/** A Dockerfile as its stages: comments gone, continued lines joined. */
export function readDockerfile(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const stages: { name: string; from: string; instructions: Instruction[] }[] = []
  for (const line of lines) {
    const [, keyword = '', rest = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? []
    if (keyword === '') throw new Error(`not an instruction: ${line}`)
    const stage = /^(\S+) AS (\S+)$/.exec(rest)
    if (keyword === 'FROM')
      stages.push({ from: stage?.[1] ?? rest, name: stage?.[2] ?? '', instructions: [] })
    else stages.at(-1)?.instructions.push({ keyword, rest })
  }
  return stages
}

/** The stage with everything it takes over from the stages it is built on. */
export function wholeStage(stages: readonly Stage[], name: string): readonly Instruction[] {
  const stage = stages.find((it) => it.name === name)
  if (stage === undefined) return []
  return [...wholeStage(stages, stage.from), ...stage.instructions]
}

/** The last word of an instruction on a stage: a later one replaces it. */
export function last(instructions: readonly Instruction[], keyword: string): string | undefined {
  return instructions.findLast((it) => it.keyword === keyword)?.rest
}
