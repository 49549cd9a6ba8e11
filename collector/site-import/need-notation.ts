import type { Need } from '../topology/dependency.ts'

/**
 * Needs in one cell of a spreadsheet:
 *
 *   ups-1                       this
 *   pdu-a + core                both
 *   psu-a | psu-b               one is enough
 *   core + (psu-a | psu-b)      brackets where both stand together
 *   2 of (ups-1, ups-2, ups-3)  so many
 *   path (sw-1, sw-9)           some way over the links between them
 */

/** Deeper than anybody can read. */
const MAX_DEPTH = 20
const MAX_LENGTH = 20_000
const TOKEN = /\s*(?:([A-Za-z0-9][A-Za-z0-9._-]*)|([+|(),])|(\S))/y

export type NeedsRead =
  | { readonly needs: readonly Need[]; readonly problem?: undefined }
  /** `at`: letters before it. */
  | { readonly problem: string; readonly at: number }

/** Never throws. */
export function readNeeds(text: string): NeedsRead {
  if (text.trim() === '') return { needs: [] }
  if (text.length > MAX_LENGTH) return { problem: `longer than ${MAX_LENGTH} letters`, at: 0 }
  return new NeedsParser(text).read()
}

/** What readNeeds() reads back to the same. */
export function writeNeeds(needs: readonly Need[]): string {
  const flat = allOf(needs)
  const [only] = flat
  if (only === undefined) return ''
  return flat.length === 1 ? written(only, false) : flat.map((it) => written(it, true)).join(' + ')
}

/** Without what makes no difference: choices of one, lists within lists. */
export function plainNeeds(needs: readonly Need[]): readonly Need[] {
  return allOf(needs)
}

function allOf(needs: readonly Need[]): readonly Need[] {
  return needs.map(plain).flatMap((need) => (isAll(need) ? need.all : need))
}

function plain(need: Need): Need {
  if (typeof need === 'string' || 'path' in need) return need
  if ('of' in need) return { atLeast: need.atLeast, of: need.of.map(plain) }
  if ('all' in need) {
    const all = allOf(need.all)
    return single(all) ?? { all }
  }
  const any = need.any.map(plain).flatMap((it) => (isAny(it) ? it.any : it))
  return single(any) ?? { any }
}

function single(needs: readonly Need[]): Need | undefined {
  return needs.length === 1 ? needs[0] : undefined
}

function isAll(need: Need): need is { readonly all: readonly Need[] } {
  return typeof need !== 'string' && 'all' in need
}

function isAny(need: Need): need is { readonly any: readonly Need[] } {
  return typeof need !== 'string' && 'any' in need
}

function written(need: Need, isWithin: boolean): string {
  if (typeof need === 'string') return need
  if ('path' in need) return `path (${need.path.from}, ${need.path.to})`
  if ('of' in need)
    return `${need.atLeast} of (${need.of.map((it) => written(it, false)).join(', ')})`
  const [parts, sign] = 'all' in need ? [need.all, ' + '] : [need.any, ' | ']
  const joined = parts.map((it) => written(it, true)).join(sign)
  return isWithin ? `(${joined})` : joined
}

interface Token {
  readonly text: string
  readonly kind: 'id' | 'sign' | 'end'
  readonly at: number
}

class Problem extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

class NeedsParser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string) {
    this.#tokens = tokensOf(text)
  }

  read(): NeedsRead {
    try {
      const need = this.#readJoined(0)
      const { kind, text, at } = this.#token
      if (kind !== 'end') throw new Problem(unexpected(text), at)
      return { needs: allOf([need]) }
    } catch (error) {
      if (error instanceof Problem) return { problem: error.message, at: error.at }
      throw error
    }
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? { text: '', kind: 'end', at: 0 }
  }

  #is(text: string): boolean {
    const { kind, text: found } = this.#token
    return kind === 'sign' && found === text
  }

  /** Parts joined by one kind of sign. */
  #readJoined(depth: number): Need {
    if (depth > MAX_DEPTH) throw new Problem(`more than ${MAX_DEPTH} brackets`, this.#token.at)
    const first = this.#readPart(depth)
    const sign = this.#is('+') ? '+' : '|'
    const parts = [first]
    while (this.#is(sign)) {
      this.#next++
      parts.push(this.#readPart(depth))
    }
    if (this.#is('+') || this.#is('|'))
      throw new Problem(
        'both + and | here: say with brackets which belong together, as in a + (b | c)',
        this.#token.at,
      )
    return parts.length === 1 ? first : sign === '+' ? { all: parts } : { any: parts }
  }

  #readPart(depth: number): Need {
    const { kind, text, at } = this.#token
    if (this.#is('(')) {
      this.#next++
      const need = this.#readJoined(depth + 1)
      this.#expect(')')
      return need
    }
    if (kind !== 'id')
      throw new Problem(
        kind === 'end' ? 'it ends where a name is expected' : `a name is expected before "${text}"`,
        at,
      )
    this.#next++
    const { kind: nextKind, text: next } = this.#token
    if (nextKind === 'id' && /^(?:of|van)$/i.test(next) && /^\d+$/.test(text)) {
      this.#next++
      const of = this.#readList(depth)
      const atLeast = Number(text)
      if (atLeast < 1 || atLeast > of.length)
        throw new Problem(`${text} of ${of.length}: expected 1 to ${of.length}`, at)
      return { atLeast, of }
    }
    if (/^path$/i.test(text) && this.#is('(')) {
      const [from, to, ...more] = this.#readList(depth)
      if (typeof from !== 'string' || typeof to !== 'string' || more.length > 0)
        throw new Problem('expected path (from, to): two names', at)
      return { path: { from, to } }
    }
    return text
  }

  #readList(depth: number): Need[] {
    this.#expect('(')
    const list = [this.#readJoined(depth + 1)]
    while (this.#is(',')) {
      this.#next++
      list.push(this.#readJoined(depth + 1))
    }
    this.#expect(')')
    return list
  }

  #expect(sign: string): void {
    if (!this.#is(sign)) throw new Problem(`"${sign}" is missing`, this.#token.at)
    this.#next++
  }
}

function unexpected(text: string): string {
  if (text === ')') return '")" closes nothing'
  return `between names, write + where all are needed and | where one is enough, not "${text}"`
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [all, id, sign, other = ''] = match
    const found = id ?? sign ?? other
    const at = match.index + all.length - found.length
    tokens.push({ text: found, kind: id === undefined ? 'sign' : 'id', at })
  }
  return [...tokens, { text: '', kind: 'end', at: text.trimEnd().length }]
}
