import { z } from 'zod'
import { name } from '../../common/settings.ts'
import { parseCidr, type Cidr } from './address.ts'
import { BusinessHours, isTimeZone } from './business-hours.ts'
import { Ids, readDrawing } from './drawing-file.ts'
import { drawingKeys } from './drawing-schema.ts'

const MAX_CIDRS = 1000
const MAX_TEXT = 200

const cidr = z.string('expected a block such as 10.1.0.0/16').transform((text, context) => {
  const parsed = parseCidr(text)
  if (parsed !== undefined) return { text, ...parsed }
  context.issues.push({
    code: 'custom',
    message:
      'expected a block such as 10.1.0.0/16 or 2001:db8::/32, without bits set behind its length',
    input: text,
  })
  return z.NEVER
})

const party = z.strictObject({
  name: z.string().min(1).describe('What people call it').optional(),
  contact: z
    .string()
    .min(1)
    .max(MAX_TEXT)
    .describe('How people reach it: a telephone number, and when')
    .optional(),
  notify: z.array(name).describe('Notifiers of the collector that tell it').optional(),
})

const network = z.strictObject({
  label: z.string().optional(),
  cidr: z.array(cidr).max(MAX_CIDRS).default([]),
  site: name.describe("Our site the network is part of; a carrier's network has none").optional(),
  bearer: name.describe('lan, wan, internet, lte ...: what carries the calls there').optional(),
  owner: name.describe('A party: who answers for it').optional(),
  media: z
    .enum(['encrypted', 'any'])
    .describe('encrypted: speech from and to there goes as SRTP, and what does not is a finding')
    .optional(),
  sip: z
    .enum(['tls', 'any'])
    .describe('tls: signalling from and to there is encrypted, and what is not is a finding')
    .optional(),
})

const site = z
  .strictObject({
    'expected-registrations': z
      .int()
      .min(1)
      .describe('Phones that should be registered; fewer is a finding')
      .optional(),
    'business-hours': z.string().describe('When people work: mo-fr 08:00-18:00').optional(),
    'time-zone': z.string().refine(isTimeZone, 'expected a time zone such as Europe/Amsterdam'),
  })
  .partial({ 'time-zone': true })
  .transform((read, context) => {
    const { 'business-hours': text, 'time-zone': zone = 'UTC' } = read
    const hours = text === undefined ? undefined : BusinessHours.parse(text, zone)
    if (text !== undefined && hours === undefined)
      context.issues.push({
        code: 'custom',
        path: ['business-hours'],
        message: 'expected hours such as mo-fr 08:00-18:00, or several separated by commas',
        input: text,
      })
    return { expectedRegistrations: read['expected-registrations'], hours }
  })

const emergency = z.strictObject({
  /** Calls to these are told of; left out, to whatever the agents take for an emergency number. */
  numbers: z
    .array(z.string().regex(/^[0-9*#]{2,8}$/, 'expected a short number such as "112", in quotes'))
    .min(1)
    .optional(),
  sites: z
    .record(
      name,
      z.strictObject({
        trunk: z
          .string()
          .min(1)
          .describe('Target of the sip-options probe that asks the trunk the call would take')
          .optional(),
        service: name
          .describe(
            'The service whose chain must work; left out, the emergency service that serves the site',
          )
          .optional(),
        account: z
          .string()
          .min(1)
          .describe('Account of the sip-register probe the call would be made from')
          .optional(),
        'caller-id': z
          .string()
          .min(1)
          .max(MAX_TEXT)
          .describe('The number sent along: where somebody can be called back')
          .optional(),
        location: z
          .string()
          .min(1)
          .max(MAX_TEXT)
          .describe('Where help is to go, as sent or as filed with the carrier')
          .optional(),
        notify: z
          .array(name)
          .describe('Channels told at once when somebody at the site calls an emergency number')
          .default([]),
      }),
    )
    .default({}),
})

const agent = z.strictObject({
  at: name.describe('The network it observes at; left out, its site').optional(),
  'runs-on': name.describe('The component that is its machine').optional(),
})

/** The YAML file facilities and ICT keep together. */
export const siteFile = z
  .strictObject({
    parties: z.record(name, party).default({}),
    networks: z.record(name, network).default({}),
    agents: z.record(name, agent).default({}),
    ...drawingKeys,
    sites: z.record(name, site).default({}),
    emergency: emergency.prefault({}),
  })
  .superRefine((file, context) => {
    const complain = (path: PropertyKey[], message: string): void => {
      context.addIssue({ code: 'custom', path, message })
    }
    const declared = (kind: 'parties' | 'networks', id: string): boolean =>
      Object.hasOwn(file[kind], id)
    const owned = [
      ...Object.entries(file.networks).map(([id, it]) => ['networks', id, it.owner] as const),
      ...Object.entries(file.components).map(([id, it]) => ['components', id, it.owner] as const),
      ...Object.entries(file.groups).map(([id, it]) => ['groups', id, it.owner] as const),
      ...Object.entries(file.services).map(([id, it]) => ['services', id, it.owner] as const),
    ]
    for (const [kind, id, owner] of owned) {
      if (owner !== undefined && !declared('parties', owner))
        complain([kind, id, 'owner'], `"${owner}" is not declared under parties`)
    }
    const ids = new Ids(file)
    for (const [id, { at, 'runs-on': machine }] of Object.entries(file.agents)) {
      if (at !== undefined && !declared('networks', at))
        complain(['agents', id, 'at'], `"${at}" is not declared under networks`)
      if (machine !== undefined && !ids.has(machine))
        complain(['agents', id, 'runs-on'], ids.undeclared(machine))
    }
    for (const { path, message } of equalBlocks(file.networks)) complain(path, message)
    for (const { path, message } of readDrawing(file).complaints) complain([...path], message)
    for (const [id, { service }] of Object.entries(file.emergency.sites)) {
      if (service !== undefined && !Object.hasOwn(file.services, service))
        complain(
          ['emergency', 'sites', id, 'service'],
          `"${service}" is not declared under services`,
        )
    }
  })

export type SiteFile = z.output<typeof siteFile>

interface DeclaredNetwork {
  readonly cidr: readonly (Cidr & { readonly text: string })[]
  readonly site?: string | undefined
}

/** The same block twice is a mistake, save at two sites: each agent then takes that of its own. */
function equalBlocks(
  networks: Readonly<Record<string, DeclaredNetwork>>,
): { path: PropertyKey[]; message: string }[] {
  const complaints: { path: PropertyKey[]; message: string }[] = []
  const seen = new Map<string, string>()
  for (const [id, { cidr: blocks, site = '' }] of Object.entries(networks)) {
    for (const [index, { base, length, text }] of blocks.entries()) {
      const key = `${base}/${length}@${site}`
      const other = seen.get(key)
      if (other !== undefined)
        complaints.push({
          path: ['networks', id, 'cidr', index],
          message: `${text} is already in network "${other}"`,
        })
      seen.set(key, id)
    }
  }
  return complaints
}
