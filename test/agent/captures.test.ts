import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import type { Analysis } from '../../agent/analyze/analysis.ts'
import { analyzeFile } from '../../agent/analyze/analyze.ts'
import type { StreamTotal } from '../../agent/analyze/stream-total.ts'
import { hasTshark, tsharkStreams, tsharkValues } from '../support/tshark.ts'

/** Captures of real programs (ORIGIN.md), held against tshark stream by stream, and against what is known to have happened. */

const FOLDER = fileURLToPath(new URL('../fixtures/captures/', import.meta.url))
/** tshark prints three decimals, and takes its times in whole nanoseconds where we have quarters of a microsecond. */
const JITTER_TOLERANCE_MS = 0.002

tap.setTimeout(60_000)

test('packets, lost and jitter are those of tshark, stream by stream', async (t) => {
  if (!hasTshark()) {
    t.pass('tshark', { skip: 'tshark is missing: apt-get install tshark' })
    return
  }
  for (const name of await captureNames())
    await t.test(name, async (t) => {
      const analysis = await analysed(name)
      const theirs = tsharkStreams(fileOf(name))
      t.ok(theirs.length >= 2, 'tshark finds streams')
      t.equal(analysis.streams.length, theirs.length, 'as many streams')
      for (const their of theirs) {
        const our = analysis.streams.find(
          (stream) =>
            stream.ssrc === their.ssrc &&
            stream.srcIp === their.src &&
            stream.srcPort === their.srcPort &&
            stream.dstIp === their.dst &&
            stream.dstPort === their.dstPort,
        )
        if (our === undefined) {
          t.fail(`${their.ssrc} ${their.src} -> ${their.dst} is missing`)
          continue
        }
        t.equal(our.received + our.rejected, their.packets, `${their.ssrc}: packets`)
        t.equal(our.lost, their.lost, `${their.ssrc}: lost`)
        compareJitter(t, name, our, their.maxJitterMs)
      }
    })
})

test('SIP messages are those of tshark', async (t) => {
  if (!hasTshark()) {
    t.pass('tshark', { skip: 'tshark is missing: apt-get install tshark' })
    return
  }
  for (const name of await captureNames()) {
    const { sip } = await analysed(name)
    const methods = countsOf(tsharkValues(fileOf(name), 'sip', 'sip.Method'))
    const classes = countsOf(
      tsharkValues(fileOf(name), 'sip', 'sip.Status-Code').map((code) => `${code[0] ?? ''}xx`),
    )
    t.same(sip.requests, methods, `${name}: requests`)
    t.same(sip.responses, classes, `${name}: responses`)
  }
})

test('the relay knows what it lost, doubled and held back, and so do we', async (t) => {
  const truth = z
    .object({
      sent: z.array(z.number()),
      lost: z.array(z.number()),
      copied: z.array(z.number()),
      ssrc: z.string(),
    })
    .parse(JSON.parse(await readFile(join(FOLDER, 'relay.truth.json'), 'utf8')))
  const { streams } = await analysed('relay')
  const stream = streams.find(({ ssrc }) => ssrc === truth.ssrc)
  const seen = new Set<number>()
  let highest = -1
  let duplicates = 0
  let reordered = 0
  for (const number of truth.sent) {
    if (seen.has(number)) duplicates++
    else if (number < highest) reordered++
    seen.add(number)
    highest = Math.max(highest, number)
  }
  const first = Math.min(...truth.sent)
  const lost = truth.lost.filter((number) => number > first && number < highest)
  t.ok(lost.length > 5 && duplicates > 3 && reordered > 3, 'the relay did all of it')
  t.equal(stream?.expected, highest - first + 1)
  t.equal(stream?.lostUnique, lost.length)
  t.equal(stream?.duplicates, duplicates)
  t.equal(stream?.reordered, reordered)
  t.equal(
    stream?.lost,
    lost.length - duplicates,
    'a duplicate heals a loss in the count of the RFC',
  )
  const runs = runsOf(lost)
  t.same(stream?.lossRuns, runs)
})

