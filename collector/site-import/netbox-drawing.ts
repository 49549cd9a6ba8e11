import { counted } from '../evaluate/words.ts'
import type { Need } from '../topology/dependency.ts'
import type { NetboxModel, NetboxRecord } from './netbox-records.ts'
import { nameIn, Terminations, wordFor, type Termination } from './netbox-terminations.ts'
import type { Note } from './note.ts'
import type { Imported } from './drawing-csv.ts'
import type { RawEntry } from './raw-site.ts'

/**
 * NetBox's picture of power as a drawing: panels, feeds (the groups of a panel), devices with their inlets and outlets, and who is plugged into
 * whom. What NetBox has no place for (the grid, batteries, what watches what, services) is for people to add.
 */

const MAX_ID = 64
/** NetBox reckons with it too: PowerFeed.available_power. */
const SQRT_3 = 1.732
const PERCENT = 100
/** Its default. */
const MAX_UTILIZATION = 80
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\bups\b|noodstroom/i, 'ups'],
  [/\bats\b|\bsts\b|transfer/i, 'ats'],
  [/\bpdu\b|power.?strip|power.?distribution/i, 'pdu'],
  [/generator|aggregaat/i, 'generator'],
  [/switch/i, 'switch'],
  [/router|firewall/i, 'router'],
  [/\bi?pbx\b|telephon|telefoon/i, 'pbx'],
  [/gateway|\bsbc\b/i, 'gateway'],
  [/access.?point|wireless/i, 'access-point'],
  [/dect/i, 'dect'],
  [/\bntu\b|modem|\bcpe\b/i, 'ntu'],
  [/phone/i, 'phone'],
  [/server|hypervisor|host/i, 'server'],
]
/** Read, or of no meaning for power. */
const USED: Readonly<Record<NetboxModel, readonly string[]>> = {
  powerpanel: ['location', 'powerfeed_count'],
  powerfeed: [
    ...['power_panel', 'rack', 'status', 'type', 'supply', 'phase', 'voltage', 'amperage'],
    ...['max_utilization', 'location', 'available_power'],
  ],
  powerport: ['device', 'maximum_draw', 'allocated_draw', 'type'],
  poweroutlet: ['device', 'power_port', 'feed_leg', 'type', 'color'],
  cable: ['a_terminations', 'b_terminations', 'status', 'type', 'color', 'length', 'length_unit'],
  device: [
    ...[
      'device_type',
      'type',
      'role',
      'device_role',
      'serial',
      'location',
      'rack',
      'position',
      'status',
    ],
    ...['face', 'manufacturer', 'platform', 'primary_ip', 'primary_ip4', 'primary_ip6', 'airflow'],
  ],
}
const EVERYWHERE =
  /^(?:id|pk|url|display|display_url|name|site|label|created|last_updated|cable|cable_end|cable_color|link_peers?(?:_type)?|connected_endpoints?(?:_type|_reachable)?|mark_connected|_occupied|side_[ab]_.*|.*_count|rack_[ab]|location_[ab]|site_[ab])$/

export function drawNetbox(records: readonly NetboxRecord[]): Imported {
  return new NetboxDrawing(records).draw()
}

class NetboxDrawing {
  readonly #records: readonly NetboxRecord[]
  readonly #devices: ReadonlyMap<string, NetboxRecord>
  readonly #notes: Note[] = []
  readonly #components = new Map<string, RawEntry>()
  /** Ids given, by what they are given to. */
  readonly #ids = new Map<string, string>()
  readonly #taken = new Set<string>()

