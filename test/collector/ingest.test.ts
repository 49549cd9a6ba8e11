import { test } from 'tap'
import { ClockOffset } from '../../collector/clock-offset.ts'
import { Ingest, type Batch } from '../../collector/ingest.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import { TransientError } from '../../common/errors.ts'
import { signFarewell, tokenHash } from '../../common/farewell.ts'
import type { Measurement } from '../../common/measurement.ts'

const SITE = new Site(
  readConfig(
    siteFile,
    `
parties: { ict: {}, carrier-b: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, bearer: lan, owner: ict }
  carrier-b: { cidr: [198.51.100.0/24], bearer: wan, owner: carrier-b }
agents: { gw-b: { at: carrier-b } }
`,
    'site.yaml',
  ),
)
const NOW_MS = 1_800_000_000_000
const NOW_US = NOW_MS * 1000
const STREAM = 'src_ip="10.1.0.5",dst_ip="198.51.100.9",expected=500i,lost_unique=5i'
const LIMITS = { points: 1000, inFlight: 1500, series: 100 }

/** A collector's way in, with a store that is a list. */
function ingestWith(limits: Partial<typeof LIMITS> = {}) {
  const stored: Measurement[] = []
  const judged: Measurement[] = []
  const gates: { open: () => void; fail: (error: Error) => void }[] = []
  let isGated = false
  const ingest = new Ingest({
    limits: { ...LIMITS, ...limits },
    site: () => SITE,
    judge: (points) => judged.push(...points),
    store: {
      write: async (points) => {
        if (isGated) {
          await new Promise<void>((resolve, reject) => {
            gates.push({ open: resolve, fail: reject })
          })
        }
        stored.push(...points)
      },
    },
  })
  const gate = (): void => {
    isGated = true
  }
  return { ingest, stored, judged, gates, gate }
}

function batch(text: string, more: Partial<Batch> = {}): Batch {
  return { text, precision: 'us', agent: 'gw-b', site: 'carrier-b', arrivedMs: NOW_MS, ...more }
}

test('a point gets its agent, its site and the judged segment', async (t) => {
  const { ingest, stored, judged } = ingestWith()
  const outcome = await ingest.accept(
    batch(`rtp_stream,codec=PCMA,source=capture,owner=forged,from=forged ${STREAM} ${NOW_US}\n`),
  )
  t.same(outcome, { accepted: 1, rejected: 0, errors: [] })
  t.same(stored, [
    {
      name: 'rtp_stream',
      tags: {
        agent: 'gw-b',
        site: 'carrier-b',
        codec: 'PCMA',
        source: 'capture',
        from: 'hq',
        to: 'carrier-b',
        at: 'carrier-b',
        bearer: 'wan',
        owner: 'carrier-b',
      },
      fields: { src_ip: '10.1.0.5', dst_ip: '198.51.100.9', expected: 500, lost_unique: 5 },
      timeUs: NOW_US,
    },
  ])
  t.same(judged, stored)
})

test('a batch leaves nothing behind once it is judged or refused', async (t) => {
  const { ingest, gates, gate } = ingestWith()
  await ingest.accept(batch(`ping,target=a sent=1i ${NOW_US}\n`))
  gate()
  const refused = ingest.accept(batch(`ping,target=a sent=1i ${NOW_US}\n`))
  gates[0]?.fail(new TransientError('store-failed', 'no room'))
  await t.rejects(refused)
  t.equal(
    await ingest.senders[0]?.judged,
    undefined,
    'or all errors and results of a day hang on it',
  )
})

test('a test stream is judged over the whole path, whoever reports it', async (t) => {
  const { ingest, stored } = ingestWith()
  const test = `rtp_test,target=carrier-b,direction=forward ${STREAM} ${NOW_US}`
  await ingest.accept(batch(test, { agent: 'gw-1', site: 'hq' }))
  t.match(stored[0]?.tags, { from: 'hq', to: 'carrier-b', at: 'carrier-b', owner: 'carrier-b' })
})