test('each call is what was played', async (t) => {
  const loss = await analysed('g711-loss')
  t.same(
    loss.streams.map(({ codec }) => codec),
    ['PCMA', 'PCMA'],
  )
  t.equal(loss.calls.length, 1)
  t.equal(loss.calls[0]?.state, 'ended')
  t.equal(new Set(loss.streams.map(({ callId }) => callId)).size, 1, 'both streams are of one call')
  const lossy = loss.streams.find(({ lostUnique }) => lostUnique > 0)
  t.ok(lossy, 'one direction loses')
  t.ok((lossy?.lossRuns[0] ?? 0) >= 14, 'single packets')

  const opus = await analysed('opus-loss')
  t.same(
    opus.streams.map(({ codec, clockRate }) => [codec?.toLowerCase(), clockRate]),
    [
      ['opus', 48_000],
      ['opus', 48_000],
    ],
    'the number is dynamic: only the SDP tells',
  )
  for (const name of ['srtp', 'dtls-srtp'])
    t.same(
      (await analysed(name)).streams.map(({ isEncrypted }) => isEncrypted),
      [true, true],
      name,
    )
  t.same(
    loss.streams.map(({ isEncrypted }) => isEncrypted),
    [false, false],
  )

  const events = await analysed('telephone-event')
  t.ok(
    events.streams.some(({ events: count }) => count > 10),
    'digits are counted apart',
  )
  const hold = await analysed('hold')
  for (const { lostUnique, restarts, stalledMs } of hold.streams)
    t.same(
      { lostUnique, restarts, stalledMs },
      { lostUnique: 0, restarts: 0, stalledMs: undefined },
    )

  const sipp = await analysed('sipp')
  t.equal(sipp.calls.length, 10)
  t.equal(sipp.streams.length, 20, 'all on one pair of ports')

  const proxied = await analysed('rtpengine')
  t.equal(proxied.streams.length, 4, 'both legs, kept apart')
  t.equal(
    new Set(proxied.streams.map(({ ssrc }) => ssrc)).size,
    2,
    'rtpengine passes the SSRC on: only the addresses differ',
  )
})

/** Where tshark departs from RFC 3550, the difference is known (see the comments); everywhere else there is none. */
function compareJitter(t: Test, name: string, our: StreamTotal, theirMaxMs: number): void {
  const ours = our.jitterMaxMs ?? -1
  // tshark takes no jitter of the packet behind a marker, and moves its reference by telephone events; we keep events out (RFC 4733).
  const departs = name === 'telephone-event' || name === 'hold' || name === 'relay'
  if (departs) t.ok(ours >= 0, `${our.ssrc}: jitter is measured; tshark counts it differently here`)
  else
    t.ok(
      Math.abs(ours - theirMaxMs) <= JITTER_TOLERANCE_MS,
      `${our.ssrc}: max jitter ${ours} is tshark's ${theirMaxMs}`,
    )
}

const analyses = new Map<string, Promise<Analysis>>()

async function analysed(name: string): Promise<Analysis> {
  let analysis = analyses.get(name)
  if (analysis === undefined) {
    analysis = analyzeFile(
      fileOf(name),
      { table: undefined, sipPorts: [{ from: 5060, to: 5061 }] },
      { terminal: process.stderr, monotonicMs: () => 0 },
    )
    analyses.set(name, analysis)
  }
  return await analysis
}

async function captureNames(): Promise<readonly string[]> {
  return (await readdir(FOLDER))
    .filter((file) => file.endsWith('.pcap.gz'))
    .map((file) => file.replace('.pcap.gz', ''))
}

function fileOf(name: string): string {
  return join(FOLDER, `${name}.pcap.gz`)
}

function countsOf(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** [n] is how many runs of n + 1 consecutive numbers there are; the last one is of 10 or more. */
function runsOf(numbers: readonly number[]): readonly number[] {
  const runs = Array.from({ length: 10 }, () => 0)
  let length = 0
  for (const [index, number] of numbers.entries()) {
    length++
    if (numbers[index + 1] === number + 1) continue
    const at = Math.min(length, runs.length) - 1
    runs[at] = (runs[at] ?? 0) + 1
    length = 0
  }
  return runs
}