  constructor(records: readonly NetboxRecord[]) {
    this.#records = records
    this.#devices = new Map(
      records.flatMap((it) => (it.model === 'device' ? [[nameIn(it.fields['name']), it]] : [])),
    )
  }

  draw(): Imported {
    const terminations = new Terminations(this.#records)
    const { edges, problems, others } = terminations.readCables(this.#records)
    for (const { record, message } of problems) this.#note(message, record)
    const upstream = new Map<Termination, Termination[]>()
    for (const [port, source] of edges) upstream.set(port, [...(upstream.get(port) ?? []), source])
    const used = new Set(edges.map(([, source]) => source))
    this.#drawPanels(terminations.all)
    for (const feed of terminations.all.filter(({ model }) => model === 'powerfeed'))
      this.#drawFeed(feed)
    this.#drawDevices(terminations.all, upstream, used)
    if (others > 0) this.#note(`${counted(others, 'cable')} of data: left out`)
    this.#tellUnused()
    if (this.#components.size > 0)
      this.#note(
        'NetBox does not know the grid, batteries, watches and services: add what feeds each panel, the battery of each UPS, and services',
      )
    const nothing = new Map<string, RawEntry>()
    return {
      drawing: {
        ...{ components: this.#components, groups: nothing },
        ...{ services: nothing, accepted: nothing },
      },
      notes: this.#notes,
    }
  }

  #drawPanels(all: readonly Termination[]): void {
    const records = this.#records.filter(({ model }) => model === 'powerpanel')
    for (const { fields } of records)
      this.#add(`panel ${nameIn(fields['name'])}`, nameIn(fields['name']), {
        kind: 'panel',
        site: siteOf(fields),
        place: text(nameIn(fields['location'])),
      })
    for (const { model, parent } of all)
      if (model === 'powerfeed' && parent !== '' && !this.#ids.has(`panel ${parent}`))
        this.#add(`panel ${parent}`, parent, { kind: 'panel' })
  }

  #drawFeed(feed: Termination): void {
    const { fields = {} } = feed.record ?? {}
    const status = nameIn(fields['status']).toLowerCase()
    if (status === 'planned') {
      this.#note(`${wordFor(feed)} is planned: not drawn`, feed.record)
      return
    }
    if (status === 'failed' || status === 'offline')
      this.#note(
        `${wordFor(feed)} is ${status}: drawn as if it worked; "power --fail" shows what that means`,
        feed.record,
      )
    const type = nameIn(fields['type']).toLowerCase()
    const [volts, amperes] = [numberIn(fields['voltage']), numberIn(fields['amperage'])]
    const phases = /^three/i.test(nameIn(fields['phase'])) ? 'three-phase' : 'single-phase'
    const rating =
      volts === undefined || amperes === undefined
        ? []
        : [`${phases} ${volts} V ${amperes} A ${nameIn(fields['supply']).toLowerCase()}`.trim()]
    const panel = this.#ids.get(`panel ${feed.parent}`)
    this.#add(keyOf(feed), `${feed.parent} ${feed.name}`.trim(), {
      kind: 'breaker',
      label: text([feed.name, ...(type === 'redundant' ? [type] : []), ...rating].join(', ')),
      site: siteOf(fields),
      place: text(nameIn(fields['rack'])),
      circuit: text(`${feed.parent} ${feed.name}`.trim()),
      'capacity-w': capacityOf(fields, volts, amperes, phases),
      needs: panel === undefined ? undefined : [panel],
    })
  }

  #drawDevices(
    all: readonly Termination[],
    upstream: ReadonlyMap<Termination, readonly Termination[]>,
    used: ReadonlySet<Termination>,
  ): void {
    const devices = new Map<string, { ports: Termination[]; outlets: Termination[] }>()
    for (const it of all) {
      if (it.model === 'powerfeed' || it.parent === '') continue
      const device = devices.get(it.parent) ?? { ports: [], outlets: [] }
      device[it.model === 'powerport' ? 'ports' : 'outlets'].push(it)
      devices.set(it.parent, device)
    }
    // Ids first: the order of the export is not that of the cables.
    for (const [name, { ports, outlets }] of devices) {
      this.#idFor(`device ${name}`, name)
      for (const outlet of outlets) this.#idFor(keyOf(outlet), `${name} ${outlet.name}`)
      if (ports.length > 1)
        for (const port of ports) this.#idFor(keyOf(port), `${name} ${port.name}`)
    }
    const anyOf: string[] = []
    for (const [name, { ports, outlets }] of devices) {
      const id = this.#idFor(`device ${name}`, name)
      const fed = (port: Termination): readonly string[] =>
        (upstream.get(port) ?? []).flatMap((it) => this.#ids.get(keyOf(it)) ?? [])
      for (const port of ports)
        if (!upstream.has(port))
          this.#note(`${wordFor(port)} is plugged into nothing: nothing feeds it`, port.record)
      const inlets = ports.length > 1 ? ports : []
      for (const port of inlets)
        this.#add(keyOf(port), `${name} ${port.name}`, {
          kind: outlets.length > 0 ? 'inlet' : 'psu',
          needs: some(fed(port)),
        })
      const named = inlets.flatMap((port) => this.#ids.get(keyOf(port)) ?? [])
      const isByOutlet = outlets.some((outlet) => this.#inletOf(outlet, inlets) !== undefined)
      if (named.length > 1 && !isByOutlet) anyOf.push(id)
      const needs: readonly Need[] =
        named.length === 0 ? ports.flatMap(fed) : isByOutlet ? [] : [{ any: named }]
      this.#add(`device ${name}`, name, {
        ...this.#device(name, outlets.length > 0),
        watts: draw(ports),
        needs: some(needs),
      })
      const idle = outlets.filter((outlet) => !used.has(outlet)).length
      if (idle > 0) this.#note(`${counted(idle, 'free outlet')} of ${name}: left out`)
      for (const outlet of outlets.filter((it) => used.has(it))) {
        const inlet = this.#inletOf(outlet, inlets)
        const leg = nameIn(outlet.record?.fields['feed_leg'])
        this.#add(keyOf(outlet), `${name} ${outlet.name}`, {
          kind: 'outlet',
          circuit: leg === '' ? undefined : `leg ${leg}`,
          needs: [id, ...(inlet === undefined ? [] : [this.#idFor(keyOf(inlet), '')])],
        })
      }
    }
    if (anyOf.length > 0)
      this.#note(
        `taken to work on any one of their supplies, which NetBox does not say: ${anyOf.join(', ')}`,
      )
  }

  /** The inlet an outlet says it is fed by. */
  #inletOf({ record }: Termination, inlets: readonly Termination[]): Termination | undefined {
    const name = nameIn(record?.fields['power_port'])
    return inlets.find((inlet) => inlet.name === name)
  }

  #device(name: string, hasOutlets: boolean): RawEntry {
    const record = this.#devices.get(name)
    const { fields = {} } = record ?? {}
    const role = nameIn(fields['role'] ?? fields['device_role'])
    const type = nameIn(fields['device_type'] ?? fields['type']) || modelOf(fields['device_type'])
    const status = nameIn(fields['status']).toLowerCase()
    if (record !== undefined && status !== '' && status !== 'active')
      this.#note(`${name} is ${status}: drawn as if it worked`, record)
    const unit = nameIn(fields['position'])
    const place = [
      nameIn(fields['location']),
      nameIn(fields['rack']),
      unit === '' ? '' : `U${unit}`,
    ].filter((part) => part !== '')
    return {
      kind:
        KINDS.find(([pattern]) => pattern.test(role))?.[1] ??
        KINDS.find(([pattern]) => pattern.test(`${name} ${type}`))?.[1] ??
        (hasOutlets ? 'pdu' : 'device'),
      site: siteOf(fields),
      place: text(place.join(' / ')),
      serial: text(nameIn(fields['serial'])),
    }
  }

  #add(key: string, name: string, entry: RawEntry): void {
    const id = this.#idFor(key, name)
    const label = entry['label'] ?? (id === name ? undefined : text(name))
    const { kind, ...rest } = entry
    const all = { kind, label, ...rest }
    this.#components.set(
      id,
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
    )
  }

  /** The id of a thing, given when it is first asked for: its name without what an id may not hold. */
  #idFor(key: string, name: string): string {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const plain = idOf(name)
    let id = plain
    for (let nr = 2; this.#taken.has(id); nr++) id = `${plain.slice(0, MAX_ID - 8)}-${nr}`
    if (id !== plain) this.#note(`${key}: the id ${plain} is taken, it is ${id}`)
    this.#ids.set(key, id)
    this.#taken.add(id)
    return id
  }

  #note(message: string, record?: NetboxRecord): void {
    const { file = 'NetBox', line, column } = record ?? {}
    const place = line === undefined || column === undefined ? {} : { line, column }
    this.#notes.push({ severity: 'note', file, ...place, message })
  }

  /** Fields with something in them that say nothing here. */
  #tellUnused(): void {
    const counts = new Map<string, number>()
    for (const { model, fields } of this.#records)
      for (const [field, value] of Object.entries(fields)) {
        if (EVERYWHERE.test(field) || USED[model].includes(field) || isEmpty(value)) continue
        const key = `${field} of ${model}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    for (const [key, count] of counts) this.#note(`not used: ${key} (${counted(count, 'record')})`)
  }
}

function keyOf({ model, parent, name }: Termination): string {
  return `${model} ${name} of ${parent}`
}

function idOf(name: string): string {
  const id = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, MAX_ID)
  return id === '' ? 'unnamed' : id
}

function siteOf(fields: NetboxRecord['fields']): string | undefined {
  const name = nameIn(fields['site'])
  return name === '' ? undefined : idOf(name)
}

function modelOf(deviceType: unknown): string {
  return typeof deviceType === 'object' && deviceType !== null && 'model' in deviceType
    ? nameIn(deviceType.model)
    : ''
}

/** What a panel can give on a feed, as NetBox works it out. */
function capacityOf(
  fields: NetboxRecord['fields'],
  volts: number | undefined,
  amperes: number | undefined,
  phases: string,
): number | undefined {
  if (volts === undefined || amperes === undefined) return undefined
  const share = (numberIn(fields['max_utilization']) ?? MAX_UTILIZATION) / PERCENT
  const watts = Math.round(
    Math.abs(volts) * amperes * share * (phases === 'three-phase' ? SQRT_3 : 1),
  )
  return watts > 0 ? watts : undefined
}

/** Each supply is entered with what it would carry alone. */
function draw(ports: readonly Termination[]): number | undefined {
  const draws = ports.flatMap(
    ({ record }) =>
      numberIn(record?.fields['allocated_draw']) ?? numberIn(record?.fields['maximum_draw']) ?? [],
  )
  return draws.length === 0 ? undefined : Math.max(...draws)
}

function numberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number.parseFloat(value.replace(',', '.')) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}

const MAX_TEXT = 200

function text(value: string): string | undefined {
  return value === '' ? undefined : value.slice(0, MAX_TEXT)
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isEmpty)
  return value === undefined || value === null || value === '' || value === false
}
