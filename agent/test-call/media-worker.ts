import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { SocketAddress, isIP, isIPv6 } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort } from 'node:worker_threads'
import { reasonOf } from '../../common/errors.ts'
import { CallMedia } from './call-media.ts'
import type { FromMedia, MediaPorts, MediaSettings, Remote, ToMedia } from './messages.ts'

/**
 * The thread of the sound of one call: nothing else runs on its event loop, because Node stamps a datagram when its handler runs, and a
 * busy loop would be measured as jitter of the network.
 */

const LOOP_DELAY_RESOLUTION_MS = 20
/** A pace missed by more than this is not made up for: a burst would be loss of our own making. */
const MAX_BEHIND_PACKETS = 5
const PORT_TRIES = 32
/** RTP has the even port, RTCP the next (RFC 3550 section 11). */
const PORTS: readonly [number, number] = [16_384, 32_766]
const CNAME_OCTETS = 12
const RANDOM_STEPS = 2 ** 32
const DRAIN_STEP_MS = 20
const US_PER_MS = 1000
const NS_PER_MS = 1e6

interface Pair {
  readonly rtp: Socket
  readonly rtcp: Socket
  readonly port: number
}

const loopDelay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS })
const media = new CallMedia({
  random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
  cname: randomBytes(CNAME_OCTETS).toString('base64'),
})
let pairs: { v4: Pair | undefined; v6: Pair | undefined } = { v4: undefined, v6: undefined }
let remote: (Remote & { readonly isV6: boolean }) | undefined
/** Where reports came from, when that is not where they were to come from. */
let rtcpFrom: { readonly address: string; readonly port: number } | undefined
let timer: NodeJS.Timeout | undefined
let dueMs = 0
let reason: string | undefined

loopDelay.enable()
parentPort?.on('message', (message: ToMedia) => {
  handle(message).catch((error: unknown) => {
    // Nowhere to send to is what the call is there to show.
    if (message.kind === 'talk') reason = reasonOf(error)
    else tell({ kind: 'failed', reason: reasonOf(error) })
  })
})

async function handle(message: ToMedia): Promise<void> {
  switch (message.kind) {
    case 'open':
      tell({ kind: 'opened', ports: await open(message) })
      return
    case 'talk':
      await talk(message.remote)
      return
    case 'answered':
      media.answer(nowUs())
      return
    case 'finish':
      await finish(message.waitMs)
      return
    case 'close':
      close()
  }
}

function tell(message: FromMedia): void {
  parentPort?.postMessage(message)
}

async function open({ bind, ports }: MediaSettings): Promise<MediaPorts> {
  const wants = bind === undefined ? 0 : isIP(bind)
  const [v4, v6] = await Promise.allSettled([
    wants === 6 ? undefined : openPair('udp4', bind, ports),
    wants === 4 ? undefined : openPair('udp6', bind, ports),
  ])
  pairs = { v4: fulfilled(v4), v6: fulfilled(v6) }
  if (pairs.v4 === undefined && pairs.v6 === undefined)
    throw new Error(`no port for RTP: ${reasonOf(v4.status === 'rejected' ? v4.reason : v6)}`)
  return { v4: pairs.v4?.port, v6: pairs.v6?.port }
}

async function openPair(
  type: 'udp4' | 'udp6',
  bind: string | undefined,
  [low, high]: readonly [number, number] = PORTS,
): Promise<Pair> {
  const first = Math.ceil(low / 2)
  const count = Math.max(1, Math.floor((high - 1) / 2) - first + 1)
  const start = randomInt(count)
  let last: unknown
  for (let tried = 0; tried < Math.min(PORT_TRIES, count); tried++) {
    const port = 2 * (first + ((start + tried) % count))
    const rtp = createSocket(type === 'udp6' ? { type, ipv6Only: true } : { type })
    const rtcp = createSocket(type === 'udp6' ? { type, ipv6Only: true } : { type })
    try {
      await Promise.all([bound(rtp, port, bind), bound(rtcp, port + 1, bind)])
      listen(rtp, rtcp)
      return { rtp, rtcp, port }
    } catch (error) {
      last = error
      rtp.close()
      rtcp.close()
    }
  }
  throw last
}

