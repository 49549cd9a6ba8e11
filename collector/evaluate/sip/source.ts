import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Topology } from '../../topology/site.ts'
import { fingerprintOf } from '../breach.ts'
import type { Finding, Findings } from '../findings.ts'
import { countOf, observerOf, placeOf, textOf } from '../points.ts'
import type { Counts } from './window.ts'
import type { Seen } from './windows.ts'

/** What rules read out of `sip_source`: an address that asks, and what it is answered. */

export const SOURCE: ReadonlySet<MeasurementName> = new Set<MeasurementName>(['sip_source'])
/** The class of rules that watch for attacks and fraud: channels may be for these only. */
export const FRAUD = 'fraud'
/** So many sources at a time are told one by one; more are one alert. */
const NAMED = 5

/** @returns undefined without an address */
export function sourceSeen(
  point: Measurement,
  topology: Topology,
  counts: Counts,
): Seen | undefined {
  const { tags, fields } = point
  const source = textOf(fields, 'src_ip')
  if (source === undefined) return undefined
  const { registered, outside } = fields
  return {
    key: `${observerOf(point)}\n${source}`,
    counts,
    labels: { class: FRAUD, ...placeOf(topology, tags, source), source_ip: source },
    facts: {
      accounts: String(countOf(fields, 'accounts')),
      accounts_recent: String(countOf(fields, 'accounts_recent')),
      registered: String(registered === true),
      outside: outside === true ? 'from outside' : outside === false ? 'from inside' : '',
      scanner: textOf(fields, 'scanner') ?? '',
      user_agent: textOf(fields, 'user_agent') ?? '',
    },
  }
}

/** An attacker chooses how many sources there are: from the sixth on they are one alert. */
export function grouped(finding: Finding, findings: Findings): Finding {
  if (findings.has(finding.fingerprint)) return finding
  const { agent = '', source_ip: newest = '', ...others } = finding.labels
  const open = findings.where('agent', agent).filter(({ labels }) => 'source_ip' in labels)
  if (open.length < NAMED) return finding
  const [rule = ''] = finding.fingerprint.split('/', 1)
  return {
    ...finding,
    fingerprint: fingerprintOf(rule, agent, 'many', 'sources'),
    object: `many sources at ${agent}`,
    summary: `more than ${NAMED} sources at once; the newest, ${newest}: ${finding.summary}`,
    labels: { ...others, agent },
    evidence: { ...finding.evidence, newest_source: newest, suggested_block: 'none' },
  }
}
