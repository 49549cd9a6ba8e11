import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration, name } from '../../common/settings.ts'
import { addressSetting } from '../power/address.ts'
import { NIS_PORT } from '../power/nis.ts'
import { NisUnit } from '../power/nis-unit.ts'
import { upsPoint } from '../power/ups-reading.ts'
import {
  defineProbe,
  POWER_INTERVAL_MS,
  type Interval,
  type Probe,
  type ProbeContext,
} from '../probe.ts'

const MAX_TARGETS = 200
const MIN_TIMEOUT_MS = 100
const MAX_TIMEOUT_MS = 60_000

const options = z
  .strictObject({
    /** Each apcupsd is one UPS. */
    targets: z
      .array(
        z.strictObject({
          /** What the site file and the alerts call it. */
          name,
          address: addressSetting(NIS_PORT),
        }),
      )
      .min(1)
      .max(MAX_TARGETS)
      .prefault([{ name: 'apcupsd', address: `127.0.0.1:${NIS_PORT}` }]),
    /** For connecting and the whole answer together. */
    timeout: duration.pipe(z.int().min(MIN_TIMEOUT_MS).max(MAX_TIMEOUT_MS)).prefault('3s'),
  })
  .superRefine(({ targets }, context) => {
    const taken = new Set<string>()
    for (const [index, { name: given }] of targets.entries()) {
      if (taken.has(given))
        context.addIssue({
          code: 'custom',
          message: `two targets are named "${given}"`,
          path: ['targets', index, 'name'],
        })
      taken.add(given)
    }
  })
type Options = z.infer<typeof options>

/** UPSes behind apcupsd, by its network information server (NIS); only ever reads. */
export const upsApcupsd = defineProbe({
  name: 'ups-apcupsd',
  summary: 'UPSes behind apcupsd: mains or battery, charge, time left',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => new UpsApcupsdProbe(read, context),
})

class UpsApcupsdProbe implements Probe {
  readonly #units: readonly { readonly target: string; readonly unit: NisUnit }[]
  readonly #report: ProbeContext['report']
  #atMs = 0

  constructor({ targets, timeout }: Options, { report }: ProbeContext) {
    this.#report = report
    this.#units = targets.map(({ name: target, address }) => ({
      target,
      unit: new NisUnit({ ...address, timeoutMs: timeout }),
    }))
  }

  async measure(
    { endUs, durationMs }: Interval,
    signal: AbortSignal,
  ): Promise<readonly Measurement[]> {
    this.#atMs += durationMs
    const points: Measurement[] = []
    await Promise.all(
      this.#units.map(async ({ target, unit }) => {
        const { reading, isUrgent } = await unit.poll(endUs, this.#atMs, signal)
        const point = upsPoint(reading, { target, source: 'nis' }, endUs)
        if (isUrgent) this.#report([point])
        else points.push(point)
      }),
    )
    return points
  }
}
