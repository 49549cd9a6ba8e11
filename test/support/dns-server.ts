import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'

const HEADER_OCTETS = 12
const ANSWER_FLAGS = 0x8180
const NO_SUCH_NAME = 3
const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR' }

/** Records by "NAME TYPE"; a `Uint8Array` is sent as it is, 'silence' is none at all. Anything else is no such name. */
export type Zone = Readonly<Record<string, readonly DnsRecord[] | Uint8Array | 'silence'>>

export type DnsRecord =
  | { readonly address: string }
  | {
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | {
      readonly order: number
      readonly preference: number
      readonly flags: string
      readonly service: string
      readonly replacement: string
    }

export interface DnsServer {
  /** host:port */
  readonly address: string
  zone: Zone
  /** What was asked, in order. */
  readonly questions: string[]
  readonly close: () => void
}

/** A name server on loopback that says what it is told to say (RFC 1035, 2782, 3403). */
export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const questions: string[] = []
  const server: DnsServer = {
    address: `127.0.0.1:${socket.address().port}`,
    zone,
    questions,
    close: () => {
      socket.close()
    },
  }
  socket.on('message', (query, from) => {
    const { name, type, end } = questionIn(query)
    const question = `${name} ${TYPES[type] ?? type}`
    questions.push(question)
    const records = server.zone[question]
    if (records === 'silence') return
    const answer =
      records instanceof Uint8Array ? records : answerTo(query.subarray(0, end), type, records)
    socket.send(answer, from.port, from.address)
  })
  return server
}

function questionIn(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER_OCTETS
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function answerTo(
  question: Buffer,
  type: number,
  records: readonly DnsRecord[] | undefined,
): Uint8Array {
  const head = Buffer.from(question)
  head.writeUInt16BE(ANSWER_FLAGS | (records === undefined ? NO_SUCH_NAME : 0), 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records?.length ?? 0, 6)
  head.writeUInt32BE(0, 8)
  const rows = (records ?? []).map((record) => {
    const data = dataOf(record)
    const row = Buffer.alloc(12)
    // A pointer to the name in the question.
    row.writeUInt16BE(0xc000 | HEADER_OCTETS, 0)
    row.writeUInt16BE(type, 2)
    row.writeUInt16BE(1, 4)
    row.writeUInt32BE(60, 6)
    row.writeUInt16BE(data.length, 10)
    return Buffer.concat([row, data])
  })
  return Buffer.concat([head, ...rows])
}

function dataOf(record: DnsRecord): Buffer {
  if ('address' in record) return addressOctets(record.address)
  if ('target' in record) {
    const { priority, weight, port, target } = record
    return Buffer.concat([uint16(priority), uint16(weight), uint16(port), nameOctets(target)])
  }
  const { order, preference, flags, service, replacement } = record
  const texts = [flags, service, ''].map((text) => {
    return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
  })
  return Buffer.concat([uint16(order), uint16(preference), ...texts, nameOctets(replacement)])
}

function addressOctets(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [front = '', back = ''] = address.split('::')
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => parseInt(word, 16))
  const [first, last] = [words(front), words(back)]
  const zeros = new Array<number>(8 - first.length - last.length).fill(0)
  return Buffer.concat([...first, ...zeros, ...last].map(uint16))
}

function nameOctets(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  const parts = labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)]))
  return Buffer.concat([...parts, Buffer.from([0])])
}

function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16BE(value)
  return octets
}
