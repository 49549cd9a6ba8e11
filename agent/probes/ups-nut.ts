import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { TransientError, reasonOf } from '../../common/errors.ts'
import type { Measurement } from '../../common/measurement.ts'
import { duration, hostPort } from '../../common/settings.ts'
import { NUT_PORT, NutSession, type NutOptions, type NutRequest } from '../power/nut.ts'
import {
  kindOf,
  pduPoints,
  silentDevice,
  transferSwitchPoint,
  type NutKind,
} from '../power/nut-devices.ts'
import type { NutVariables } from '../power/nut-numbers.ts'
import { readNutVariables } from '../power/nut-reading.ts'
import { upsPoint, withoutContact } from '../power/ups-reading.ts'
import { UpsUnit } from '../power/ups-unit.ts'
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
  timeout: duration.pipe(z.int().min(MIN_TIMEOUT_MS).max(MAX_TIMEOUT_MS)).prefault('3s'),
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

/** What a unit said in this poll, or why it said nothing. */
type Answer = { readonly variables: NutVariables } | { readonly silence: string }

class UpsNutProbe implements Probe {
  readonly #server: NutOptions
  readonly #configured: readonly string[] | undefined
  readonly #context: ProbeContext
  /** The units of the last list: when the server is away, what is unknown still has a name. */
  #known: readonly string[]
  /** Of those that said so, what they are. */
  readonly #kinds = new Map<string, NutKind>()
  readonly #units = new Map<string, UpsUnit>()
  #atMs = 0

  constructor({ server, ups, timeout, tls, ca }: Options, context: ProbeContext) {
    this.#server = { ...server, timeoutMs: timeout, tls, ca }
    this.#configured = ups
    this.#known = ups ?? []
    this.#context = context
  }

  async measure(
    { endUs, durationMs }: Interval,
    signal: AbortSignal,
  ): Promise<readonly Measurement[]> {
    this.#atMs += durationMs
    const points: Measurement[] = []
    const answered = new Set<string>()
    const take = (unit: string, answer: Answer): void => {
      answered.add(unit)
      points.push(...this.#judge(unit, answer, endUs))
    }
    try {
      await this.#poll(take, signal)
    } catch (error) {
      const reason = reasonOf(error)
      if (this.#known.length === 0)
        throw new TransientError('nut-unreachable', reason, { cause: error })
      this.#context.log.debug({ reason }, 'NUT server not read')
      for (const unit of this.#known) {
        if (!answered.has(unit)) take(unit, { silence: reason })
      }
    }
    return points
  }

  /** Gives what it gets as it gets it: a session that breaks half-way has read the first half. */
  async #poll(take: (unit: string, answer: Answer) => void, signal: AbortSignal): Promise<void> {
    const session = await NutSession.open(this.#server, signal)
    try {
      this.#known = this.#configured ?? (await listUnits(session, signal))
      const requests = new Map(
        this.#known.map((unit): [string, NutRequest] => [unit, ['VAR', unit]]),
      )
      for await (const [unit, list] of session.lists(requests, signal)) {
        if ('error' in list) take(unit, { silence: `the server says ${list.error}` })
        else
          take(unit, {
            variables: new Map(list.rows.map(([name = '', value = '']) => [name, value])),
          })
      }
      await session.logout(signal)
    } finally {
      session.close()
    }
    this.#forgetOthers()
  }

  /** The points of a unit that can wait for the end of the poll; those that cannot are reported. */
  #judge(unit: string, answer: Answer, nowUs: number): readonly Measurement[] {
    const place = { target: this.#targetOf(unit), timeUs: nowUs }
    if ('variables' in answer) this.#kinds.set(unit, kindOf(answer.variables))
    const kind = this.#kinds.get(unit) ?? 'ups'
    if (kind === 'other') return []
    if (kind !== 'ups') {
      if ('silence' in answer) return [silentDevice(kind, answer.silence, place)]
      const { variables } = answer
      return kind === 'ats' ? [transferSwitchPoint(variables, place)] : pduPoints(variables, place)
    }
    const known = this.#units.get(unit) ?? new UpsUnit()
    this.#units.set(unit, known)
    const read =
      'silence' in answer
        ? withoutContact(answer.silence)
        : readNutVariables(answer.variables, nowUs)
    const { reading, isUrgent } = known.judge(read, this.#atMs)
    const point = upsPoint(reading, { target: place.target, source: 'nut' }, nowUs)
    if (!isUrgent) return [point]
    this.#context.report([point])
    return []
  }

  #targetOf(unit: string): string {
    const { host, port } = this.#server
    const server = host.includes(':') ? `[${host}]` : host
    return `${unit}@${server}${port === NUT_PORT ? '' : `:${port}`}`
  }

  #forgetOthers(): void {
    for (const kept of [this.#units, this.#kinds])
      for (const unit of kept.keys()) if (!this.#known.includes(unit)) kept.delete(unit)
  }
}

async function listUnits(session: NutSession, signal: AbortSignal): Promise<readonly string[]> {
  const list = await session.list(['UPS'], signal)
  if ('error' in list) throw new TransientError('nut-error', `LIST UPS: ERR ${list.error}`)
  const names = list.rows.map(([name]) => name).filter((name) => unitName.safeParse(name).success)
  if (names.length === 0) throw new TransientError('nut-no-ups', 'the NUT server lists no UPS')
  return [...new Set(names.filter((name) => name !== undefined))].slice(0, MAX_UNITS)
}
