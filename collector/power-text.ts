import { utcMinute } from './evaluate/words.ts'
import type { PowerAnswer } from './power-command.ts'
import { drawingLines } from './power-drawing-text.ts'
import { minutes, painter, shortened, wrapped, type Paint } from './power-lines.ts'
import type { Component } from './topology/dependency.ts'
import type { WhatIf } from './topology/what-if.ts'

/** What `kiestoon-collector power` prints for people. */

const MIN_WIDTH = 60
const S_PER_MIN = 60

interface Terminal {
  readonly isColoured: boolean
  readonly columns: number
}

export function powerText(answer: PowerAnswer, { isColoured, columns }: Terminal): string {
  const paint = painter(isColoured)
  const width = Math.max(MIN_WIDTH, columns)
  const { services } = answer.model.drawing
  const isEmergency = (id: string): number => Number(services.get(id)?.isEmergency === true)
  const ids = answer.model.services
    .map(({ id }) => id)
    .sort((a, b) => isEmergency(b) - isEmergency(a))
  const lines = [
    ...ids.flatMap((id) => [...serviceLines(answer, id, paint, width), '']),
    ...(answer.whatIf === undefined
      ? drawingLines(answer.model, paint, width)
      : whatIfLines(answer, answer.whatIf, paint, width)),
    ...footer(answer, paint),
  ]
  return lines.join('\n')
}

function serviceLines(
  answer: PowerAnswer,
  id: string,
  paint: Paint,
  width: number,
): readonly string[] {
  const { drawn, now, model, minutesLeft } = answer
  const service = model.drawing.services.get(id)
  const state = now.services.get(id)
  const sets = (state?.up === true ? state.residual : (drawn.get(id)?.sets ?? [])).filter(
    ({ length }) => length > 0,
  )
  const singles = sets.filter(({ length }) => length === 1).flat()
  const pairs = sets.filter(({ length }) => length === 2)
  const triples = sets.filter(({ length }) => length === 3)
  const accepted = new Set(model.drawing.accepted.keys())
  const left = minutesLeft.get(id)
  const facts = [
    service?.label ?? '',
    service?.serves === undefined ? '' : `for ${service.serves}`,
    service?.isEmergency === true ? 'emergency' : '',
    service?.holdUpS === undefined ? '' : `hold-up ${minutes(service.holdUpS / S_PER_MIN)}`,
  ].filter((fact) => fact !== '')
  const word =
    state?.up === true
      ? state.newSinglePoints.length > 0
        ? paint('without reserve', 'yellow')
        : paint('up', 'green')
      : paint('DOWN', 'red')
  const name = (component: string): string => {
    const text = nameOf(model.drawing.components.get(component), component)
    if (state?.newSinglePoints.includes(component) === true) return `${text} (new)`
    return accepted.has(component) ? `${text} (accepted)` : text
  }
  return [
    `${paint(id, 'bold')}  ${word}${facts.length > 0 ? `  ${paint(facts.join(', '), 'dim')}` : ''}`,
    ...(state?.up === false
      ? wrapped(
          'because',
          state.because.map((set) => set.join(' + ')),
          width,
          ' | ',
        )
      : []),
    ...(left !== undefined && left > 0 ? [`  runs out    in ${minutes(left)}`] : []),
    ...wrapped('single', singles.map(name), width),
    ...(answer.order >= 2
      ? wrapped('pairs', shortened(pairs.map((pair) => pair.join(' + '))), width)
      : []),
    ...(triples.length > 0 ? [`  triples     ${triples.length}`] : []),
    ...(singles.length + pairs.length + triples.length === 0
      ? [`  nothing up to ${answer.order} failures stops it`]
      : []),
  ]
}

function whatIfLines(
  { failed, window, model }: PowerAnswer,
  { go, stopped, runsOut, batteries, oneLeg, components, unknownRuntimes }: WhatIf,
  paint: Paint,
  width: number,
): readonly string[] {
  const what = failed.map((id) => nameOf(model.drawing.components.get(id), id)).join(', ')
  const when =
    window === undefined ? '' : ` from ${utcMinute(window.fromUs)} to ${utcMinute(window.toUs)}`
  return [
    `${paint(`Take out ${what}${when}?`, 'bold')}  ${go ? paint('GO', 'green') : paint('NO-GO', 'red')}`,
    ...wrapped('stops', stopped, width),
    ...wrapped(
      'runs out',
      runsOut.map(({ service, afterMin }) => `${service} after ${minutes(afterMin)}`),
      width,
    ),
    ...wrapped(
      'empty',
      shortened(batteries.map(({ id, afterMin }) => `${id} after ${minutes(afterMin)}`)),
      width,
    ),
    ...wrapped(
      'no reserve',
      oneLeg.map(({ service, singles }) => `${service} (${singles.join(', ')})`),
      width,
    ),
    ...wrapped('with it', shortened(components), width),
    ...wrapped(
      'not known',
      unknownRuntimes.map((id) => `how long ${id} lasts`),
      width,
    ),
    ...(go && oneLeg.length === 0 ? ['  no service notices'] : []),
    '',
  ]
}

function footer({ model, drawn, order }: PowerAnswer, paint: Paint): readonly string[] {
  const isTruncated = [...drawn.values()].some((it) => it.isTruncated)
  const count = `${model.components.length} components, ${model.services.length} services, sets of up to ${order}`
  return [
    paint(count, 'dim'),
    ...(isTruncated ? ['There are more sets than are counted: the longest are missing.'] : []),
  ]
}

/** Its label and where it stands, so that somebody can walk there. */
function nameOf(component: Component | undefined, id: string): string {
  const { label, place } = component ?? {}
  const details = [label, place].filter((detail) => detail !== undefined)
  return details.length === 0 ? id : `${id} (${details.join(', ')})`
}
