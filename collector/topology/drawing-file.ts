import { z } from 'zod'
import { closest } from '../../common/closest.ts'
import { isMeasurementName, measurementNames } from '../../common/measurement.ts'
import { duration, name, ratio } from '../../common/settings.ts'
import type { Component, Drawing, Service } from './dependency.ts'
import { compile, type Complaint, type Model } from './model.ts'
import { needsInFile } from './need-file.ts'

/** The part of the site file that says what calling depends on: components, groups, services, accepted single points. */

const MAX_TEXT = 200
const MS_PER_S = 1000
const DAY = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/
/** Services whose id or label says so are for emergencies, unless the file says otherwise. */
const EMERGENCY = /(?:^|[^0-9])112(?:$|[^0-9])|emergency|alarm|noodnummer/i

const text = z.string().min(1).max(MAX_TEXT)
const day = z.string().regex(DAY, 'expected a day such as 2027-05-31')
const seconds = duration.transform((ms) => ms / MS_PER_S)

const measurementName = z.string().transform((value, context) => {
  if (isMeasurementName(value)) return value
  const near = closest(value, measurementNames())
  const hint = near === undefined ? '' : `, did you mean "${near}"?`
  context.issues.push({ code: 'custom', message: `no such measurement${hint}`, input: value })
  return z.NEVER
})

const watch = z.strictObject({
  measurement: measurementName,
  target: z.string().min(1),
  agent: name.optional(),
})

const component = z.strictObject({
  kind: z.string().min(1).default('component'),
  needs: needsInFile.prefault([]),
  /** false: it has no failure of its own. */
  fails: z.boolean().default(true),
  watch: watch.optional(),
  owner: name.optional(),
  site: name.optional(),
  label: text.optional(),
  /** Building, room, rack. */
  place: text.optional(),
  circuit: text.optional(),
  serial: text.optional(),
  contract: text.optional(),
  'battery-installed': day.optional(),
  /** Of a battery or a UPS: how long it was designed to carry its load. */
  runtime: seconds.optional(),
  /** Of a generator: from the loss of the mains to its power. */
  start: seconds.optional(),
  /** Of a generator: how long its fuel lasts. */
  fuel: seconds.optional(),
  /** Of a device: from power to service. */
  boot: seconds.optional(),
  'capacity-w': z.number().positive().optional(),
  watts: z.number().nonnegative().optional(),
  /** How many alike it stands for: 24 phones. */
  count: z.int().min(1).optional(),
  /** Of a link: the two it joins. */
  links: z.tuple([name, name]).optional(),
  poe: z
    .strictObject({
      'budget-w': z.number().positive().optional(),
      port: z.int().min(1).optional(),
      priority: z.enum(['critical', 'high', 'low']).optional(),
    })
    .optional(),
  /** Share of time it is failed, where somebody knows. */
  'failure-probability': z.number().min(0).max(1).optional(),
})

const service = z.strictObject({
  needs: needsInFile.prefault([]),
  label: text.optional(),
  /** The site whose people use it. */
  serves: name.optional(),
  owner: name.optional(),
  /** Share of time it is promised to work. */
  promise: ratio.optional(),
  /** How long it should work without mains. */
  'hold-up': seconds.optional(),
  /** Calls to the emergency services; where not said, what its id or label says. */
  emergency: z.boolean().optional(),
  watch: watch.optional(),
})

/** Things that fail together for a cause nobody draws: a room, a firmware, a duct. */
const group = z.strictObject({
  kind: z.string().min(1).default('group'),
  label: text.optional(),
  owner: name.optional(),
  place: text.optional(),
  members: z.array(name).min(1),
})

const acceptance = z.strictObject({ by: text, reason: text, review: day })

/** Keys of the site file. */
export const drawingKeys = {
  components: z.record(name, component).default({}),
  groups: z.record(name, group).default({}),
  services: z.record(name, service).default({}),
  /** Single points of failure that somebody answers for, by component. */
  accepted: z.record(name, acceptance).default({}),
}

export interface DrawingFile {
  readonly components: Readonly<Record<string, z.output<typeof component>>>
  readonly groups: Readonly<Record<string, z.output<typeof group>>>
  readonly services: Readonly<Record<string, z.output<typeof service>>>
  readonly accepted: Readonly<Record<string, z.output<typeof acceptance>>>
}

/** What a drawing in the file means, or what is wrong with it. */
export function readDrawing(file: DrawingFile): {
  readonly model: Model | undefined
  readonly complaints: readonly Complaint[]
} {
  const complaints = [...groupComplaints(file), ...acceptanceComplaints(file)]
  const compiled = compile(drawingOf(file))
  const found = (compiled.complaints ?? []).map((complaint) => withHint(complaint, file))
  return { model: compiled.model, complaints: [...complaints, ...found] }
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

function componentOf(
  id: string,
  read: z.output<typeof component>,
  causes: readonly string[],
): Component {
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

function serviceOf(id: string, read: z.output<typeof service>): Service {
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

function watchOf({
  measurement,
  target,
  agent,
}: z.output<typeof watch>): NonNullable<Component['watch']> {
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

function groupComplaints({ components, groups }: DrawingFile): readonly Complaint[] {
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
              message: undeclared(member, Object.keys(components)),
            },
          ],
    ),
  ])
}

function acceptanceComplaints(file: DrawingFile): readonly Complaint[] {
  const known = [...Object.keys(file.components), ...Object.keys(file.groups)]
  const ids = new Set(known)
  return Object.keys(file.accepted)
    .filter((id) => !ids.has(id))
    .map((id) => ({ path: ['accepted', id], message: undeclared(id, known) }))
}

/** What is meant may be spelt almost alike. */
function withHint(complaint: Complaint, { components, groups }: DrawingFile): Complaint {
  const id = /^"(.*)" is not declared under components$/.exec(complaint.message)?.[1]
  if (id === undefined) return complaint
  return { ...complaint, message: undeclared(id, Object.keys({ ...components, ...groups })) }
}

function undeclared(id: string, known: readonly string[]): string {
  const near = closest(id, known)
  const hint = near === undefined ? '' : `, did you mean "${near}"?`
  return `"${id}" is not declared under components${hint}`
}
