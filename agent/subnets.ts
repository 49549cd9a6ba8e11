import type { NetworkInterfaceInfo } from 'node:os'

const LINK_LOCAL_V6 = /^fe[89ab]/i
const V4_BITS = 32
const V6_BITS = 128
const V4_GROUP_BITS = 8
const V6_GROUP_BITS = 16
const V6_GROUPS = 8

/** The subnets of a machine's interfaces, such as `10.1.0.0/16`, each once; without loopback and IPv6 link-local. */
export function subnetsOf(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): readonly string[] {
  const subnets = new Set<string>()
  for (const { internal, address, cidr } of Object.values(interfaces).flatMap((all) => all ?? [])) {
    if (internal || cidr === null || LINK_LOCAL_V6.test(address)) continue
    const subnet = subnetOf(cidr)
    if (subnet !== undefined) subnets.add(subnet)
  }
  return [...subnets].sort()
}

/** `10.1.2.3/16` -> `10.1.0.0/16`; undefined when it is no address with a prefix. */
function subnetOf(cidr: string): string | undefined {
  const [address = '', prefix = ''] = cidr.split('/')
  const prefixBits = Number(prefix)
  if (address.includes('.')) {
    const octets = address.split('.').map(Number)
    if (!(prefixBits <= V4_BITS)) return undefined
    return `${masked(octets, V4_GROUP_BITS, prefixBits).join('.')}/${prefixBits}`
  }
  if (!(prefixBits <= V6_BITS)) return undefined
  const groups = masked(groupsOf(address), V6_GROUP_BITS, prefixBits)
  const text = groups.map((group) => group.toString(16)).join(':')
  // A URL writes IPv6 addresses in the short form of RFC 5952.
  return `${new URL(`http://[${text}]`).hostname.slice(1, -1)}/${prefixBits}`
}

function masked(groups: readonly number[], groupBits: number, prefixBits: number): number[] {
  return groups.map((group, index) => {
    const hostBits = Math.min(groupBits, Math.max(0, (index + 1) * groupBits - prefixBits))
    return group - (group % 2 ** hostBits)
  })
}

function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))
  const before = read(head)
  const after = read(tail ?? '')
  return [...before, ...Array<number>(V6_GROUPS - before.length - after.length).fill(0), ...after]
}
