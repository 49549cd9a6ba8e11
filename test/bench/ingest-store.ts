import { performance } from 'node:perf_hooks'
import type { Measurement } from '../../common/measurement.ts'
import { openStore, storeOptions, type StoreOptions } from '../../collector/store/index.ts'
import type { Store } from '../../collector/store/store.ts'
import { startInfluxd } from '../support/influxd.ts'
import { storeContext } from '../support/store-context.ts'

const BATCH = 500
const WRITERS = 4
const STREAMS_PER_AGENT = 20
const AGENTS = 50
const INTERVAL_US = 10_000_000
const START_US = 1_700_000_000_000_000
const MIB = 1024 ** 2
const RSS_EVERY_MS = 20

/**
 * How fast the stores alone take `rtp_stream` points, in batches of 500 with 4 writers at a time: fresh ones, the same again
 * (every point is looked for and replaced), and old ones after a restart (every point is looked for and not there).
 */
export async function bench(): Promise<void> {
  await duckdb(1_000_000)
  await influx(200_000)
}

async function duckdb(points: number): Promise<void> {
  const options = storeOptions.parse({ kind: 'duckdb', retention: '9999d' })
  const context = await storeContext()
  let store = await openStore(options, context)
  await report('duckdb, fresh points', store, 0, points)
  await report('duckdb, a tenth of them again', store, points * 0.9, points)
  const started = performance.now()
  await store.close()
  const closed = performance.now()
  store = await openStore(options, context)
  console.log(
    `  closed in ${(closed - started).toFixed(0)} ms, opened in ${(performance.now() - closed).toFixed(0)} ms`,
  )
  await report('duckdb, replay of old points after a restart', store, -points / 5, 0)
  await store.close()
  await context.remove()
}

async function influx(points: number): Promise<void> {
  const server = await startInfluxd()
  const options: StoreOptions = storeOptions.parse({
    kind: 'influx',
    url: `http://127.0.0.1:${server.port}`,
  })
  const context = await storeContext()
  const store = await openStore(options, context)
  const started = performance.now()
  await report('influx, into the spool', store, 0, points)
  for (;;) {
    const [series] = await store.read({
      measurement: 'rtp_stream',
      columns: [{ as: 'n', field: 'expected', aggregate: 'count' }],
      fromUs: START_US,
      toUs: 2 * START_US,
    })
    if (series?.values['n']?.[0] === points) break
  }
  console.log(`  all in InfluxDB: ${rate(points, performance.now() - started)}`)
  await store.close()
  await server.close()
  await context.remove()
}

/** Writes the points of these numbers and prints how fast. */
async function report(title: string, store: Store, from: number, to: number): Promise<void> {
  const waits: number[] = []
  let next = from
  let rss = 0
  const watch = setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }, RSS_EVERY_MS)
  const cpu = process.cpuUsage()
  const started = performance.now()
  const writer = async (): Promise<void> => {
    while (next < to) {
      const first = next
      next += BATCH
      const batch = Array.from({ length: BATCH }, (_, index) => stream(first + index))
      const begun = performance.now()
      await store.write(batch)
      waits.push(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  const ms = performance.now() - started
  clearInterval(watch)
  const used = process.cpuUsage(cpu)
  waits.sort((a, b) => a - b)
  const quantile = (share: number): string =>
    (waits[Math.floor(waits.length * share)] ?? 0).toFixed(1)
  console.log(
    `  ${title}: ${to - from} points, ${rate(to - from, ms)}, CPU ${((used.user + used.system) / (to - from)).toFixed(1)} us per point, write p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, peak RSS ${Math.round(rss / MIB)} MiB`,
  )
}

function rate(points: number, ms: number): string {
  return `${Math.round((points / ms) * 1000).toLocaleString('en')} points/s`
}

/** The n-th point: agent after agent, each with all its streams of an interval, then the next interval. */
function stream(n: number): Measurement {
  const tick = Math.floor(n / (STREAMS_PER_AGENT * AGENTS))
  const agent = Math.floor(n / STREAMS_PER_AGENT) - tick * AGENTS
  const number = n - (tick * AGENTS + agent) * STREAMS_PER_AGENT
  const lost = 1 + (n & 3)
  return {
    name: 'rtp_stream',
    timeUs: START_US + tick * INTERVAL_US + number,
    tags: {
      site: 'hq',
      agent: `gw-${agent}`,
      from: 'hq-voice',
      to: 'carrier-b',
      at: 'hq-edge',
      bearer: 'internet',
      owner: 'ict',
      codec: 'PCMA',
      source: 'capture',
    },
    fields: {
      interval_ms: 10_000,
      active_ms: 9980,
      first: tick === 0,
      ended: false,
      src_ip: `10.1.${agent}.${number}`,
      src_port: 10_000 + 2 * number,
      dst_ip: '192.0.2.17',
      dst_port: 20_000 + 2 * number,
      ssrc: `0x${(n >>> 0).toString(16).padStart(8, '0')}`,
      payload_type: 8,
      expected: 500,
      received: 500 - lost,
      lost,
      lost_unique: lost,
      loss_ratio: lost / 500,
      duplicates: 0,
      reordered: n & 1,
      jitter_ms: 1 + (n % 97) / 10,
      jitter_max_ms: 3 + (n % 89) / 10,
      restarts: 0,
      rejected: 0,
      max_delta_ms: 21 + (n % 13),
      octets: 80_000,
      dscp: 46,
      sensor_drops: 0,
    },
  }
}
