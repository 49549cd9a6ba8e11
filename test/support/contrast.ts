import type { Page } from 'playwright-core'
import { z } from 'zod'

/** What Chromium finds in sight: each text with its colour and what lies behind it, as it comes out on the screen. */
const LOOK = `(() => {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  const known = new Map()
  const colour = (text) => {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1)
      pen.fillStyle = text
      pen.fillRect(0, 0, 1, 1)
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data
      known.set(text, [r, g, b, a / 255])
    }
    return known.get(text)
  }
  const over = ([r, g, b, a], [R, G, B]) => [r, g, b].map((it, i) => it * a + [R, G, B][i] * (1 - a)).concat(1)
  const parents = (element) => {
    const line = []
    for (let it = element; it !== null; it = it.parentElement) line.unshift(it)
    return line
  }
  const grey = ([r, g, b, a]) => {
    const luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return [luma, luma, luma, a]
  }
  // A pattern counts as the colour it lies on.
  const fillOf = (shape) => {
    const { fill } = getComputedStyle(shape)
    const pattern = /url\\("#(.+)"\\)/.exec(fill)
    return colour(pattern === null ? fill : getComputedStyle(document.querySelector('#' + CSS.escape(pattern[1]) + ' rect')).fill)
  }
  // [text, background] of an element, through what its parents do to it.
  const pair = (element, own) => {
    let behind = colour(getComputedStyle(document.documentElement).colorScheme.startsWith('dark') ? '#121212' : '#fff')
    const groups = []
    for (const it of parents(element)) {
      const style = getComputedStyle(it)
      if (Number(style.opacity) < 1 || style.filter.includes('grayscale'))
        groups.push({ behind, opacity: Number(style.opacity), isGrey: style.filter.includes('grayscale') })
      behind = over(colour(style.backgroundColor), behind)
      if (it instanceof SVGGElement) {
        const box = [...it.children].find((child) => child instanceof SVGRectElement)
        if (box !== undefined) behind = over(fillOf(box), behind)
      }
    }
    let text = over(own, behind)
    for (const { behind: below, opacity, isGrey } of groups.reverse()) {
      if (isGrey) [text, behind] = [grey(text), grey(behind)]
      text = over([...text.slice(0, 3), opacity], below)
      behind = over([...behind.slice(0, 3), opacity], below)
    }
    return { text: text.slice(0, 3), behind: behind.slice(0, 3) }
  }
  const found = []
  const add = (element, words, own) => {
    if (words.trim() === '' || !element.checkVisibility({ visibilityProperty: true })) return
    const { width, height } = element.getBoundingClientRect()
    // What only readers of screens get is a pixel.
    if (width <= 1 || height <= 1) return
    const name = element.tagName.toLowerCase() + '.' + (element.getAttribute('class') ?? '')
    found.push({ name, words: words.trim().slice(0, 40), ...pair(element, own) })
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement
    if (['SCRIPT', 'STYLE', 'title'].includes(element.tagName)) continue
    const style = getComputedStyle(element)
    add(element, node.data, colour(element instanceof SVGElement ? style.fill : style.color))
  }
  for (const input of document.querySelectorAll('input')) {
    if (input.value !== '') add(input, input.value, colour(getComputedStyle(input).color))
    else if (input.placeholder !== '') add(input, input.placeholder, colour(getComputedStyle(input, '::placeholder').color))
  }
  return found
})()`

const rgb = z.tuple([z.number(), z.number(), z.number()])
const found = z.array(z.object({ name: z.string(), words: z.string(), text: rgb, behind: rgb }))

type Rgb = z.output<typeof rgb>

export interface Contrast {
  readonly ratio: number
  /** What it is, and what is written there. */
  readonly where: string
}

/** The contrast of every text in sight with what lies behind it, one for each pair of colours, the weakest first. */
export async function contrastsOf(page: Page): Promise<readonly Contrast[]> {
  const pairs = new Map<string, Contrast>()
  for (const { name, words, text, behind } of found.parse(await page.evaluate(LOOK))) {
    const colours = `${text.map(Math.round).join()} on ${behind.map(Math.round).join()}`
    const ratio = contrast(text, behind)
    if (!pairs.has(colours)) pairs.set(colours, { ratio, where: `${name} "${words}": ${colours}` })
  }
  return [...pairs.values()].sort((a, b) => a.ratio - b.ratio)
}

/** WCAG 2.2, definition of contrast ratio: 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (light + 0.05) / (dark + 0.05)
}

/** WCAG 2.2, definition of relative luminance. */
function luminance(colour: Rgb): number {
  const [r = 0, g = 0, b = 0] = colour.map((channel) => {
    const share = channel / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
