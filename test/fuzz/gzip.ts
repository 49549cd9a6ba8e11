import { gzipSync } from 'node:zlib'
import { GzipInflater } from '../../agent/capture/gzip.ts'
import { pcapFile } from '../support/pcap-writer.ts'
import { CAPTURED } from './corpus.ts'
import type { FuzzTarget } from './fuzz.ts'
import { CaptureSum } from './read-capture.ts'

const packed = gzipSync(pcapFile(CAPTURED))

/** Always comes to an end, with the fault named where there is one. */
export const target: FuzzTarget = {
  name: 'gzip',
  corpus: [packed, Buffer.concat([gzipSync(pcapFile([])), packed]), gzipSync(Buffer.alloc(20_000))],
  words: [Buffer.from('1f8b0800000000000003', 'hex')],
  // An inflater costs as much as a hundred frames.
  share: 1 / 10,
  async run(input) {
    const sum = new CaptureSum()
    const inflater = new GzipInflater((octets) => {
      sum.reader.push(octets)
    })
    const half = input.length >> 1
    await inflater.write(input.subarray(0, half))
    await inflater.write(input.subarray(half))
    await inflater.end()
    inflater.close()
    sum.end()
    if (!inflater.isOver) throw new Error('neither at its end nor at fault')
  },
}
