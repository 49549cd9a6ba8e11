import { textOf } from '../sip/octets.ts'
import type { OctetHash } from './octet-hash.ts'
import { scannerIn } from './scanners.ts'

/** More kinds of device than any network has. An attacker may invent more: those heard of longest ago are not told by name then. */
const MAX_KINDS = 2048
const MAX_OCTETS = 128
const UNKNOWN = 0

interface UserAgent {
  readonly text: string
  readonly scanner: string | undefined
}

/** What devices call themselves, each kept once. A kind is the sum of what it calls itself, and stays the same when that is forgotten; 0 for none. */
export class UserAgents {
  readonly #hash: OctetHash
  /** The one heard of longest ago first. */
  readonly #agents = new Map<number, UserAgent>()
  #newest = UNKNOWN

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
    const kind = hash.low === UNKNOWN ? 1 : hash.low
    if (kind !== this.#newest) this.#hear(kind, bytes, at, to)
    return kind
  }

  /** Undefined when it calls itself nothing, or that is forgotten. */
  textOf(kind: number): string | undefined {
    return this.#agents.get(kind)?.text
  }

  scannerOf(kind: number): string | undefined {
    return this.#agents.get(kind)?.scanner
  }

  #hear(kind: number, bytes: Uint8Array, at: number, end: number): void {
    const known = this.#agents.get(kind)
    const text = known?.text ?? textOf(bytes, at, end)
    this.#agents.delete(kind)
    if (this.#agents.size >= MAX_KINDS) this.#forgetOldest()
    this.#agents.set(kind, known ?? { text, scanner: scannerIn(text) })
    this.#newest = kind
  }

  #forgetOldest(): void {
    for (const oldest of this.#agents.keys()) {
      this.#agents.delete(oldest)
      return
    }
  }
}
