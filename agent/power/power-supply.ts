import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { strictNumber } from './strict-number.ts'

/** Where Linux shows mains, batteries and UPSes of the machine itself (kernel: ABI/testing/sysfs-class-power). */
export const POWER_SUPPLY_FOLDER = '/sys/class/power_supply'

const KINDS: Readonly<Record<string, PowerSupply['kind']>> = {
  Mains: 'mains',
  Battery: 'battery',
  UPS: 'ups',
}
const MAX_SUPPLIES = 32
const PERCENT = 100
const S_PER_H = 3600

/** One supply of the machine; what the kernel does not say is absent. */
export interface PowerSupply {
  readonly name: string
  readonly kind: 'mains' | 'battery' | 'ups'
  /** Power comes in. */
  readonly online?: boolean | undefined
  /** charging, discharging, not charging, full or unknown. */
  readonly status?: string | undefined
  readonly chargeRatio?: number | undefined
  readonly runtimeS?: number | undefined
}

/** Every supply that powers the machine; none where the kernel knows none, which is not the same as mains being well. */
export async function readPowerSupplies(
  folder = POWER_SUPPLY_FOLDER,
): Promise<readonly PowerSupply[]> {
  const names = await readdir(folder).catch(() => [])
  const supplies = await Promise.all(
    names
      .sort()
      .slice(0, MAX_SUPPLIES)
      .map(async (name) => readSupply(name, await readFacts(join(folder, name)))),
  )
  return supplies.filter((supply) => supply !== undefined)
}

function readSupply(name: string, facts: ReadonlyMap<string, string>): PowerSupply | undefined {
  const kind = KINDS[facts.get('TYPE') ?? '']
  // The battery of a mouse or a headset powers nothing that matters; an empty battery bay powers nothing at all.
  if (kind === undefined || facts.get('SCOPE') === 'Device' || facts.get('PRESENT') === '0') {
    return undefined
  }
  const online = facts.get('ONLINE')
  const charge = strictNumber(facts.get('CAPACITY'))
  return {
    name,
    kind,
    // 2 is a supply that can be programmed, and present.
    online: online === undefined || !/^[012]$/.test(online) ? undefined : online !== '0',
    status: kind === 'mains' ? undefined : facts.get('STATUS')?.toLowerCase(),
    chargeRatio:
      charge !== undefined && charge >= 0 && charge <= PERCENT ? charge / PERCENT : undefined,
    runtimeS: facts.get('STATUS') === 'Discharging' ? runtimeFrom(facts) : undefined,
  }
}

/** What the kernel estimates, else what is left over what is drawn: in µWh and µW, or in µAh and µA. */
function runtimeFrom(facts: ReadonlyMap<string, string>): number | undefined {
  const number = (name: string): number | undefined => strictNumber(facts.get(name))
  const estimate = number('TIME_TO_EMPTY_NOW')
  if (estimate !== undefined && estimate > 0) return estimate
  for (const [left, drawn] of [
    [number('ENERGY_NOW'), number('POWER_NOW')],
    [number('CHARGE_NOW'), number('CURRENT_NOW')],
  ]) {
    // Some drivers count a current out of the battery as negative.
    if (left !== undefined && left >= 0 && drawn !== undefined && drawn !== 0) {
      return Math.round((left / Math.abs(drawn)) * S_PER_H)
    }
  }
  return undefined
}

/** `uevent` holds all of a supply's facts in one read: they belong together. */
async function readFacts(folder: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(folder, 'uevent'), 'utf8').catch(() => '')
  const facts = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^POWER_SUPPLY_([A-Z0-9_]+)=(.*)$/.exec(line)
    if (match?.[1] !== undefined && match[2] !== undefined) facts.set(match[1], match[2].trim())
  }
  // Older kernels leave type and scope out of uevent.
  for (const name of ['type', 'scope']) {
    if (facts.has(name.toUpperCase())) continue
    const value = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (value !== undefined) facts.set(name.toUpperCase(), value.trim())
  }
  return facts
}
