import { BlockList, isIP } from 'node:net'

/** Addresses at which no server is: unspecified, multicast, reserved, broadcast (RFC 6890). */
const NOBODY = new BlockList()
NOBODY.addSubnet('0.0.0.0', 8)
NOBODY.addSubnet('224.0.0.0', 3)
NOBODY.addAddress('::', 'ipv6')
NOBODY.addSubnet('ff00::', 8, 'ipv6')

/** Whether a request may be sent there; DNS may say anything. */
export function isServerAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 0) return false
  return !NOBODY.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
