import { test } from 'tap'
import type { Measurement } from '../../common/measurement.ts'
import { messageOf } from '../../collector/notify/message.ts'
import { signallingPoints } from '../../agent/signalling/signalling-points.ts'
import { Hop, SignallingTap, type Words } from '../support/signalling-tap.ts'
import { SipSite } from '../support/sip-site.ts'

/** From what is on the wire to what somebody is told: messages through the agent's watch over signalling, its points through the rules. */

const INTERVAL_MS = 10_000
const PBX = '10.1.0.9'
const SITE = `
parties: { ict: {} }
networks: { hq: { cidr: [10.1.0.0/16], site: hq, owner: ict } }
agents: { gw-1: { at: hq } }
`

class Wire {
  readonly tap = new SignallingTap()
  readonly site = new SipSite({}, SITE)

  /** The interval ends; what is told of it. */
  tell(): string {
    const startUs = this.tap.nowUs
    const interval = this.tap.take()
    const frame = { endUs: startUs, durationMs: INTERVAL_MS, tap: 'eth0' }
    const points = signallingPoints(interval, frame).map(({ name, tags, fields }): Measurement =>
      this.site.point(name, tags, fields),
    )
    return [this.site.tell(...points), this.site.wait(INTERVAL_MS / 1000)].join('')
  }

  /** Lets the rest of ten seconds pass of which so much has. */
  restMs(usedMs: number): void {
    this.tap.wait(Math.max(0, INTERVAL_MS - usedMs))
  }
}

/** A phone registers as most do: with the nonce it has, which is too old, then with the new one. */
function refresh(hop: Hop, user: string, cseq: number, isNew: boolean): void {
  const uri = `sip:${user}@pbx.example`
  const contact = `<sip:${user}@${hop.client}:5060>`
  const words: Partial<Words> = { callId: `${user}-reg`, from: uri, to: uri, contact, cseq }
  const lines = [
    'Authorization: Digest username="x", nonce="n", response="r"',
    'User-Agent: Phone 2.1',
  ]
  const first = hop.ask('REGISTER', { ...words, lines: isNew ? lines.slice(1) : lines })
  hop.answer(first, 401, ['WWW-Authenticate: Digest realm="pbx", nonce="n2"'])
  hop.answer(hop.ask('REGISTER', { ...words, cseq: cseq + 1, lines }), 200, [
    `Contact: ${contact};expires=3600`,
  ])
}

test('a busy Monday morning, a rebooted PBX and a branch behind one address raise nothing', async (t) => {
  const wire = new Wire()
  const branch = new Hop(wire.tap, '203.0.113.7', PBX)
  let said = ''
  const phones = (interval: number, count: number, isNew: boolean) => {
    for (let index = 0; index < count; index++) {
      const number = (interval * count + index) % 10_000
      const hop =
        index % 5 === 0
          ? branch
          : new Hop(wire.tap, `10.1.${1 + (number >> 8)}.${number & 0xff}`, PBX)
      refresh(hop, `${10_000 + number}`, 2 * interval + 1, isNew)
    }
    wire.restMs(4 * count)
    said += wire.tell()
  }
  // 2,000 REGISTERs a minute, each challenged anew.
  for (let interval = 0; interval < 12; interval++) phones(interval, 334, interval < 3)
  // A thousand phones within thirty seconds.
  for (let interval = 12; interval < 15; interval++) phones(interval, 334, true)
  t.equal(said, '')
  t.strictSame(wire.site.firing(), [])
})

