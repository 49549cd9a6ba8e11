import type { MeasurementName } from '../../common/measurement.ts'
import { SEVERITIES, type Breach } from './breach.ts'
import type { Chain, ChainNow } from './power/chain.ts'

/**
 * A service that has a check of its own is told of twice: by the rule on that check, and as a service that is down. One of the two is
 * told: that the service is down, for it says why; the check where people heard of that first and the other has no reason to add. That
 * a service for calls to the emergency services is down is always told.
 */

interface Check {
  readonly name: MeasurementName
  /** The label that says what was checked. */
  readonly label: string
}

const CHECKS: Readonly<Record<string, Check>> = {
  'test-call': { name: 'sip_call', label: 'target' },
  'trunk-down': { name: 'sip_options', label: 'trunk' },
  'registration-lost': { name: 'sip_registration', label: 'account' },
}
const SERVICE_DOWN = 'service-down'

type Asked = Pick<Chain, 'now' | 'servicesWatchedBy' | 'watchersOf'>

export class OwnChecks {
  readonly #chain: Asked

  constructor(chain: Asked) {
    this.#chain = chain
  }

  /** @returns object of the alert among the others that tells the same */
  explain(breach: Breach, others: readonly Breach[]): string | undefined {
    const teller =
      breach.rule === SERVICE_DOWN
        ? this.#checkThatTells(breach, others)
        : this.#serviceThatTells(breach, others)
    return teller?.object
  }

  /**
   * Whether a service is known to be down by what it checks: that will be told.
   * @param components what it is about, by id
   */
  isServiceDownDue(breach: Breach, components: readonly string[]): boolean {
    const { now } = this.#chain
    if (now === undefined || CHECKS[breach.rule] === undefined) return false
    const stopped = [...now.overlay.services.values()].filter(({ up }) => !up)
    return (
      this.#servicesOf(breach).some((id) => isDown(now, id)) ||
      stopped.some(({ because }) => because.flat().some((id) => components.includes(id)))
    )
  }

  #serviceThatTells(breach: Breach, others: readonly Breach[]): Breach | undefined {
    const services = this.#servicesOf(breach)
    if (services.length === 0) return undefined
    return others.find((other) => {
      if (other.rule !== SERVICE_DOWN || rank(other) < rank(breach)) return false
      const down = servicesIn(other)
      return services.every((id) => down.includes(id))
    })
  }

  /** Of a service that is down by its own checks only: the alert on one of these, when all who check were told of. */
  #checkThatTells(breach: Breach, others: readonly Breach[]): Breach | undefined {
    if (breach.evidence['causes'] !== '' || breach.labels['class'] !== undefined) return undefined
    const tellers = servicesIn(breach).map((id) => {
      const checks = others.filter(
        (other) => rank(other) >= rank(breach) && this.#servicesOf(other).includes(id),
      )
      const told = new Set(checks.map(({ labels }) => labels['agent']))
      return this.#chain.watchersOf(id).every((agent) => told.has(agent)) ? checks[0] : undefined
    })
    return tellers.includes(undefined) ? undefined : tellers[0]
  }

  /** The services it is the own check of, by id; none where a call comes up and sounds bad: that is no service that is down. */
  #servicesOf({ rule, labels, evidence }: Breach): readonly string[] {
    const check = CHECKS[rule]
    const target = labels[check?.label ?? '']
    if (check === undefined || target === undefined) return []
    if ((evidence['fault'] ?? 'set-up') !== 'set-up') return []
    const { agent = '' } = labels
    return this.#chain.servicesWatchedBy({ name: check.name, tags: { target, agent } })
  }
}

function servicesIn({ evidence }: Breach): readonly string[] {
  return String(evidence['services'] ?? '').split(' ')
}

function isDown({ overlay, serviceWatches }: ChainNow, id: string): boolean {
  return overlay.services.get(id)?.up === false || serviceWatches.get(id)?.state === 'down'
}

function rank({ severity }: Breach): number {
  return SEVERITIES.indexOf(severity)
}
