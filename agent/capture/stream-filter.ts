import { contains, type Network } from './address.ts'
import type { Datagram } from './frame.ts'

export interface PortRange {
  readonly from: number
  readonly to: number
}

/** Which datagrams to look at. An empty list lets all through. */
export interface StreamFilter {
  /** One of the two ports lies in it. */
  readonly ports: PortRange
  /** One of the two addresses lies in one of them. */
  readonly networks: readonly Network[]
  /** The sender lies in one of them. */
  readonly from: readonly Network[]
  /** The receiver lies in one of them. */
  readonly to: readonly Network[]
}

export function passes(filter: StreamFilter, datagram: Datagram): boolean {
  const { ports, networks, from, to } = filter
  const { sourcePort, destinationPort, source, destination, ipVersion } = datagram
  if (!isIn(ports, sourcePort) && !isIn(ports, destinationPort)) return false
  if (from.length > 0 && !isAmong(from, ipVersion, source)) return false
  if (to.length > 0 && !isAmong(to, ipVersion, destination)) return false
  return (
    networks.length === 0 ||
    isAmong(networks, ipVersion, source) ||
    isAmong(networks, ipVersion, destination)
  )
}

function isIn(ports: PortRange, port: number): boolean {
  return port >= ports.from && port <= ports.to
}

function isAmong(networks: readonly Network[], version: number, words: Int32Array): boolean {
  for (const network of networks)
    if (network.version === version && contains(network, words)) return true
  return false
}
