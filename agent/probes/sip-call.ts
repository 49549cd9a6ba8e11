import { z } from 'zod'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { duration, name, secret } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'
import { G711_LAWS } from '../rtp/g711.ts'
import { Authenticator } from '../sip/authenticator.ts'
import { EMERGENCY_NUMBER, emergencyNumberIn } from '../sip/emergency-numbers.ts'
import { escapedUser, hostPortText } from '../sip/sip-uri.ts'
import { parseUri } from '../sip/uri.ts'
import { clientOptions, sipUri } from '../sip-client/client-options.ts'
import { sipClock } from '../sip-client/scheduler.ts'
import { openSipClient, type SipClient } from '../sip-client/sip-client.ts'
import { newToken } from '../sip-client/token.ts'
import { UnwantedRequests } from '../sip-client/unwanted-requests.ts'
import { callFields } from '../test-call/call-fields.ts'
import { TestCaller } from '../test-call/test-caller.ts'

const MAX_TARGETS = 8
const MAX_LISTED = 64
const DEFAULT_USER = 'kiestoon'
const MIN_HOLD_MS = 500
/** Ten minutes: each packet has a number of its own. */
const MAX_HOLD_MS = 600_000
const MIN_RING_MS = 500
const MAX_RING_MS = 180_000
const MIN_PORT = 1024
const MAX_PORT = 65_534
/** The agent waits a second for a probe that is being closed. */
const HANG_UP_MS = 900

const account = z.strictObject({
  /** User part of our address. */
  user: z.string().min(1).max(128),
  /** Who we say we are when challenged, where that is not the user. */
  'auth-user': z.string().min(1).max(128).optional(),
  password: secret,
})

const target = z.strictObject({
  /** What the alerts call it. */
  name,
  /** An echo, or whoever answers by itself. */
  uri: z.string('expected a SIP URI').superRefine(refuseOtherSchemes).pipe(sipUri),
  /** Overrides that of the probe. */
  proxy: sipUri.optional(),
})

const ports = z
  .string('expected a range of ports such as 30000-30100')
  .transform((text, context): readonly [number, number] => {
    const [, low, high] = /^(\d{4,5})-(\d{4,5})$/.exec(text) ?? []
    const range = [Number(low), Number(high)] as const
    if (range[0] >= MIN_PORT && range[1] > range[0] && range[1] <= MAX_PORT) return range
    const message = `expected a range of ports from ${MIN_PORT} to ${MAX_PORT}, such as 30000-30100`
    context.issues.push({ code: 'custom', message, input: text })
    return z.NEVER
  })

const shape = z.strictObject({
  targets: z
    .array(target)
    .min(1)
    .max(MAX_TARGETS)
    .refine((targets) => new Set(targets.map((one) => one.name)).size === targets.length, {
      error: 'expected every target to have a name of its own',
    }),
  account: account.optional(),
  /** Whose users we are; without it, that of whoever is called. */
  domain: sipUri.optional(),
  codecs: z
    .array(z.enum(G711_LAWS))
    .min(1)
    .max(G711_LAWS.length)
    .default([...G711_LAWS]),
  /** From the answer to the hang-up. */
  hold: duration.pipe(z.int().min(MIN_HOLD_MS).max(MAX_HOLD_MS)).prefault('8s'),
  /** Until the answer. */
  ring: duration.pipe(z.int().min(MIN_RING_MS).max(MAX_RING_MS)).prefault('20s'),
  'rtp-ports': ports.optional(),
  /** Never to be called, beside those built in. */
  'emergency-numbers': z
    .array(z.string().regex(EMERGENCY_NUMBER, 'expected a number of 2 to 12 digits, in quotes'))
    .max(MAX_LISTED)
    .default([]),
  ...clientOptions,
})

/** No test rings for help: a configuration that might is refused before anything is sent. */
const options = shape.superRefine((read, context) => {
  for (const [index, one] of read.targets.entries())
    for (const key of ['uri', 'proxy'] as const) {
      const uri = one[key]
      const number = uri === undefined ? undefined : emergencyIn(uri, read)
      if (number !== undefined)
        context.addIssue({
          code: 'custom',
          message: refusal(number),
          path: ['targets', index, key],
        })
    }
  const number = read.proxy === undefined ? undefined : emergencyIn(read.proxy, read)
  if (number !== undefined)
    context.addIssue({ code: 'custom', message: refusal(number), path: ['proxy'] })
})
type Options = z.infer<typeof options>