test('a report is about the whole path, a stall and a call without speech about the segment up to the tap', async (t) => {
  const { ingest, stored } = ingestWith()
  const ends = 'src_ip="10.1.0.5",dst_ip="198.51.100.9"'
  const lines = [
    `rtp_report,codec=PCMA,source=rtcp,at=forged ${ends},ssrc="0x1",expected=500i,lost=5i ${NOW_US}`,
    `rtp_stall,source=capture ${ends},ssrc="0x1",stalled_ms=6000 ${NOW_US}`,
    `rtp_call ${ends},call_id="a",one_way=true ${NOW_US}`,
  ]
  await ingest.accept(batch(lines.join('\n'), { agent: 'gw-1', site: 'hq' }))
  t.match(
    stored.map(({ tags }) => tags),
    [
      { from: 'hq', to: 'carrier-b', at: 'carrier-b', bearer: 'wan', owner: 'carrier-b' },
      { from: 'hq', to: 'carrier-b', at: 'hq', bearer: 'lan', owner: 'ict' },
      { from: 'hq', to: 'carrier-b', at: 'hq', bearer: 'lan', owner: 'ict' },
    ],
  )
})

test('without addresses only declared networks are believed', async (t) => {
  const { ingest, stored } = ingestWith()
  await ingest.accept(
    batch(`rtp_stream,from=hq,to=moon expected=1i ${NOW_US}\nping,target=a sent=1i ${NOW_US}`),
  )
  t.match(stored[0]?.tags, { from: 'hq', to: 'unknown', at: 'carrier-b', owner: 'carrier-b' })
  t.same(stored[1]?.tags, { target: 'a', agent: 'gw-b', site: 'carrier-b' })
})

test('the own subnets an agent tells are its site', async (t) => {
  const { ingest, stored } = ingestWith()
  const depot = { agent: 'gw-7', site: 'depot' }
  const stream = `rtp_stream src_ip="192.168.7.9",dst_ip="8.8.8.8",expected=1i ${NOW_US}`
  await ingest.accept(batch(stream, depot))
  await ingest.accept(
    batch(`agent version="1.2.3",subnets="192.168.7.1/24",spool_points=4i`, depot),
  )
  await ingest.accept(batch(stream, depot))
  t.same(
    stored.map(({ tags }) => tags['from']),
    ['private', undefined, 'depot'],
  )
  t.match(ingest.senders[0], { agent: 'gw-7', version: '1.2.3', spoolPoints: 4, points: 3 })
})

test('a bad line is refused with its number and reason, the others are kept', async (t) => {
  const { ingest, stored, judged } = ingestWith()
  const refused = [
    ['ping sent=1i,', /./],
    ['nonsense,target=a sent=1i', /unknown measurement "nonsense"/],
    ['ping,target=a,colour=red sent=1i', /ping has no tag "colour"/],
    ['ping,target=a sent="one"', /field sent must be integer/],
    ['ping,target=a colour=1i', /no field that ping knows/],
    ['path,from=hq,to=carrier-b lost_unique=0i', /path is written by the collector only/],
    ['event,rule=x title="forged"', /event is written by the collector only/],
    ['ping,target=a,agent=gw-1 sent=1i', /tag agent is "gw-1", the token is for "gw-b"/],
    ['ping,target=a,site=hq sent=1i', /tag site is "hq", the token is for "carrier-b"/],
    [`ping,target=${'x'.repeat(129)} sent=1i`, /longer than 128/],
    [`agent version="${'x'.repeat(1025)}"`, /field version is longer than 1024/],
    [`ping,target=a sent=1i ${NOW_US + 601_000_000}`, /ahead/],
    ['ping,target=a sent=1i 0', /time out of range/],
  ] as const
  const text = [
    ...refused.map(([line]) => line),
    `ping,target=a,agent=gw-b,site=carrier-b sent=1i,colour=2`,
  ]
  const { accepted, rejected, errors } = await ingest.accept(batch(text.join('\n')))
  t.equal(accepted, 1)
  t.equal(rejected, refused.length)
  for (const [index, [line, reason]] of refused.entries()) {
    t.equal(errors[index]?.line, index + 1, line)
    t.match(errors[index]?.reason, reason)
  }
  t.same(
    stored.map(({ fields }) => fields),
    [{ sent: 1 }],
    'an unknown field is left out',
  )
  t.same(judged, stored)
  t.equal(ingest.unknownFields, 1)
  t.equal(ingest.senders[0]?.rejected, refused.length)
  const many = await ingest.accept(batch('x\n'.repeat(50)))
  t.equal(many.rejected, 50)
  t.equal(many.errors.length, 20, 'the first twenty are named')
})

