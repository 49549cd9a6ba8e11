import type { Breach } from '../evaluate/breach.ts'
import { lasting, percent, utcMinute } from '../evaluate/words.ts'
import type { NotificationKind } from './notifier.ts'

/** What a person gets to read: one line for the lock screen, and the facts in the order in which they are asked for at 03:00. */
export interface Message {
  readonly title: string
  readonly text: string
}

/** More than a phone shows in one glance; nothing is cut below this. */
const MAX_TITLE = 120

/** What to do first, by rule. */
const ADVICE: Readonly<Record<string, string>> = {
  'path-loss':
    'look for drops, errors and load on this segment, then call its owner; what lies beyond it did not cause this loss',
  'call-loss': 'look at the one phone or line this call uses: its cable, its Wi-Fi, its port',
  'sensor-suspected':
    'look at the mirror port or tap: does it carry more than it can? until then believe neither its losses nor its silence',
  'path-jitter': 'look for full links, Wi-Fi and missing priority (DSCP) on this segment',
  'path-mos': 'look at loss, jitter and the codec of the worst stream',
  'path-effective-loss':
    'packets come, but too late to be played: look for full links, Wi-Fi and missing priority on this segment',
  'clear-rtp': 'see why these calls are not encrypted: the phone, its profile, the trunk',
  'call-media':
    'look at NAT, firewall and media addresses between these two; the signalling is well',
  'media-stopped':
    'the sound of calls that are up is gone: look at links, ports and the gateway of this segment at once, then call its owner',
  'call-stopped': 'look at the one phone or line this call uses; it may have been unplugged',
  'tap-blind':
    'see whether the capture runs, has its rights and keeps up; until it does, nothing is known of the calls there',
  'site-cut-off':
    'call somebody at the site: is there power? then the line; what its alerts said before is unknown now',
  'emergency-call': 'send somebody to the door, and to the caller; keep the line free',
  'emergency-readiness':
    'until it is ready again, tell people there to use a mobile phone for emergencies',
  'trunk-down': 'call the owner of the trunk; see whether calls go over another one meanwhile',
  'test-call':
    'call the number yourself; no call: trunk, route, account; silence: NAT, firewall, media addresses; loss: the direction named',
  'registration-lost':
    'see whether the registrar knows the account and its password is right; do not try in a hurry: retries lock it out',
  'registration-lapsing': 'see whether the phone has power and network: it does not refresh',
  'registrations-below-expected':
    'look at what the missing phones share: a switch, its power, a network, a registrar',
  'registrations-overdue':
    'look at what the phones that do not refresh share: a switch, its power, a network, a registrar',
  'setup-failures': 'look at the response codes of this peer; 503 means that it is full or down',
  'certificate-expiring': 'renew the certificate, on every server of the name',
  'toll-fraud':
    'block the account now, then its password; ask afterwards whether somebody really called there',
  'account-takeover': 'ask the owner of the account; if in doubt block it and change its password',
  'password-guessing': 'block the source; if it was let in, block the account too',
  'spoofed-identity': 'let the border refuse calls from outside under numbers of your own',
  'sip-flood': 'block the source, or limit its rate, before it reaches the server',
  'sip-scan': 'block the source; see whether this port has to be open to it at all',
  'distributed-scan':
    'see whether this port has to be open to all; let it in only from where your people and carriers are',
  'unknown-device': 'ask whether somebody has put up this phone',
  'device-changed': 'ask whether a phone was exchanged or its firmware renewed',
  'clear-sip': 'see why this is not over TLS: the phone, its profile, the trunk',
  'agent-isolated': 'look at the network of the agent itself before believing what it misses',
  'test-unanswered': 'see whether the target is up and its reflector runs, then the way to it',
  'service-down':
    'people cannot call this way now: tell them another one, then call the owner of the cause',
  'power-event':
    'see whether the whole street is dark; call the owner of the power, and shed what is not needed before the batteries run out',
  'redundancy-lost': 'nothing is down yet: have it mended before the next failure',
  'component-down': 'see whether it has power and network; what hangs on it comes back with it',
  'design-change':
    'see whether it is meant so; accept it in the site file with name, reason and review date, or draw a second one',
  'paper-redundancy':
    'move load to other feeds, or have both carry more, before one of them is lost',
  'design-drift':
    'look for what they share: a power strip, a breaker, a patch cable, a switch behind them; draw it in the site file',
  'ups-on-battery': 'see whether the mains is gone or its breaker has tripped',
  'ups-transfers': 'ask facilities what disturbs the mains; each transfer wears the battery',
  'ups-low-battery': 'it falls within minutes: shut down what would not survive it',
  'ups-no-output': 'go to it: it was switched off, tripped, or failed',
  'ups-no-backup': 'the next dip of the mains takes its load down: call its maintenance',
  'ups-overload': 'take load off it; on battery it would switch off at once',
  'ups-over-temperature': 'look at the cooling of its room, and at its fans',
  'battery-old': 'order a battery; put its date in the site file when it is in',
  'power-blind':
    'do not trust what it said last: see whether its card, its server and the network to it run',
  'ats-redundancy': 'look at the feed that is lost: its breaker, its UPS',
  'pdu-overload': 'move load to another bank before its breaker trips',
  'pdu-outlet-off': 'see who switched it off; switch it on again unless it is meant so',
  'poe-budget': 'see what the switch feeds; emergency phones should have priority critical',
  'poe-port':
    'look at the phone and its cable; several at once: at the switch and its power supply',
  'agent-silent': 'see whether the machine has power and network, then whether the agent runs',
}

