import { useEffect } from 'preact/hooks'

const RED = '#c62828'
const TEAL = '#0f766e'
const GREY = '#6b7280'
const MOST_SHOWN = 99

/** Title and icon of the browser's tab: how many alerts are firing, and whether the page is live. */
export function useTab(firing: number, lost: boolean): void {
  useEffect(() => {
    document.title = lost
      ? 'not live · Kiestoon'
      : firing > 0
        ? `(${firing}) firing · Kiestoon`
        : 'Kiestoon'
    const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')
    if (icon) icon.href = `data:image/svg+xml,${encodeURIComponent(picture(firing, lost))}`
  }, [firing, lost])
}

function picture(firing: number, lost: boolean): string {
  const colour = lost ? GREY : firing > 0 ? RED : TEAL
  const text = lost ? '?' : firing > 0 ? String(Math.min(firing, MOST_SHOWN)) : '✓'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="16" fill="${colour}"/><text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="20" fill="#fff">${text}</text></svg>`
}
