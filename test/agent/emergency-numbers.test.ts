import { test } from 'tap'
import { emergencyNumberIn } from '../../agent/sip/emergency-numbers.ts'
import { encodeG711 } from '../../agent/rtp/g711.ts'
import { SipEndpoint } from '../../agent/sip-client/endpoint.ts'
import { isFlow } from '../../agent/sip-client/flow.ts'
import { sipClock } from '../../agent/sip-client/scheduler.ts'
import { newToken } from '../../agent/sip-client/token.ts'
import { STANDARD_TIMERS } from '../../agent/sip/transaction.ts'
import { startUdpScript } from '../support/scripted-sip.ts'

const BUILT_IN = ['112', '911', '999', '110', '118']
const LISTED = ['144', '0800112233']
/** Random tries; a seed makes each of them the same every time. */
const TRIES = 40_000

test('an emergency number is seen in every dress it is known to wear', (t) => {
  for (const uri of [
    ...['sip:112@pbx', 'SIP:112@pbx', 'sips:112@pbx', 'tel:112', 'TEL:+31112', 'sip:+31112@pbx'],
    ...['sip:112@pbx;user=phone', 'sip:112;phone-context=+31@pbx;user=phone', 'sip:112'],
    ...['sip:0112@pbx', 'sip:0,112@pbx', 'sip:9w112@pbx', 'sip:0p1p1p2@pbx', 'sip:00112@pbx'],
    ...['sip:1-1-2@pbx', 'sip:(1)1.2@pbx', 'sip:1 1 2@pbx', 'sip:1%201%202@pbx', 'sip:%00112@pbx'],
    ...['sip:%31%31%32@pbx', 'sip:%2531%2531%2532@pbx', 'sip:１１２@pbx', 'sip:①①②@pbx'],
    ...['sip:%EF%BC%91１%EF%BC%92@pbx', 'sip:١١٢@pbx', 'sip:1\u200b1\u200b2@pbx'],
    ...['sip:0031112@pbx', 'sip:000353112@pbx', 'sip:*31#112@pbx', 'sip:#31#0112@pbx'],
    ...['sip:1124567@pbx', 'sip:112004567890123@pbx', 'sip:1670112@pbx', 'sip:4112@pbx'],
    ...['sip:x:112@pbx', 'sip:x@112@pbx', 'sip:echo;postd=112@pbx', 'sip:echo@pbx;rn=+31112'],
    ...['sip:echo@pbx?To=sip:112@pbx', 'sip:echo@pbx?Route=112', 'tel:2;phone-context=+3111'],
    ...['urn:service:sos', 'URN:Service:SOS.fire', 'urn%3aservice%3asos', 'sip:sos@pbx'],
    ...[
      'sip:sos.police@pbx',
      'sip:urn%3Aservice%3Asos@pbx',
      'sip:conference112@pbx',
      'sip:tel:112',
    ],
    ...['sip:12345678901234567,112@pbx', 'sip:+31201234567;ext=911@pbx', 'sip:112:5060', '112@pbx'],
  ])
    t.not(emergencyNumberIn(uri), undefined, uri)
  t.equal(emergencyNumberIn('sip:144@pbx'), undefined, 'not everywhere')
  t.equal(emergencyNumberIn('sip:144@pbx', LISTED), '144')
  t.equal(emergencyNumberIn('sip:0800-112233@pbx', LISTED), '0800112233')
  t.equal(emergencyNumberIn(`sip:${'%25'.repeat(40)}31@pbx`), undefined, 'an escaped percent sign')
  t.equal(emergencyNumberIn(`sip:%${'25'.repeat(20)}31%31%32@pbx`), 'unreadable digits')
  t.end()
})

test('those who are no emergency number may be called', (t) => {
  for (const uri of [
    ...['sip:echo@pbx.example.org', 'sip:600@pbx', 'sip:*43@pbx', 'sip:9196@pbx', 'sip:1001@pbx'],
    ...[
      'sip:0201234112@pbx',
      'sip:+31201234112@pbx',
      'sip:+911123456789@pbx',
      'sip:0118123456@pbx',
    ],
    ...[
      'sip:600@112.0.0.1',
      'sip:echo@10.112.0.1:5112',
      'sip:pbx112.example.org',
      'sip:echo@pbx:9112',
    ],
    ...[
      'sip:echo@[fe80::112]:5060;transport=tcp',
      'sip:a1b1c2@pbx',
      'sip:sosa@pbx',
      'sip:10.1.1.2',
    ],
    ...['sip:echo@pbx;maddr=10.1.1.2;lr', 'sip:test@pbx;ttl=112', 'tel:+31201234567'],
  ])
    t.equal(emergencyNumberIn(uri, ['144']), undefined, uri)
  t.end()
})

