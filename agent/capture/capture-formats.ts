import { isPcap, PcapReader } from './pcap.ts'
import { PcapngReader } from './pcapng.ts'
import type { FrameHandler } from './record-reader.ts'

/** Octets that tell what a file is. */
export const OPENING_OCTETS = 16

const PCAPNG = 0x0a0d0d0a
const GZIP = [0x1f, 0x8b]
const BY_EDITCAP = 'convert it by "editcap -F pcapng FILE OUT"'

/** What else people have, and what to do with it. */
const OTHERS: readonly { readonly name: string; readonly magic: string; readonly do: string }[] = [
  { name: 'zstd', magic: '28b52ffd', do: 'unpack it by "zstd -d FILE"' },
  { name: 'LZ4', magic: '04224d18', do: 'unpack it by "lz4 -d FILE"' },
  { name: 'xz', magic: 'fd377a585a00', do: 'unpack it by "xz -d FILE"' },
  { name: 'bzip2', magic: '425a68', do: 'unpack it by "bzip2 -d FILE"' },
  { name: 'zip', magic: '504b0304', do: 'unpack it by "unzip FILE"' },
  { name: 'snoop', magic: '736e6f6f70000000', do: BY_EDITCAP },
  { name: 'Network Monitor 2', magic: '474d4255', do: BY_EDITCAP },
  { name: 'Network Monitor 1', magic: '52545353', do: BY_EDITCAP },
  { name: 'Sniffer', magic: '54524e49464620646174612020', do: BY_EDITCAP },
  { name: 'Sniffer for Windows', magic: '58435000', do: BY_EDITCAP },
  { name: 'AIX iptrace', magic: '69707472616365', do: BY_EDITCAP },
]

export function isGzip(opening: Uint8Array): boolean {
  return GZIP.every((octet, at) => opening[at] === octet)
}

/** The reader for a capture that begins with these octets, or why there is none. */
export function readerFor(
  opening: Uint8Array,
  onFrame: FrameHandler,
  buffer?: Uint8Array<ArrayBuffer>,
): PcapReader | PcapngReader | string {
  if (opening.length === 0) return 'octet 0: nothing in it'
  const begin = new Uint8Array(OPENING_OCTETS)
  begin.set(opening.subarray(0, OPENING_OCTETS))
  const view = new DataView(begin.buffer)
  if (isPcap(view)) return new PcapReader(onFrame, buffer)
  if (view.getUint32(0) === PCAPNG) return new PcapngReader(onFrame, buffer)
  const hex = Buffer.from(opening.subarray(0, OPENING_OCTETS)).toString('hex')
  const other = OTHERS.find(({ magic }) => hex.startsWith(magic))
  const came = other === undefined ? hex : `${other.name}; ${other.do}`
  return `octet 0: expected pcap or pcapng, got ${isGzip(opening) ? 'gzip once more' : came}`
}
