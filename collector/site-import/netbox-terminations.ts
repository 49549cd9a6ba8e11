import { z } from 'zod'
import { modelNamed, type NetboxModel, type NetboxRecord } from './netbox-records.ts'

/** What power goes in or out by in NetBox: feeds of panels, inlets and outlets of devices; and the cables between them. */

const POWER = ['powerfeed', 'powerport', 'poweroutlet'] as const
type PowerModel = (typeof POWER)[number]

export interface Termination {
  readonly model: PowerModel
  readonly name: string
  /** Of an inlet or outlet: the device it is in. Of a feed: its panel. */
  readonly parent: string
  /** Absent where only a cable speaks of it. */
  readonly record: NetboxRecord | undefined
}

export interface CableRead {
  /** Inlet and what it is plugged into. */
  readonly edges: readonly (readonly [port: Termination, upstream: Termination])[]
  readonly problems: readonly { readonly record: NetboxRecord; readonly message: string }[]
  /** Cables of data, of no interest here. */
  readonly others: number
}

const named = z.looseObject({ name: z.string() })
const reference = z.looseObject({
  id: z.union([z.number(), z.string()]).optional(),
  name: z.string().optional(),
  device: z.unknown().optional(),
  power_panel: z.unknown().optional(),
})
const termination = z.looseObject({
  object_type: z.string(),
  object_id: z.union([z.number(), z.string()]).nullish(),
  object: z.unknown().optional(),
})
const UNUSED_CABLES = /planned|decommission/i

/** The name of what a field refers to: { id, name } of the API, the name itself in a table. */
export function nameIn(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  const read = named.safeParse(value)
  return read.success ? read.data.name : ''
}

export class Terminations {
  readonly #byId = new Map<string, Termination>()
  readonly #byName = new Map<string, Termination>()
  readonly #feeds = new Map<string, Termination[]>()

  constructor(records: readonly NetboxRecord[]) {
    for (const record of records) {
      const model = powerModel(record.model)
      if (model === undefined) continue
      const { id, name } = record.fields
      const found = { model, name: nameIn(name), parent: parentOf(model, record.fields), record }
      if (id !== undefined) this.#byId.set(`${model} ${nameIn(id)}`, found)
      this.#byName.set(nameKey(model, found.parent, found.name), found)
      if (model === 'powerfeed')
        this.#feeds.set(found.name, [...(this.#feeds.get(found.name) ?? []), found])
    }
  }

