import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items } from './snapshot.ts'
import { percent } from './words.ts'

/** An older word says nothing of the moment in which the site fell silent. */
const JUST_BEFORE_US = 5 * 60_000_000
const MAX_SUPPLIES = 10_000

const supplySchema = z.object({
  key: z.string(),
  site: z.string(),
  agent: z.string(),
  name: z.string(),
  /** Of the machine the agent runs on; else a UPS, which speaks for itself. */
  isOfMachine: z.boolean(),
  timeUs: z.number(),
  /** A UPS on mains or on battery; an adapter that gives power or does not; a battery that is drained or spared. */
  says: z.enum(['fed', 'lost', 'drained', 'spared']),
  chargeRatio: z.number().exactOptional(),
})

type Supply = z.output<typeof supplySchema>

/** What the power supplies of each site last said: on mains, or on its batteries. */
export class SitePower {
  /** The one heard from longest ago first. */
  readonly #supplies = new Map<string, Supply>()

  constructor(restored: unknown) {
    for (const supply of items(supplySchema, restored)) this.#supplies.set(supply.key, supply)
  }

  observe({ name, tags, fields, timeUs }: Measurement): void {
    if (name !== 'ups' && name !== 'power_supply') return
    const isOfMachine = name === 'power_supply'
    const says = isOfMachine ? readSupply(fields) : readUps(fields)
    const { site = '', agent = '', target = name } = tags
    const key = `${agent} ${name} ${target}`
    const known = this.#supplies.get(key)
    if (site === '' || (known !== undefined && known.timeUs > timeUs)) return
    // What is not known of a UPS any more is asked of what it said last; a battery that says nothing is out of the question.
    if (says === undefined && !isOfMachine) return
    this.#supplies.delete(key)
    if (says === undefined) return
    for (const oldest of this.#supplies.keys()) {
      if (this.#supplies.size < MAX_SUPPLIES) break
      this.#supplies.delete(oldest)
    }
    const charge = fields['charge_ratio']
    this.#supplies.set(known?.key ?? copyOf(key), {
      key: known?.key ?? copyOf(key),
      site: known?.site ?? copyOf(site),
      agent: known?.agent ?? copyOf(agent),
      name: known?.name ?? copyOf(target),
      ...{ isOfMachine, timeUs, says },
      ...(typeof charge === 'number' ? { chargeRatio: charge } : {}),
    })
  }

  /** "ups-1 was on battery, 12 % charge left"; 'mains' when all that was heard of was on mains; undefined when nothing was. */
  before(site: string, silentSinceUs: number): string | undefined {
    const known = [...this.#supplies.values()].filter(
      (supply) => supply.site === site && supply.timeUs >= silentSinceUs - JUST_BEFORE_US,
    )
    const own = known.filter(({ isOfMachine }) => isOfMachine)
    const machines = [...new Set(own.map(({ agent }) => agent))]
    const onBattery =
      known.find(({ isOfMachine, says }) => !isOfMachine && says === 'drained') ??
      machines.flatMap((it) => failureOf(own.filter(({ agent }) => agent === it)) ?? [])[0]
    if (onBattery === undefined) return known.length > 0 ? 'mains' : undefined
    const { name, chargeRatio } = onBattery
    const left = chargeRatio === undefined ? '' : `, ${percent(chargeRatio)} charge left`
    return `${name} was on battery${left}`
  }

  get memory(): readonly Supply[] {
    return [...this.#supplies.values()]
  }
}

type Fields = Measurement['fields']
type Says = Supply['says']

/**
 * Of all supplies of one machine, the one it runs down on; undefined while it is fed. One of several adapters is enough, and one that is
 * out beside a battery that is spared says only that the machine is fed by USB, which is no supply of its own to the kernel.
 */
function failureOf(supplies: readonly Supply[]): Supply | undefined {
  const saying = (word: Says) => supplies.find(({ says }) => says === word)
  if (saying('fed') !== undefined) return undefined
  return saying('drained') ?? (saying('spared') === undefined ? saying('lost') : undefined)
}

/** Undefined where nobody knows: a value gone stale is not a state. */
function readUps(fields: Fields): Says | undefined {
  if (fields['comms_lost'] === true) return undefined
  if (fields['low_battery'] === true || fields['forced_shutdown'] === true) return 'drained'
  const { line } = fields
  if (line === 'battery' || line === 'off') return 'drained'
  return line === 'online' || line === 'bypass' ? 'fed' : undefined
}

const SPARED: ReadonlySet<unknown> = new Set(['charging', 'full', 'not charging'])

function readSupply({ kind, online, status }: Fields): Says | undefined {
  if (kind === 'mains') {
    if (typeof online !== 'boolean') return undefined
    return online ? 'fed' : 'lost'
  }
  if (status === 'discharging') return 'drained'
  return SPARED.has(status) ? 'spared' : undefined
}