test('no dress put together by chance hides an emergency number', (t) => {
  const random = randomFrom(20_261_201)
  const one = <T>(of: readonly T[]): T => {
    const chosen = of[Math.floor(random() * of.length)]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }
  let missed = 0
  for (let tried = 0; tried < TRIES && missed < 5; tried++) {
    const number = one([...BUILT_IN, ...LISTED])
    const isLong = number.length > 3
    const prefix = one(['', '', '0', '9', '0,', '9p', '+31', '0031', '+1', '*31#', '#31#', '00'])
    const separator = () =>
      isLong ? '' : one(['', '', '', '-', '.', ' ', '%20', '(', ')', '\u00ad'])
    const digits = Array.from(number).flatMap((digit) => [digit, separator()])
    const dressed = [...(isLong ? [] : Array.from(prefix)), ...digits].map((piece) =>
      dress(piece, one(['plain', 'plain', 'escaped', 'twice', 'wide'] as const)),
    )
    const user = dressed.join('')
    const uri = one([
      `sip:${user}@pbx.example.org`,
      `SIPS:${user}@10.0.0.1:5061;transport=tls`,
      `sip:${user};phone-context=${one(['+31', 'example.org', '+1'])}@pbx;user=phone`,
      `tel:${user}`,
      `tEl:${user};isub=1234`,
      `sip:echo;postd=${user}@pbx`,
      `sip:echo@pbx;number=${user}`,
      `sip:secret:${user}@pbx`,
      `sip:echo@pbx?Subject=x&To=sip:${user}@pbx`,
    ])
    if (emergencyNumberIn(uri, LISTED) !== undefined) continue
    missed++
    t.fail(`missed ${number} in ${uri}`)
  }
  t.equal(missed, 0, `${TRIES} tries`)
  t.end()
})

test('no text makes it throw', (t) => {
  const random = randomFrom(7)
  const alphabet = [
    ...Array.from('sip:tel@;=?&%0123456789*#,-. <>"+/abcPWx'),
    '\u0000',
    '\ud800',
    '１',
    'é',
  ]
  for (let tried = 0; tried < TRIES; tried++) {
    const length = Math.floor(random() * 40)
    const text = Array.from(
      { length },
      () => alphabet[Math.floor(random() * alphabet.length)] ?? '',
    ).join('')
    emergencyNumberIn(text, LISTED)
  }
  t.pass(`${TRIES} texts`)
  t.end()
})

test('the endpoint itself sends no INVITE that calls for help, whoever asks it to', async (t) => {
  const peer = await startUdpScript(() => [])
  const endpoint = new SipEndpoint({
    ...{ clock: sipClock, nowUs: () => 0, userAgent: 'test', newToken },
    timers: { ...STANDARD_TIMERS, timeoutMs: 300 },
    emergencyNumbers: ['144'],
  })
  t.teardown(async () => {
    endpoint.close()
    await peer.close()
  })
  const domain = '127.0.0.1'
  const flow = await endpoint.open({ transport: 'udp', address: domain, port: peer.port, domain })
  if (!isFlow(flow)) throw new Error(flow.reason)
  const signal = new AbortController().signal
  const invite = (uri: string, route: string) =>
    endpoint.send(flow, { method: 'INVITE', uri, headers: [['Route', route]] }, { signal }).outcome
  for (const [uri, route] of [
    ['sip:112@pbx', '<sip:pbx;lr>'],
    ['sip:144@pbx', '<sip:pbx;lr>'],
    ['sip:echo@pbx', '<sip:pbx;lr>, <sip:911@pbx;lr>'],
    ['urn:service:sos', '<sip:pbx;lr>'],
  ] as const) {
    const outcome = await invite(uri, route)
    t.equal(outcome.kind, 'refused', `${uri} by way of ${route}`)
  }
  t.equal((await invite('sip:echo@pbx', '<sip:pbx;lr>')).kind, 'timed-out')
  t.same(
    [...new Set(peer.requests.map((request) => request.split('\r\n', 1)[0]))],
    ['INVITE sip:echo@pbx SIP/2.0'],
  )
})

test('sound is encoded as G.711 has it', (t) => {
  // Pairs from the tables of ITU-T G.711, by another implementation (CPython's audioop).
  const samples = [0, 8, -8, 100, -100, 1000, -1000, 5000, -5000, 32_124, -32_124, 32_767, -32_768]
  const aLaw = [213, 213, 85, 211, 83, 250, 122, 134, 6, 170, 42, 170, 42]
  const muLaw = [255, 254, 126, 242, 114, 206, 78, 171, 43, 128, 0, 128, 0]
  t.same(
    samples.map((sample) => encodeG711('PCMA', sample)),
    aLaw,
  )
  t.same(
    samples.map((sample) => encodeG711('PCMU', sample)),
    muLaw,
  )
  t.end()
})

type Dress = 'plain' | 'escaped' | 'twice' | 'wide'

function dress(character: string, how: Dress): string {
  const code = character.charCodeAt(0)
  if (!/^\d$/.test(character) || how === 'plain') return character
  const escaped = `%${code.toString(16)}`
  if (how === 'escaped') return escaped
  return how === 'twice'
    ? escaped.replace('%', '%25')
    : String.fromCharCode(0xff10 + Number(character))
}

/** Marsaglia's xorshift. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}