  get all(): readonly Termination[] {
    return [...this.#byName.values()]
  }

  readCables(records: readonly NetboxRecord[]): CableRead {
    const edges: (readonly [Termination, Termination])[] = []
    const problems: { record: NetboxRecord; message: string }[] = []
    let others = 0
    const seen = new Set<string>()
    const join = (a: Termination, b: Termination): boolean => {
      const [port, upstream] = a.model === 'powerport' ? [a, b] : [b, a]
      if (port.model !== 'powerport' || upstream.model === 'powerport') return false
      const key = [port, upstream].map((it) => nameKey(it.model, it.parent, it.name)).join('\n')
      if (!seen.has(key)) edges.push([port, upstream])
      seen.add(key)
      return true
    }
    for (const record of records) {
      if (record.model === 'cable') {
        const [a, b] = this.#endsOf(record)
        const status = nameIn(record.fields['status'])
        const [first] = a
        const [second] = b
        if (first === undefined || second === undefined) {
          if (this.#isOfPower(record))
            problems.push({
              record,
              message: `${cableName(record)}: an end of it is not in the export: export power ports, outlets and feeds too`,
            })
          else others++
        } else if (UNUSED_CABLES.test(status))
          problems.push({ record, message: `${cableName(record)} is ${status}: not drawn` })
        else
          for (const one of a)
            for (const other of b)
              if (!join(one, other))
                problems.push({
                  record,
                  message: `${cableName(record)} joins ${wordFor(one)} and ${wordFor(other)}: power goes from an outlet or a feed to an inlet`,
                })
      } else for (const [a, b] of this.#peersOf(record)) join(a, b)
    }
    return { edges, problems, others }
  }

  #endsOf({ fields }: NetboxRecord): readonly [readonly Termination[], readonly Termination[]] {
    const end = (side: 'a' | 'b'): readonly Termination[] => {
      const listed = z.array(termination).safeParse(fields[`${side}_terminations`])
      if (listed.success)
        return listed.data.flatMap(({ object_type, object_id, object }) => {
          const model = powerModel(modelNamed(object_type))
          return model === undefined ? [] : (this.#find(model, object_id, object) ?? [])
        })
      const device = nameIn(fields[`side_${side}_device`])
      const model = powerModel(modelNamed(nameIn(fields[`side_${side}_type`])))
      const names = nameIn(fields[`side_${side}_name`] ?? fields[`${side}_terminations`])
      const parent = device === '' ? nameIn(fields[`side_${side}_power_panel`]) : device
      return names
        .split(',')
        .map((it) => it.trim())
        .filter((it) => it !== '')
        .flatMap((it) => this.#named(model, parent, it) ?? [])
    }
    return [end('a'), end('b')]
  }

  /** What a port says of what it is plugged into. */
  #peersOf({ model, fields }: NetboxRecord): readonly (readonly [Termination, Termination])[] {
    const own = powerModel(model)
    if (own === undefined) return []
    const self = this.#byName.get(nameKey(own, parentOf(own, fields), nameIn(fields['name'])))
    return (['link_peer', 'connected_endpoint'] as const).flatMap((key) => {
      const peer = powerModel(
        modelNamed(nameIn(fields[`${key}s_type`] ?? fields[`${key}_type`] ?? '')),
      )
      const peers = fields[`${key}s`] ?? fields[key]
      if (peer === undefined || self === undefined) return []
      const list: readonly unknown[] = Array.isArray(peers) ? peers : [peers]
      return list.flatMap((it) => {
        const { id } = reference.safeParse(it).data ?? {}
        const found = this.#find(peer, id, it)
        return found === undefined ? [] : [[self, found] as const]
      })
    })
  }

  #find(model: PowerModel, id: unknown, object: unknown): Termination | undefined {
    const known = this.#byId.get(`${model} ${nameIn(id)}`)
    if (known !== undefined) return known
    const { name, device, power_panel } = reference.safeParse(object).data ?? {}
    if (name === undefined) return undefined
    const parent = nameIn(model === 'powerfeed' ? power_panel : device)
    const key = nameKey(model, parent, name)
    const same = this.#byName.get(key)
    if (same !== undefined || (parent === '' && model !== 'powerfeed')) return same
    const stub = { model, name, parent, record: undefined }
    this.#byName.set(key, stub)
    return stub
  }

  #named(model: PowerModel | undefined, parent: string, name: string): Termination | undefined {
    for (const candidate of model === undefined ? POWER : [model]) {
      const found = this.#byName.get(nameKey(candidate, parent, name))
      if (found !== undefined) return found
      // A table does not say the panel of a feed.
      if (candidate === 'powerfeed' && parent === '') {
        const feeds = this.#feeds.get(name) ?? []
        if (feeds.length === 1) return feeds[0]
      }
    }
    return undefined
  }

  #isOfPower({ fields }: NetboxRecord): boolean {
    const said = JSON.stringify([
      ...['a_terminations', 'b_terminations', 'side_a_type', 'side_b_type', 'type'].map(
        (key) => fields[key],
      ),
    ])
    return /power/i.test(said)
  }
}

/** "outlet 3 of pdu-a" */
export function wordFor({ model, name, parent }: Termination): string {
  const words = { powerfeed: 'feed', powerport: 'inlet', poweroutlet: 'outlet' } as const
  return `${words[model]} ${name}${parent === '' ? '' : ` of ${parent}`}`
}

function parentOf(model: PowerModel, fields: NetboxRecord['fields']): string {
  return nameIn(model === 'powerfeed' ? fields['power_panel'] : fields['device'])
}

function powerModel(model: NetboxModel | undefined): PowerModel | undefined {
  return POWER.find((it) => it === model)
}

function nameKey(model: PowerModel, parent: string, name: string): string {
  return `${model}\n${parent}\n${name}`
}

function cableName({ fields }: NetboxRecord): string {
  const name = nameIn(fields['label']) || nameIn(fields['display']) || nameIn(fields['id'])
  return name === '' ? 'a cable' : `cable ${name}`
}
