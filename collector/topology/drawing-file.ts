import { closest } from '../../common/closest.ts'
import type { Component, Drawing, Service } from './dependency.ts'
import type { ComponentInFile, DrawingFile, ServiceInFile, WatchInFile } from './drawing-schema.ts'
import { compile, type Complaint, type Model } from './model.ts'

/** Looking for what was meant takes time for every id there is: so many mistakes get a hint. */
const MAX_HINTS = 20
/** Services whose id or label says so are for emergencies, unless the file says otherwise. */
const EMERGENCY = /(?:^|[^0-9])112(?:$|[^0-9])|emergency|alarm|noodnummer/i

/** What a drawing in the file means, or what is wrong with it. */
export function readDrawing(file: DrawingFile): {
  readonly model: Model | undefined
  readonly complaints: readonly Complaint[]
} {
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
    for (const member of members) causes.set(member, [...(causes.get(member) ?? []), id])
  return {
    components: new Map(
      [
        ...Object.entries(components).map(([id, read]) =>
          componentOf(id, read, causes.get(id) ?? []),
        ),
        ...Object.entries(groups).map(([id, { kind, label, owner, place }]) => ({
          ...{ id, kind, needs: [], fails: true },
          ...withoutUndefined({ label, owner, place }),
        })),
      ].map((it) => [it.id, it]),
    ),
    services: new Map(Object.entries(services).map(([id, read]) => [id, serviceOf(id, read)])),
    accepted: new Map(Object.entries(accepted)),
  }
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
