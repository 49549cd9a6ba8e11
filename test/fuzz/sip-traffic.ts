import { Datagram } from '../../agent/capture/datagram.ts'
import { messageFault } from '../../agent/sip/message-fault.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { IS_SIP } from '../../agent/sip/verdicts.ts'
import { DEFAULT_SIGNALLING } from '../../agent/signalling/default-options.ts'
import { signallingPoints } from '../../agent/signalling/signalling-points.ts'
import { SignallingWatch } from '../../agent/signalling/signalling-watch.ts'
import { complaintAbout } from '../../common/measurement.ts'
import { INVALID, VALID } from '../support/torture-messages.ts'
import { callMessages, sipText } from '../support/sip-messages.ts'
import type { FuzzTarget } from './fuzz.ts'

const TAKE_EVERY = 64
const STEP_US = 700_000
const OCTET_BITS = 8

const watch = new SignallingWatch({ ...DEFAULT_SIGNALLING, accountKey: 'fuzz', seed: 1 })
const message = new SipMessage()
const datagram = new Datagram()
let timeUs = 1_700_000_000_000_000
let runs = 0

/** Messages between addresses the input chooses, and whether the points made of them fit the vocabulary. */
export const target: FuzzTarget = {
  name: 'sip-traffic',
  corpus: [
    ...callMessages().map(({ text }) => Buffer.from(text)),
    ...[...VALID, ...INVALID].map(({ bytes }) => Buffer.from(bytes)),
    Buffer.from(
      sipText([
        'SIP/2.0 200 OK',
        'Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa',
        'From: <sip:1@h>;tag=1',
        'To: <sip:1@h>;tag=2',
        'Call-ID: 1',
        'CSeq: 1 REGISTER',
        'Contact: <sip:1@10.0.0.1>;expires=60, "A, B" <sip:1@[::1]:5060>;expires=9',
      ]),
    ),
  ],
  words: [
    '\r\n',
    'REGISTER ',
    'INVITE ',
    'SIP/2.0 401 ',
    'SIP/2.0 200 ',
    'Contact: *',
    ';expires=0',
    ';branch=z9hG4bK',
    'Diversion: <sip:2@h>',
    'sip:112@',
    'sip:00900',
    'urn:service:sos',
    'Reason: Q.850;cause=34',
    'stale=true',
    ';tag=',
  ].map((word) => Buffer.from(word)),
  run: (input) => {
    timeUs += (input[0] ?? 0) * STEP_US
    const fault = message.parse(input, 0, input.length)
    if (fault === IS_SIP) {
      messageFault(message)
      datagram.ipVersion = (input[1] ?? 0) % 2 === 0 ? 4 : 6
      datagram.source.fill(((input.at(-1) ?? 0) << OCTET_BITS) | (input.length & 7))
      datagram.destination.fill((input.at(-2) ?? 0) & 7)
      watch.handle({ message, datagram, timeUs, isTcp: input.length % 2 === 0 })
    } else watch.refuse()
    if (++runs % TAKE_EVERY === 0) check()
  },
}

function check(): void {
  for (const { state, number } of watch.takeEvents())
    if (number === '' || state.length === 0) throw new Error('an event that says nothing')
  const interval = watch.takeInterval(timeUs)
  const frame = { endUs: timeUs, durationMs: 1, tap: undefined }
  for (const point of signallingPoints(interval, frame)) {
    const complaint = complaintAbout(point)
    if (complaint !== undefined) throw new Error(complaint)
    const isNegative = ([, value]: readonly [string, unknown]) => Number(value) < 0
    const [name] = Object.entries(point.fields).find(isNegative) ?? []
    if (name !== undefined) throw new Error(`${point.name}.${name} is below 0`)
  }
  for (const { counts } of interval.traffic) checkSums(counts)
}

/** Whatever comes, an attempt has one outcome. */
function checkSums(counts: Readonly<Record<string, number | undefined>>): void {
  const sum = (...names: readonly string[]) =>
    names.reduce((total, name) => total + (counts[name] ?? 0), 0)
  const outcomes = ['established', 'redirected', 'declined', 'cancelled', 'failed', 'abandoned']
  const sessions = sum(...outcomes.map((name) => `session_${name}`))
  if (sum('session_attempts') !== sessions) throw new Error('sessions do not add up')
  const registrations = sum('registration_ok', 'registration_failed', 'registration_abandoned')
  if (sum('registration_attempts') !== registrations) throw new Error('attempts do not add up')
  const classes = [1, 2, 3, 4, 5, 6].map((first) => `responses_${first}xx`)
  if (sum('messages') !== sum('requests', ...classes)) throw new Error('messages do not add up')
}
