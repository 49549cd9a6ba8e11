import type { IpVersion } from '../capture/address.ts'
import type { Datagram } from '../capture/datagram.ts'

const IPV6 = 6

/** From whom to whom something went, as text: a proxy passes one message on over several of them. */
export function hopOf(datagram: Datagram): string {
  const { ipVersion, source, sourcePort, destination, destinationPort } = datagram
  const from = wordsText(ipVersion, source)
  return `${from}:${sourcePort}>${wordsText(ipVersion, destination)}:${destinationPort}`
}

function wordsText(version: IpVersion, words: Int32Array): string {
  return version === IPV6
    ? `${words[0] ?? 0},${words[1] ?? 0},${words[2] ?? 0},${words[3] ?? 0}`
    : `${words[0] ?? 0}`
}
