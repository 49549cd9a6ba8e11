import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Topology } from '../../topology/site.ts'
import { observerOf, placeOf, textOf } from '../points.ts'
import { FRAUD } from './source.ts'
import type { Counts } from './window.ts'
import type { Seen } from './windows.ts'

/** What rules read out of `sip_account`: who calls, and what became of a registration. Numbers come masked. */

export const ACCOUNT: ReadonlySet<MeasurementName> = new Set<MeasurementName>(['sip_account'])

/** @returns undefined without anything to tell accounts apart by */
export function accountSeen(
  point: Measurement,
  topology: Topology,
  counts: Counts,
  facts: Readonly<Record<string, string>> = {},
): Seen | undefined {
  const { tags, fields } = point
  const account = textOf(fields, 'account') ?? 'unknown'
  const id = textOf(fields, 'key')
  const trunk = textOf(fields, 'trunk')
  if (id === undefined) return undefined
  const source = textOf(fields, 'src_ip') ?? ''
  return {
    key: `${observerOf(point)}\n${id}`,
    counts,
    labels: {
      ...{ class: FRAUD, ...placeOf(topology, tags, source), account, account_id: id },
      ...(source === '' ? {} : { source_ip: source }),
      ...(trunk === undefined ? {} : { trunk }),
    },
    facts: { user_agent: textOf(fields, 'user_agent') ?? '', ...facts },
  }
}