async function bound(socket: Socket, port: number, address: string | undefined): Promise<void> {
  socket.bind({ port, exclusive: true, ...(address === undefined ? {} : { address }) })
  await once(socket, 'listening')
}

function listen(rtp: Socket, rtcp: Socket): void {
  rtp.on('message', (datagram, from) => {
    media.receive(datagram, keyOf(from.address, from.port), nowUs())
  })
  rtcp.on('message', (datagram, { address, port }) => {
    rtcpFrom = { address, port }
    media.receiveReport(datagram, nowUs())
  })
  for (const socket of [rtp, rtcp])
    socket.on('error', (error) => {
      reason = reasonOf(error)
    })
}

async function talk(next: Remote): Promise<void> {
  const address = isIP(next.address) === 0 ? (await lookup(next.address)).address : next.address
  const isV6 = isIPv6(address)
  remote = { ...next, address: plain(address), isV6 }
  rtcpFrom = undefined
  media.talkTo(next, keyOf(remote.address, next.port))
  if (timer !== undefined) return
  dueMs = performance.now()
  tick()
}

function tick(): void {
  if (remote === undefined) return
  const now = nowUs()
  const pair = remote.isV6 ? pairs.v6 : pairs.v4
  if (pair === undefined) reason = `no socket of the family of ${remote.address}`
  send(pair?.rtp, media.packetDue(now), placeOf(media.latched) ?? remote)
  sendReport(false)
  // From when this one was due, not from when it came: the pace does not drift.
  dueMs += remote.packetMs
  const behindMs = performance.now() - dueMs
  if (behindMs > MAX_BEHIND_PACKETS * remote.packetMs) {
    dueMs += behindMs
    media.skip()
  }
  timer = setTimeout(tick, Math.max(0, -behindMs))
}

function sendReport(isLeaving: boolean): void {
  if (remote === undefined) return
  const pair = remote.isV6 ? pairs.v6 : pairs.v4
  const to = rtcpFrom ?? { address: remote.address, port: remote.rtcpPort }
  // A report carries the time of day (RFC 3550 section 6.4.1).
  send(pair?.rtcp, media.reportDue(nowUs(), Date.now() * US_PER_MS, isLeaving), to)
}

function send(
  socket: Socket | undefined,
  octets: Uint8Array | undefined,
  { address, port }: { readonly address: string; readonly port: number },
): void {
  if (octets === undefined || port === 0) return
  socket?.send(octets, port, address, (error) => {
    if (error !== null) reason = reasonOf(error)
  })
}

async function finish(waitMs: number): Promise<void> {
  clearTimeout(timer)
  // All of an echo has come back, or has had the time to.
  for (let waited = 0; waited < waitMs && !media.hasAllEchoes; waited += DRAIN_STEP_MS)
    await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS))
  sendReport(true)
  const loopDelayMs = loopDelay.count > 0 ? loopDelay.max / NS_PER_MS - LOOP_DELAY_RESOLUTION_MS : 0
  const to = placeOf(media.latched) ?? remote
  tell({
    kind: 'report',
    loopDelayMs: Math.max(0, loopDelayMs),
    report: {
      ...media.report(nowUs()),
      remote: to === undefined ? undefined : keyOf(to.address, to.port),
      reason,
    },
  })
}

function close(): void {
  clearTimeout(timer)
  for (const pair of [pairs.v4, pairs.v6]) {
    pair?.rtp.close()
    pair?.rtcp.close()
  }
  pairs = { v4: undefined, v6: undefined }
  tell({ kind: 'closed' })
}

function fulfilled<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === 'fulfilled' ? settled.value : undefined
}

function keyOf(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

function placeOf(
  key: string | undefined,
): { readonly address: string; readonly port: number } | undefined {
  const match = /^\[?([^\]]+?)\]?:(\d+)$/.exec(key ?? '')
  return match?.[1] === undefined ? undefined : { address: match[1], port: Number(match[2]) }
}

/** An address as the system writes those of arrivals. */
function plain(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address
}

function nowUs(): number {
  return performance.now() * US_PER_MS
}
