/** An IP address as a number of 128 bits; IPv4 stands in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), so one comparison serves both. */
export type Address = bigint

/** A block of addresses: those whose upper `length` bits (of 128) equal `base`'s. */
export interface Cidr {
  readonly base: bigint
  readonly length: number
}

const BITS = 128
const V4_BITS = 32
const V4_MAPPED = 0xffff_0000_0000n
const V4_OFFSET = BITS - V4_BITS
const GROUPS = 8
const GROUP_BITS = 16n
const OCTETS = 4
const OCTET_BITS = 8n
const MAX_OCTET = 255
/** No written address is longer: 8 groups, or 6 and an IPv4 tail. */
const MAX_TEXT = 45

/** Reads an IPv4 or IPv6 address (a zone such as %eth0 is ignored); undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  const [bare = ''] = text.split('%', 1)
  if (bare.length > MAX_TEXT) return undefined
  return bare.includes(':') ? parseV6(bare) : mapped(parseV4(bare))
}

/** Reads `10.1.0.0/16`, `2001:db8::/32` or a single address; undefined when it is none or has bits set below its length. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', written, ...rest] = text.split('/')
  const parsed = parseAddress(address)
  if (parsed === undefined || rest.length > 0 || address.includes('%')) return undefined
  const isV4 = !address.includes(':')
  const width = isV4 ? V4_BITS : BITS
  const bits = written === undefined ? width : /^\d{1,3}$/.test(written) ? Number(written) : NaN
  if (!(bits <= width)) return undefined
  const length = isV4 ? bits + V4_OFFSET : bits
  return prefix(parsed, length) === parsed ? { base: parsed, length } : undefined
}

/** The block an address with a prefix length, such as an interface's `10.1.2.3/16`, lies in. */
export function subnetOf(text: string): Cidr | undefined {
  const [address = '', written = ''] = text.split('/')
  const parsed = parseAddress(address)
  if (parsed === undefined || !/^\d{1,3}$/.test(written)) return undefined
  const length = Number(written) + (address.includes(':') ? 0 : V4_OFFSET)
  return length <= BITS ? { base: prefix(parsed, length), length } : undefined
}

export function contains(block: Cidr, address: Address): boolean {
  return prefix(address, block.length) === block.base
}

function prefix(address: bigint, length: number): bigint {
  const low = BigInt(BITS - length)
  return (address >> low) << low
}

function mapped(v4: bigint | undefined): bigint | undefined {
  return v4 === undefined ? undefined : V4_MAPPED | v4
}

function parseV4(text: string): bigint | undefined {
  const octets = text.split('.')
  if (octets.length !== OCTETS) return undefined
  let value = 0n
  for (const octet of octets) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > MAX_OCTET) return undefined
    value = (value << OCTET_BITS) | BigInt(octet)
  }
  return value
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [groupsOf(halves[0] ?? ''), groupsOf(halves[1] ?? '')]
  if (head === undefined || tail === undefined) return undefined
  const missing = GROUPS - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  let value = 0n
  for (const group of [...head, ...Array.from({ length: missing }, () => 0n), ...tail]) {
    value = (value << GROUP_BITS) | group
  }
  return value
}

function groupsOf(text: string): bigint[] | undefined {
  if (text === '') return []
  const groups: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && index === parts.length - 1) {
      const v4 = parseV4(part)
      if (v4 === undefined) return undefined
      groups.push(v4 >> GROUP_BITS, v4 & 0xffffn)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(BigInt(`0x${part}`))
    } else {
      return undefined
    }
  }
  return groups
}
