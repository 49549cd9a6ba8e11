import { useEffect, useState } from 'preact/hooks'
import type { PowerMatch, PowerView } from '../../http/power-view.ts'
import { count } from '../format.ts'
import { isFound } from './read-power.ts'

const WAIT_MS = 200

interface Props {
  readonly view: PowerView
  readonly onSelect: (id: string) => void
  /** The chain to be shown; undefined: everything, or what needs attention most. */
  readonly onShow: (of: string | undefined) => void
}

/** What is drawn of a large site, and how to get to the rest. */
export function ChainSearch({ view, onSelect, onShow }: Props) {
  const { drawing, services, components, componentsLeftOut } = view
  const [text, setText] = useState('')
  const [found, setFound] = useState<readonly PowerMatch[]>([])
  useEffect(() => {
    if (text.trim() === '') {
      setFound([])
      return
    }
    const abort = new AbortController()
    const timer = window.setTimeout(() => {
      void search(text, abort.signal).then((matches) => {
        if (!abort.signal.aborted) setFound(matches)
      })
    }, WAIT_MS)
    return () => {
      abort.abort()
      window.clearTimeout(timer)
    }
  }, [text])
  if (drawing === null) return null
  return (
    <div class="chain-search">
      <label>
        Show
        <select
          value={drawing.of ?? ''}
          onChange={(event) => {
            const { value } = event.currentTarget
            onShow(value === '' ? undefined : value)
          }}
        >
          <option value="">
            {componentsLeftOut > 0 ? 'what needs attention most' : 'everything'}
          </option>
          {drawing.of !== null && services.every(({ id }) => id !== drawing.of) && (
            <option value={drawing.of}>the chain of {drawing.of}</option>
          )}
          {services.map(({ id, label }) => (
            <option value={id} key={id}>
              {label === '' ? id : `${label} (${id})`}
            </option>
          ))}
        </select>
      </label>
      <label>
        Find
        <input
          type="search"
          placeholder="ups-1, rack 3, floor 2"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
          }}
        />
      </label>
      {componentsLeftOut > 0 && (
        <p class="quiet left-out" role="status">
          {components.length === 0 ? 'Nothing' : count(drawing.components - componentsLeftOut)} of{' '}
          {count(drawing.components)} components drawn
          {drawing.of === null ? '' : `: the chain of ${drawing.of}`}; {count(componentsLeftOut)}{' '}
          left out. Choose a service, or find a component.
        </p>
      )}
      {text.trim() !== '' && (
        <ul class="found" aria-label="Found">
          {found.length === 0 && <li class="quiet">nothing of that name</li>}
          {found.map(({ id, label, kind, place }) => (
            <li key={`${kind} ${id}`}>
              <button
                type="button"
                onClick={() => {
                  setText('')
                  onSelect(id)
                }}
              >
                <strong>{id}</strong>{' '}
                <span class="quiet">
                  {[kind, label, place].filter((part) => part !== '').join(' · ')}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

async function search(text: string, signal: AbortSignal): Promise<readonly PowerMatch[]> {
  try {
    const query = new URLSearchParams({ text }).toString()
    const response = await fetch(`/api/v1/power/search?${query}`, { signal })
    const answer: unknown = await response.json()
    return isFound(answer) ? answer.found : []
  } catch {
    return []
  }
}
