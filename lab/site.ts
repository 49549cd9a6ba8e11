import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { drawing } from './drawing.ts'

/** The demonstration site on loopback: a head office and two carriers, each a network of 127.0.0.0/8. */

export const CALLS_PER_CARRIER = 5
export const CARRIERS = ['carrier-a', 'carrier-b'] as const
export type Carrier = (typeof CARRIERS)[number]

/** Second octet of each network's addresses. */
const NETWORK = { hq: 10, 'carrier-a': 20, 'carrier-b': 30 } as const
/** Third octet: where phones live, where test streams begin and end, and where the wires end that packets pass on their way. */
const PHONES = 1
const TESTERS = 2
const WIRES = 99
const TEST_HOST = 200
const FIRST_HOST = 11
export const RTP_PORT = 40_000
const REFLECTOR_PORT = 40_002
const PHONE_NETWORKS = {
  hq: `127.${NETWORK.hq}.${PHONES}.0/24`,
  'carrier-b': `127.${NETWORK['carrier-b']}.${PHONES}.0/24`,
} as const

export interface Addresses {
  readonly hqPhone: string
  readonly door: string
  readonly exit: string
  readonly carrierPhone: string
}

/** Addresses of call `index` between hq and a carrier. */
export function callAddresses(carrier: Carrier, index: number): Addresses {
  const host = FIRST_HOST + index
  // Both carriers' calls start at hq, so hq's addresses tell them apart by the carrier's own number.
  const hqHost = NETWORK[carrier] + FIRST_HOST + index
  return {
    hqPhone: `127.${NETWORK.hq}.${PHONES}.${hqHost}`,
    door: `127.${NETWORK[carrier]}.${WIRES}.${host}`,
    exit: `127.${NETWORK.hq}.${WIRES}.${hqHost}`,
    carrierPhone: `127.${NETWORK[carrier]}.${PHONES}.${host}`,
  }
}

/** Addresses of the test stream from hq to a carrier: where it enters the wire, leaves it, and is reflected. */
export function testAddresses(carrier: Carrier): { door: string; exit: string; reflector: string } {
  return {
    door: `127.${NETWORK[carrier]}.${WIRES}.${TEST_HOST}`,
    exit: `127.${NETWORK.hq}.${WIRES}.${TEST_HOST + CARRIERS.indexOf(carrier)}`,
    reflector: `127.${NETWORK[carrier]}.${TESTERS}.${TEST_HOST}`,
  }
}

export const REFLECTOR = { port: REFLECTOR_PORT } as const

export interface SiteOptions {
  readonly nowMs: number
  readonly folder: string
  readonly port: number
  readonly webhook: string
  readonly webhookSecret: string
  readonly testKey: string
  readonly upsPort: number
  /** Whether tcpdump may capture here; otherwise all paths are measured by test streams. */
  readonly capture: boolean
  /** The machine's own gateway, to ping; absent where there is none. */
  readonly gateway: string | undefined
}

export interface SiteFiles {
  readonly collector: string
  readonly agents: Readonly<Record<'gw-hq' | 'gw-carrier-b', string>>
}

/** Writes the configuration of the collector, its site file and the two agents: what an administrator would write by hand. */
export async function writeSite(options: SiteOptions): Promise<SiteFiles> {
  const { folder } = options
  await mkdir(join(folder, 'collector'), { recursive: true })
  const files = {
    collector: join(folder, 'collector.yaml'),
    agents: {
      'gw-hq': join(folder, 'gw-hq.yaml'),
      'gw-carrier-b': join(folder, 'gw-carrier-b.yaml'),
    },
  }
  const write = async (file: string, content: unknown): Promise<void> => {
    await writeFile(file, stringify(content), { mode: 0o600 })
  }
  await write(join(folder, 'site.yaml'), siteFile(options.nowMs))
  await write(files.collector, collectorConfig(options))
  await write(files.agents['gw-hq'], hqConfig(options))
  await write(files.agents['gw-carrier-b'], carrierConfig(options))
  return files
}

