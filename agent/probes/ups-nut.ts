import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { TransientError, reasonOf } from '../../common/errors.ts'
import type { Measurement } from '../../common/measurement.ts'
import { duration, hostPort } from '../../common/settings.ts'
import { NUT_PORT, NutSession, type NutOptions } from '../power/nut.ts'
import { readNutVariables } from '../power/nut-reading.ts'
import { upsPoint, withoutContact, type UpsReading } from '../power/ups-reading.ts'
import {
  defineProbe,
  POWER_INTERVAL_MS,
  type Interval,
  type Probe,
  type ProbeContext,
} from '../probe.ts'

const MAX_UNITS = 100
const MIN_TIMEOUT_MS = 100
const MAX_TIMEOUT_MS = 60_000

const unitName = z
  .string()
  .regex(/^[!#-[\]-~]{1,64}$/, 'expected the name of a UPS as in ups.conf, without spaces')

const options = z.strictObject({
  server: hostPort.prefault(`127.0.0.1:${NUT_PORT}`),
  /** Units to read; without it, every UPS the server lists. */
  ups: z.array(unitName).min(1).max(MAX_UNITS).optional(),
  /** For connecting, and for each request. */
  timeout: duration.pipe(z.int().min(MIN_TIMEOUT_MS).max(MAX_TIMEOUT_MS)).prefault('5s'),
  tls: z.enum(['off', 'try', 'required']).default('off'),
  /** File with the certificate to trust, where the server's own is not from a public authority. */
  ca: z
    .string()
    .transform((file, context) => {
      try {
        return readFileSync(file, 'utf8')
      } catch (error) {
        context.issues.push({ code: 'custom', message: reasonOf(error), input: file })
        return z.NEVER
      }
    })
    .optional(),
})
type Options = z.infer<typeof options>

/** UPSes known to a NUT server (upsd); only ever reads. */
export const upsNut = defineProbe({
  name: 'ups-nut',
  summary: 'UPSes behind a NUT server: mains or battery, charge, time left',
  isPower: true,
  intervalMs: POWER_INTERVAL_MS,
  options,
  create: (read, context) => new UpsNutProbe(read, context),
})

class UpsNutProbe implements Probe {
  readonly #server: NutOptions
  readonly #configured: readonly string[] | undefined
  readonly #log: ProbeContext['log']
  /** The units of the last list: when the server is away, what is unknown still has a name. */
  #known: readonly string[]

  constructor({ server, ups, timeout, tls, ca }: Options, { log }: ProbeContext) {
    this.#server = { ...server, timeoutMs: timeout, tls, ca }
    this.#configured = ups
    this.#known = ups ?? []
    this.#log = log
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    const readings = new Map<string, UpsReading>()
    try {
      await this.#poll(readings, signal)
    } catch (error) {
      const reason = reasonOf(error)
      if (this.#known.length === 0)
        throw new TransientError('nut-unreachable', reason, { cause: error })
      this.#log.debug({ reason }, 'NUT server not read')
      for (const unit of this.#known) {
        if (!readings.has(unit)) readings.set(unit, withoutContact(reason))
      }
    }
    return [...readings].map(([unit, reading]) => this.#toPoint(unit, interval, reading))
  }

  /** Fills in what it gets as it gets it: a session that breaks half-way has read the first half. */
  async #poll(readings: Map<string, UpsReading>, signal: AbortSignal): Promise<void> {
    const session = await NutSession.open(this.#server, signal)
    try {
      this.#known = this.#configured ?? (await listUnits(session, signal))
      for (const unit of this.#known) {
        const list = await session.list(['VAR', unit], signal)
        if ('error' in list) {
          readings.set(unit, withoutContact(`the server says ${list.error}`))
          continue
        }
        const variables = new Map(list.rows.map(([name = '', value = '']) => [name, value]))
        if (this.#configured !== undefined || isUps(variables)) {
          readings.set(unit, readNutVariables(variables))
        } else {
          this.#known = this.#known.filter((known) => known !== unit)
        }
      }
      await session.logout(signal)
    } finally {
      session.close()
    }
  }

  #toPoint(unit: string, interval: Interval, reading: UpsReading): Measurement {
    const { host, port } = this.#server
    const server = host.includes(':') ? `[${host}]` : host
    const target = `${unit}@${server}${port === NUT_PORT ? '' : `:${port}`}`
    return upsPoint(reading, { target, source: 'nut' }, interval.endUs)
  }
}

async function listUnits(session: NutSession, signal: AbortSignal): Promise<readonly string[]> {
  const list = await session.list(['UPS'], signal)
  if ('error' in list) throw new TransientError('nut-error', `LIST UPS: ERR ${list.error}`)
  const names = list.rows.map(([name]) => name).filter((name) => unitName.safeParse(name).success)
  if (names.length === 0) throw new TransientError('nut-no-ups', 'the NUT server lists no UPS')
  return [...new Set(names.filter((name) => name !== undefined))].slice(0, MAX_UNITS)
}

/** NUT serves power strips and transfer switches too; they have no line of their own to be on. */
function isUps(variables: ReadonlyMap<string, string>): boolean {
  return (variables.get('device.type') ?? 'ups') === 'ups'
}
