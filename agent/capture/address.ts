import { isIPv4, isIPv6 } from 'node:net'

/**
 * Addresses as the packet path has them: 32-bit words. An IPv4 address is its one word; an IPv6 address has four, most significant
 * first.
 */

const WORD_BITS = 32
const OCTET_BITS = 8
const OCTET_MASK = 0xff
const GROUP_MASK = 0xffff
const GROUP_BITS = 16
const V6_GROUPS = 8
const V6_WORDS = 4
const HEX = 16

export type IpVersion = 4 | 6

/** A range of addresses. */
export interface Network {
  readonly version: IpVersion
  /** As written, checked: fit for a filter expression. */
  readonly cidr: string
  readonly words: readonly number[]
  readonly masks: readonly number[]
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', lengthText, ...rest] = text.split('/')
  const version = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : undefined
  if (version === undefined || rest.length > 0) return undefined
  const bits = version === 4 ? WORD_BITS : WORD_BITS * V6_WORDS
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined
  const length = lengthText === undefined ? bits : Number(lengthText)
  if (length > bits) return undefined
  const all = version === 4 ? [v4Word(address)] : v6Words(address)
  const masks = all.map((_, word) => maskOf(length - word * WORD_BITS))
  const words = all.map((word, index) => word & (masks[index] ?? 0))
  return { version, cidr: `${addressText(words)}/${length}`, words, masks }
}

/** Whether an address lies in a network of the same IP version. */
export function contains(network: Network, words: ArrayLike<number>): boolean {
  const { masks, words: wanted } = network
  for (let word = 0; word < masks.length; word++) {
    if (((words[word] ?? 0) & (masks[word] ?? 0)) !== wanted[word]) return false
  }
  return true
}

/** Dotted for one word; RFC 5952 for four. */
export function addressText(words: readonly number[]): string {
  return words.length === 1 ? v4Text(words[0] ?? 0) : v6Text(words)
}

function maskOf(length: number): number {
  if (length <= 0) return 0
  return length >= WORD_BITS ? -1 : -1 << (WORD_BITS - length)
}

function v4Word(text: string): number {
  return text.split('.').reduce((word, octet) => (word << OCTET_BITS) | Number(octet), 0)
}

function v6Words(text: string): number[] {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const word = v4Word(dotted[2])
    const high = ((word >>> GROUP_BITS) & GROUP_MASK).toString(HEX)
    return v6Words(`${dotted[1]}${high}:${(word & GROUP_MASK).toString(HEX)}`)
  }
  const [before = '', after] = text.split('::')
  const head = groupsOf(before)
  const tail = groupsOf(after ?? '')
  const groups = [...head, ...zeros(V6_GROUPS - head.length - tail.length), ...tail]
  return Array.from(
    { length: V6_WORDS },
    (_, word) => ((groups[2 * word] ?? 0) << GROUP_BITS) | (groups[2 * word + 1] ?? 0),
  )
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, HEX))
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}

function v4Text(word: number): string {
  return [24, 16, 8, 0].map((shift) => (word >>> shift) & OCTET_MASK).join('.')
}

function v6Text(words: readonly number[]): string {
  const groups = words.flatMap((word) => [(word >>> GROUP_BITS) & GROUP_MASK, word & GROUP_MASK])
  const { start, length } = longestZeros(groups)
  const text = (part: readonly number[]) => part.map((group) => group.toString(HEX)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  })
  return best
}
