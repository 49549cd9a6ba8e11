import { contains, parseAddress, parseCidr, subnetOf, type Address, type Cidr } from './address.ts'
import type { BusinessHours } from './business-hours.ts'
import { readDrawing } from './drawing-file.ts'
import type { Model } from './model.ts'
import type { SiteFile } from './site-file.ts'

/** Said where nobody declared it: better than a guess. */
export const UNKNOWN = 'unknown'
/** An address of an undeclared private block. */
const PRIVATE = 'private'
/** A public address of no declared network. */
const INTERNET = 'internet'
const LAN = 'lan'

/** Addresses that never come from the Internet. */
const PRIVATE_BLOCKS = [
  '10.0.0.0/8', // RFC 1918
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10', // RFC 6598, carrier-grade NAT
  '169.254.0.0/16', // RFC 3927, link-local
  '127.0.0.0/8', // RFC 1122, loopback
  '::1/128', // RFC 4291
  'fe80::/10',
  'fc00::/7', // RFC 4193, unique local
].flatMap((text) => parseCidr(text) ?? [])

/** A wider block told as an agent's own subnet is a default route or a mistake, not a site. */
const WIDEST_OWN = { v4: 8 + 96, v6: 16 }
const MAX_OWN_SUBNETS = 64

/** Who observes: an agent, its site, and the subnets its machine has. */
export interface Observer {
  readonly agent: string
  readonly site: string
  readonly subnets: readonly Cidr[]
}

/** The segment a quality point judges, from the sender's network to the observer's, and whose it is. */
export interface Segment {
  readonly from: string
  readonly to: string
  readonly at: string
  readonly bearer: string
  readonly owner: string
}

/** What rules ask of the site file. */
export type Topology = Pick<
  Site,
  | 'segment'
  | 'locate'
  | 'observedAt'
  | 'siteOf'
  | 'ownerOf'
  | 'ownerOfAgent'
  | 'expectsEncryption'
  | 'expectsTls'
  | 'expectedRegistrations'
  | 'businessHours'
  | 'emergencySites'
  | 'isEmergencyNumber'
  | 'model'
  | 'emergencyService'
  | 'machineOf'
  | 'channelsOf'
>

export type EmergencyCall = SiteFile['emergency']['sites'][string]

interface Network {
  readonly name: string
  readonly site: string | undefined
  readonly bearer: string | undefined
  readonly owner: string | undefined
  readonly media: 'encrypted' | 'any' | undefined
  readonly sip: 'tls' | 'any' | undefined
}

interface Block extends Cidr {
  readonly network: Network
}

/** The networks of the site file, for looking up whose an address is. Pure: nothing in it changes. */
export class Site {
  readonly #networks: ReadonlyMap<string, Network>
  readonly #agents: SiteFile['agents']
  readonly #components: SiteFile['components']
  readonly #parties: SiteFile['parties']
  readonly #sites: SiteFile['sites']
  readonly #emergency: SiteFile['emergency'] | undefined
  readonly #emergencyServices: ReadonlyMap<string, string>
  /** What calling depends on, ready for counting; undefined where nothing is drawn. */
  readonly model: Model | undefined
  /** Longest prefix first. */
  readonly #blocks: readonly Block[]

  constructor(file?: SiteFile) {
    const networks = new Map<string, Network>()
    const blocks: Block[] = []
    for (const [id, { cidr, ...rest }] of Object.entries(file?.networks ?? {})) {
      const { site, bearer, owner, media, sip } = rest
      const network = { name: id, site, bearer, owner, media, sip }
      networks.set(id, network)
      for (const { base, length } of cidr) blocks.push({ base, length, network })
    }
    this.#networks = networks
    this.#agents = file?.agents ?? {}
    this.#components = file?.components ?? {}
    this.#parties = file?.parties ?? {}
    this.#sites = file?.sites ?? {}
    this.#emergency = file?.emergency
    this.model = file === undefined ? undefined : modelOf(file)
    this.#emergencyServices = emergencyServices(file, this.model)
    this.#blocks = blocks.sort((a, b) => b.length - a.length)
  }

  /** How many networks are declared. */
  get size(): number {
    return this.#networks.size
  }

  isNetwork(name: string): boolean {
    return this.#networks.has(name)
  }

  /**
   * The network an address is in: one of the observer's own site, else the longest prefix of all, else the observer's site when the
   * address is in a subnet of its machine, else `private` or `internet`; `unknown` for what is no address.
   */
  locate(text: string, observer: Observer): string {
    const address = parseAddress(text)
    if (address === undefined) return UNKNOWN
    const declared = this.#find(address, observer.site)
    if (declared !== undefined) return declared.name
    const within = (block: Cidr): boolean => contains(block, address)
    if (observer.subnets.some(within)) return observer.site
    return PRIVATE_BLOCKS.some(within) ? PRIVATE : INTERNET
  }

