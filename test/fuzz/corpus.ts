import {
  GRE,
  IPV4,
  IPV6,
  TCP,
  erspan,
  ethernet,
  fragments,
  geneve,
  gre,
  gtp,
  hex,
  ipv4,
  ipv6,
  ipv6Fragment,
  radiotap,
  snap,
  tcp,
  tzsp,
  udp,
  vlan,
  vxlan,
  wifi,
} from '../support/frames.ts'
import { rtp, type CapturedFrame } from '../support/pcap-writer.ts'

/** Well-formed frames for the fuzzers to begin from. */

const RTP = rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 160, payload: Buffer.alloc(20) })
const V4 = ipv4(udp(RTP))
const V6 = ipv6(udp(RTP))
const FRAME = ethernet(IPV4, V4)
const TO_VXLAN = { toPort: 4789 }
const TO_TZSP = { toPort: 37_008 }

export const FRAGMENT_CORPUS: readonly Uint8Array[] = [
  ...fragments(udp(Buffer.alloc(100)), 24, { identification: 1 }),
  ...fragments(udp(Buffer.alloc(100)), 24, { from: 'fd00::1', to: 'fd00::2', identification: 1 }),
  ...fragments(tcp(RTP), 16, { protocol: TCP }),
]

export const FRAME_CORPUS: readonly { readonly linkType: number; readonly frame: Buffer }[] = [
  ...[
    V4,
    V6,
    ipv4(udp(RTP), { options: Buffer.alloc(12, 1) }),
    ipv6(Buffer.concat([hex('3c000104000000001100010400000000'), udp(RTP)]), { protocol: 0 }),
    ipv6(ipv6Fragment(udp(RTP), {}), { protocol: 44 }),
    ipv4(tcp(RTP), { protocol: TCP }),
    ipv6(tcp(RTP, { options: Buffer.alloc(12, 1) }), { protocol: TCP }),
    ipv4(V6, { protocol: 41 }),
    ipv4(gre(IPV6, V6, { checksum: true, key: 1, sequence: 1 }), { protocol: GRE }),
    ipv4(gre(0x6558, FRAME), { protocol: GRE }),
    ipv4(erspan(1, FRAME), { protocol: GRE }),
    ipv4(erspan(2, FRAME), { protocol: GRE }),
    ipv4(erspan(3, FRAME, true), { protocol: GRE }),
    ipv4(udp(vxlan(FRAME), TO_VXLAN)),
    ipv6(udp(tzsp(ethernet(0x8100, vlan(1, IPV6, V6))), TO_TZSP)),
    ipv4(udp(gtp(V4, true), { toPort: 2152 })),
    ipv6(udp(geneve(FRAME), { toPort: 6081 })),
    ...fragments(udp(Buffer.alloc(100)), 24),
  ].map((frame) => ({ linkType: 101, frame })),
  { linkType: 1, frame: FRAME },
  { linkType: 1, frame: ethernet(8 + V4.length, snap(V4)) },
  { linkType: 1, frame: ethernet(0x88a8, vlan(1, 0x8100, vlan(2, IPV4, V4))) },
  { linkType: 1, frame: ethernet(0x8847, Buffer.concat([hex('0006403f0006513f'), V4])) },
  { linkType: 1, frame: ethernet(0x8864, Buffer.concat([hex('1100000700000021'), V4])) },
  { linkType: 113, frame: Buffer.concat([hex('00000001000602000000000100000800'), V4]) },
  { linkType: 276, frame: Buffer.concat([hex(`86dd${'00'.repeat(18)}`), V6]) },
  { linkType: 0, frame: Buffer.concat([hex('02000000'), V4]) },
  { linkType: 50, frame: Buffer.concat([hex('ff030021'), V4]) },
  { linkType: 104, frame: Buffer.concat([hex('0f000800'), V4]) },
  { linkType: 105, frame: wifi(snap(V4)) },
  { linkType: 127, frame: radiotap(wifi(snap(V4), { isPadded: true }), true) },
  { linkType: 204, frame: Buffer.concat([hex('00ff030021'), V4]) },
  { linkType: 108, frame: Buffer.concat([hex('0000001c'), V6]) },
  { linkType: 9, frame: Buffer.concat([hex('ff030021'), V4]) },
]

/** Frames for the files. */
export const CAPTURED: readonly CapturedFrame[] = FRAME_CORPUS.slice(0, 6).map(
  ({ frame }, index) => ({ timeUs: 1_750_000_000_000_000 + index * 20_000, frame }),
)