/** A call to an echo or an answering number, from INVITE to BYE, with sound both ways. */
export const sipCall = defineProbe({
  name: 'sip-call',
  summary: 'test calls: set up, answered, sound both ways, hung up; never to an emergency number',
  options,
  create: (read, context) => new SipCallProbe(read, context),
  longestRunMs: ({ targets, ring, hold, timeout }) => targets.length * (ring + hold + timeout),
})

class SipCallProbe implements Probe {
  readonly #options: Options
  readonly #context: ProbeContext
  #sip: SipClient | undefined
  readonly #closing = new AbortController()
  #calling: Promise<unknown> = Promise.resolve()
  #callers: readonly { readonly name: string; readonly caller: TestCaller }[] = []

  constructor(read: Options, context: ProbeContext) {
    this.#options = read
    this.#context = context
  }

  async open(): Promise<void> {
    const unwanted = new UnwantedRequests(sipClock, newToken())
    const { 'emergency-numbers': emergencyNumbers } = this.#options
    const sip = openSipClient(
      this.#options,
      this.#context.nowUs,
      (request, reply) => {
        const isTaken = this.#callers.some(({ caller }) => caller.take(request, reply))
        if (!isTaken) unwanted.answer(request, reply)
      },
      emergencyNumbers,
    )
    this.#sip = sip
    const { endpoint, locator, client } = sip
    const tools = { endpoint, locator, client, clock: sipClock, newToken }
    this.#callers = this.#options.targets.map((one) => ({
      name: one.name,
      caller: new TestCaller(this.#settingsOf(one), tools),
    }))
    return Promise.resolve()
  }

  /** One call after the other: they would measure each other. */
  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    const points: Measurement[] = []
    const end = AbortSignal.any([signal, this.#closing.signal])
    for (const { name: called, caller } of this.#callers) {
      if (end.aborted) break
      const checking = caller.check(end)
      this.#calling = checking.catch(() => undefined)
      const check = await checking
      const fields = callFields(check, this.#options.timeout)
      points.push(
        measurement(
          'sip_call',
          interval.endUs,
          { target: called },
          { interval_ms: interval.durationMs, ...fields },
        ),
      )
    }
    return points
  }

  /** Hangs up first. */
  async close(): Promise<void> {
    this.#closing.abort()
    let cancel = (): void => undefined
    const tooLate = new Promise((resolve) => {
      cancel = sipClock.setTimer(() => {
        resolve(undefined)
      }, HANG_UP_MS)
    })
    await Promise.race([this.#calling, tooLate])
    cancel()
    for (const { caller } of this.#callers) caller.close()
    this.#sip?.close()
    this.#sip = undefined
  }

  #settingsOf(one: Options['targets'][number]): ConstructorParameters<typeof TestCaller>[0] {
    const { account: own, domain, proxy, codecs, hold, ring, bind } = this.#options
    const { scheme = 'sip', host = '' } = parseUri(domain ?? one.uri) ?? {}
    const user = escapedUser(own?.user ?? DEFAULT_USER)
    return {
      uri: one.uri,
      proxy: one.proxy ?? proxy,
      from: `${scheme}:${user}@${hostPortText(host)}`,
      authenticator:
        own &&
        new Authenticator({
          username: own['auth-user'] ?? own.user,
          revealPassword: () => own.password.reveal(),
          newCnonce: newToken,
        }),
      emergencyNumbers: this.#options['emergency-numbers'],
      codecs,
      holdMs: hold,
      ringMs: ring,
      sound: { bind, ports: this.#options['rtp-ports'] },
    }
  }
}

/** Without a scheme sip: is meant; these are schemes, and where they lead is looked at first. */
function refuseOtherSchemes(uri: string, context: z.core.$RefinementCtx<string>): void {
  if (!/^(?:tel|fax|modem|urn):/i.test(uri)) return
  const number = emergencyNumberIn(uri)
  const message = number === undefined ? 'expected a SIP URI, sip: or sips:' : refusal(number)
  context.addIssue({ code: 'custom', message, continue: false })
}

function emergencyIn(uri: string, read: Options): string | undefined {
  return emergencyNumberIn(uri, read['emergency-numbers'])
}

function refusal(number: string): string {
  return `not to be called: it may reach the emergency number ${number}; test calls never do`
}
