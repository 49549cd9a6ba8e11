import { PcapngWriter } from '../support/pcapng-writer.ts'
import { CAPTURED } from './corpus.ts'
import type { FuzzTarget } from './fuzz.ts'
import { readBothWays } from './read-capture.ts'

export const target: FuzzTarget = {
  name: 'pcapng',
  corpus: [false, true].map((bigEndian) => {
    const writer = new PcapngWriter({ bigEndian })
    const [first] = CAPTURED
    return Buffer.concat([
      writer.section(),
      writer.interface(101, [
        { code: 2, value: Buffer.from('eth0') },
        { code: 9, value: Buffer.of(9) },
        writer.counter(14, 3600n),
      ]),
      writer.interface(1, [{ code: 9, value: Buffer.of(0x94) }]),
      ...CAPTURED.map((captured, index) => writer.packet({ ...captured, interface: index % 2 })),
      ...(first === undefined
        ? []
        : [writer.oldPacket(first, 3), writer.simplePacket(first.frame)]),
      writer.block(4, Buffer.alloc(16)),
      writer.statistics(0, [writer.counter(5, 7n)]),
      new PcapngWriter({ bigEndian: !bigEndian }).section(),
    ])
  }),
  words: ['0a0d0d0a', '4d3c2b1a', '1a2b3c4d'].map((word) => Buffer.from(word, 'hex')),
  run: readBothWays,
}
