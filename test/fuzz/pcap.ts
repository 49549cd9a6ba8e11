import { pcapFile } from '../support/pcap-writer.ts'
import { CAPTURED } from './corpus.ts'
import type { FuzzTarget } from './fuzz.ts'
import { readBothWays } from './read-capture.ts'

export const target: FuzzTarget = {
  name: 'pcap',
  corpus: [
    pcapFile(CAPTURED),
    pcapFile(CAPTURED, { nano: true }),
    pcapFile(CAPTURED, { bigEndian: true, linkType: 101 }),
    pcapFile([]),
  ],
  words: ['34cdb2a1', '0a0d0d0a', '1f8b08'].map((word) => Buffer.from(word, 'hex')),
  run: readBothWays,
}
