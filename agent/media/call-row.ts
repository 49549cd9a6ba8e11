/** RTP is missed when it has not come this long after it was due. */
export const MISSING_MEDIA_MS = 5000

/** One call set up by signalling the tap saw, over one interval. */
export interface CallRow {
  readonly callId: string
  /** Who calls whom, as user@host: all of the user masked but the last two characters. */
  readonly caller: string
  readonly callee: string
  readonly state: CallState
  /** Final response to the INVITE; undefined while there is none. */
  readonly statusCode: number | undefined
  readonly startMs: number
  readonly answerMs: number | undefined
  readonly endMs: number | undefined
  /** Where each party wants RTP, and whether any came since the call was answered. */
  readonly media: readonly CallMedia[]
  /** Established for MISSING_MEDIA_MS, not on hold, and RTP arrives at one party only; see missing-media.ts for when that is not said. */
  readonly isOneWay: boolean
  /** The same, and at no party. */
  readonly isSilent: boolean
}

export type CallState = 'trying' | 'ringing' | 'established' | 'ended' | 'failed'

export interface CallMedia {
  /** Who receives here. */
  readonly party: 'caller' | 'callee'
  /** audio, video ... */
  readonly kind: string
  readonly ip: string
  readonly port: number
  readonly codecs: readonly string[]
  /** The party wants RTP here, and the other one means to send it. */
  readonly isExpected: boolean
  /** RTP has come: in the last seconds of a call that is up, at any time since the answer of one that is over. */
  readonly isHeard: boolean
}

/** SIP seen, since the beginning. */
export interface SipCounts {
  readonly messages: number
  /** By method; one we do not know as "other". */
  readonly requests: Readonly<Record<string, number>>
  /** By class: "1xx" ... "6xx". */
  readonly responses: Readonly<Record<string, number>>
  readonly calls: number
  /** Not SIP after all, or SIP that says nothing sensible of its call, by reason. */
  readonly invalid: Readonly<Record<string, number>>
}