test('an agent cannot make series without end', async (t) => {
  const { ingest, stored } = ingestWith({ series: 3 })
  const line = (target: number): string => `ping,target=t${target} sent=1i ${NOW_US}`
  const { rejected, errors } = await ingest.accept(batch([1, 2, 3, 4, 5, 1].map(line).join('\n')))
  t.equal(rejected, 2)
  t.match(errors[0], { line: 4, reason: /3 today already/ })
  t.equal(stored.length, 4)
  const other = await ingest.accept(batch(line(9), { agent: 'gw-2', site: 'hq' }))
  t.equal(other.rejected, 0, 'another agent has its own')
  const nextDay = await ingest.accept(
    batch(`ping,target=t4 sent=1i`, { arrivedMs: NOW_MS + 86_400_001 }),
  )
  t.equal(nextDay.rejected, 0, 'and tomorrow is another day')
})

test('what the store did not take is not judged; too much at once is refused before', async (t) => {
  const { ingest, judged, gates, gate } = ingestWith()
  gate()
  const line = `ping,target=a sent=1i\n`
  const first = ingest.accept(batch(line.repeat(1000)))
  await t.rejects(ingest.accept(batch(line.repeat(501))), {
    code: 'overloaded',
    retryAfterMs: 1000,
  })
  gates[0]?.fail(new TransientError('store', 'the disk is full'))
  await t.rejects(first, { code: 'store' })
  t.equal(judged.length, 0)
  const second = ingest.accept(batch(line.repeat(1000)))
  gates[1]?.open()
  t.equal((await second).accepted, 1000, 'what was given back is free again')
  t.equal(judged.length, 1000)
  await t.rejects(ingest.accept(batch(line.repeat(1001))), { code: 'too-many-points' })
})

test('an agent is judged in the order it sent, whatever the store finishes first', async (t) => {
  const { ingest, judged, gates, gate } = ingestWith()
  gate()
  const sent = ['a', 'b', 'c'].map(async (target) =>
    ingest.accept(batch(`ping,target=${target} sent=1i`)),
  )
  const other = ingest.accept(batch('ping,target=other sent=1i', { agent: 'gw-2', site: 'hq' }))
  gates[3]?.open()
  await other
  gates[2]?.open()
  gates[1]?.fail(new TransientError('store', 'no'))
  await t.rejects(async () => sent[1])
  t.same(
    judged.map(({ tags }) => tags['target']),
    ['other'],
    'c waits for a',
  )
  gates[0]?.open()
  await Promise.all([sent[0], sent[2]])
  t.same(
    judged.map(({ tags }) => tags['target']),
    ['other', 'a', 'c'],
  )
})

test('times are corrected by the clock offset, and a retry is stamped as before', async (t) => {
  const { ingest, stored } = ingestWith()
  const hourBehind = NOW_MS - 3_600_000
  const line = `ping,target=a sent=1i ${hourBehind * 1000}`
  await ingest.accept(batch(line, { sentAtMs: hourBehind, id: 'b1' }))
  await ingest.accept(
    batch(line, { sentAtMs: hourBehind + 9000, id: 'b1', arrivedMs: NOW_MS + 1000 }),
  )
  t.same(
    stored.map(({ timeUs }) => timeUs),
    [NOW_US, NOW_US],
  )
})

test('the offset is that of the push with the least delay, and moves only when the clock does', async (t) => {
  const clock = new ClockOffset()
  t.equal(clock.measuredMs, undefined)
  t.equal(clock.push(1000, 1999), 0, 'under a second nothing is corrected')
  t.equal(clock.measuredMs, 999)
  t.equal(new ClockOffset().push(0, 5000), 5_000_000)
  const behind = new ClockOffset()
  t.equal(behind.push(0, 9000), 9_000_000, 'the first push took 4 s on the way')
  t.equal(behind.push(0, 5000), 5_000_000, 'a better one')
  t.equal(behind.push(0, 5900), 5_000_000)
  t.equal(behind.push(0, 4200), 5_000_000, 'sticky within a second')
  t.equal(behind.push(0, 3900), 3_900_000)
  t.equal(behind.push(0, 20), 0, 'the clock was set right: nothing to correct')
  t.equal(behind.push(9000, 2000), -7_000_000, 'ahead')
  const set = new ClockOffset()
  set.push(0, 0)
  t.equal(set.push(0, 60_000), 0, 'once may be delay')
  t.equal(set.push(0, 60_000), 0)
  t.equal(set.push(0, 60_000), 60_000_000, 'three times in a row the clock was set back')
})

