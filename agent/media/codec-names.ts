/** What codecs are called. Signalling may write a name in any case, and may write anything: names become tags, so only known ones pass. */

const NAMES = [
  // RFC 3551, 3558, 3952, 4749, 5391, 5577, 5584, 6716 and the registry of RTP payload format media types.
  ...['1016', 'G721', 'VDVI', 'L20', 'AC3', 'vorbis', 'SIREN', 'x-msrta', 'x-rtvc1', 'MP4V-ES'],
  ...['H264-SVC', 'BMPEG', 'MP1S', 'MP2P', 'BT656', 'raw', 'jpeg2000', 'theora', 'flexfec-03'],
  ...['PCMU', 'PCMA', 'PCMU-WB', 'PCMA-WB', 'G722', 'G7221', 'G723', 'G728', 'G729', 'G729D'],
  ...['G729E', 'G7291', 'G726-16', 'G726-24', 'G726-32', 'G726-40', 'GSM', 'GSM-EFR', 'GSM-HR-08'],
  ...['DVI4', 'LPC', 'L8', 'L16', 'L24', 'QCELP', 'MPA', 'iLBC', 'speex', 'SILK', 'opus', 'AMR'],
  ...['AMR-WB', 'AMR-WB+', 'EVS', 'EVRC', 'BV16', 'BV32', 'iSAC', 'G719', 'AAL2-G726-32', 'vmr-wb'],
  ...['telephone-event', 'tone', 'CN', 'red', 't140', 'ulpfec', 'flexfec', 'rtx', 'clearmode'],
  ...['MPEG4-GENERIC', 'MP4A-LATM', 'H261', 'H263', 'H263-1998', 'H263-2000', 'H264', 'H265'],
  ...['VP8', 'VP9', 'AV1', 'CelB', 'JPEG', 'nv', 'MPV', 'MP2T', 'X-ULPFECUC'],
]
const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map(
  NAMES.map((name) => [name.toLowerCase(), name] as const),
)
const OTHER = 'other'

const G722_CLOCK_RATE = 8000

/** The name as the registry writes it; "other" for one we do not know. */
export function codecName(name: string): string {
  return BY_LOWER_CASE.get(name.toLowerCase()) ?? OTHER
}

/** Some devices announce G722/16000, and send with the clock of RFC 3551 section 4.5.2 like all others. */
export function rtpClockRate(codec: string, announced: number): number {
  return codec === 'G722' ? G722_CLOCK_RATE : announced
}