/** @param nameOf what people call a party */
export function messageOf(
  kind: NotificationKind,
  breach: Breach,
  link: string,
  nameOf: (party: string) => string = (party) => party,
): Message {
  const title = titleOf(kind, breach)
  const { labels, evidence } = breach
  const worst = evidence['worst_stream']
  const worstPath = evidence['worst_path']
  const advice = adviceOn(breach)
  const lines = [
    `${kind === 'firing' ? '' : `${kind}: `}${breach.summary}`,
    `Where: ${placeOf(breach)}`,
    worst === undefined
      ? ''
      : `Streams over the limit: ${evidence['streams_over']} of ${evidence['streams']}; worst: ${worst}`,
    worstPath === undefined ? '' : `Worst path: ${worstPath} streams`,
    ...factsOf(breach),
    `Since: ${utcMinute(breach.sinceUs)}${durationOf(breach, 'for')}`,
    `Severity: ${breach.severity}`,
    `Owner: ${nameOf(labels['owner'] ?? 'unknown')}`,
    kind === 'resolved' || advice === undefined ? '' : `To do: ${advice}`,
    link === '' ? '' : `Evidence: ${link}`,
  ]
  return { title, text: lines.filter((line) => line !== '').join('\n') }
}

/** What somebody needs who has to go there, or to call somebody who does. */
function factsOf({ labels, evidence }: Breach): readonly string[] {
  const { component, label, place, circuit, serial, contract } = labels
  const battery = labels['battery_installed']
  const thing = [
    component === undefined || label === undefined ? '' : `${component} is ${label}`,
    place === undefined ? '' : `at ${place}`,
    circuit === undefined ? '' : `circuit ${circuit}`,
    serial === undefined ? '' : `serial ${serial}`,
    battery === undefined ? '' : `battery of ${battery}`,
  ].filter((fact) => fact !== '')
  return [
    thing.length === 0 ? '' : `What: ${thing.join(', ')}`,
    contract === undefined ? '' : `Contract: ${contract}`,
    evidence['minutes_left'] === undefined ? '' : `Minutes left: ${evidence['minutes_left']}`,
    evidence['explains'] === undefined ? '' : `Explains: ${evidence['explains']}`,
  ]
}

/** What to do first about it. */
export function adviceOn({ rule }: Pick<Breach, 'rule'>): string | undefined {
  return ADVICE[rule]
}

function titleOf(kind: NotificationKind, breach: Breach): string {
  const title = {
    firing: `${breach.reopened ? 'again: ' : ''}${breach.severity === 'critical' ? 'CRITICAL ' : ''}${headlineOf(breach)}`,
    escalated: `WORSE ${breach.object}: ${breach.summary}`,
    resolved: `resolved: ${breach.object}${durationOf(breach, 'after')}`,
    ended: `ended: ${breach.object}: ${breach.summary}`,
  }[kind]
  return title.length <= MAX_TITLE ? title : `${title.slice(0, MAX_TITLE - 1)}…`
}

function headlineOf(breach: Breach): string {
  const { rule, object, summary, labels, evidence } = breach
  const { loss_ratio: loss, limit_ratio: limit, streams, streams_over: over } = evidence
  if (typeof loss !== 'number' || typeof limit !== 'number') return `${object}: ${summary}`
  if (rule === 'call-loss') return `${object}: one call loses ${percent(loss)}`
  const { segment = object } = labels
  const where = segment === object ? '' : ` on ${segment}`
  if (loss > limit) return `${object}: ${percent(loss)} loss (limit ${percent(limit)})${where}`
  return `${object}: ${over} of ${streams} streams over ${percent(limit)} loss${where}`
}

function placeOf({ object, labels }: Breach): string {
  const { segment, bearer, site, agent, source } = labels
  const details = [
    segment === undefined || segment === object ? '' : `measured on ${segment}`,
    bearer === undefined ? '' : `bearer ${bearer}`,
    source === 'test' ? 'by a test stream' : '',
    site === undefined ? '' : `site ${site}`,
    agent === undefined || object === `agent ${agent}` ? '' : `agent ${agent}`,
  ].filter((detail) => detail !== '')
  return [object, ...details].join(', ')
}

function durationOf({ closedUs, sinceUs }: Breach, word: 'for' | 'after'): string {
  return closedUs === undefined ? '' : `, ${word} ${lasting(closedUs - sinceUs)}`
}
