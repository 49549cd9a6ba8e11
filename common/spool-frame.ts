import { crc32 } from 'node:zlib'

/**
 * One record in a segment file; numbers are little-endian:
 *
 *   0        4        8        12       16                24                32       36
 *   +--------+--------+--------+--------+-----------------+-----------------+--------+---------
 *   | "KSP1" | length | points | CRC-32 | random part     | sequence number | CRC-32 | payload
 *   |        |        |        | payload| of the id       |                 | of 0-31|
 *   +--------+--------+--------+--------+-----------------+-----------------+--------+---------
 *
 * The header's own CRC tells a damaged payload, which is stepped over by its length, from a damaged header, behind which the
 * next header has to be searched.
 */
export const FRAME_HEADER_BYTES = 36
export const FRAME_MAGIC = Buffer.from('KSP1')
/** Bytes of the random part of an id: two spools never share one. */
export const RANDOM_ID_BYTES = 8

const LENGTH_AT = 4
const POINTS_AT = 8
const PAYLOAD_CRC_AT = 12
const RANDOM_AT = 16
const SEQUENCE_AT = 24
const HEADER_CRC_AT = 32

export interface FrameHeader {
  readonly id: string
  readonly points: number
  readonly payloadBytes: number
  readonly payloadCrc: number
}

export function encodeFrame(
  payload: Uint8Array,
  points: number,
  randomId: Uint8Array,
  sequence: number,
): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length)
  frame.set(FRAME_MAGIC, 0)
  frame.writeUInt32LE(payload.length, LENGTH_AT)
  frame.writeUInt32LE(points, POINTS_AT)
  frame.writeUInt32LE(crc32(payload), PAYLOAD_CRC_AT)
  frame.set(randomId, RANDOM_AT)
  frame.writeBigUInt64LE(BigInt(sequence), SEQUENCE_AT)
  frame.writeUInt32LE(crc32(frame.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** Undefined when these bytes are no header, or a damaged one. */
export function decodeFrameHeader(bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined
  if (!bytes.subarray(0, LENGTH_AT).equals(FRAME_MAGIC)) return undefined
  if (bytes.readUInt32LE(HEADER_CRC_AT) !== crc32(bytes.subarray(0, HEADER_CRC_AT)))
    return undefined
  const random = bytes.toString('hex', RANDOM_AT, RANDOM_AT + RANDOM_ID_BYTES)
  return {
    id: `${random}-${bytes.readBigUInt64LE(SEQUENCE_AT)}`,
    points: bytes.readUInt32LE(POINTS_AT),
    payloadBytes: bytes.readUInt32LE(LENGTH_AT),
    payloadCrc: bytes.readUInt32LE(PAYLOAD_CRC_AT),
  }
}
