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
  name: z.string(),
  timeUs: z.number(),
  isOnMains: z.boolean(),
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
    const isOnMains = name === 'ups' ? readUps(fields) : readSupply(fields)
    const { site = '', agent = '', target = name } = tags
    if (isOnMains === undefined || site === '') return
    const key = `${agent} ${name} ${target}`
    const known = this.#supplies.get(key)
    if (known !== undefined && known.timeUs > timeUs) return
    this.#supplies.delete(key)
    for (const oldest of this.#supplies.keys()) {
      if (this.#supplies.size < MAX_SUPPLIES) break
      this.#supplies.delete(oldest)
    }
    const charge = fields['charge_ratio']
    this.#supplies.set(known?.key ?? copyOf(key), {
      key: known?.key ?? copyOf(key),
      site: known?.site ?? copyOf(site),
      name: known?.name ?? copyOf(target),
      timeUs,
      isOnMains,
      ...(typeof charge === 'number' ? { chargeRatio: charge } : {}),
    })
  }

  /** "ups-1 was on battery, 12 % charge left"; 'mains' when all that was heard of was on mains; undefined when nothing was. */
  before(site: string, silentSinceUs: number): string | undefined {
    const known = [...this.#supplies.values()].filter(
      (supply) => supply.site === site && supply.timeUs >= silentSinceUs - JUST_BEFORE_US,
    )
    const onBattery = known.find(({ isOnMains }) => !isOnMains)
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

/** Undefined where nobody knows: a value gone stale is not a state. */
function readUps(fields: Fields): boolean | undefined {
  if (fields['comms_lost'] === true) return undefined
  if (fields['low_battery'] === true || fields['forced_shutdown'] === true) return false
  const { line } = fields
  if (line === 'battery' || line === 'off') return false
  return line === 'online' || line === 'bypass' ? true : undefined
}

function readSupply({ kind, online }: Fields): boolean | undefined {
  return kind === 'mains' && typeof online === 'boolean' ? online : undefined
}