  /** The network an agent observes at: what the site file says, else its site. */
  observedAt(observer: Pick<Observer, 'agent' | 'site'>): string {
    return entryOf(this.#agents, observer.agent)?.at ?? observer.site
  }

  /** Our site a network is part of; a network nobody declared is a site by itself, a carrier's is of none. */
  siteOf(network: string): string | undefined {
    const declared = this.#networks.get(network)
    return declared === undefined ? network : declared.site
  }

  /** What people call a party: its name, or its id where the site file gives none. */
  nameOfParty(id: string): string {
    return entryOf(this.#parties, id)?.name ?? id
  }

  /** How to reach a party; '' where the site file does not say. */
  contactOf(party: string): string {
    return entryOf(this.#parties, party)?.contact ?? ''
  }

  /** Channels that are told of what a party answers for. */
  channelsOf(party: string): readonly string[] {
    return entryOf(this.#parties, party)?.notify ?? []
  }

  /** Who answers for a network. */
  ownerOf(network: string): string {
    return this.#networks.get(network)?.owner ?? UNKNOWN
  }

  /** Who answers for an agent and its tap: the owner of its machine, else of our network it observes at; never a carrier. */
  ownerOfAgent(observer: Pick<Observer, 'agent' | 'site'>): string {
    const { 'runs-on': machine = '' } = entryOf(this.#agents, observer.agent) ?? {}
    const at = this.observedAt(observer)
    const network = this.siteOf(at) === observer.site ? this.ownerOf(at) : UNKNOWN
    return entryOf(this.#components, machine)?.owner ?? network
  }

  /** Whether the site file says that speech from and to the network is encrypted. */
  expectsEncryption(network: string): boolean {
    return this.#networks.get(network)?.media === 'encrypted'
  }

  /** Whether the site file says that signalling from and to the network is encrypted. */
  expectsTls(network: string): boolean {
    return this.#networks.get(network)?.sip === 'tls'
  }

  /** How many phones of the site should be registered. */
  expectedRegistrations(site: string): number | undefined {
    return entryOf(this.#sites, site)?.expectedRegistrations
  }

  /** When people work there. */
  businessHours(site: string): BusinessHours | undefined {
    return entryOf(this.#sites, site)?.hours
  }

  /** What an emergency call from each site needs. */
  emergencySites(): readonly (readonly [site: string, call: EmergencyCall])[] {
    return Object.entries(this.#emergency?.sites ?? {})
  }

  /** The service whose chain an emergency call from the site needs, by its id. */
  emergencyService(site: string): string | undefined {
    return this.#emergencyServices.get(site)
  }

  /** The component an agent runs on, by its id. */
  machineOf(agent: string): string | undefined {
    return entryOf(this.#agents, agent)?.['runs-on']
  }

  /** Undefined where the site file does not say which are. */
  isEmergencyNumber(number: string): boolean | undefined {
    return this.#emergency?.numbers?.includes(number)
  }

  /**
   * Who answers for what was lost between `from` and `at`. One network is held to account:
   * - both the same, or both of one site of ours: our own network there (`from`, else `at`): an outgoing stream seen at our own
   *   gateway accuses our LAN, never the carrier behind it;
   * - else what lies between the two: a declared network that is no site of ours (a carrier; the observer's before the sender's),
   *   else one of ours that declares another bearer than `lan`, the observer's first; our two LANs do not answer for the line between,
   *   nor does an uplink for a private address nobody declared.
   * Without any, bearer and owner are unknown; towards an undeclared public address the bearer is the Internet.
   */
  segment(from: string, to: string, at: string): Segment {
    const answers = this.#answerable(from, at)
    const overInternet = answers === undefined && from !== at && [from, at].includes(INTERNET)
    return {
      from,
      to,
      at,
      bearer: answers?.bearer ?? (overInternet ? INTERNET : UNKNOWN),
      owner: answers?.owner ?? UNKNOWN,
    }
  }

  #answerable(from: string, at: string): Network | undefined {
    const [sender, observer] = [this.#networks.get(from), this.#networks.get(at)]
    if (from === at) return sender
    const inside = (sender?.site ?? from) === (observer?.site ?? at)
    if (inside) return sender ?? observer
    const both = [observer, sender].flatMap((network) => network ?? [])
    const theirs = both.filter(({ site }) => site === undefined)
    const line = both.find(({ bearer }) => bearer !== undefined && bearer !== LAN)
    const known = sender !== undefined || from === INTERNET
    return theirs.find(({ bearer }) => bearer !== LAN) ?? theirs[0] ?? (known ? line : undefined)
  }

  #find(address: Address, site: string): Network | undefined {
    let longest: Network | undefined
    for (const block of this.#blocks) {
      if (!contains(block, address)) continue
      if (block.network.site === site) return block.network
      longest ??= block.network
    }
    return longest
  }
}

/** The subnets an agent tells of its machine, separated by spaces; what is none, or far too wide to be one, is left out. */
export function ownSubnets(text: string): readonly Cidr[] {
  return text
    .split(' ', MAX_OWN_SUBNETS)
    .flatMap((part) => subnetOf(part) ?? [])
    .filter(({ base, length }) => length >= (isV4(base) ? WIDEST_OWN.v4 : WIDEST_OWN.v6))
}

/** Nothing drawn is no drawing. */
function modelOf(file: SiteFile): Model | undefined {
  const isDrawn = Object.keys(file.services).length + Object.keys(file.components).length > 0
  return isDrawn ? readDrawing(file).model : undefined
}

/** By site: what the file names, else the first emergency service that serves it. */
function emergencyServices(
  file: SiteFile | undefined,
  model: Model | undefined,
): ReadonlyMap<string, string> {
  const services = new Map<string, string>()
  for (const { id, isEmergency, serves } of model?.drawing.services.values() ?? [])
    if (isEmergency && serves !== undefined && !services.has(serves)) services.set(serves, id)
  for (const [site, { service }] of Object.entries(file?.emergency.sites ?? {}))
    if (service !== undefined) services.set(site, service)
  return services
}

/** What somebody declared under this name: `constructor` is no agent. */
function entryOf<T>(entries: Readonly<Record<string, T>>, id: string): T | undefined {
  return Object.hasOwn(entries, id) ? entries[id] : undefined
}

function isV4(base: bigint): boolean {
  return base >> 32n === 0xffffn
}
