import { z } from 'zod'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { duration, name, secret } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import { parseUri } from '../sip/uri.ts'
import { clientOptions, sipUri } from '../sip-client/client-options.ts'
import { openSipClient, type SipClient } from '../sip-client/sip-client.ts'
import { RegisteringAccount, type RegistrationCheck } from '../sip-client/registering-account.ts'
import { agentOf, mappedAddressOf } from '../sip-client/response-words.ts'
import { runSpread, sipClock, spreadOver } from '../sip-client/scheduler.ts'
import { newToken } from '../sip-client/token.ts'
import { UnwantedRequests } from '../sip-client/unwanted-requests.ts'

const MAX_ACCOUNTS = 2000
const MIN_EXPIRES_MS = 60_000
const MAX_EXPIRES_MS = 86_400_000
const MS_PER_S = 1000
const MAX_HOSTS = 8

const account = z
  .strictObject({
    /** What the alerts call it. */
    name,
    /** User part of its address. */
    user: z.string().min(1).max(128),
    /** Who we say we are when challenged, where that is not the user. */
    'auth-user': z.string().min(1).max(128).optional(),
    password: secret,
    /** Nobody else registers it: a contact of our own is added and taken back. */
    dedicated: z.boolean().default(false),
  })
  .refine((read) => read.name !== read.user, {
    path: ['name'],
    error: 'expected a name that is not the number: names are seen by everybody',
  })

const options = z.strictObject({
  /** Domain or address, such as sip:pbx.example.org;transport=tls */
  registrar: sipUri,
  accounts: z
    .array(account)
    .min(1)
    .max(MAX_ACCOUNTS)
    .refine((accounts) => new Set(accounts.map((one) => one.name)).size === accounts.length, {
      error: 'expected every account to have a name of its own',
    }),
  /** Asked for on dedicated accounts. */
  expires: duration.pipe(z.int().min(MIN_EXPIRES_MS).max(MAX_EXPIRES_MS)).prefault('5min'),
  ...clientOptions,
})
type Options = z.infer<typeof options>

/** REGISTER for each account: without a contact, which changes nothing, or on dedicated accounts with one that is taken back. */
export const sipRegister = defineProbe({
  name: 'sip-register',
  summary: 'SIP registrations: credentials, registrar, delay, who is registered and for how long',
  options,
  create: (read, context) => new SipRegisterProbe(read, context),
})

class SipRegisterProbe implements Probe {
  readonly #options: Options
  readonly #context: ProbeContext
  #sip: SipClient | undefined
  #accounts: readonly RegisteringAccount[] = []
  readonly #paused = new Set<string>()

  constructor(read: Options, context: ProbeContext) {
    this.#options = read
    this.#context = context
  }

  async open(): Promise<void> {
    const { registrar, proxy, accounts, expires } = this.#options
    const unwanted = new UnwantedRequests(sipClock, newToken())
    const isCallable = accounts.some(({ dedicated }) => dedicated)
    const sip = openSipClient(
      this.#options,
      this.#context.nowUs,
      isCallable
        ? (request, reply) => {
            unwanted.answer(request, reply)
          }
        : undefined,
    )
    this.#sip = sip
    const settings = { uri: registrar, proxy, expiresS: Math.round(expires / MS_PER_S) }
    const tools = { client: sip.client, clock: sipClock, newToken }
    this.#accounts = accounts.map(
      (read) =>
        new RegisteringAccount(
          {
            name: read.name,
            user: read.user,
            authUser: read['auth-user'] ?? read.user,
            revealPassword: () => read.password.reveal(),
            isDedicated: read.dedicated,
          },
          settings,
          tools,
        ),
    )
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    return await runSpread(
      this.#accounts,
      spreadOver(interval.durationMs),
      sipClock,
      signal,
      async (one) => {
        const check = await one.check(signal)
        this.#notePause(one.settings.name, check)
        return this.#toPoint(one, interval, check)
      },
    )
  }

  async close(): Promise<void> {
    this.#sip?.close()
    this.#sip = undefined
    return Promise.resolve()
  }

  #notePause(target: string, { pause }: RegistrationCheck): void {
    const { log } = this.#context
    if (pause === undefined) this.#paused.delete(target)
    else if (!this.#paused.has(target)) {
      this.#paused.add(target)
      log.warn({ target, leftS: Math.round(pause.leftS), reason: pause.reason }, 'checks paused')
    }
  }

  #toPoint(
    { settings, maskedAor }: RegisteringAccount,
    interval: Interval,
    check: RegistrationCheck,
  ): Measurement {
    const { delivery, pause, bindings, isAccepted, isRegistered, grantedS } = check
    const { response, target, flow } = delivery ?? {}
    const lastsS = bindings?.flatMap(({ expiresS }) => expiresS ?? [])
    return measurement(
      'sip_registration',
      interval.endUs,
      { target: settings.name },
      {
        interval_ms: interval.durationMs,
        aor: maskedAor,
        dedicated: settings.isDedicated,
        registered: isRegistered,
        accepted: isAccepted,
        status_code: response?.statusCode,
        registration_request_delay_ms: isAccepted === true ? delivery?.delayMs : undefined,
        expires_s: grantedS,
        margin_s: grantedS ?? (lastsS === undefined ? undefined : Math.max(...lastsS)),
        contacts: bindings?.length,
        contact_hosts: bindings === undefined ? undefined : hostsOf(bindings),
        challenges: delivery?.challenges,
        stale: delivery?.stale,
        algorithm: check.algorithm,
        retransmissions: delivery?.retransmissions,
        redirects: delivery?.redirects,
        failovers: delivery?.failovers,
        transport: (flow?.target ?? target)?.transport,
        server: target === undefined ? undefined : hostPortText(target.address, target.port),
        user_agent: response === undefined ? undefined : agentOf(response),
        mapped_address: response === undefined ? undefined : mappedAddressOf(response),
        connect_ms: delivery?.connectMs,
        certificate_days: delivery?.certificate?.daysLeft,
        timeout: delivery?.isTimeout,
        timeout_ms: delivery?.isTimeout === true ? delivery.waitedMs : this.#options.timeout,
        paused: pause !== undefined,
        pause_left_s: pause?.leftS,
        failures_in_row: check.failuresInRow,
        reason: check.reason,
      },
    )
  }
}

/** Where the contacts are, without the numbers: a new one is worth a look. */
function hostsOf(bindings: readonly { readonly uri: string }[]): string {
  const hosts = bindings.flatMap(({ uri }) => {
    const parsed = parseUri(uri)
    return parsed === undefined || parsed.host === '' ? [] : [hostPortText(parsed.host)]
  })
  return [...new Set(hosts)].sort().slice(0, MAX_HOSTS).join(' ')
}
