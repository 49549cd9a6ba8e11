import { useEffect, useState } from 'preact/hooks'

/** Colours a canvas needs by value: they follow the style sheet and the light or dark setting. */
export interface Theme {
  readonly text: string
  readonly grid: string
  readonly calls: string
  readonly test: string
  readonly report: string
  readonly limit: string
}

/** The theme of now; changes when the reader's system turns light or dark. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme)
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const follow = (): void => {
      setTheme(currentTheme())
    }
    dark.addEventListener('change', follow)
    return () => {
      dark.removeEventListener('change', follow)
    }
  }, [])
  return theme
}

function currentTheme(): Theme {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  return {
    text: colour('--quiet'),
    grid: colour('--rule'),
    calls: colour('--line'),
    test: colour('--line-test'),
    report: colour('--line-report'),
    limit: colour('--over'),
  }
}
