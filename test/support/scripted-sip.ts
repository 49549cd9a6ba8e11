import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { readFile } from 'node:fs/promises'
import type { CertificateFiles } from './certificate.ts'
import { listen } from './listen.ts'

export interface ScriptedSip {
  readonly port: number
  /** Requests as they came, retransmissions too. */
  readonly requests: string[]
  /** Connections made so far. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

/** Answers a request, or not; what it returns is sent back in order, as it is. */
export type Script = (
  request: string,
  index: number,
  send: (octets: string | Uint8Array) => void,
) => readonly (string | Uint8Array)[]

/** A SIP server over UDP that says what it is told to say. */
export async function startUdpScript(script: Script, address = '127.0.0.1'): Promise<ScriptedSip> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const requests: string[] = []
  socket.on('message', (bytes, from) => {
    const text = bytes.toString('utf8')
    if (text.trim() === '') return
    const send = (octets: string | Uint8Array): void => {
      socket.send(octets, from.port, from.address)
    }
    for (const answer of script(text, requests.push(text) - 1, send)) send(answer)
  })
  return {
    port: socket.address().port,
    requests,
    connections: () => 0,
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** The same over TCP, or TLS, for requests without a body; `hangsUp` after each answer. */
export async function startTcpScript(
  script: Script,
  { certificate, hangsUp = false }: { certificate?: CertificateFiles; hangsUp?: boolean } = {},
): Promise<ScriptedSip> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const serve = (socket: Socket): void => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => {
      if (bytes.toString().trim() === '') socket.write('\r\n')
      for (const text of bytes.toString().split(/(?<=\r\n\r\n)/)) {
        if (text.trim() === '') continue
        const send = (octets: string | Uint8Array): void => {
          socket.write(octets)
        }
        for (const answer of script(text, requests.push(text) - 1, send)) send(answer)
        if (hangsUp) socket.end()
      }
    })
  }
  const server =
    certificate === undefined
      ? createTcpServer(serve)
      : createTlsServer(
          { cert: await readFile(certificate.cert), key: await readFile(certificate.key) },
          serve,
        ).on('tlsClientError', () => undefined)
  const port = await listen(server)
  return {
    port,
    requests,
    connections: () => connections,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** A response to a request: its Via, From, To, Call-ID and CSeq, and the rows given. */
export function respond(
  request: string,
  status: string,
  rows: readonly string[] = [],
  body = '',
): string {
  const repeated = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => {
    const value = headerOf(request, name)
    return name === 'To' && !value.includes(';tag=')
      ? `To: ${value};tag=scripted`
      : `${name}: ${value}`
  })
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return [`SIP/2.0 ${status}`, ...repeated, ...rows, length, '', body].join('\r\n')
}

/** The value of the first row of a name. */
export function headerOf(message: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(message)?.[1]?.trim() ?? ''
}
