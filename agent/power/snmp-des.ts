import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { NetSnmp } from './net-snmp.ts'

type Auth = Parameters<NetSnmp['Authentication']['passwordToKey']>[0]
interface Engine {
  readonly engineID: Buffer
}

const BLOCK_LENGTH = 8
const BOOTS = Buffer.from([0, 0, 0, 1])

/**
 * CBC-DES (RFC 3414 section 8), which is all that older UPS cards can. OpenSSL 3 keeps single DES in a provider that Node does not load,
 * and net-snmp asks for it by that name; triple DES with three equal keys is the same cipher and is still there.
 */
export function mendDes({ Authentication, Encryption, PrivProtocols }: NetSnmp): void {
  const keyOf = (
    auth: Auth,
    password: string,
    { engineID }: Engine,
  ): { key: Buffer; preIv: Buffer } => {
    const localised = Authentication.passwordToKey(auth, password, engineID)
    const key = localised.subarray(0, BLOCK_LENGTH)
    return {
      key: Buffer.concat([key, key, key]),
      preIv: localised.subarray(BLOCK_LENGTH, 2 * BLOCK_LENGTH),
    }
  }
  Object.assign(Encryption.algorithms[PrivProtocols.des], {
    encryptPdu: (pdu: Buffer, _priv: number, password: string, auth: Auth, engine: Engine) => {
      const { key, preIv } = keyOf(auth, password, engine)
      const salt = Buffer.concat([BOOTS, randomBytes(BLOCK_LENGTH - BOOTS.length)])
      const cipher = createCipheriv('des-ede3-cbc', key, xor(preIv, salt)).setAutoPadding(false)
      const padding = Buffer.alloc(-pdu.length & (BLOCK_LENGTH - 1))
      const encryptedPdu = Buffer.concat([
        cipher.update(pdu),
        cipher.update(padding),
        cipher.final(),
      ])
      return { encryptedPdu, msgPrivacyParameters: salt }
    },
    decryptPdu: (
      ...[pdu, , salt, password, auth, engine]: [Buffer, number, Buffer, string, Auth, Engine]
    ) => {
      const { key, preIv } = keyOf(auth, password, engine)
      const cipher = createDecipheriv('des-ede3-cbc', key, xor(preIv, salt)).setAutoPadding(false)
      return Buffer.concat([cipher.update(pdu), cipher.final()])
    },
  })
}

/** The initialisation vector (RFC 3414 section 8.1.1.1). A salt too short makes one too short, which the cipher refuses. */
function xor(preIv: Buffer, salt: Buffer): Buffer {
  return Buffer.from(salt.subarray(0, BLOCK_LENGTH).map((octet, i) => octet ^ (preIv[i] ?? 0)))
}
