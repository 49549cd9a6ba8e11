import { useState } from 'preact/hooks'
import type { LaneView, PowerHistoryView, PowerView, SpanView } from '../../http/power-view.ts'
import { counted, percent, typeset } from '../format.ts'
import { localTime, Time } from '../time.tsx'

const HOUR_MS = 3_600_000
const STEP_MS = 60_000
const WIDTH = 1000
const LANE_HEIGHT = 18
const LOSS_HEIGHT = 60
/** A second of power is drawn too. */
const THINNEST = 3
/** From the source of the rule: at most 3 % of loss is acceptable. */
const LIMIT_RATIO = 0.03
const LEAST_SCALE = 0.06
const MOST_EVENTS = 8
const TICKS = 6

const SPAN_WORDS: Readonly<Record<string, string>> = {
  degraded: 'degraded',
  down: 'down',
  unknown: 'unknown',
  'at-risk': 'may be down',
}

interface Axis {
  readonly fromMs: number
  readonly toMs: number
}

/** What happened to power, with the loss of calls on the same hours beneath. */
export function Timeline({ view }: { readonly view: PowerView }) {
  const { history, atMs } = view
  const [chosen, setChosen] = useState<number>()
  const hours = chosen ?? fittingHours(history, atMs)
  const axis = { fromMs: atMs - hours * HOUR_MS, toMs: atMs }
  const lanes = history.lanes.filter(({ spans }) => spans.some((span) => isWithin(span, axis)))
  const events = history.events.slice(0, MOST_EVENTS)
  return (
    <section aria-labelledby="timeline-title" class="timeline">
      <h2 id="timeline-title">
        What happened <span class="quiet">power, and the loss of calls beside it</span>
      </h2>
      <div class="hours" role="group" aria-label="How far back">
        {[1, 24].map((each) => (
          <button
            type="button"
            key={each}
            aria-pressed={hours === each}
            onClick={() => {
              setChosen(each)
            }}
          >
            {each === 1 ? 'last hour' : `last ${each} hours`}
          </button>
        ))}
      </div>
      <div class="lanes">
        {lanes.length === 0 && <p class="calm">Everything that is watched worked all the time.</p>}
        {lanes.map((lane) => (
          <Lane key={`${lane.isService ? 'service ' : ''}${lane.id}`} lane={lane} axis={axis} />
        ))}
        <Loss history={history} axis={axis} />
        <Ticks axis={axis} />
      </div>
      {events.length > 0 && (
        <ol class="events" aria-label="Changes, newest first">
          {events.map(({ atMs: ms, id, label, state, text }) => (
            <li key={`${ms} ${id} ${state}`}>
              <Time ms={ms} today={atMs} />{' '}
              <strong>
                {id}
                {label === '' ? '' : ` (${label})`}
              </strong>{' '}
              {state === 'up' ? 'works again' : (SPAN_WORDS[state] ?? state)}
              {text !== '' && state !== 'up' && `: ${typeset(text)}`}
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function Lane({ lane, axis }: { readonly lane: LaneView; readonly axis: Axis }) {
  const { id, label, spans, isService } = lane
  return (
    <div class="lane">
      <span class="lane-name" title={label}>
        {isService && label !== '' ? label : id}
      </span>
      <svg
        viewBox={`0 0 ${WIDTH} ${LANE_HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${id}: ${spans.map((span) => spanWords(span, axis)).join('; ')}`}
      >
        <rect class="track" width={WIDTH} height={LANE_HEIGHT} />
        {spans
          .filter((span) => isWithin(span, axis))
          .map((span) => {
            const x = Math.max(0, xOf(span.fromMs, axis))
            const end = Math.min(WIDTH, xOf(span.toMs ?? axis.toMs, axis))
            return (
              <rect
                key={span.fromMs}
                class={`span ${span.state}`}
                x={Math.min(x, WIDTH - THINNEST)}
                width={Math.max(THINNEST, end - x)}
                height={LANE_HEIGHT}
              >
                <title>{spanWords(span, axis)}</title>
              </rect>
            )
          })}
      </svg>
      <span class="lane-words">{lastWords(spans)}</span>
    </div>
  )
}

function Loss({ history, axis }: { readonly history: PowerHistoryView; readonly axis: Axis }) {
  const { loss, fromMs } = history
  const points = loss.flatMap((ratio, step) => {
    const ms = fromMs + step * STEP_MS
    return ratio === null || ms + STEP_MS < axis.fromMs ? [] : [{ ms, ratio }]
  })
  const worst = Math.max(0, ...points.map(({ ratio }) => ratio))
  const scale = Math.max(LEAST_SCALE, worst)
  const y = (ratio: number): number => LOSS_HEIGHT - (ratio / scale) * LOSS_HEIGHT
  const width = Math.max(1, (STEP_MS / (axis.toMs - axis.fromMs)) * WIDTH)
  return (
    <div class="lane loss-lane">
      <span class="lane-name">worst loss of calls</span>
      <svg
        viewBox={`0 0 ${WIDTH} ${LOSS_HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={
          points.length === 0
            ? 'no loss measured'
            : `worst loss of any path: highest ${percent(worst)}, limit 3 %`
        }
      >
        <rect class="track" width={WIDTH} height={LOSS_HEIGHT} />
        {points.map(({ ms, ratio }) => (
          <rect
            key={ms}
            class={ratio > LIMIT_RATIO ? 'loss over' : 'loss'}
            x={xOf(ms, axis)}
            y={Math.min(y(ratio), LOSS_HEIGHT - 1)}
            width={width}
            height={Math.max(1, LOSS_HEIGHT - y(ratio))}
          />
        ))}
        <path class="limit" d={`M0 ${y(LIMIT_RATIO)} H${WIDTH}`} />
      </svg>
      <span class="lane-words">
        {points.length === 0 ? 'not measured' : `highest ${percent(worst)}, limit 3\u00a0%`}
      </span>
    </div>
  )
}

function Ticks({ axis }: { readonly axis: Axis }) {
  const marks = Array.from(
    { length: TICKS + 1 },
    (_, at) => axis.fromMs + ((axis.toMs - axis.fromMs) * at) / TICKS,
  )
  return (
    <div class="lane ticks" aria-hidden="true">
      <span class="lane-name" />
      <span class="marks">
        {marks.map((ms) => (
          <span key={ms}>{localTime(ms, ms).slice(0, 5)}</span>
        ))}
      </span>
      <span class="lane-words" />
    </div>
  )
}

/** The last hour while all there is lies in it. */
function fittingHours({ lanes }: PowerHistoryView, atMs: number): number {
  const spans = lanes.flatMap((lane) => lane.spans)
  return spans.length > 0 && spans.every(({ fromMs }) => fromMs >= atMs - HOUR_MS) ? 1 : 24
}

function isWithin({ toMs }: SpanView, { fromMs }: Axis): boolean {
  return toMs === null || toMs >= fromMs
}

function xOf(ms: number, { fromMs, toMs }: Axis): number {
  return ((ms - fromMs) / (toMs - fromMs)) * WIDTH
}

function spanWords({ fromMs, toMs, state, text }: SpanView, axis: Axis): string {
  const words = SPAN_WORDS[state] ?? state
  const from = localTime(fromMs, axis.toMs)
  const until = toMs === null ? 'until now' : `to ${localTime(toMs, axis.toMs)}`
  return `${words} from ${from} ${until}${text === '' ? '' : `, ${text}`}`
}

function lastWords(spans: readonly SpanView[]): string {
  const last = spans.at(-1)
  if (last === undefined) return ''
  if (last.toMs === null) return `${SPAN_WORDS[last.state] ?? last.state} now`
  return spans.length === 1 ? 'works again' : `works again, ${counted(spans.length, 'time')} not`
}
