import { contains, parseNetwork, type IpVersion, type Network } from '../capture/address.ts'

/** RFC 1918, 6598, 3927, 4193, 4291, and this machine. */
const PRIVATE: readonly Network[] = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
  'fc00::/7',
  'fe80::/10',
  '::1',
].flatMap((text) => parseNetwork(text) ?? [])
const LOOPBACK: readonly Network[] = ['127.0.0.0/8', '::1'].flatMap(
  (text) => parseNetwork(text) ?? [],
)

/** Whether an address is within; private ones are, where none are named. */
export function isWithin(
  networks: readonly Network[],
  version: IpVersion,
  words: ArrayLike<number>,
): boolean {
  const asked = networks.length > 0 ? networks : PRIVATE
  return asked.some((network) => network.version === version && contains(network, words))
}

export function isLoopback(version: IpVersion, words: ArrayLike<number>): boolean {
  return LOOPBACK.some((network) => network.version === version && contains(network, words))
}
