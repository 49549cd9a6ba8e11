import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import type { Topology } from '../../topology/site.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type RuleContext } from '../rule.ts'
import { counted, lasting } from '../words.ts'
import { withExample } from './examples.ts'
import { countOf, observerOf, placeOf, textOf } from '../points.ts'
import { FRAUD } from './source.ts'
import { WatchingRule, type Watch } from './watching-rule.ts'

const NAME = 'clear-sip'
const US_PER_MS = 1000
const MEASUREMENTS = new Set<MeasurementName>(['sip_source', 'sip_traffic'])

const options = z.strictObject({
  /** Without any for this long the finding is over. */
  window: duration.prefault('1h'),
  severity: z.enum(SEVERITIES).default('notice'),
  /** Where passwords can be guessed from what was said. */
  'credentials-severity': z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

/** Who calls whom, and the proof of passwords, for everybody on the way to read. */
export const clearSip = defineRule({
  name: NAME,
  summary: 'clear SIP in a network whose signalling the site file says is over TLS',
  options,
  create: (read, context) => new WatchingRule(watchOf(read, context), context),
})

function watchOf(read: Options, { topology }: RuleContext): Watch {
  const windowUs = read.window * US_PER_MS
  return {
    rule: NAME,
    windowUs,
    clearUs: windowUs,
    measurements: MEASUREMENTS,
    read: (point, find) => {
      const { tags, fields } = point
      if (countOf(fields, 'clear_text') === 0) return undefined
      const who = textOf(fields, 'src_ip') ?? tags['target'] ?? ''
      const network = networkOf(point, who, topology())
      if (!topology().expectsTls(network)) return undefined
      const key = `${observerOf(point)}\n${network}`
      return {
        key,
        counts: { intervals: 1, credentials: countOf(fields, 'clear_credentials') },
        labels: {
          ...{ class: FRAUD, ...placeOf(topology(), tags) },
          ...{ network, owner: topology().ownerOf(network) },
        },
        facts: { examples: withExample(find(key)?.facts['examples'] ?? '', who) },
      }
    },
    judge: ({ labels, facts, window }, timeUs) => {
      const credentials = window.sum('credentials')
      const { agent = '', network = '' } = labels
      const { examples = '' } = facts
      const worse =
        credentials > 0
          ? `; ${counted(credentials, 'request')} with credentials in ${lasting(windowUs)}`
          : ''
      return {
        fingerprint: fingerprintOf(NAME, agent, network),
        object: `network ${network}`,
        severity: read[credentials > 0 ? 'credentials-severity' : 'severity'],
        summary: `clear SIP where the policy of ${network} says TLS, such as with ${examples}${worse}`,
        labels,
        evidence: { examples, clear_credentials: credentials, window_ms: read.window },
        sinceUs: window.sinceUs('intervals') ?? timeUs,
      }
    },
  }
}

/** A peer may be called by the name of its network. */
function networkOf({ tags }: Measurement, who: string, topology: Topology): string {
  const { agent = '', site = '' } = tags
  if (topology.expectsTls(who)) return who
  return topology.locate(who, { agent, site, subnets: [] })
}
