/** Of RFC 5626 section 4.4.1; over UDP the usual habit. */
export const PING = Buffer.from('\r\n\r\n')
/** Bindings of NAT devices last for about half a minute. */
export const KEEPALIVE_MS = 25_000
/** How long the answer to a ping may take from a server that has answered one before (RFC 5626 section 4.4.1). */
export const PONG_LIMIT_MS = 10_000
