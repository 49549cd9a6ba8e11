import { closest } from '../../common/closest.ts'
import type { Component, Drawing, Need, Service } from './dependency.ts'
import type { ComponentInFile, DrawingFile, ServiceInFile, WatchInFile } from './drawing-schema.ts'
import { POWER } from './ups-parts.ts'
import { compile, type Complaint, type Model } from './model.ts'

/** Looking for what was meant takes time for every id there is: so many mistakes get a hint. */
const MAX_HINTS = 20
/** Services whose id or label says so are for emergencies, unless the file says otherwise. */
const EMERGENCY = /(?:^|[^0-9])112(?:$|[^0-9])|emergency|alarm|noodnummer/i

interface ReadDrawing {
  readonly model: Model | undefined
  readonly complaints: readonly Complaint[]
}

/** Who checks a file and who uses it ask the same of it. */
const READ = new WeakMap<DrawingFile, ReadDrawing>()

/** What a drawing in the file means, or what is wrong with it; worked out once for a file. */
export function readDrawing(file: DrawingFile): ReadDrawing {
  const known = READ.get(file)
  if (known !== undefined) return known
  const made = findDrawing(file)
  READ.set(file, made)
  return made
}

function findDrawing(file: DrawingFile): ReadDrawing {
  const ids = new Ids(file)
  const own = [
    ...groupComplaints(file, ids),
    ...linkComplaints(file, ids),
    ...serviceComplaints(file),
    ...acceptanceComplaints(file, ids),
  ]
  const compiled = compile(drawingOf(file))
  const found = (compiled.complaints ?? []).map(({ path, message }) => {
    const id = /^"(.*)" is not declared under components$/.exec(message)?.[1]
    return { path, message: id === undefined ? message : ids.undeclared(id) }
  })
  return { model: compiled.model, complaints: [...own, ...found] }
}

/** What is drawn, and what was meant by what is not. */
export class Ids {
  readonly #known: ReadonlySet<string>
  #hints = 0

  constructor({ components, groups }: Pick<DrawingFile, 'components' | 'groups'>) {
    this.#known = new Set([...Object.keys(components), ...Object.keys(groups)])
  }

  has(id: string): boolean {
    return this.#known.has(id)
  }

  undeclared(id: string): string {
    const near = this.#hints++ < MAX_HINTS ? closest(id, [...this.#known]) : undefined
    const hint =
      near === undefined ? ': draw it there, or correct the name' : `, did you mean "${near}"?`
    return `"${id}" is not declared under components${hint}`
  }
}

function drawingOf({ components, groups, services, accepted }: DrawingFile): Drawing {
  const causes = new Map<string, string[]>()
  for (const [id, { members }] of Object.entries(groups))
    for (const member of members) {
      const known = causes.get(member)
      if (known === undefined) causes.set(member, [id])
      else known.push(id)
    }
  const drawn = new Map<string, Component>()
  for (const [id, read] of Object.entries(components))
    drawn.set(id, componentOf(id, read, causes.get(id) ?? []))
  for (const [id, { kind, label, owner, place }] of Object.entries(groups)) {
    const rest = withoutUndefined({ label, owner, place })
    drawn.set(id, { id, kind, needs: [], fails: true, ...rest })
  }
  for (const ups of [...drawn.values()]) drawBattery(drawn, ups)
  return {
    components: drawn,
    services: new Map(Object.entries(services).map(([id, read]) => [id, serviceOf(id, read)])),
    accepted: new Map(Object.entries(accepted)),
  }
}

/**
 * A UPS that says how long it carries its load has a battery within. Where none is drawn, it is drawn here, as <id>-battery: the UPS needs
 * that or what feeds it.
 */
function drawBattery(drawn: Map<string, Component>, ups: Component): void {
  const { id, kind, needs, runtimeS, batteryInstalled, label } = ups
  const battery = `${id}-battery`
  if (kind !== 'ups' || runtimeS === undefined || drawn.has(battery)) return
  const named = needs.flatMap(idsIn)
  if (named.some((it) => drawn.get(it)?.kind === 'battery')) return
  const isFeed = (need: Need): boolean =>
    idsIn(need).every((it) => POWER.has(drawn.get(it)?.kind ?? ''))
  const feeds = needs.filter(isFeed)
  const [feed] = feeds.length > 1 ? [{ all: feeds }] : feeds
  if (feed === undefined) return
  drawn.set(battery, {
    ...{ id: battery, kind: 'battery', needs: [], fails: true, runtimeS },
    ...withoutUndefined({ owner: ups.owner, site: ups.site, place: ups.place, batteryInstalled }),
    label: `battery of ${label ?? id}`,
  })
  const others = needs.filter((need) => !isFeed(need))
  drawn.set(id, { ...ups, needs: [{ any: [feed, battery] }, ...others] })
}

