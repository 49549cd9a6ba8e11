import { z } from 'zod'
import { Families } from '../topology/cut-sets.ts'
import type { Topology } from '../topology/site.ts'
import type { Breach } from './breach.ts'
import type { Chain } from './power/chain.ts'
import type { ChangeKind } from './rule.ts'
import { items, parts } from './snapshot.ts'

/**
 * A cause mutes its consequences: when a UPS is off, people are told of it and not of the ten phones behind it. Only a component observed
 * failed, of which people have been told, mutes anything; what is merely unknown or concluded mutes nothing. Calls to the emergency
 * services and services that are down are never muted.
 */

/** Never muted: what people have to know whatever the cause is. */
const NEVER: ReadonlySet<string> = new Set([
  'service-down',
  'power-event',
  'emergency-call',
  'emergency-readiness',
  'toll-fraud',
])

const mutedSchema = z.object({ fingerprint: z.string(), cause: z.string() })

export class Inhibition {
  readonly #chain: Pick<Chain, 'now' | 'watchedBy'>
  readonly #topology: () => Topology
  /** Fingerprints of alerts nobody was told of, and the component that explains each. */
  readonly #muted = new Map<string, string>()

  constructor(
    restored: unknown,
    chain: Pick<Chain, 'now' | 'watchedBy'>,
    topology: () => Topology,
  ) {
    this.#chain = chain
    this.#topology = topology
    for (const { fingerprint, cause } of items(mutedSchema, parts(restored)['muted']))
      this.#muted.set(fingerprint, cause)
  }

  get memory(): unknown {
    return { muted: [...this.#muted].map(([fingerprint, cause]) => ({ fingerprint, cause })) }
  }

  /** The component that explains a change nobody needs to be told of; undefined for one that is to be told. */
  explain(kind: ChangeKind, breach: Breach, open: readonly Breach[]): string | undefined {
    const { fingerprint } = breach
    const known = this.#muted.get(fingerprint)
    if (kind === 'resolved' || kind === 'ended') {
      // Its firing was told of, or it was not: so is its end.
      this.#muted.delete(fingerprint)
      return known
    }
    const cause = this.#causeOf(breach, open)
    // What was told of goes on being told of.
    if (cause === undefined || (kind === 'escalated' && known === undefined)) {
      this.#muted.delete(fingerprint)
      return undefined
    }
    this.#muted.set(fingerprint, cause)
    return cause
  }

  explanationOf({ fingerprint }: Breach): string | undefined {
    return this.#muted.get(fingerprint)
  }

  /** Alerts that fire still although what explained them does not any more. */
  release(open: readonly Breach[]): readonly Breach[] {
    if (this.#muted.size === 0) return []
    const released: Breach[] = []
    const firing = new Map(open.map((breach) => [breach.fingerprint, breach]))
    for (const [fingerprint] of this.#muted) {
      const breach = firing.get(fingerprint)
      if (breach === undefined) {
        this.#muted.delete(fingerprint)
        continue
      }
      if (this.#causeOf(breach, open) !== undefined) continue
      this.#muted.delete(fingerprint)
      if (breach.state === 'firing') released.push(breach)
    }
    return released
  }

  #causeOf(breach: Breach, open: readonly Breach[]): string | undefined {
    const now = this.#chain.now
    if (now === undefined || NEVER.has(breach.rule)) return undefined
    const components = this.#componentsOf(breach)
    if (components.length === 0) return undefined
    const { model } = now.live
    const told = new Set(
      open
        .filter(({ state, fingerprint }) => state === 'firing' && !this.#muted.has(fingerprint))
        .filter(({ fingerprint }) => fingerprint !== breach.fingerprint)
        .flatMap((other) => this.#componentsOf(other)),
    )
    const observed = now.overlay.failed.filter(({ isObserved, id }) => isObserved && told.has(id))
    for (const id of components) {
      const index = model.indexOf.get(id)
      const entry = index === undefined ? undefined : model.components[index]
      if (entry === undefined) return undefined
      const suspects = new Set(
        observed
          .flatMap((failed) => model.indexOf.get(failed.id) ?? [])
          .filter((it) => it !== index),
      )
      const [why] = new Families(model, 2, { suspects }).cutSets(entry.needs).sets
      const [first] = why ?? []
      if (first !== undefined) return first
    }
    return undefined
  }

  /** What an alert is about, in components of the drawing. */
  #componentsOf({ labels }: Breach): readonly string[] {
    const { component, agent, trunk, account, target } = labels
    if (component !== undefined) return [component]
    const watched = [
      ...(trunk === undefined ? [] : this.#watching('sip_options', trunk, agent)),
      ...(account === undefined ? [] : this.#watching('sip_registration', account, agent)),
      ...(target === undefined ? [] : this.#watching('ping', target, agent)),
    ]
    if (watched.length > 0) return watched
    const machine = agent === undefined ? undefined : this.#topology().machineOf(agent)
    return machine === undefined ? [] : [machine]
  }

  #watching(
    name: 'sip_options' | 'sip_registration' | 'ping',
    target: string,
    agent = '',
  ): readonly string[] {
    return this.#chain.watchedBy({ name, tags: { target, agent } })
  }
}
