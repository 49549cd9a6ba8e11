/** How a device lets us read: a community of SNMPv1 or v2c, or a user of SNMPv3 (RFC 3414). Never used to write. */
export type SnmpAccess = SnmpCommunity | SnmpUser

export interface SnmpCommunity {
  readonly version: 'v1' | 'v2c'
  readonly revealCommunity: () => string
}

export interface SnmpUser {
  readonly version: 'v3'
  readonly user: string
  /** Without one: noAuthNoPriv. */
  readonly auth?: { readonly protocol: AuthProtocol; readonly revealKey: () => string } | undefined
  /** Only beside `auth`: authPriv. */
  readonly priv?: { readonly protocol: PrivProtocol; readonly revealKey: () => string } | undefined
  readonly context?: string | undefined
}

export const AUTH_PROTOCOLS = ['md5', 'sha', 'sha224', 'sha256', 'sha384', 'sha512'] as const
export type AuthProtocol = (typeof AUTH_PROTOCOLS)[number]

/** aes is AES-128 (RFC 3826). For AES-256 there are two ways to make the key: Blumenthal's, and Reeder's as Cisco has it. */
export const PRIV_PROTOCOLS = ['des', 'aes', 'aes256', 'aes256-cisco'] as const
export type PrivProtocol = (typeof PRIV_PROTOCOLS)[number]

export interface SnmpOptions {
  /** Name or address. */
  readonly host: string
  readonly port: number
  /** For each attempt of a request. */
  readonly timeoutMs: number
  /** Attempts after the first. */
  readonly retries: number
  readonly access: SnmpAccess
}
