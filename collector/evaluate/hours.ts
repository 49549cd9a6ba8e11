import { z } from 'zod'
import { BusinessHours, isTimeZone } from '../topology/business-hours.ts'
import type { Topology } from '../topology/site.ts'

/** Options of a rule that judges by the time of the day. */
export const HOURS = {
  /** Where the site file says nothing for the site. */
  'business-hours': z.string().optional(),
  'time-zone': z
    .string()
    .refine(isTimeZone, 'expected a time zone such as Europe/Amsterdam')
    .optional(),
} as const

interface Written {
  readonly 'business-hours'?: string | undefined
  readonly 'time-zone'?: string | undefined
}

/** Reads them once; a complaint where they are not written as hours are. */
export function readHours(
  { 'business-hours': text, 'time-zone': zone = 'UTC' }: Written,
  context: z.core.$RefinementCtx,
): BusinessHours | undefined {
  if (text === undefined) return undefined
  const hours = BusinessHours.parse(text, zone)
  if (hours === undefined)
    context.issues.push({
      code: 'custom',
      path: ['business-hours'],
      message: 'expected hours such as mo-fr 08:00-18:00, or several separated by commas',
      input: text,
    })
  return hours
}

/** Those of the site, else those of the rule; undefined where nobody says when people work. */
export function hoursAt(
  topology: Topology,
  site: string,
  ofRule: BusinessHours | undefined,
): BusinessHours | undefined {
  return topology.businessHours(site) ?? ofRule
}
