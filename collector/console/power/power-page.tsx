import { useEffect, useState } from 'preact/hooks'
import type { PowerView } from '../../http/power-view.ts'
import { powerAddress } from '../route.ts'
import { localDay } from '../time.tsx'
import { ChainDrawing } from './chain-drawing.tsx'
import { ChainSearch } from './chain-search.tsx'
import { ChainTable } from './chain-table.tsx'
import { ComponentPanel } from './component-panel.tsx'
import { PowerFirstSteps } from './power-first-steps.tsx'
import { ServicesBoard } from './services-board.tsx'
import { SinglePoints } from './single-points.tsx'
import { Timeline } from './timeline.tsx'
import { People, Troubles } from './troubles.tsx'
import { useWhatIf } from './use-what-if.ts'
import { WallLeftOut, WallServices, wallOf } from './wall.tsx'
import './power.css'
import './print.css'

interface Props {
  readonly view: PowerView
  /** The id of the component or service in the address. */
  readonly selected: string | undefined
  readonly onShow: (of: string | undefined) => void
}

/** For facilities: which power feeds which calls, what stops when something fails, and how long is left. */
export function PowerPage({ view, selected, onShow }: Props) {
  const { components, services, drawing } = view
  const [wanted, setWanted] = useState<string>()
  const chosen = components.find(
    ({ id, members }) => id === selected || members.includes(selected ?? ''),
  )
  const isKnown = chosen !== undefined || services.some(({ id }) => id === selected)
  // What is in the address may be in a part of a large site that is not drawn: it is asked for once.
  useEffect(() => {
    if (selected === undefined || isKnown || wanted === selected) return
    setWanted(selected)
    onShow(selected)
  }, [selected, isKnown, wanted, onShow])
  const fail = chosen === undefined ? [] : chosen.members.length > 0 ? chosen.members : [chosen.id]
  const whatIf = useWhatIf(fail, view.version)
  if (drawing === null) return <PowerFirstSteps />
  const wall = wallOf(view)
  const id = chosen?.id ?? selected
  const select = (next: string | undefined): void => {
    location.hash = powerAddress(next)
  }
  return (
    <>
      <p class="printed">
        Printed on {localDay(view.atMs)}
        {drawing.siteFileMs !== null && `; the site file is of ${localDay(drawing.siteFileMs)}`}.
      </p>
      <Troubles view={view} />
      <ServicesBoard view={view} />
      <WallServices view={view} />
      <section
        aria-labelledby="chain-title"
        class={wall.hasDrawing ? 'chain-section' : 'chain-section not-printed'}
      >
        <h2 id="chain-title">
          The chain <span class="quiet">from the mains, left, to what people do, right</span>
        </h2>
        <ChainSearch
          view={view}
          onSelect={select}
          onShow={(of) => {
            select(undefined)
            onShow(of)
          }}
        />
        <div class="chain-and-panel">
          <ChainDrawing
            view={view}
            selected={id}
            fate={whatIf?.state === 'answered' ? whatIf.answer : undefined}
            onSelect={select}
          />
          <ComponentPanel
            view={view}
            selected={id}
            whatIf={whatIf}
            onShow={onShow}
            onClose={() => {
              select(undefined)
            }}
          />
        </div>
        {selected !== undefined && !isKnown && wanted === selected && (
          <p class="empty">Nothing of the name {selected} is drawn in the site file.</p>
        )}
        <p class="quiet colophon">
          <span>
            {drawing.siteFileMs !== null &&
              `As drawn in the site file of ${localDay(drawing.siteFileMs)}. `}
            {view.truncated && 'There are too many combinations to count: pairs may be missing.'}
          </span>
          <button
            type="button"
            class="print"
            onClick={() => {
              print()
            }}
          >
            Print one page for the wall
          </button>
        </p>
      </section>
      <Timeline view={view} />
      <SinglePoints view={view} printed={wall.points} />
      <ChainTable view={view} />
      <People people={view.people} />
      <WallLeftOut view={view} wall={wall} />
    </>
  )
}
