import type { FieldValue, Measurement } from '../../common/measurement.ts'
import { UNKNOWN, type Topology } from '../topology/site.ts'

/** What rules on SIP read out of points. */

const US_PER_MS = 1000
const DEFAULT_INTERVAL_MS = 10_000
/** Older than this on arrival is history, and nobody is paged for history; further ahead there is no time to judge it by. */
const CURRENT_US = 60_000_000

type Fields = Readonly<Record<string, FieldValue>>

export function isFuture({ timeUs }: Measurement, nowUs: number): boolean {
  return timeUs > nowUs + CURRENT_US
}

export function isCurrent({ timeUs }: Measurement, nowUs: number): boolean {
  return Math.abs(timeUs - nowUs) <= CURRENT_US
}

/** A count that is absent is 0. */
export function countOf(fields: Fields, name: string): number {
  const value = fields[name]
  return typeof value === 'number' && value > 0 ? value : 0
}

export function numberOf(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  return typeof value === 'number' ? value : undefined
}

export function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function intervalUsOf(fields: Fields): number {
  const value = fields['interval_ms']
  return (typeof value === 'number' && value > 0 ? value : DEFAULT_INTERVAL_MS) * US_PER_MS
}

/** An agent, and which of its taps: each sees its own. */
export function observerOf({ tags, fields }: Measurement): string {
  return `${tags['agent'] ?? ''}\n${textOf(fields, 'tap') ?? ''}`
}

/** `10.1.2.3:5060`, `[2001:db8::1]:5060` or an address alone -> the address. */
export function hostOf(text: string): string {
  const bracketed = /^\[([^\]]+)\]/.exec(text)?.[1]
  if (bracketed !== undefined) return bracketed
  return /^[^:]*:\d+$/.test(text) ? text.slice(0, text.lastIndexOf(':')) : text
}

/**
 * Site, agent and owner of what an agent found: the owner of the network the address is in, or has the name of, when the site file knows
 * it; else whoever answers for the agent.
 */
export function placeOf(
  topology: Topology,
  tags: Readonly<Record<string, string>>,
  peer = '',
): { readonly agent: string; readonly site: string; readonly owner: string } {
  const { agent = 'unknown', site = '' } = tags
  const owners = [peer, topology.locate(peer, { agent, site, subnets: [] })]
    .map((network) => topology.ownerOf(network))
    .filter((owner) => owner !== UNKNOWN)
  return {
    agent,
    site: site === '' ? UNKNOWN : site,
    owner: owners[0] ?? topology.ownerOfAgent({ agent, site }),
  }
}
