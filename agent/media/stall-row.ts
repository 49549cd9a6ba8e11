/** A constant-rate stream that fell silent without BYE, hold or DTX, or came back: what cannot wait for the interval's end. */
export interface StallRow {
  readonly srcIp: string
  readonly srcPort: number
  readonly dstIp: string
  readonly dstPort: number
  readonly ssrc: string
  readonly codec: string | undefined
  readonly callId: string | undefined
  /** Arrival of its last packet before the silence, microseconds since 1970. */
  readonly silentSinceUs: number
  /** Length of the silence so far, or in all when it is over. */
  readonly stalledMs: number
  readonly isOver: boolean
}
