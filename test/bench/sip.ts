import { CallMonitor } from '../../agent/media/call-monitor.ts'
import { MediaTable } from '../../agent/media/media-table.ts'
import { Datagram } from '../../agent/capture/datagram.ts'
import { SipFramer } from '../../agent/sip/framer.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { parseSdp } from '../../agent/sip/sdp.ts'
import { callMessages } from '../support/sip-messages.ts'

const ROUND_MS = 300
const ROUNDS = 7
const CALLS = 2000
const SEGMENT_OCTETS = 1460
const US_PER_S = 1_000_000

/** Messages a second of one core, each figure the median of some rounds: of calls, seven messages each, two with a description. */
export async function bench(): Promise<void> {
  const calls = Array.from({ length: CALLS }, (_, index) =>
    callMessages({ callId: `bench-${index}@10.0.0.1`, callerPort: 20_000 + 2 * index }),
  )
  const messages = calls.flat().map(({ text }) => Buffer.from(text))
  const octets = messages.reduce((sum, { length }) => sum + length, 0)
  const average = Math.round(octets / messages.length)
  console.log(`${messages.length} messages of ${average} octets, one by one`)

  const message = new SipMessage()
  const parsed = perSecond(messages.length, () => {
    for (const bytes of messages) message.parse(bytes, 0, bytes.length)
  })
  const asked = perSecond(messages.length, () => {
    for (const bytes of messages) {
      message.parse(bytes, 0, bytes.length)
      message.header('from')
      message.header('to')
      message.header('via')
      message.header('call-id')
    }
  })
  const stream = Buffer.concat(messages)
  let framed = 0
  const sink = { message: () => framed++, refused: () => undefined }
  const fromStream = perSecond(messages.length, () => {
    const framer = new SipFramer(message)
    for (let at = 0; at < stream.length; at += SEGMENT_OCTETS)
      framer.push(stream.subarray(at, at + SEGMENT_OCTETS), sink)
  })
  const description = messages[0]?.toString().split('\r\n\r\n')[1] ?? ''
  const described = perSecond(1000, () => {
    for (let count = 0; count < 1000; count++) parseSdp(description)
  })
  const datagram = new Datagram()
  const followed = perSecond(messages.length, () => {
    const monitor = new CallMonitor({ media: new MediaTable(80_000), maxCalls: 20_000 })
    messages.forEach((bytes, index) => {
      datagram.payloadOctets = bytes.length
      monitor.handleDatagram(bytes, datagram, index * 1000)
    })
  })
  const flood = messages.filter((bytes) => bytes.toString('latin1', 0, 6) === 'INVITE')
  const flooded = perSecond(flood.length, () => {
    const monitor = new CallMonitor({ media: new MediaTable(2000), maxCalls: 500 })
    flood.forEach((bytes, index) => {
      datagram.payloadOctets = bytes.length
      monitor.handleDatagram(bytes, datagram, index * 200)
    })
  })
  console.log(`parsed                     ${parsed} messages/s`)
  console.log(`and four headers as text   ${asked} messages/s`)
  console.log(`framed from a TCP stream   ${fromStream} messages/s`)
  console.log(`followed as calls          ${followed} messages/s`)
  console.log(`INVITEs, table full        ${flooded} messages/s`)
  console.log(`session descriptions       ${described} /s`)
}

/** Per second of processor time, so that what else runs on the machine hardly counts. */
function perSecond(count: number, work: () => void): number {
  const rates = Array.from({ length: ROUNDS }, () => {
    const end = performance.now() + ROUND_MS
    const before = process.cpuUsage()
    let done = 0
    while (performance.now() < end) {
      work()
      done += count
    }
    const { user, system } = process.cpuUsage(before)
    return (done * US_PER_S) / (user + system)
  })
  return Math.round(rates.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0)
}
