import type { Datagram } from '../capture/frame.ts'

const V6_WORDS = 4

/** From where to where a datagram goes, as a key of maps, and the same way back. */
export interface DatagramPath {
  readonly there: string
  readonly back: string
}

export function datagramPath({
  ipVersion,
  source,
  sourcePort,
  destination,
  destinationPort,
}: Datagram): DatagramPath {
  const words = ipVersion === 4 ? 1 : V6_WORDS
  const from = `${addressKey(source, words)} ${sourcePort}`
  const to = `${addressKey(destination, words)} ${destinationPort}`
  return { there: `${from} ${to}`, back: `${to} ${from}` }
}

function addressKey(address: Int32Array, words: number): string {
  return words === 1 ? String(address[0]) : address.join(':')
}
