import { z } from 'zod'
import type { Topology } from '../topology/site.ts'
import { SEVERITIES, type Breach } from './breach.ts'
import { Dark } from './dark.ts'
import type { Chain, ChainNow } from './power/chain.ts'
import { bootUs, coneOfComponent, isNewsDue } from './power/fragility.ts'
import { OwnChecks } from './own-checks.ts'
import type { ChangeKind } from './rule.ts'
import { items, parts } from './snapshot.ts'

/**
 * A cause mutes its consequences: when a UPS is off, people are told of it and not of the ten phones behind it. Only a component observed
 * failed, of which people are told, mutes anything; what is merely unknown or concluded mutes nothing. Calls to the emergency services
 * and whatever is about fraud are never muted; a service that is down only where its own check has told that already.
 */

/** About single things, which may be without what they need. Whatever is not here is never muted. */
const CONSEQUENCES: ReadonlySet<string> = new Set([
  ...['trunk-down', 'registration-lost', 'registration-lapsing', 'test-call', 'test-unanswered'],
  ...['agent-silent', 'agent-isolated', 'site-cut-off', 'tap-blind', 'component-down'],
  ...['ups-no-output', 'ups-no-backup', 'power-blind', 'ats-redundancy', 'pdu-outlet-off'],
  ...['poe-budget', 'poe-port'],
])
/** About the phones of a site together. */
const OF_PHONES: ReadonlySet<string> = new Set([
  'registrations-below-expected',
  'registrations-overdue',
])
/** About an agent, and with it about the machine it runs on. */
const OF_AGENTS: ReadonlySet<string> = new Set([
  ...['agent-silent', 'agent-isolated', 'site-cut-off', 'tap-blind'],
])
/** These tell of an event as a whole, with all that caused it. */
const EVENTS: ReadonlySet<string> = new Set(['service-down', 'power-event', 'redundancy-lost'])
/** Parts of an event: whoever is told of the event needs no second word. */
const PARTS: ReadonlySet<string> = new Set([
  ...['ups-on-battery', 'ups-low-battery', 'ups-no-output', 'ups-no-backup', 'ats-redundancy'],
  ...['pdu-outlet-off', 'poe-budget', 'component-down', 'trunk-down', 'redundancy-lost'],
  ...['test-call', 'registration-lost'],
])

/** Of the drawing, or of wear: they do not say that a component fails now. */
const NOT_OF_NOW: ReadonlySet<string> = new Set([
  ...['design-change', 'design-drift', 'paper-redundancy', 'battery-old'],
])

/** A cause that is observed is told of within this: its alert has a hold of its own. */
const TOLD_WITHIN_US = 60_000_000
/** What was without power comes back on its own: so long after its cause is gone, and however long it takes to boot. */
const SETTLE_US = 60_000_000
/** Over only after several good checks: told again not before another one failed. */
const SLOW_TO_HEAL: ReadonlySet<string> = new Set(['test-call'])
/** For a reading of what stands behind what failed: it is polled at once. */
const NEWS_US = 5_000_000
const PHONE = /phone/i

const mutedSchema = z.object({
  fingerprint: z.string(),
  /** Object of the alert that explains it. */
  cause: z.string(),
  /** Since when nothing explains it any more. */
  bareUs: z.number().exactOptional(),
})
const waitingSchema = z.object({ fingerprint: z.string(), sinceUs: z.number() })

type Muted = z.output<typeof mutedSchema>

/** To be told, to be muted by what, or to be decided when a reading that is under way is in. */
export type Verdict = 'tell' | 'wait' | { readonly explainedBy: string }

type Asked = Pick<Chain, 'now' | 'watchedBy' | 'siteOf' | 'servicesWatchedBy' | 'watchersOf'>

export class Inhibition {
  readonly #chain: Asked
  readonly #checks: OwnChecks
  readonly #topology: () => Topology
  /** Alerts nobody was told of, by fingerprint. */
  readonly #muted = new Map<string, Muted>()
  /** Alerts nobody was told of yet: fingerprint, and since when. */
  readonly #waiting = new Map<string, number>()
  /** What was worked out last: alerts come in crowds. */
  #dark: Dark | undefined

  constructor(restored: unknown, chain: Asked, topology: () => Topology) {
    this.#chain = chain
    this.#checks = new OwnChecks(chain)
    this.#topology = topology
    const memory = parts(restored)
    for (const muted of items(mutedSchema, memory['muted']))
      this.#muted.set(muted.fingerprint, muted)
    for (const { fingerprint, sinceUs } of items(waitingSchema, memory['waiting']))
      this.#waiting.set(fingerprint, sinceUs)
  }

