import { textOf } from '../sip/octets.ts'
import type { OctetHash } from './octet-hash.ts'
import { scannerIn } from './scanners.ts'

/** More kinds of device than any network has; beyond, what they call themselves is not kept. */
const MAX_KINDS = 2048
const MAX_OCTETS = 128
const UNKNOWN = 0

/** What devices call themselves, each kept once; a kind is a number, 0 for none or one that is not kept. */
export class UserAgents {
  readonly #hash: OctetHash
  /** By one sum; the other makes sure. */
  readonly #kinds = new Map<number, { readonly check: number; readonly kind: number }>()
  readonly #texts: string[] = ['']
  readonly #scanners: (string | undefined)[] = [undefined]

  constructor(hash: OctetHash) {
    this.#hash = hash
  }

  /** The kind of the text between `at` and `end`. */
  kindOf(bytes: Uint8Array, at: number, end: number): number {
    const to = Math.min(end, at + MAX_OCTETS)
    if (at >= to) return UNKNOWN
    const hash = this.#hash
    hash.begin()
    hash.add(bytes, at, to)
    hash.finish()
    const known = this.#kinds.get(hash.low)
    if (known !== undefined) return known.check === hash.high ? known.kind : UNKNOWN
    if (this.#texts.length > MAX_KINDS) return UNKNOWN
    const text = textOf(bytes, at, to)
    const kind = this.#texts.length
    this.#kinds.set(hash.low, { check: hash.high, kind })
    this.#texts.push(text)
    this.#scanners.push(scannerIn(text))
    return kind
  }

  textOf(kind: number): string | undefined {
    return kind === UNKNOWN ? undefined : this.#texts[kind]
  }

  scannerOf(kind: number): string | undefined {
    return this.#scanners[kind]
  }
}
