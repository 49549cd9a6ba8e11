import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** A self-signed certificate made by openssl in a folder; `days` may be -1, for one that expired yesterday. */
export async function makeCertificate(
  folder: string,
  { days = 90, names = 'IP:127.0.0.1,DNS:localhost', file = 'server' } = {},
): Promise<CertificateFiles & { readonly pem: string }> {
  const [key, request, cert] = ['key', 'csr', 'crt'].map((kind) => join(folder, `${file}.${kind}`))
  if (key === undefined || request === undefined || cert === undefined) throw new Error('no names')
  const extension = `subjectAltName=${names}`
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' })
  }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=kiestoon-test', '-addext', extension]
  openssl('req', '-new', ...curve, '-keyout', key, '-out', request, ...subject)
  const copy = ['-copy_extensions', 'copyall']
  openssl(
    'x509',
    '-req',
    '-in',
    request,
    '-signkey',
    key,
    '-days',
    String(days),
    ...copy,
    '-out',
    cert,
  )
  return { cert, key, pem: await readFile(cert, 'utf8') }
}
