import { useEffect, useRef } from 'preact/hooks'
import type { AlertView } from '../http/overview.ts'
import { typeset, duration } from './format.ts'
import { Icon } from './icon.tsx'
import { ruleName } from './rule-names.ts'
import { Time } from './time.tsx'
import { isFiring, type Tone } from './verdict.ts'

const SECOND_MS = 1000

interface Props {
  readonly alert: AlertView
  readonly atMs: number
  readonly wanted: boolean
}

/** One alert: a line to judge it by, and the whole message folded below. */
export function Alert({ alert, atMs, wanted }: Props) {
  const item = useRef<HTMLLIElement>(null)
  const fold = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    if (!wanted) return
    if (fold.current) fold.current.open = true
    item.current?.scrollIntoView({ block: 'start' })
  }, [wanted])
  const firing = isFiring(alert)
  const endMs = firing ? atMs : (alert.closedMs ?? atMs)
  return (
    <li
      ref={item}
      id={`alert-${alert.id}`}
      class={`alert ${firing ? `tone-${tone(alert)}` : 'closed'}${wanted ? ' wanted' : ''}`}
    >
      <details ref={fold}>
        <summary>
          <Icon tone={firing ? tone(alert) : alert.state === 'resolved' ? 'ok' : 'unknown'} />
          <span class="alert-line">
            <span class="badges">
              <strong class={`badge ${alert.state}`}>{alert.state}</strong>
              <span class={`badge severity-${alert.severity}`}>{alert.severity}</span>
              <span class="badge">{ruleName(alert.rule)}</span>
            </span>
            <span class="title">
              <strong>{typeset(alert.object)}:</strong> {typeset(alert.summary)}
            </span>
            <span class="quiet">
              since <Time ms={alert.sinceMs} today={atMs} />
              {firing ? ', for ' : ', lasted '}
              {duration((endMs - alert.sinceMs) / SECOND_MS)}
              {' · owner '}
              {alert.owner}
            </span>
            {alert.explainedBy !== '' && (
              <span class="quiet">
                explained by {typeset(alert.explainedBy)}: nobody was told of this one
              </span>
            )}
            {firing && alert.advice !== '' && (
              <span class="advice">To do: {typeset(alert.advice)}</span>
            )}
          </span>
        </summary>
        <dl>
          <dt>What</dt>
          <dd>{typeset(alert.object)}</dd>
          {alert.segment !== '' && (
            <>
              <dt>Segment</dt>
              <dd>{typeset(alert.segment)}</dd>
            </>
          )}
          <dt>Rule</dt>
          <dd>
            {ruleName(alert.rule)} <span class="quiet">{alert.rule}</span>
          </dd>
          {alert.firedMs !== null && (
            <>
              <dt>Fired</dt>
              <dd>
                <Time ms={alert.firedMs} today={atMs} />
              </dd>
            </>
          )}
          {alert.closedMs !== null && (
            <>
              <dt>{alert.state === 'resolved' ? 'Resolved' : 'Ended'}</dt>
              <dd>
                <Time ms={alert.closedMs} today={atMs} />
                {alert.state === 'ended' && ', not proven healed'}
              </dd>
            </>
          )}
        </dl>
        <p class="message">{alert.text}</p>
        <a href={`#alert-${encodeURIComponent(alert.id)}`}>Address of this alert</a>
      </details>
    </li>
  )
}

function tone(alert: AlertView): Tone {
  return alert.severity === 'notice' ? 'caution' : 'over'
}
