import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { createToken } from '../../collector/http/tokens.ts'

const SECONDS = 20
const AGENTS = 20
const TARGET_POINTS_PER_S = 50_000
const TARGET_RSS_MB = 300
const KIB = 1024
const MB = 1e6
const EXECUTABLE = 0o755
const BUILT = fileURLToPath(new URL('../../dist/collector/main.js', import.meta.url))
const SOURCE = fileURLToPath(new URL('../../collector/main.ts', import.meta.url))
const LOAD = fileURLToPath(new URL('../support/ingest-load.ts', import.meta.url))
const TYPESCRIPT = ['--import', new URL('../support/typescript.js', import.meta.url).href]
const SITE = `networks:
  carrier: { cidr: [203.0.113.0/24], bearer: internet, owner: carrier }
${Array.from({ length: 8 }, (_, i) => `  net-${i}: { cidr: [10.${i}.0.0/16], site: site-${i}, bearer: lan }`).join('\n')}
parties: { carrier: {} }
`

const loadResult = z.object({
  points: z.number(),
  seconds: z.number(),
  statuses: z.record(z.string(), z.number()),
  p50Ms: z.number(),
  p99Ms: z.number(),
})

/** The whole way in: HTTP, gzip, line protocol, vocabulary, site file, DuckDB (durable), rules; from a load in another process. */
export async function bench(): Promise<void> {
  const isBuilt = existsSync(BUILT)
  console.log(
    `collector ingest: 20 connections, batches of 500 rtp_stream points of ${AGENTS} agents, ${SECONDS} s; ` +
      `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores (shared with the load), Node ${process.version}, ${new Date().toISOString()}`,
  )
  if (!isBuilt) console.log('not built: run from source, which takes some 40 MB more')
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  const config = join(folder, 'collector.yaml')
  await writeFile(join(folder, 'site.yaml'), SITE)
  await writeFile(
    config,
    `listen: 127.0.0.1:0\ndata: ${folder}/data\nsite-file: ${folder}/site.yaml\n`,
  )
  // Built, it is run as installed: by the first line of the file.
  if (isBuilt) await chmod(BUILT, EXECUTABLE)
  const [program, ...main] = isBuilt
    ? ([BUILT] as const)
    : ([process.execPath, ...TYPESCRIPT, SOURCE] as const)
  const collector = spawn(program, [...main, 'run', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const url = await firstUrl(collector.stdout)
    const secrets: string[] = []
    for (let i = 0; i < AGENTS; i++) {
      const wanted = { role: 'agent', agent: `gw-${i}`, site: `site-${i % 8}` } as const
      const { secret } = await createToken(`${folder}/data`, wanted, new Date().toISOString())
      secrets.push(secret)
    }
    await secondsPass(1) // until the collector has read the new tokens
    const cpuBefore = await cpuSeconds(collector.pid)
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...TYPESCRIPT,
      LOAD,
      url,
      String(SECONDS),
      ...secrets,
    ])
    const { points, seconds, statuses, p50Ms, p99Ms } = loadResult.parse(JSON.parse(stdout))
    const busy = ((await cpuSeconds(collector.pid)) - cpuBefore) / seconds
    const { peak, now } = await memory(collector.pid)
    const rate = points / seconds
    console.log(
      `${Math.round(rate).toLocaleString('en')} points/s (${points.toLocaleString('en')} in ${seconds.toFixed(1)} s), ` +
        `push p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, answers ${JSON.stringify(statuses)}`,
    )
    console.log(
      `collector: RSS ${now.toFixed(0)} MB, at most ${peak.toFixed(0)} MB; ${busy.toFixed(2)} cores`,
    )
    verdict('at least 50,000 points/s', rate >= TARGET_POINTS_PER_S)
    verdict('at most 300 MB', peak <= TARGET_RSS_MB)
  } finally {
    collector.kill('SIGTERM')
    await new Promise((resolve) => collector.once('exit', resolve))
    await rm(folder, { recursive: true, force: true })
  }
}

function verdict(target: string, reached: boolean): void {
  console.log(`${reached ? 'reached' : 'MISSED'}: ${target}`)
}

async function firstUrl(stdout: NodeJS.ReadableStream): Promise<string> {
  return await new Promise((resolve, reject) => {
    const lines = createInterface({ input: stdout })
    lines.on('line', (line) => {
      const match = /^Kiestoon collector: (\S+)$/.exec(line)
      if (match?.[1] !== undefined) resolve(match[1])
    })
    lines.once('close', () => {
      reject(new Error('the collector ended'))
    })
  })
}

async function secondsPass(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

/** Resident memory in MB, from /proc. */
async function memory(pid = 0): Promise<{ readonly peak: number; readonly now: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const megabytes = (key: string): number =>
    (Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * KIB) / MB
  return { peak: megabytes('VmHWM'), now: megabytes('VmRSS') }
}

/** User and system time of the process so far; Linux counts in hundredths of a second. */
async function cpuSeconds(pid = 0): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
