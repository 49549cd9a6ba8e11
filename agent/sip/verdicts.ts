/** What parsing returns: 0 for SIP, else the index of a reason here. */
export const SIP_VERDICTS = [
  'sip',
  'keepalive',
  'not-sip',
  'bad-version',
  'bad-request-line',
  'bad-status-line',
  'incomplete',
  'line-too-long',
  'head-too-long',
  'too-many-headers',
  'bad-content-length',
  'body-too-short',
  'body-too-long',
  'no-content-length',
  'bad-web-socket-frame',
  'web-socket-extension',
] as const
export const IS_SIP = 0
export const KEEPALIVE = 1
export const NOT_SIP = 2
export const BAD_VERSION = 3
export const BAD_REQUEST_LINE = 4
export const BAD_STATUS_LINE = 5
/** There may be more to come, on a stream. */
export const INCOMPLETE = 6
export const LINE_TOO_LONG = 7
export const HEAD_TOO_LONG = 8
export const TOO_MANY_HEADERS = 9
export const BAD_CONTENT_LENGTH = 10
export const BODY_TOO_SHORT = 11
export const BODY_TOO_LONG = 12
export const NO_CONTENT_LENGTH = 13
export const BAD_WEB_SOCKET = 14
/** Such as compression, which would have to be undone. */
export const WEB_SOCKET_EXTENSION = 15

/** Start line and headers; no datagram is longer. */
export const MAX_HEAD_OCTETS = 65_535
export const MAX_BODY_OCTETS = 262_144
/** A header with its folds. */
export const MAX_LINE_OCTETS = 16_384
export const MAX_HEADERS = 256
