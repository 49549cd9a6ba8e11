import type { PowerSummary } from '../http/power-view.ts'
import { counted } from './format.ts'
import { powerAddress, type Route } from './route.ts'

interface Props {
  readonly page: Route['page']
  readonly firing: number
  readonly power: PowerSummary | null
}

/** The two pages, each with what is the matter on it. */
export function Nav({ page, firing, power }: Props) {
  const matter = power === null ? '' : powerMatter(power)
  return (
    <nav aria-label="Pages">
      <a href="#quality" aria-current={page === 'quality' ? 'page' : undefined}>
        Quality
        {firing > 0 && <span class="matter">{counted(firing, 'alert')}</span>}
      </a>
      <a href={powerAddress()} aria-current={page === 'power' ? 'page' : undefined}>
        Power
        {matter !== '' && <span class="matter">{matter}</span>}
      </a>
    </nav>
  )
}

function powerMatter({ down, minutesLeft, atRisk, oneLeg }: PowerSummary): string {
  if (down > 0) return `${down} down`
  if (minutesLeft !== null) return `${Math.floor(minutesLeft)}\u00a0min left`
  if (atRisk > 0) return `${atRisk} unsure`
  return oneLeg > 0 ? `${oneLeg} without reserve` : ''
}
