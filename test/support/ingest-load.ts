// The load of `npm run bench ingest`, as a process of its own: pushes batches as fast as they are taken and prints what came of it.
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { gzipSync } from 'node:zlib'
import { encodeMeasurements } from '../../common/line-protocol.ts'
import { measurement } from '../../common/measurement.ts'

const CONNECTIONS = 20
const STREAMS = 500
const NETWORKS = 8
/** As often as an agent's turn comes; its points say so, so that the rules have every one of them to judge. */
const INTERVAL_MS = 200
const PACKET_MS = 20
const MS_PER_S = 1000
/** As the agent packs: fast rather than small. */
const GZIP = { level: 1 }

const [url = '', secondsText = '', ...secrets] = process.argv.slice(2)
const endMs = performance.now() + Number(secondsText) * MS_PER_S
const latenciesMs: number[] = []
const statuses: Record<number, number> = {}
let points = 0

const began = performance.now()
await Promise.all(
  Array.from({ length: CONNECTIONS }, async (_, connection) => {
    const agents = secrets.flatMap((secret, index) =>
      index % CONNECTIONS === connection
        ? [{ secret, lines: linesOf(index), atMs: Date.now() - MS_PER_S }]
        : [],
    )
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 })
    while (performance.now() < endMs) {
      for (const agent of agents) {
        agent.atMs += INTERVAL_MS
        const body = batch(agent.lines, agent.atMs * MS_PER_S)
        const since = performance.now()
        const status = await push(keepAlive, agent.secret, body)
        latenciesMs.push(performance.now() - since)
        statuses[status] = (statuses[status] ?? 0) + 1
        if (status === 204) points += STREAMS
        if (performance.now() >= endMs) break
      }
    }
    keepAlive.destroy()
  }),
)
const seconds = (performance.now() - began) / MS_PER_S
latenciesMs.sort((a, b) => a - b)
const quantile = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0
console.log(
  JSON.stringify({ points, seconds, statuses, p50Ms: quantile(0.5), p99Ms: quantile(0.99) }),
)

/** One interval of all calls of an agent, stamped: what an agent sends, made with as little of the machine as can be. */
function batch(lines: readonly string[], timeUs: number): Buffer {
  return gzipSync(lines.map((line, stream) => `${line} ${timeUs + stream}\n`).join(''), GZIP)
}

/** The calls of an agent as lines without their times; every tenth loses a packet. */
function linesOf(agent: number): readonly string[] {
  const expected = INTERVAL_MS / PACKET_MS
  const points = Array.from({ length: STREAMS }, (_, stream) => {
    const lost = stream % 10 === 0 ? 1 : 0
    return measurement(
      'rtp_stream',
      1,
      { codec: 'PCMA', source: 'capture' },
      {
        interval_ms: INTERVAL_MS,
        active_ms: INTERVAL_MS - ((stream * 7) % PACKET_MS),
        src_ip: `10.${stream % NETWORKS}.${agent}.${stream % 250}`,
        src_port: 16_384 + 2 * stream,
        dst_ip: `203.0.113.${stream % 250}`,
        dst_port: 40_000 + 2 * stream,
        ssrc: `0x${(agent * STREAMS + stream).toString(16).padStart(8, '0')}`,
        payload_type: 8,
        expected,
        received: expected - lost,
        lost,
        lost_unique: lost,
        loss_ratio: lost / expected,
        duplicates: 0,
        reordered: stream % 3,
        jitter_ms: 0.5 + (stream % 17) / 7,
        jitter_max_ms: 1.5 + (stream % 13) / 3,
        restarts: 0,
        rejected: 0,
        max_delta_ms: 21 + (stream % 11),
        octets: (expected - lost) * 160,
        dscp: 46,
        sensor_drops: 0,
      },
    )
  })
  return encodeMeasurements(points)
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
}

async function push(keepAlive: Agent, secret: string, body: Buffer): Promise<number> {
  return await new Promise((resolve, reject) => {
    const headers = {
      authorization: `Token ${secret}`,
      'content-encoding': 'gzip',
      'content-length': body.byteLength,
      'x-kiestoon-sent-at': String(Date.now() * MS_PER_S),
    }
    const call = request(
      `${url}/api/v2/write?precision=us`,
      { method: 'POST', agent: keepAlive, headers },
      (response) => {
        response.resume()
        response.once('end', () => {
          resolve(response.statusCode ?? 0)
        })
      },
    )
    call.once('error', reject)
    call.end(body)
  })
}
