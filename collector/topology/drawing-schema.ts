import { z } from 'zod'
import { closest } from '../../common/closest.ts'
import { measurementNames } from '../../common/measurement.ts'
import { duration, name, ratio } from '../../common/settings.ts'
import { DAY_EXAMPLE, isDay } from './day.ts'
import { needsInFile } from './need-file.ts'

/**
 * How the site file says what calling depends on: components, groups, services, accepted single points. What describe() says is shown by
 * editors (`kiestoon-collector site schema`).
 */

const MAX_TEXT = 200
const MS_PER_S = 1000

const text = z.string().min(1).max(MAX_TEXT)
const day = z
  .string()
  .refine(isDay, `expected a day such as ${DAY_EXAMPLE}`)
  .meta({ pattern: String.raw`^\d{4}-\d{2}-\d{2}$` })
const seconds = duration.transform((ms) => ms / MS_PER_S)

const measurement = z.enum(measurementNames(), {
  error: ({ input }) => {
    if (input === undefined) return 'expected a measurement, such as ups or ping'
    const near = typeof input === 'string' ? closest(input, measurementNames()) : undefined
    return `no such measurement${near === undefined ? '' : `, did you mean "${near}"?`}`
  },
})

const watch = z
  .strictObject({
    measurement: measurement.describe('ups, ping, pdu_outlet ...: common/VOCABULARY.md'),
    target: z.string().min(1).describe('The target of the probe, as the agent has it'),
    agent: name.describe('Only as this agent measures it; else as any does').optional(),
  })
  .describe('Which measurement tells whether it works')

/** Kinds that rules, hints and pictures know. */
const KNOWN_KINDS = [
  ...['mains', 'generator', 'panel', 'breaker', 'ats', 'ups', 'inverter', 'rectifier', 'bypass'],
  ...['battery', 'pdu', 'outlet', 'psu', 'switch', 'poe', 'router', 'pbx', 'server', 'gateway'],
  ...[
    'trunk',
    'wan',
    'pstn-line',
    'ntu',
    'link',
    'phone',
    'access-point',
    'dect',
    'room',
    'cooling',
  ],
] as const

const component = z.strictObject({
  kind: z
    .string()
    .min(1)
    .meta({
      description: 'What it is: free text; these have a meaning',
      examples: [...KNOWN_KINDS],
    })
    .default('component'),
  needs: needsInFile.describe('What it needs to work; a list is joined by "and"').prefault([]),
  fails: z.boolean().describe('false: it has no failure of its own').default(true),
  watch: watch.optional(),
  owner: name.describe('A party: who mends it').optional(),
  site: name.describe('Where it is').optional(),
  label: text.describe('What people call it').optional(),
  place: text.describe('Building, room, rack').optional(),
  circuit: text.describe('The group or fuse it hangs on').optional(),
  serial: text.describe('Serial number').optional(),
  contract: text.describe('Who to call, under which number').optional(),
  'battery-installed': day.describe(`When its battery was put in: ${DAY_EXAMPLE}`).optional(),
  runtime: seconds
    .describe('Of a battery or a UPS: how long it was designed to carry its load: 30min')
    .optional(),
  start: seconds
    .describe('Of a generator: from the loss of the mains to its power: 15s')
    .optional(),
  fuel: seconds.describe('Of a generator: how long its fuel lasts: 8h').optional(),
  boot: seconds.describe('Of a device: from power to service: 5min').optional(),
  'capacity-w': z.number().positive().describe('What it can carry, in watts').optional(),
  watts: z.number().nonnegative().describe('What it draws, in watts').optional(),
  count: z.int().min(1).describe('How many alike it stands for: 24 phones').optional(),
  links: z.tuple([name, name]).describe('Of a link: the two it joins').optional(),
  poe: z
    .strictObject({
      'budget-w': z.number().positive().describe('Of a switch: what it can give').optional(),
      port: z.int().min(1).describe('Of what it feeds: the port').optional(),
      priority: z.enum(['critical', 'high', 'low']).describe('Of that port').optional(),
    })
    .describe('Power over Ethernet')
    .optional(),
  'failure-probability': z
    .number()
    .min(0)
    .max(1)
    .describe('Share of time it is failed, where somebody knows: 0.001')
    .optional(),
})

const service = z.strictObject({
  needs: needsInFile
    .describe('What must work for people to have it; a list is joined by "and"')
    .prefault([]),
  label: text.describe('What people call it').optional(),
  serves: name.describe('The site whose people use it').optional(),
  owner: name.describe('A party: who answers for it').optional(),
  promise: ratio.describe('Share of time it is promised to work: 99.99%').optional(),
  'hold-up': seconds.describe('How long it should work without mains: 60min').optional(),
  emergency: z
    .boolean()
    .describe(
      'Calls to the emergency services: told of first, never muted; left out, true where the id or label says 112, emergency, alarm or noodnummer',
    )
    .optional(),
  watch: watch.optional(),
})

const group = z
  .strictObject({
    kind: z.string().min(1).describe('room, duct, firmware ...').default('group'),
    label: text.describe('What people call it').optional(),
    owner: name.describe('A party: who answers for it').optional(),
    place: text.describe('Building, room, rack').optional(),
    members: z.array(name).min(1).describe('Components that fail with it'),
  })
  .describe('Things that fail together for one cause: a room, a firmware, a duct')

const acceptance = z
  .strictObject({
    by: text.describe('Who answers for it'),
    reason: text.describe('Why it stays'),
    review: day.describe(`The day it is looked at again: ${DAY_EXAMPLE}`),
  })
  .describe('A single point of failure that somebody answers for')

/** What nobody draws until asked, and check-config asks about. */
export const COMMONLY_MISSING = ['ntu', 'access-point', 'dect', 'cooling', 'collector'] as const

/** Keys of the site file. */
export const drawingKeys = {
  components: z
    .record(name, component)
    .describe('What can fail: power, switches, servers, lines, phones')
    .default({}),
  groups: z
    .record(name, group)
    .describe('Common causes: each is a component that its members need')
    .default({}),
  services: z.record(name, service).describe('What people do over the telephone').default({}),
  accepted: z
    .record(name, acceptance)
    .describe('Single points of failure that stay, by component')
    .default({}),
  absent: z
    .array(z.enum(COMMONLY_MISSING))
    .describe('What there is none of here: check-config does not ask about it')
    .default([]),
}

export type ComponentInFile = z.output<typeof component>
export type ServiceInFile = z.output<typeof service>
export type WatchInFile = z.output<typeof watch>

export interface DrawingFile {
  readonly components: Readonly<Record<string, ComponentInFile>>
  readonly groups: Readonly<Record<string, z.output<typeof group>>>
  readonly services: Readonly<Record<string, ServiceInFile>>
  readonly accepted: Readonly<Record<string, z.output<typeof acceptance>>>
}