export function tokenFile(folder: string, agent: string): string {
  return join(folder, `${agent}.token`)
}

function siteFile(nowMs: number): unknown {
  const network = (name: keyof typeof NETWORK): string => `127.${NETWORK[name]}.0.0/16`
  return {
    parties: {
      ict: { name: 'Network team', contact: 'extension 4200, weekdays' },
      facilities: { name: 'Facilities', contact: 'extension 4100, day and night' },
      'carrier-a': { name: 'Carrier A (leased line)' },
      'carrier-b': { name: 'Carrier B (Internet)' },
    },
    networks: {
      hq: { cidr: [network('hq')], site: 'hq', bearer: 'lan', owner: 'ict' },
      'carrier-a': { cidr: [network('carrier-a')], bearer: 'wan', owner: 'carrier-a' },
      'carrier-b': { cidr: [network('carrier-b')], bearer: 'internet', owner: 'carrier-b' },
    },
    agents: { 'gw-hq': { at: 'hq' }, 'gw-carrier-b': { at: 'carrier-b' } },
    ...drawing({ nowMs, phonesPerFloor: CALLS_PER_CARRIER }),
  }
}

function collectorConfig({ folder, port, webhook, webhookSecret, capture }: SiteOptions): unknown {
  return {
    listen: `127.0.0.1:${port}`,
    data: join(folder, 'collector'),
    'site-file': join(folder, 'site.yaml'),
    notify: [
      { notifier: 'webhook', name: 'lab-oncall', url: webhook, secret: webhookSecret },
      { notifier: 'log' },
    ],
    // A demonstration on loopback, with nothing secret in it: whoever sits at this machine may look.
    console: { anonymous: 'loopback' },
    notices: [
      'Demonstration: simulated phones and carriers on this machine (npm start).',
      capture
        ? 'Calls to and from carrier-b and from carrier-a are measured from their packets; hq -> carrier-a by a test stream.'
        : 'No right to capture packets here: every path is measured by an active test stream (rtp-test).',
    ],
  }
}

function agentConfig(
  options: SiteOptions,
  agent: string,
  site: string,
  probes: unknown[],
): unknown {
  return {
    agent,
    site,
    collectors: [
      {
        url: `http://127.0.0.1:${options.port}`,
        token: { file: tokenFile(options.folder, agent) },
      },
    ],
    spool: { folder: join(options.folder, `${agent}-spool`) },
    probes,
  }
}

function hqConfig(options: SiteOptions): unknown {
  const tested: readonly Carrier[] = options.capture ? ['carrier-a'] : CARRIERS
  const probes: unknown[] = tested.map((carrier) => ({
    probe: 'rtp-test',
    name: `rtp-test-${carrier}`,
    target: carrier,
    address: `${testAddresses(carrier).door}:${REFLECTOR_PORT}`,
    bind: `127.${NETWORK.hq}.${TESTERS}.${TEST_HOST}`,
    key: options.testKey,
  }))
  if (options.capture) probes.push(captureProbe(PHONE_NETWORKS.hq))
  if (options.gateway !== undefined) probes.push({ probe: 'ping', targets: [options.gateway] })
  probes.push({ probe: 'host' }, { probe: 'ups-nut', server: `127.0.0.1:${options.upsPort}` })
  return agentConfig(options, 'gw-hq', 'hq', probes)
}

function carrierConfig(options: SiteOptions): unknown {
  const probes: unknown[] = CARRIERS.map((carrier) => ({
    probe: 'rtp-reflect',
    name: `rtp-reflect-${carrier}`,
    listen: `${testAddresses(carrier).reflector}:${REFLECTOR_PORT}`,
    key: options.testKey,
  }))
  if (options.capture) probes.push(captureProbe(PHONE_NETWORKS['carrier-b']))
  return agentConfig(options, 'gw-carrier-b', 'carrier-b', probes)
}

/** Only what arrives at the phones: the same packets also pass the wire's own addresses on this one machine. */
function captureProbe(phones: string): unknown {
  return { probe: 'rtp-capture', interface: 'lo', direction: { to: [phones] } }
}
