import { useEffect, useState } from 'preact/hooks'

const POWER = '#power'

/** What the address asks for. */
export type Route =
  { readonly page: 'quality' } | { readonly page: 'power'; readonly selected: string | undefined }

/** The page in the address; #alert-<id> is of the page Quality, #power/<id> opens a component or service. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const follow = (): void => {
      setHash(location.hash)
    }
    addEventListener('hashchange', follow)
    return () => {
      removeEventListener('hashchange', follow)
    }
  }, [])
  return routeOf(hash)
}

export function powerAddress(id?: string): string {
  return id === undefined ? POWER : `${POWER}/${encodeURIComponent(id)}`
}

function routeOf(hash: string): Route {
  if (hash === POWER || hash === `${POWER}/`) return { page: 'power', selected: undefined }
  if (!hash.startsWith(`${POWER}/`)) return { page: 'quality' }
  const id = hash.slice(POWER.length + 1)
  try {
    return { page: 'power', selected: decodeURIComponent(id) }
  } catch {
    return { page: 'power', selected: id }
  }
}
