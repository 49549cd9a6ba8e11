import type { User } from 'net-snmp'
import type { NetSnmp } from './net-snmp.ts'
import type { SnmpUser } from './snmp-access.ts'

/** A user as net-snmp wants it. */
export function userOf(
  { SecurityLevel, AuthProtocols, PrivProtocols }: NetSnmp,
  { user: name, auth, priv }: SnmpUser,
): User {
  if (auth === undefined) return { name, level: SecurityLevel.noAuthNoPriv }
  const authenticated = {
    name,
    level: SecurityLevel.authNoPriv,
    authProtocol: AuthProtocols[auth.protocol],
    authKey: auth.revealKey(),
  }
  if (priv === undefined) return authenticated
  const protocols = {
    des: PrivProtocols.des,
    aes: PrivProtocols.aes,
    aes256: PrivProtocols.aes256b,
    'aes256-cisco': PrivProtocols.aes256r,
  }
  return {
    ...authenticated,
    level: SecurityLevel.authPriv,
    privProtocol: protocols[priv.protocol],
    privKey: priv.revealKey(),
  }
}