function idsIn(need: Need): readonly string[] {
  if (typeof need === 'string') return [need]
  if ('any' in need) return need.any.flatMap(idsIn)
  if ('all' in need) return need.all.flatMap(idsIn)
  if ('of' in need) return need.of.flatMap(idsIn)
  return [need.path.from, need.path.to]
}

function componentOf(id: string, read: ComponentInFile, causes: readonly string[]): Component {
  const { poe } = read
  return {
    id,
    kind: read.kind,
    needs: [...read.needs, ...causes],
    fails: read.fails,
    ...withoutUndefined({
      watch: read.watch === undefined ? undefined : watchOf(read.watch),
      owner: read.owner,
      site: read.site,
      label: read.label,
      place: read.place,
      circuit: read.circuit,
      serial: read.serial,
      contract: read.contract,
      batteryInstalled: read['battery-installed'],
      runtimeS: read.runtime,
      startS: read.start,
      fuelS: read.fuel,
      bootS: read.boot,
      capacityW: read['capacity-w'],
      watts: read.watts,
      count: read.count,
      links: read.links,
      poe:
        poe === undefined
          ? undefined
          : withoutUndefined({
              budgetW: poe['budget-w'],
              port: poe.port,
              priority: poe.priority,
            }),
      failureProbability: read['failure-probability'],
    }),
  }
}

function serviceOf(id: string, read: ServiceInFile): Service {
  return {
    id,
    needs: read.needs,
    isEmergency: read.emergency ?? EMERGENCY.test(`${id} ${read.label ?? ''}`),
    ...withoutUndefined({
      label: read.label,
      serves: read.serves,
      owner: read.owner,
      promiseRatio: read.promise,
      holdUpS: read['hold-up'],
      watch: read.watch === undefined ? undefined : watchOf(read.watch),
    }),
  }
}

function watchOf({ measurement, target, agent }: WatchInFile): NonNullable<Component['watch']> {
  return { measurement, target, ...withoutUndefined({ agent }) }
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(from: T): Present<T> {
  const present: Present<T> = {}
  for (const key of keysOf(from)) {
    const value = from[key]
    if (value !== undefined) Object.assign(present, { [key]: value })
  }
  return present
}

function keysOf<T extends object>(from: T): (keyof T & string)[] {
  const keys: (keyof T & string)[] = []
  for (const key in from) keys.push(key)
  return keys
}

function groupComplaints({ components, groups }: DrawingFile, ids: Ids): readonly Complaint[] {
  return Object.entries(groups).flatMap(([id, { members }]) => [
    ...(Object.hasOwn(components, id)
      ? [{ path: ['groups', id], message: `"${id}" is a component too: give one another name` }]
      : []),
    ...members.flatMap((member, at) =>
      Object.hasOwn(components, member)
        ? []
        : [
            {
              path: ['groups', id, 'members', at],
              message: Object.hasOwn(groups, member)
                ? `"${member}" is a group: name its members here`
                : ids.undeclared(member),
            },
          ],
    ),
  ])
}

function linkComplaints({ components }: DrawingFile, ids: Ids): readonly Complaint[] {
  return Object.entries(components).flatMap(([id, { links }]) => {
    if (links === undefined) return []
    const path = ['components', id, 'links']
    if (links[0] === links[1])
      return [{ path, message: 'it joins a thing to itself: name the two it joins' }]
    return links.flatMap((end, at) =>
      ids.has(end) ? [] : [{ path: [...path, at], message: ids.undeclared(end) }],
    )
  })
}

function serviceComplaints({ services }: DrawingFile): readonly Complaint[] {
  return Object.entries(services)
    .filter(([, { needs }]) => needs.length === 0)
    .map(([id]) => ({
      path: ['services', id],
      message:
        'it hangs in the air: list under needs what must work for it, such as needs: [sw-1, pbx]',
    }))
}

function acceptanceComplaints({ accepted }: DrawingFile, ids: Ids): readonly Complaint[] {
  return Object.keys(accepted)
    .filter((id) => !ids.has(id))
    .map((id) => ({ path: ['accepted', id], message: ids.undeclared(id) }))
}
