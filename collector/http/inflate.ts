import { createGunzip } from 'node:zlib'

const CHUNK_BYTES = 256 * 1024

/**
 * Unpacks gzip, but never more than `maxBytes`: a small body that inflates to gigabytes costs no more memory or time than one of
 * the limit's size.
 */
export async function inflate(
  body: Uint8Array,
  maxBytes: number,
): Promise<Buffer | 'too-large' | 'corrupt'> {
  return await new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
    gunzip.on('data', (chunk: Buffer) => {
      length += chunk.byteLength
      if (length > maxBytes) {
        gunzip.destroy()
        resolve('too-large')
      } else {
        chunks.push(chunk)
      }
    })
    gunzip.once('end', () => {
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length))
    })
    gunzip.once('error', () => {
      resolve('corrupt')
    })
    gunzip.end(body)
  })
}