test('a scanner without the name of one is told of, fast or slow, and what it tries for passwords', async (t) => {
  const wire = new Wire()
  const hop = new Hop(wire.tap, '192.0.2.66', PBX)
  const agent = 'User-Agent: Phone 2.1\r\n\tSeverity: none\u001b[2J\u202e'
  const fast = (from: number) => {
    for (let user = from; user < from + 25; user++) {
      const uri = `sip:${user}@pbx.example`
      const ask = hop.ask('REGISTER', { callId: `${user}`, from: uri, to: uri, lines: [agent] })
      hop.answer(ask, user % 7 === 0 ? 401 : 404)
    }
  }
  fast(100)
  t.equal(wire.tell(), 'firing sip-scan source 192.0.2.66')
  const breach = wire.site.breach('sip-scan')
  t.match(breach, {
    labels: { class: 'fraud', site: 'hq' },
    evidence: { suggested_block: 'source' },
  })
  t.match(breach?.evidence, { user_agent: /^Phone 2\.1 *Severity: none *\[2J *$/ })
  const { title = '', text = '' } = breach === undefined ? {} : messageOf('firing', breach, '')
  t.notMatch(title + text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)
  t.equal(text.split('\n').filter((line) => line.startsWith('Severity:')).length, 1)

  const slow = new Wire()
  const patient = new Hop(slow.tap, '192.0.2.77', PBX)
  let said = ''
  let tried = 0
  // One in a hundred seconds: six in ten minutes.
  for (let interval = 0; interval < 330 && said === ''; interval++) {
    if (interval % 10 === 0) {
      const uri = `sip:${100 + tried++}@pbx.example`
      patient.answer(patient.ask('INVITE', { callId: uri, uri, lines: [agent] }), 404)
    }
    slow.restMs(2)
    said = slow.tell()
  }
  t.equal(said, 'firing sip-scan source 192.0.2.77')
  t.equal(tried, 20)
  t.match(slow.site.breach('sip-scan'), { summary: /20 refusals to 0 successes in 60 min/ })
})

test('five hundred addresses that try a little each are told of as one', async (t) => {
  const wire = new Wire()
  let said = ''
  for (let interval = 0; interval < 50 && said === ''; interval++) {
    for (let index = 0; index < 10; index++) {
      const hop = new Hop(wire.tap, `198.51.${interval}.${index}`, PBX)
      for (let user = 0; user < 4; user++) {
        const uri = `sip:${interval * 40 + index * 4 + user}@pbx.example`
        const lines = ['Authorization: Digest username="x", nonce="n", response="r"']
        const ask = hop.ask('REGISTER', { callId: uri, from: uri, to: uri, lines })
        hop.answer(ask, 401, ['WWW-Authenticate: Digest realm="pbx", nonce="n"'])
      }
    }
    wire.restMs(80)
    said = wire.tell()
  }
  t.equal(said, 'firing distributed-scan many sources at gw-1')
  t.match(wire.site.breach('distributed-scan'), {
    severity: 'warning',
    evidence: { sources: 100, refused: 400, wrong_credentials: 400 },
  })
})

test('OPTIONS without end from a stranger are a flood, though each is answered', async (t) => {
  const wire = new Wire()
  const hop = new Hop(wire.tap, '192.0.2.88', PBX)
  for (let index = 0; index < 2000; index++)
    hop.answer(hop.ask('OPTIONS', { callId: `${index}` }), 200)
  wire.restMs(4000)
  t.match(wire.tell(), /firing sip-flood source 192\.0\.2\.88/)
})

test('a flood from two hundred thousand false addresses is one flood, and costs what it may', async (t) => {
  const wire = new Wire()
  new Hop(wire.tap, '10.1.0.1', PBX).register('101')
  wire.tell()
  const before = process.memoryUsage()
  let said = ''
  for (let index = 0; index < 200_000; index++) {
    const ip = `${100 + (index >> 16)}.${(index >> 8) & 0xff}.9.${index & 0xff}`
    new Hop(wire.tap, ip, PBX).ask('REGISTER', {
      callId: `${index}`,
      from: `sip:${index}@x`,
      to: `sip:${index}@x`,
      lines: [`User-Agent: ${index}`],
    })
    wire.tap.nowUs -= 800
    if (index % 50_000 === 49_999) said += `${wire.tell()}\n`
  }
  t.match(said, /firing sip-flood flood to 10\.1\.0\.9/)
  t.ok(wire.site.firing().length <= 7, wire.site.firing().join(', '))
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers
  t.ok(grown < 100e6, `grown by ${Math.round(grown / 1e6)} MB`)
})

test('stolen credentials that call premium numbers under one Call-ID are toll fraud', async (t) => {
  const wire = new Wire()
  const hop = new Hop(wire.tap, '10.1.0.5', PBX)
  hop.register('105')
  const from = 'sip:105@pbx.example'
  hop.answer(hop.ask('INVITE', { callId: 'one', from, uri: 'sip:200@pbx.example' }), 200)
  for (let number = 0; number < 6; number++) {
    const uri = `sip:%30%3900123${number}@pbx.example`
    hop.answer(hop.ask('INVITE', { callId: 'one', from, uri, cseq: 2 + number }), 200)
  }
  t.match(wire.tell(), /firing toll-fraud account \*05@pbx\.example/)
})
