import type { ComponentView, ServiceView } from '../../http/power-view.ts'
import { Shape } from '../icon.tsx'
import { NODE_HEIGHT, NODE_WIDTH, type Place } from './chain-layout.ts'
import { lookOf, minutes, stateWord, type Look, type ServiceWords } from './power-words.ts'

const TITLE_CHARACTERS = 17
const LINE_CHARACTERS = 26
const ICON = 18
const PAD = 9
/** "on battery, 62 % charge, 11 min left": for the charge there is no room. */
const CHARGE = /, [\d.]+ % charge/
const FIRST_LINE = 23
const LINE = 16

/** What asking "what if it fails" says of one in the drawing. */
export type Fate = 'chosen' | 'dies' | 'one-leg' | 'spared' | 'none'

const FATES: Readonly<Record<Fate, string>> = {
  chosen: 'taken out',
  dies: 'stops too',
  'one-leg': 'without reserve',
  spared: '',
  none: '',
}

export interface NodeText {
  readonly look: Look
  readonly title: string
  readonly second: string
  /** The second line is the rest of the title. */
  readonly isTitleLong?: boolean
  readonly third: string
  /** Said in a corner: "single point". */
  readonly mark: string
  /** All of it in one sentence, for who does not see it. */
  readonly spoken: string
}

interface Props {
  readonly name: string
  readonly place: Place
  readonly text: NodeText
  readonly isService: boolean
  readonly isSelected: boolean
  readonly isEntry: boolean
  readonly fate: Fate
  readonly onChoose: () => void
  readonly onFocus: () => void
}

/** One box of the drawing. */
export function ChainNode(props: Props) {
  const { name, place, text, isService, isSelected, isEntry, fate, onChoose, onFocus } = props
  const { look, title, second, third, mark, spoken } = text
  const said = FATES[fate]
  return (
    <g
      class={`node look-${look} fate-${fate}${isService ? ' service' : ''}${isSelected ? ' selected' : ''}`}
      transform={`translate(${place.x} ${place.y})`}
      role="button"
      tabindex={isEntry ? 0 : -1}
      aria-pressed={isSelected}
      aria-label={said === '' ? spoken : `${spoken}. If the chosen one fails: ${said}`}
      data-node={name}
      onClick={onChoose}
      onFocus={onFocus}
    >
      <title>{spoken}</title>
      <rect
        class="box"
        width={NODE_WIDTH}
        height={NODE_HEIGHT}
        rx={isService ? NODE_HEIGHT / 2 : 7}
      />
      <g
        transform={`translate(${isService ? PAD * 2 : PAD} ${FIRST_LINE - 14}) scale(${ICON / 24})`}
      >
        <Shape look={look} />
      </g>
      <text class="name" x={(isService ? PAD * 2 : PAD) + ICON + 6} y={FIRST_LINE}>
        {cut(title, isService ? TITLE_CHARACTERS - 2 : TITLE_CHARACTERS)}
      </text>
      <text
        class={text.isTitleLong === true ? 'line name-rest' : 'line'}
        x={isService ? PAD * 2 + 4 : PAD}
        y={FIRST_LINE + LINE + 1}
      >
        {cut(second, isService ? LINE_CHARACTERS - 3 : LINE_CHARACTERS)}
      </text>
      <text class="line state" x={isService ? PAD * 2 + 4 : PAD} y={FIRST_LINE + 2 * LINE}>
        {cut(third, isService ? LINE_CHARACTERS - 4 : LINE_CHARACTERS)}
      </text>
      <Tag text={said} kind={fate} y={NODE_HEIGHT - 5} />
      <Tag text={mark} kind="mark" y={-11} />
    </g>
  )
}

/** A small word on the edge of a box. */
function Tag({
  text,
  kind,
  y,
}: {
  readonly text: string
  readonly kind: string
  readonly y: number
}) {
  if (text === '') return null
  const width = text.length * 6 + 12
  return (
    <g class={`tag ${kind}`} transform={`translate(${NODE_WIDTH - width - 8} ${y})`}>
      <rect width={width} height={16} rx={8} />
      <text x={width / 2} y={12} text-anchor="middle">
        {text}
      </text>
    </g>
  )
}

export function componentText(component: ComponentView, isNewSingle: boolean): NodeText {
  const { id, label, kind, stateText, minutesLeft, stopsCount, count, members } = component
  const isMany = members.length > 0
  const isAssumed = component.state === 'assumed'
  const title = isMany ? label : id
  const called = !isMany && label !== '' ? label : isMany ? `${id} ...` : ''
  const left = minutesLeft === null || minutesLeft === 0 ? '' : `${minutes(minutesLeft)} left`
  const state = isAssumed || stateText === '' ? stateWord(component) : stateText.replace(CHARGE, '')
  const isSaid = left === '' || state.includes('left')
  const both = `${state}, ${left}`
  const third = isSaid
    ? state
    : isAssumed
      ? left
      : both.length <= LINE_CHARACTERS
        ? both
        : `${left}, ${state}`
  const mark = stopsCount === 0 ? '' : isNewSingle ? 'new single point' : 'single point'
  const what = [kind, count > 1 && !isMany ? `${count} of them` : ''].filter((it) => it !== '')
  return {
    look: lookOf(component),
    title,
    second: [what.join(', '), called].filter((it) => it !== '').join(' · '),
    third,
    mark,
    spoken: [
      [id, label].filter((it) => it !== '').join(', '),
      kind,
      `${stateWord(component)}${stateText === '' ? '' : `: ${stateText}`}`,
      ...(mark === '' ? [] : [`${mark} of failure`]),
    ].join(', '),
  }
}

export function serviceText(
  service: ServiceView,
  { look, words, meaning }: ServiceWords,
): NodeText {
  const { id, label, minutesLeft, state } = service
  const left = minutesLeft === null || state === 'down' ? '' : `${minutes(minutesLeft)} left`
  // Hatched red is for what is down.
  const drawnLook = look === 'over' && state !== 'down' ? 'caution' : look
  const name = label === '' ? id : label
  const [title, rest] = inTwo(name)
  return {
    look: drawnLook,
    title,
    isTitleLong: rest !== '',
    second: rest === '' ? `service${service.serves === '' ? '' : ` for ${service.serves}`}` : rest,
    third: left === '' ? words : `works, ${left}`,
    mark: '',
    spoken: ['service', name, words, left, meaning].filter((it) => it !== '').join(', '),
  }
}

/** A name too long for the first line goes on in the second. */
function inTwo(name: string): readonly [first: string, rest: string] {
  const most = TITLE_CHARACTERS - 2
  const at = name.lastIndexOf(' ', most)
  return name.length <= most || at < 1 ? [name, ''] : [name.slice(0, at), name.slice(at + 1)]
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}