  get memory(): unknown {
    const waiting = [...this.#waiting].map(([fingerprint, sinceUs]) => ({ fingerprint, sinceUs }))
    return { muted: [...this.#muted.values()], waiting }
  }

  /** What is to become of a change. The end of what was told is told, the end of what was not is not. */
  judge(kind: ChangeKind, breach: Breach, open: readonly Breach[], nowUs: number): Verdict {
    const { fingerprint } = breach
    const known = this.#muted.get(fingerprint)
    const isWaiting = this.#waiting.has(fingerprint)
    if (kind === 'resolved' || kind === 'ended') {
      this.#muted.delete(fingerprint)
      this.#waiting.delete(fingerprint)
      if (known !== undefined) return { explainedBy: known.cause }
      return isWaiting ? 'wait' : 'tell'
    }
    // What was told of goes on being told of.
    if (kind === 'escalated' && known === undefined && !isWaiting) return 'tell'
    const explainedBy = this.#explain(breach, open)
    if (explainedBy !== undefined) {
      this.#muted.set(fingerprint, { fingerprint, cause: explainedBy })
      this.#waiting.delete(fingerprint)
      return { explainedBy }
    }
    if (kind === 'firing' && this.#isNewsDue(breach)) {
      this.#waiting.set(fingerprint, nowUs)
      return 'wait'
    }
    if (isWaiting) return 'wait'
    this.#muted.delete(fingerprint)
    return 'tell'
  }

  /** Object of the alert that explains it; undefined where nothing does. */
  explanationOf({ fingerprint }: Breach): string | undefined {
    return this.#muted.get(fingerprint)?.cause
  }

  /** What is to be told now: news came in or did not, or what explained an alert is gone and it is still there. */
  release(open: readonly Breach[], nowUs: number): readonly Breach[] {
    if (this.#muted.size + this.#waiting.size === 0) return []
    const firing = new Map(
      open.filter(({ state }) => state === 'firing').map((breach) => [breach.fingerprint, breach]),
    )
    return [
      ...this.#releaseWaiting(firing, open, nowUs),
      ...this.#releaseMuted(firing, open, nowUs),
    ]
  }

  #releaseWaiting(
    firing: ReadonlyMap<string, Breach>,
    open: readonly Breach[],
    nowUs: number,
  ): readonly Breach[] {
    const told: Breach[] = []
    for (const [fingerprint, sinceUs] of this.#waiting) {
      const breach = firing.get(fingerprint)
      const cause = breach === undefined ? undefined : this.#explain(breach, open)
      const isDue = nowUs - sinceUs >= NEWS_US || nowUs < sinceUs
      if (breach !== undefined && cause === undefined && !isDue && this.#isNewsDue(breach)) continue
      this.#waiting.delete(fingerprint)
      if (cause !== undefined) this.#muted.set(fingerprint, { fingerprint, cause })
      else if (breach !== undefined) told.push(breach)
    }
    return told
  }

  #releaseMuted(
    firing: ReadonlyMap<string, Breach>,
    open: readonly Breach[],
    nowUs: number,
  ): readonly Breach[] {
    const told: Breach[] = []
    for (const [fingerprint, muted] of this.#muted) {
      const breach = firing.get(fingerprint)
      if (breach === undefined) {
        this.#muted.delete(fingerprint)
        continue
      }
      const cause = this.#explain(breach, open)
      if (cause !== undefined) {
        this.#muted.set(fingerprint, { fingerprint, cause })
        continue
      }
      const bareUs = Math.min(muted.bareUs ?? nowUs, nowUs)
      this.#muted.set(fingerprint, { ...muted, bareUs })
      if (nowUs - bareUs < this.#settleUs(breach)) continue
      if (SLOW_TO_HEAL.has(breach.rule) && breach.updatedUs <= bareUs) continue
      this.#muted.delete(fingerprint)
      told.push(breach)
    }
    return told
  }

  /** Object of the open alert that makes this one superfluous. */
  #explain(breach: Breach, open: readonly Breach[]): string | undefined {
    const now = this.#chain.now
    if (now === undefined) return undefined
    const others = open.filter(
      ({ state, fingerprint }) =>
        state === 'firing' &&
        fingerprint !== breach.fingerprint &&
        !this.#muted.has(fingerprint) &&
        !this.#waiting.has(fingerprint),
    )
    return (
      this.#checks.explain(breach, others) ??
      this.#eventOf(breach, others) ??
      this.#causeOf(breach, others, now)
    )
  }

  /** The alert on the event that this is a part of. */
  #eventOf(breach: Breach, others: readonly Breach[]): string | undefined {
    if (!PARTS.has(breach.rule)) return undefined
    const components = this.#componentsOf(breach)
    const devices = Number(breach.evidence['devices'] ?? 1)
    // Some of them are not drawn: the event knows nothing of these.
    if (components.length === 0 || components.length < devices) return undefined
    return others.find((event) => {
      if (!EVENTS.has(event.rule) || rank(event) < rank(breach)) return false
      if (breach.rule === 'redundancy-lost' && event.rule !== 'service-down') return false
      // What touches calls to the emergency services is muted by nothing that does not say so.
      if (breach.labels['class'] !== undefined && event.labels['class'] === undefined) return false
      const causes = idsIn(event.evidence['causes'])
      return components.every((id) => causes.includes(id))
    })?.object
  }

  /** The alert on a component without which this could not work. */
  #causeOf(breach: Breach, others: readonly Breach[], now: ChainNow): string | undefined {
    const isOfPhones = OF_PHONES.has(breach.rule)
    if (!isOfPhones && !CONSEQUENCES.has(breach.rule)) return undefined
    const tellers = new Map<string, string>()
    for (const other of others) {
      if (NOT_OF_NOW.has(other.rule)) continue
      // A notice wakes nobody: what would is not muted by it.
      if (other.severity === 'notice' && breach.severity !== 'notice') continue
      for (const id of this.#componentsOf(other)) tellers.set(id, other.object)
    }
    const observed = now.overlay.failed
      .filter(({ isObserved }) => isObserved)
      .filter(({ id, sinceUs }) => tellers.has(id) || now.atUs - sinceUs < TOLD_WITHIN_US)
      .map(({ id }) => id)
    if (observed.length === 0) return undefined
    const isSame = this.#dark?.now.live === now.live && this.#dark.key === observed.join(' ')
    const dark = isSame && this.#dark !== undefined ? this.#dark : new Dark(now, observed)
    this.#dark = dark
    const tell = (id: string): string => tellers.get(id) ?? id
    if (isOfPhones) {
      const cause = dark.phones(this.#phonesOf(breach, now), Number(breach.evidence['missing']))
      return cause === undefined ? undefined : tell(cause)
    }
    const components = this.#componentsOf(breach)
    const causes = components.map((id) => dark.causeOf(id))
    const [first] = causes
    return first === undefined || causes.includes(undefined) ? undefined : tell(first)
  }

  #isNewsDue(breach: Breach): boolean {
    const now = this.#chain.now
    if (now === undefined || !CONSEQUENCES.has(breach.rule)) return false
    const components = this.#componentsOf(breach)
    if (this.#checks.isServiceDownDue(breach, components)) return true
    return components.length > 0 && isNewsDue(now, components, breach.sinceUs)
  }

  /** How long what it is about needs to be back once its cause is gone; a cause that came to light is told at once. */
  #settleUs(breach: Breach): number {
    if (breach.rule === 'service-down' && breach.evidence['causes'] !== '') return 0
    return SETTLE_US + this.#bootUs(breach)
  }

  #bootUs(breach: Breach): number {
    const model = this.#chain.now?.live.model
    if (model === undefined) return 0
    const behind = this.#componentsOf(breach).flatMap((id) => [...coneOfComponent(model, id)])
    return bootUs(model, behind)
  }

  #phonesOf({ labels }: Breach, { live }: ChainNow): readonly { id: string; count: number }[] {
    const { site = '' } = labels
    return [...live.model.drawing.components.values()]
      .filter(({ kind }) => PHONE.test(kind))
      .filter(({ id, site: drawn }) => (drawn ?? this.#chain.siteOf(id) ?? site) === site)
      .map(({ id, count = 1 }) => ({ id, count }))
  }

  /** What an alert is about, in components of the drawing. */
  #componentsOf({ rule, labels, evidence }: Breach): readonly string[] {
    if (EVENTS.has(rule)) return idsIn(evidence['causes'])
    const several = idsIn(evidence['components'])
    if (several.length > 0) return several
    const { component, agent, trunk, account, target } = labels
    if (component !== undefined) return [component]
    const watched = [
      ...(trunk === undefined ? [] : this.#watching('sip_options', trunk, agent)),
      ...(account === undefined ? [] : this.#watching('sip_registration', account, agent)),
      ...(target === undefined
        ? []
        : this.#watching(rule === 'test-call' ? 'sip_call' : 'ping', target, agent)),
    ]
    if (watched.length > 0) return watched
    if (agent === undefined || !OF_AGENTS.has(rule)) return []
    const machine = this.#topology().machineOf(agent)
    return machine === undefined ? [] : [machine]
  }

  #watching(
    name: 'sip_options' | 'sip_registration' | 'sip_call' | 'ping',
    target: string,
    agent = '',
  ): readonly string[] {
    return this.#chain.watchedBy({ name, tags: { target, agent } })
  }
}

function idsIn(value: number | string | undefined): readonly string[] {
  return String(value ?? '')
    .split(' ')
    .filter((id) => id !== '')
}

function rank({ severity }: Breach): number {
  return SEVERITIES.indexOf(severity)
}
