import { once } from 'node:events'
import { access, constants, mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { ServerOptions as TlsOptions } from 'node:https'
import { createSecureContext } from 'node:tls'
import { PermanentError, reasonOf } from '../common/errors.ts'
import type { CollectorConfig } from './config.ts'

const PRIVATE_FOLDER = 0o700

/**
 * Runs all checks that can be made before anything is opened.
 * @throws PermanentError with everything that is wrong, a line each
 */
export async function allOf<T extends readonly unknown[]>(checks: {
  readonly [K in keyof T]: Promise<T[K]>
}): Promise<T> {
  const results = await Promise.allSettled(checks)
  const wrong = results.flatMap((it) => (it.status === 'rejected' ? [reasonOf(it.reason)] : []))
  if (wrong.length > 0) throw new PermanentError('start', wrong.join('\n'))
  return await Promise.all(checks)
}

/** Makes the data folder and sees that it can be written. */
export async function checkFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER })
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new PermanentError(
      'data',
      `cannot write in the data folder ${folder} (${reasonOf(error)}): make it writable for this user, or set data: (or --data) to another folder`,
    )
  }
}

/** Sees that nobody else listens there. */
export async function checkPort({ host, port }: CollectorConfig['listen']): Promise<void> {
  if (port === 0) return
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(host, port, error)
  }
  server.close()
  await once(server, 'close')
}

export function listenError(host: string, port: number, error: unknown): PermanentError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const reason =
    code === 'EADDRINUSE'
      ? 'another program listens there already'
      : code === 'EACCES'
        ? 'ports below 1024 need a privilege'
        : reasonOf(error)
  return new PermanentError(
    'listen',
    `cannot listen on ${host}:${port} (${reason}): set listen: (or --listen) to another address, such as 127.0.0.1:8421`,
  )
}

/** Reads key and certificates; undefined without TLS. */
export async function readTls(tls: CollectorConfig['tls']): Promise<TlsOptions | undefined> {
  if (tls === undefined) return undefined
  const { cert, key, 'client-ca': ca } = tls
  try {
    const options = {
      cert: await readFile(cert),
      key: await readFile(key),
      ...(ca === undefined ? {} : { ca: await readFile(ca), requestCert: true }),
    }
    createSecureContext(options)
    return options
  } catch (error) {
    throw new PermanentError('tls', `cannot use the certificates under tls: ${reasonOf(error)}`)
  }
}
