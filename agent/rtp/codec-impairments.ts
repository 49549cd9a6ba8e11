/**
 * What codecs do to a voice: equipment impairment (Ie) and robustness against loss (Bpl), ITU-T G.113 Appendix I and IV. A value that
 * G.113 does not give is marked as assumed; an operator who knows better overrides it.
 */

export const SCALES = ['narrowband', 'wideband', 'fullband'] as const
/** Which E-model the values are for: G.107, G.107.1 or G.107.2. */
export type Scale = (typeof SCALES)[number]

export interface CodecImpairment {
  readonly scale: Scale
  readonly ie: number
  readonly bpl: number
  /** What the encoder waits for beyond the packet it sends, ms. */
  readonly lookaheadMs: number
  readonly isAssumed: boolean
}

/** By encoding name in capitals. */
export type CodecTable = ReadonlyMap<string, CodecImpairment>

/** What an operator may say of a codec. */
export interface CodecOverride {
  readonly scale: Scale
  readonly ie: number
  readonly bpl: number
}

/**
 * Where an Ie is published but no Bpl: that of GSM-EFR, the least robust among the codecs of the table that conceal loss by themselves.
 */
const ASSUMED_BPL = 10

/** G.711 where the telephone conceals loss (G.711 Appendix I or its like), as nearly every one does. Without, Bpl is 4.3. */
const G711 = published('narrowband', 0, 25.1, 0.25)

export const CODEC_IMPAIRMENTS: CodecTable = new Map<string, CodecImpairment>([
  ['PCMU', G711],
  ['PCMA', G711],
  // G.729A with VAD, at 20 ms; without VAD Ie is 10.
  ['G729', published('narrowband', 11, 19, 5)],
  // 6.3 kbit/s with VAD, at 30 ms; at 5.3 kbit/s Ie is 19.
  ['G723', published('narrowband', 15, 16.1, 7.5)],
  ['GSM-EFR', published('narrowband', 5, 10, 0)],
  ['GSM', assumed('narrowband', 20, ASSUMED_BPL, 0)],
  ['G728', assumed('narrowband', 7, ASSUMED_BPL, 0)],
  ['G726-40', assumed('narrowband', 2, ASSUMED_BPL, 0)],
  ['G726-32', assumed('narrowband', 7, ASSUMED_BPL, 0)],
  ['AAL2-G726-32', assumed('narrowband', 7, ASSUMED_BPL, 0)],
  ['G726-24', assumed('narrowband', 25, ASSUMED_BPL, 0)],
  ['G726-16', assumed('narrowband', 50, ASSUMED_BPL, 0)],
  // Not in G.113. Its 12.2 kbit/s mode is the core of GSM-EFR.
  ['AMR', assumed('narrowband', 5, 10, 5)],
  // Not in G.113.
  ['ILBC', assumed('narrowband', 10, 20, 0)],
  // 64 kbit/s; the values in circulation, not confirmed.
  ['G722', assumed('wideband', 13, 4.9, 0)],
  // 12.65 kbit/s by headset (G.113 Appendix IV), the only pair of that mode with a Bpl; which mode is in use the name does not tell.
  ['AMR-WB', assumed('wideband', 20, 4.3, 5)],
  // Not in G.113. Says nothing of in-band FEC, so it is rather too low.
  ['OPUS', assumed('fullband', 10.2, 4.3, 6.5)],
])

/** The entry of a codec, its name in any case. */
export function impairmentOf(codec: string, table: CodecTable): CodecImpairment | undefined {
  return table.get(codec) ?? table.get(codec.toUpperCase())
}

/** The table with what the operator says of codecs, by encoding name in any case; what the operator says is not assumed. */
export function withOverrides(
  table: CodecTable,
  overrides: Readonly<Record<string, CodecOverride>>,
): CodecTable {
  const merged = new Map(table)
  for (const [codec, { scale, ie, bpl }] of Object.entries(overrides)) {
    const lookaheadMs = impairmentOf(codec, table)?.lookaheadMs ?? 0
    merged.set(codec.toUpperCase(), published(scale, ie, bpl, lookaheadMs))
  }
  return merged
}

function published(scale: Scale, ie: number, bpl: number, lookaheadMs: number): CodecImpairment {
  return { scale, ie, bpl, lookaheadMs, isAssumed: false }
}

function assumed(scale: Scale, ie: number, bpl: number, lookaheadMs: number): CodecImpairment {
  return { scale, ie, bpl, lookaheadMs, isAssumed: true }
}