test('a batch keeps the correction it first had', async (t) => {
  const clock = new ClockOffset()
  t.equal(clock.push(0, 5000, 'a'), 5_000_000)
  t.equal(clock.push(0, 100, 'b'), 0)
  t.equal(clock.push(0, 100, 'a'), 5_000_000)
  for (let i = 0; i < 1000; i++) clock.push(0, 100, `c${i}`)
  t.equal(clock.push(0, 100, 'a'), 0, 'the last thousand are remembered')
  t.equal(new ClockOffset(5000).push(0, 5400), 5_000_000, 'a restart does not move it')
})

test('a farewell is believed only with the signature of the token it came with', async (t) => {
  const { ingest, judged } = ingestWith()
  const hash = tokenHash('kiestoon_secret')
  const said = { agent: 'gw-b', site: 'carrier-b', timeUs: NOW_US, cause: 'stop', power: '' }
  const genuine = signFarewell(hash, said)
  const send = async (fields: string, timeUs = NOW_US, more: Partial<Batch> = {}) =>
    ingest.accept(batch(`farewell ${fields} ${timeUs}\n`, { tokenHash: hash, ...more }))
  const accepted = { accepted: 1, rejected: 0 }
  const refused = {
    accepted: 0,
    rejected: 1,
    errors: [{ line: 1, reason: 'the farewell is not signed with the token it came with' }],
  }
  const plain = `cause="stop",signature="${genuine}"`
  t.match(await send(plain), accepted)
  t.match(await send(plain), accepted, 'the same again is the same point')
  t.match(judged[0], {
    tags: { agent: 'gw-b', site: 'carrier-b' },
    fields: { cause: 'stop' },
    timeUs: NOW_US,
  })
  t.match(await send(plain, NOW_US + 1), refused, 'another time')
  t.match(await send(`cause="low-battery",signature="${genuine}"`), refused, 'another cause')
  t.match(await send(`cause="stop",power="ups-1",signature="${genuine}"`), refused)
  t.match(await send(plain, NOW_US, { agent: 'gw-c' }), refused, 'another agent')
  t.match(await send(plain, NOW_US, { tokenHash: tokenHash('other') }), refused)
  t.match(await send(plain, NOW_US, { tokenHash: undefined }), refused)
  for (const signature of ['', 'ff', genuine.toUpperCase(), `${genuine}00`])
    t.match(await send(`cause="stop",signature="${signature}"`), refused, signature)
  t.match(await send('cause="stop"'), refused, 'unsigned')
  t.match(await send('cause=1'), refused)
  t.equal(ingest.forgedFarewells, 12)
  const onBattery = { ...said, cause: 'low-battery', power: 'ups "1"' }
  const quoted = `cause="low-battery",power="ups \\"1\\"",charge_ratio=0.1`
  t.match(await send(`${quoted},signature="${signFarewell(hash, onBattery)}"`), accepted)
  const slow = NOW_US - 3_600_000_000
  const byItsClock = signFarewell(hash, { ...said, timeUs: slow })
  const sentAtMs = NOW_MS - 3_600_000
  t.match(await send(`cause="stop",signature="${byItsClock}"`, slow, { sentAtMs }), accepted)
  t.ok(
    Math.abs((judged.at(-1)?.timeUs ?? 0) - NOW_US) < 1000,
    'its clock is corrected all the same',
  )
})

test('the signature of a farewell is what it was in the first version', (t) => {
  const said = { agent: 'gw-1', site: 'hq', timeUs: 1, cause: 'stop', power: '' }
  // echo -n 'token' | sha256sum; then by openssl dgst -sha256 -mac HMAC twice.
  const hash = '3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0'
  t.equal(tokenHash('token'), hash)
  t.equal(
    signFarewell(hash, said),
    'd2675efccc8f703eaa4c2d0fbc4952180e66a8b0d682f9808db02cefb37d3aa0',
  )
  t.end()
})
