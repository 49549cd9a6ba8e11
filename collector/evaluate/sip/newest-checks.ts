import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { countOf, intervalUsOf, textOf } from '../points.ts'
import { readRegistrationCheck } from './registration-check.ts'

/** What the newest active checks say, site by site. */

const MAX_CHECKS = 10_000
/** A check that is so many intervals old says nothing of now. */
const STALE_INTERVALS = 3
/** One that failed once may have been unlucky. */
const SURE_FAILURES = 2

const schema = z.object({
  ...{ key: z.string(), kind: z.enum(['trunk', 'account']), agent: z.string(), site: z.string() },
  target: z.string(),
  timeUs: z.number(),
  intervalUs: z.number(),
  isWell: z.boolean().exactOptional(),
  reason: z.string(),
})
type Check = z.output<typeof schema>

/** yes, no, or nobody knows; and why. */
export interface Answer {
  readonly isWell: boolean | undefined
  readonly reason: string
}

export class NewestChecks {
  /** The one heard of least lately first. */
  readonly #checks = new Map<string, Check>()

  constructor(restored: unknown) {
    for (const check of items(schema, restored)) this.#checks.set(check.key, check)
  }

  get memory(): readonly Check[] {
    return [...this.#checks.values()]
  }

  learn(point: Measurement): void {
    const check = readTrunk(point) ?? readAccount(point)
    if (check === undefined) return
    const known = this.#checks.get(check.key)
    if (known !== undefined && check.timeUs <= known.timeUs) return
    const { isPaused, ...rest } = check
    // While it is not asked, what was known last holds.
    const kept = isPaused && known !== undefined ? { ...rest, ...wordOf(known) } : rest
    this.#checks.delete(check.key)
    this.#checks.set(check.key, kept)
    for (const oldest of this.#checks.keys()) {
      if (this.#checks.size <= MAX_CHECKS) break
      this.#checks.delete(oldest)
    }
  }

  forget(isGone: (check: Pick<Check, 'agent' | 'site'>) => boolean): void {
    for (const [key, check] of this.#checks) if (isGone(check)) this.#checks.delete(key)
  }

  /** A trunk is well when one of its servers is, an account when one check says so; unwell when all that is known says so. */
  answer(
    kind: Check['kind'],
    site: string,
    target: string,
    nowUs: number,
    isIsolated: (agent: string, atUs: number) => boolean,
  ): Answer {
    const name = `${kind} ${target}`
    const checks = [...this.#checks.values()].filter(
      (check) => check.kind === kind && check.site === site && check.target === target,
    )
    if (checks.length === 0) return { isWell: undefined, reason: `${name} is not checked` }
    const fresh = checks.filter(
      ({ timeUs, intervalUs }) => Math.abs(nowUs - timeUs) <= STALE_INTERVALS * intervalUs,
    )
    const heard = fresh.filter(({ agent, timeUs }) => !isIsolated(agent, timeUs))
    if (heard.length === 0) return { isWell: undefined, reason: `no news of ${name}` }
    if (heard.some(({ isWell }) => isWell === true)) return { isWell: true, reason: '' }
    const [worst] = heard.filter(({ isWell }) => isWell === false)
    const isSure = worst !== undefined && heard.every(({ isWell }) => isWell === false)
    if (isSure) return { isWell: false, reason: `${name}: ${worst.reason}` }
    return { isWell: undefined, reason: `${name}: ${heard[0]?.reason ?? 'no answer'}` }
  }
}

type Read = Check & { readonly isPaused: boolean }

function readTrunk({ name, tags, fields, timeUs }: Measurement): Read | undefined {
  const { agent = '', site = '', target = '', server = '' } = tags
  if (name !== 'sip_options' || target === '') return undefined
  const { alive } = fields
  const isSure = countOf(fields, 'failures_in_row') >= SURE_FAILURES
  return {
    key: copyOf(`trunk\n${agent}\n${target}\n${server}`),
    kind: 'trunk',
    ...{ agent: copyOf(agent), site: copyOf(site), target: copyOf(target), timeUs },
    intervalUs: intervalUsOf(fields),
    ...(alive === true ? { isWell: true } : alive === false && isSure ? { isWell: false } : {}),
    reason: copyOf(textOf(fields, 'reason') ?? (alive === false ? 'no answer' : 'not known')),
    isPaused: false,
  }
}

function readAccount(point: Measurement): Read | undefined {
  const check = readRegistrationCheck(point)
  if (check === undefined) return undefined
  const { agent, site, account, outcome, timeUs, intervalUs, failuresInRow, reason } = check
  const isSure = outcome !== 'silent' || failuresInRow >= SURE_FAILURES
  return {
    key: copyOf(`account\n${agent}\n${account}`),
    kind: 'account',
    ...{ agent: copyOf(agent), site: copyOf(site), target: copyOf(account), timeUs, intervalUs },
    ...(outcome === 'unchecked' || !isSure ? {} : { isWell: outcome === 'registered' }),
    reason: copyOf(outcome === 'unregistered' ? 'not registered' : reason),
    isPaused: outcome === 'unchecked',
  }
}

function wordOf({ isWell, reason }: Check): Pick<Check, 'isWell' | 'reason'> {
  return isWell === undefined ? { reason } : { isWell, reason }
}
