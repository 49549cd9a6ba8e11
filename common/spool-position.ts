import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/**
 * How far a spool has been acknowledged, kept over a restart. Two slots, written in turn, so that a write cut short leaves the other:
 *
 *   0                 8                 16                24       28
 *   +-----------------+-----------------+-----------------+--------+
 *   | generation      | segment number  | offset in it    | CRC-32 |  x 2
 *   +-----------------+-----------------+-----------------+--------+
 *
 * Not synced to the disk: after a power cut some records come back, with the ids they had.
 */
export interface Position {
  readonly segment: number
  readonly offset: number
}

const SEGMENT_AT = 8
const OFFSET_AT = 16
const CRC_AT = 24
const SLOT_BYTES = 28
const SLOTS = 2

export class SpoolPosition {
  readonly #file: FileHandle
  #generation: number
  readonly position: Position

  private constructor(file: FileHandle, generation: number, position: Position) {
    this.#file = file
    this.#generation = generation
    this.position = position
  }

  /** A file that is missing or damaged means the beginning. */
  static async open(path: string): Promise<SpoolPosition> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const bytes = Buffer.alloc(SLOT_BYTES * SLOTS)
    await file.read(bytes, 0, bytes.length, 0)
    let generation = 0
    let position = { segment: 0, offset: 0 }
    for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
      const slot = bytes.subarray(at, at + SLOT_BYTES)
      if (slot.readUInt32LE(CRC_AT) !== crc32(slot.subarray(0, CRC_AT))) continue
      const slotGeneration = Number(slot.readBigUInt64LE(0))
      if (slotGeneration <= generation) continue
      generation = slotGeneration
      position = {
        segment: Number(slot.readBigUInt64LE(SEGMENT_AT)),
        offset: Number(slot.readBigUInt64LE(OFFSET_AT)),
      }
    }
    return new SpoolPosition(file, generation, position)
  }

  async save({ segment, offset }: Position): Promise<void> {
    this.#generation++
    const slot = Buffer.alloc(SLOT_BYTES)
    slot.writeBigUInt64LE(BigInt(this.#generation), 0)
    slot.writeBigUInt64LE(BigInt(segment), SEGMENT_AT)
    slot.writeBigUInt64LE(BigInt(offset), OFFSET_AT)
    slot.writeUInt32LE(crc32(slot.subarray(0, CRC_AT)), CRC_AT)
    await this.#file.write(slot, 0, SLOT_BYTES, (this.#generation % SLOTS) * SLOT_BYTES)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}
