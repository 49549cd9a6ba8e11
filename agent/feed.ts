import type { FarewellCause } from '../common/farewell.ts'
import type { FieldValue, Measurement } from '../common/measurement.ts'

export type PowerCause = Extract<FarewellCause, 'on-battery' | 'low-battery'>

export interface FeedOptions {
  /** Targets of `ups` that feed this machine; with two supplies it runs on until both fail. */
  readonly ups: readonly string[]
  /** At what farewell is said. */
  readonly on: readonly PowerCause[]
  /** Of the machine's own battery: this much charge is low. */
  readonly lowChargeRatio: number
}

/** The machine runs on a battery. */
export interface PowerFailure {
  readonly cause: PowerCause
  /** The supply that says so. */
  readonly power: string
  readonly chargeRatio?: number | undefined
  readonly runtimeS?: number | undefined
}

type Fields = Readonly<Record<string, FieldValue>>
/** undefined: on mains. */
type Supplies = readonly (PowerFailure | undefined)[]

const SEVERITY: Readonly<Record<PowerCause, number>> = { 'on-battery': 1, 'low-battery': 2 }

/**
 * What feeds the machine the agent runs on: its own supplies as the kernel knows them, and the UPSes the configuration names. A supply
 * nobody hears of says nothing: the others decide.
 */
export class Feed {
  readonly #options: FeedOptions
  readonly #own = new Map<string, Fields>()
  readonly #ups = new Map<string, PowerFailure | undefined>()
  readonly #heard = new Set<string>()
  /** Of what farewell was said for; 0 on mains. */
  #said = 0

  constructor(options: FeedOptions) {
    this.#options = options
  }

  /** Takes what probes measured. Gives what to say farewell for, once per outage and once more when it gets worse. */
  observe(points: readonly Measurement[]): PowerFailure | undefined {
    const { ups, on } = this.#options
    let isConcerned = false
    for (const { name, tags, fields } of points) {
      const { target = '' } = tags
      if (name === 'power_supply') this.#own.set(target, fields)
      else if (name === 'ups' && ups.includes(target)) this.#takeUps(target, fields)
      else continue
      isConcerned = true
    }
    if (!isConcerned) return undefined
    const failure = this.failure
    if (failure === undefined) {
      this.#said = 0
      return undefined
    }
    const severity = SEVERITY[failure.cause]
    if (severity <= this.#said || !on.includes(failure.cause)) return undefined
    this.#said = severity
    return failure
  }

  /** The state now; undefined on mains, and where nothing is known. */
  get failure(): PowerFailure | undefined {
    return worst([this.#ownFailure(), this.#upsFailure()])
  }

  /** Of the UPSes named, those no probe has given so far: perhaps misspelt. */
  get unheard(): readonly string[] {
    return this.#options.ups.filter((target) => !this.#heard.has(target))
  }

  #takeUps(target: string, fields: Fields): void {
    this.#heard.add(target)
    const { line, comms_lost: isLost } = fields
    if (isLost !== true && line !== 'unknown') this.#ups.set(target, upsFailure(target, fields))
    // Lost from sight while it ran down, it still does; on mains before, nobody knows.
    else if (this.#ups.get(target) === undefined) this.#ups.delete(target)
  }

  #upsFailure(): PowerFailure | undefined {
    const known = [...this.#ups.values()]
    // With one of them on mains the machine is fed; with all failing it lasts as long as the better one.
    if (known.length === 0 || known.includes(undefined)) return undefined
    return best(known)
  }

  #ownFailure(): PowerFailure | undefined {
    const supplies = [...this.#own]
    const mains = supplies.filter(
      ([, { kind, online }]) => kind === 'mains' && typeof online === 'boolean',
    )
    const batteries = supplies.filter(([, { kind }]) => kind !== 'mains')
    const [draining] = batteries.filter(([, fields]) => isDraining(fields))
    // An adapter that is out beside a battery that is not drained: it is fed by USB.
    const isFed = mains.some(([, { online }]) => online === true) || batteries.some(isKept)
    if (draining === undefined && (isFed || mains.length === 0)) return undefined
    if (mains.some(([, { online }]) => online === true)) return undefined
    const [lost] = mains
    const [name, fields = {}] = draining ?? batteries[0] ?? []
    const { charge_ratio: charge, runtime_s: runtime } = fields
    const chargeRatio = typeof charge === 'number' ? charge : undefined
    const isLow = chargeRatio !== undefined && chargeRatio <= this.#options.lowChargeRatio
    return {
      cause: isLow ? 'low-battery' : 'on-battery',
      // What the collector sees come back when it is over.
      power: lost?.[0] ?? name ?? '',
      chargeRatio,
      runtimeS: typeof runtime === 'number' ? runtime : undefined,
    }
  }
}

function upsFailure(target: string, fields: Fields): PowerFailure | undefined {
  const isLow = ['low_battery', 'forced_shutdown', 'shutdown_pending'].some(
    (name) => fields[name] === true,
  )
  const isOnPurpose = fields['self_testing'] === true || fields['calibrating'] === true
  const isOnBattery = fields['line'] === 'battery'
  // A low battery on mains endangers nothing yet; a shutdown ordered on mains does.
  const isOrdered = fields['forced_shutdown'] === true || fields['shutdown_pending'] === true
  if (!isOrdered && (!isOnBattery || (isOnPurpose && !isLow))) return undefined
  const { charge_ratio: charge, runtime_left_s: left, runtime_s: runtime } = fields
  const time = left ?? runtime
  return {
    cause: isLow ? 'low-battery' : 'on-battery',
    power: target,
    chargeRatio: typeof charge === 'number' ? charge : undefined,
    runtimeS: typeof time === 'number' ? time : undefined,
  }
}

function isKept([, { status }]: readonly [string, Fields]): boolean {
  return status === 'charging' || status === 'full' || status === 'not charging'
}

function isDraining({ kind, online, status }: Fields): boolean {
  return status === 'discharging' || (kind === 'ups' && online === false)
}

function worst(failures: Supplies): PowerFailure | undefined {
  return bySeverity(failures).at(-1)
}

function best(failures: Supplies): PowerFailure | undefined {
  return bySeverity(failures)[0]
}

function bySeverity(failures: Supplies): readonly PowerFailure[] {
  return failures
    .filter((failure) => failure !== undefined)
    .sort((a, b) => SEVERITY[a.cause] - SEVERITY[b.cause])
}
