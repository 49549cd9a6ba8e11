import type { ComponentChildren } from 'preact'
import type { WhatIfView } from '../../http/power-view.ts'
import { counted } from '../format.ts'
import { Icon } from '../icon.tsx'
import type { Tone } from '../verdict.ts'
import { listed, minutes } from './power-words.ts'

const MOST_LISTED = 12
const MOST_LINES = 5

interface Props {
  readonly answer: WhatIfView
  readonly nameOf: (id: string) => string
}

/** What an answer means, the worst first: a line for each kind of consequence. */
export function WhatStops({ answer, nameOf }: Props) {
  const { stopped, runsOut, oneLeg, alreadyDown, atRisk, unknownRuntimes, components } = answer
  const names = (ids: readonly string[]): string => listed(ids.map(nameOf), 'and', ids.length, 8)
  const isNothing = stopped.length + runsOut.length + oneLeg.length + atRisk.length === 0
  return (
    <ul class="consequences">
      {stopped.length > 0 && <Line tone="over">Stops at once: {names(stopped)}</Line>}
      {runsOut.slice(0, MOST_LINES).map(({ service, afterMin }) => (
        <Line tone="over" key={service}>
          {nameOf(service)} stops after {minutes(afterMin)}, when the battery is empty
        </Line>
      ))}
      {atRisk.length > 0 && (
        <Line tone="unknown">
          Nobody knows whether {names(atRisk)} would go on: nothing is heard of something it needs
        </Line>
      )}
      {runsOut.length > MOST_LINES && (
        <Line tone="over">
          {counted(runsOut.length - MOST_LINES, 'more service')} likewise, later
        </Line>
      )}
      {oneLeg.slice(0, MOST_LINES).map(({ service, singles }) => (
        <Line tone="caution" key={service}>
          {nameOf(service)} goes on, without reserve: {listed(singles.map(nameOf), 'or')} alone
          would then stop it
        </Line>
      ))}
      {oneLeg.length > MOST_LINES && (
        <Line tone="caution">
          {counted(oneLeg.length - MOST_LINES, 'more service')} without reserve likewise
        </Line>
      )}
      {isNothing && <Line tone="ok">Every service goes on as before.</Line>}
      {alreadyDown.length > 0 && <Line tone="over">Down anyway: {names(alreadyDown)}</Line>}
      {unknownRuntimes.length > 0 && (
        <Line tone="unknown">Carried by {names(unknownRuntimes)}: nobody knows for how long</Line>
      )}
      {components.length > 0 && (
        <li class="with-it">
          <details>
            <summary>
              {counted(answer.componentsCount, 'more component')} without power or connection
            </summary>
            {listed(components.map(nameOf), 'and', answer.componentsCount, MOST_LISTED)}
          </details>
        </li>
      )}
    </ul>
  )
}

function Line({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return (
    <li>
      <Icon tone={tone} />
      <span>{children}</span>
    </li>
  )
}
