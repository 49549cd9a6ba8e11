import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { SignallingTap } from '../support/signalling-tap.ts'
import { pcapHeader, pcapRecord, rtp, udpFrame } from '../support/pcap-writer.ts'
import { callMessages, request, sdpText } from '../support/sip-messages.ts'

/** SIP in capture files: beside others that read them, in a flood, and with a million who register. */

const PROGRAM = fileURLToPath(new URL('../../dist/agent/main.js', import.meta.url))
const CALLS = 20_000
const MESSAGES_PER_CALL = 7
const START_US = 1_750_000_000_000_000
const US_PER_S = 1_000_000
const PEER_LIMIT_MS = 120_000
const POLL_MS = 20
const FLOOD_S = 20
const INVITES_PER_S = 5000
const STREAMS = 50
const PACKET_US = 20_000
const LOST_EVERY = 97
const SOURCES = 251
const AORS = 1_000_000

const point = z.object({
  name: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})

export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  try {
    await besideOthers(join(folder, 'calls.pcap'))
    await flooded(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
  millionOfAors()
}

/** The whole way, start of the program included, as anybody reads a file. */
async function besideOthers(path: string): Promise<void> {
  const messages = CALLS * MESSAGES_PER_CALL
  const file = openSync(path, 'w')
  writeSync(file, pcapHeader())
  for (let index = 0; index < CALLS; index++) {
    const call = { callId: `bench-${index}@10.0.0.1`, callerPort: 1024 + ((2 * index) % 60_000) }
    const records = callMessages(call).map(({ text, isFromCaller }, step) => {
      const [from, to] = isFromCaller ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.2', '10.0.0.1']
      const frame = udpFrame(Buffer.from(text), { from, to, fromPort: 5060, toPort: 5060 })
      return pcapRecord({ timeUs: START_US + index * 1000 + step * 100, frame })
    })
    writeSync(file, Buffer.concat(records))
  }
  closeSync(file)
  const { seconds, kib } = await timed(['analyze', '--summary', path])
  print('analyze --summary, a file of calls', messages, seconds, `${mib(kib)} MiB`)
  peer('tshark -z sip,stat', messages, seconds, [
    'tshark',
    '-n',
    '-q',
    '-r',
    path,
    '-z',
    'sip,stat',
  ])
  peer('sngrep -N -q', messages, seconds, ['sngrep', '-N', '-q', '-F', '-l', '100000', '-I', path])
}

/** 5,000 INVITEs a second among streams of which every 97th packet is lost: are these still counted exactly? */
async function flooded(folder: string): Promise<void> {
  const path = join(folder, 'flood.pcap')
  const file = openSync(path, 'w')
  writeSync(file, pcapHeader())
  const ticks = (FLOOD_S * US_PER_S) / PACKET_US
  const invitesPerTick = (INVITES_PER_S * PACKET_US) / US_PER_S
  let invites = 0
  let lost = 0
  for (let tick = 0; tick < ticks; tick++) {
    const timeUs = START_US + tick * PACKET_US
    const records: Buffer[] = []
    for (let stream = 0; stream < STREAMS; stream++) {
      const isLost = tick > 10 && tick < ticks - 10 && (tick + stream) % LOST_EVERY === 0
      if (isLost) lost++
      else records.push(pcapRecord({ timeUs, frame: streamFrame(stream, tick) }))
    }
    for (let index = 0; index < invitesPerTick; index++)
      records.push(pcapRecord({ timeUs: timeUs + 100 + index, frame: inviteFrame(invites++) }))
    writeSync(file, Buffer.concat(records))
  }
  closeSync(file)
  const config = join(folder, 'agent.yaml')
  const probe = `- { probe: rtp-capture, file: ${path}, file-interval: 10s }`
  await writeFile(config, `agent: gw-1\nsite: hq\nprobes:\n  ${probe}\n`)
  const run = await timed(['once', '--json', '--interval', '100ms', '--config', config])
  const points = z.array(point).parse(JSON.parse(run.output))
  const streams = points.filter(({ name }) => name === 'rtp_stream')
  const expected = sumOf(streams, 'expected')
  const found = sumOf(streams, 'lost_unique')
  const isExact = expected === STREAMS * ticks && found === lost
  console.log(
    `flood of ${INVITES_PER_S} INVITE/s for ${FLOOD_S} s: RTP ${isExact ? 'exact' : 'NOT EXACT'} (${found} of ${expected} lost, truth ${lost} of ${STREAMS * ticks}), ${points.length} points, ${mib(run.kib)} MiB of 250, ${run.seconds.toFixed(1)} s`,
  )
}

/** Each registers once: what is kept, and what is told of them, is bounded. */
function millionOfAors(): void {
  const tap = new SignallingTap()
  const before = process.cpuUsage()
  let rows = 0
  for (let index = 0; index < AORS; index++) {
    tap.show(registerText(index), `10.${index % 200}.1.7`, '10.0.0.9')
    if (index % 100_000 !== 99_999) continue
    const taken = tap.take()
    rows = Math.max(rows, taken.sources.length + taken.accounts.length + taken.bindings.length)
  }
  const { user, system } = process.cpuUsage(before)
  const perS = Math.round((AORS * US_PER_S) / (user + system))
  const { rss } = process.memoryUsage()
  console.log(
    `${AORS} distinct AoRs: at most ${rows} rows told of in an interval, ${mib(rss / 1024)} MiB of this process, ${perS} REGISTER/s`,
  )
}

function streamFrame(stream: number, tick: number): Buffer {
  const packet = rtp({
    timeUs: 0,
    sequenceNumber: tick & 0xffff,
    timestamp: tick * 160,
    payloadType: 8,
    ssrc: (stream + 1) * 7919,
  })
  const port = 20_000 + 2 * stream
  return udpFrame(packet, { from: '10.1.0.5', to: '10.2.0.5', fromPort: port, toPort: port })
}

function inviteFrame(index: number): Buffer {
  const text = request(
    'INVITE',
    { callId: `flood-${index}@x`, fromTag: `t${index}` },
    sdpText({ ip: '192.0.2.9', port: 1024 + (index % 60_000) }),
  ).replaceAll('+31207654321', `9${index}`)
  const from = `198.51.100.${1 + (index % SOURCES)}`
  return udpFrame(Buffer.from(text), { from, to: '10.0.0.2', fromPort: 5060, toPort: 5060 })
}

function registerText(index: number): string {
  return request('REGISTER', { callId: `r${index}@x`, fromTag: `t${index}` })
    .replaceAll('+31201234567', `u${index}`)
    .replaceAll('+31207654321', `u${index}`)
}

interface Run {
  readonly seconds: number
  readonly kib: number
  readonly output: string
}

async function timed(args: readonly string[]): Promise<Run> {
  const start = performance.now()
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = once(child, 'close').then(() => performance.now())
  let kib = 0
  while (child.exitCode === null) {
    kib = Math.max(kib, highestKib(child.pid))
    await Promise.race([ended, delay(POLL_MS)])
  }
  const seconds = ((await ended) - start) / 1000
  if (child.exitCode !== 0) throw new Error(`${args[0] ?? ''} failed`)
  return { seconds, kib, output: Buffer.concat(chunks).toString() }
}

/** VmHWM of proc(5): the highest resident size so far. */
function highestKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function peer(name: string, messages: number, ours: number, command: readonly string[]): void {
  const [program = '', ...args] = command
  const start = performance.now()
  const { error } = spawnSync(program, args, { stdio: 'ignore', timeout: PEER_LIMIT_MS })
  const seconds = (performance.now() - start) / 1000
  if (error === undefined)
    print(name, messages, seconds, `we: ${(seconds / ours).toFixed(1)} times as fast`)
  else console.log(`${name}: ${error.message}`)
}

function print(name: string, messages: number, seconds: number, rest: string): void {
  const rate = Math.round(messages / seconds)
  console.log(`${name.padEnd(36)}${rate} messages/s (${seconds.toFixed(2)} s), ${rest}`)
}

function sumOf(points: readonly z.infer<typeof point>[], field: string): number {
  return points.reduce((sum, { fields }) => sum + Number(fields[field] ?? 0), 0)
}

function mib(kib: number): string {
  return (kib / 1024).toFixed(0)
}
