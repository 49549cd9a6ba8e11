import type { Authenticator } from '../sip/authenticator.ts'
import type { SipMessage } from '../sip/message.ts'
import { sdpOf } from '../sip/multipart.ts'
import { DialogRequests } from '../sip-client/dialog-requests.ts'
import type { Flow } from '../sip-client/flow.ts'
import { statusText } from '../sip-client/response-words.ts'
import { targetText } from '../sip-client/flow.ts'
import type { Delivery } from '../sip-client/user-agent-client.ts'
import type { G711Law } from '../rtp/g711.ts'
import { CallSdp, readFarSound, type FarSound } from './call-sdp.ts'
import { outcomeOfStatus, type SetupOutcome } from './call-outcome.ts'
import { CallSetUp, type Answered, type SetUpTools } from './call-set-up.ts'
import type { MediaReport } from './media-report.ts'
import { openCallSound, type CallSound } from './media-thread.ts'
import type { MediaSettings } from './messages.ts'

/** Whoever says nothing to a CANCEL is waited for so long. */
const CANCEL_WAIT_MS = 4000
/** When the agent ends, it waits a second for its probes. */
const LAST_WORDS_MS = 700
/** What is under way when we stop sending. */
const DRAIN_MS = 400
const LAST_DRAIN_MS = 60
const FIRST_REFUSAL = 300
/** Moves of the sound in one call; a far end that wants more is ill. */
const MAX_MOVES = 64

export interface CallSettings {
  readonly uri: string
  readonly proxy: string | undefined
  readonly from: string
  readonly authenticator: Authenticator | undefined
  readonly emergencyNumbers: readonly string[]
  readonly codecs: readonly G711Law[]
  readonly ringMs: number
  readonly holdMs: number
  readonly sound: MediaSettings
}

export interface CallReport {
  readonly outcome: SetupOutcome
  readonly delivery: Delivery | undefined
  /** RFC 6076 section 4.3.1: INVITE to the first provisional response but 100, or the answer. Only of answered calls. */
  readonly sessionRequestDelayMs: number | undefined
  /** Section 4.3.2: INVITE to the same, or the refusal, of calls that were not answered. */
  readonly failedSessionRequestDelayMs: number | undefined
  readonly answerDelayMs: number | undefined
  readonly isRinging: boolean
  readonly hasEarlyMedia: boolean
  readonly far: FarSound | undefined
  /** Answer to BYE. */
  readonly talkedMs: number | undefined
  readonly endedBy: 'us' | 'far-end' | undefined
  /** Section 4.4: BYE to its 2xx; undefined when we did not send one, or nobody answered it. */
  readonly sessionDisconnectDelayMs: number | undefined
  readonly isDisconnectTimeout: boolean
  /** Undefined while no sound was agreed upon. */
  readonly media: MediaReport | undefined
  readonly loopDelayMs: number | undefined
  /** The far end was to send all the time: no hold. */
  readonly expectsSound: boolean
  readonly reason: string | undefined
}

type Ending = 'us' | 'far-end' | 'interrupted'

/** One test call from INVITE to BYE, and what was measured of it. */
export class OutgoingCall {
  readonly #settings: CallSettings
  readonly #tools: SetUpTools
  readonly #faults: string[] = []
  #setUp: CallSetUp | undefined
  #sdp: CallSdp | undefined
  #sound: CallSound | undefined
  #requests: DialogRequests | undefined
  #far: FarSound | undefined
  #expectsSound = true
  #moves = 0
  #isInterrupted = false
  readonly #lastWords = new AbortController()
  #end: (ending: Ending) => void = () => undefined

  constructor(settings: CallSettings, tools: SetUpTools) {
    this.#settings = settings
    this.#tools = tools
  }

  /** Takes a request of the far end; false when it does not belong to this call. */
  take(request: SipMessage, reply: (bytes: Uint8Array) => void): boolean {
    const answered = this.#setUp?.answered
    if (answered?.dialog.owns(request) !== true || this.#requests === undefined) return false
    this.#requests.receive(request, reply)
    return true
  }

  /** Says no more. */
  close(): void {
    this.#setUp?.close()
    this.#requests?.close()
  }

  /**
   * Calls, holds, hangs up. When the signal fires it hangs up at once, and tells what there is to tell.
   * @throws TransientError when this machine has no port for the sound
   */
  async run(signal: AbortSignal): Promise<CallReport> {
    const sound = await openCallSound(this.#settings.sound)
    this.#sound = sound
    const interrupt = (): void => {
      this.#isInterrupted = true
      this.#tools.clock.setTimer(() => {
        this.#lastWords.abort()
      }, LAST_WORDS_MS)
      this.#setUp?.cancel(LAST_WORDS_MS)
      this.#end('interrupted')
    }
    try {
      const setUp = this.#newSetUp(sound)
      this.#setUp = setUp
      signal.addEventListener('abort', interrupt, { once: true })
      if (signal.aborted) interrupt()
      const delivery = await setUp.run()
      const { answered } = setUp
      return answered === undefined
        ? await this.#notAnswered(setUp, sound, delivery)
        : await this.#talk(setUp, sound, answered, delivery)
    } finally {
      signal.removeEventListener('abort', interrupt)
      await sound.close()
    }
  }

  #newSetUp({ ports }: CallSound): CallSetUp {
    const { uri, proxy, from, authenticator, emergencyNumbers, codecs, ringMs } = this.#settings
    const { newToken } = this.#tools
    const setUp = new CallSetUp(
      {
        ...{ uri, proxy, from, authenticator, emergencyNumbers, ringMs },
        contactUser: newToken().slice(0, 12),
        cancelWaitMs: CANCEL_WAIT_MS,
        offer: ({ local }: Flow) => {
          const address = local.host.split('%', 1)[0] ?? ''
          const port = (address.includes(':') ? ports.v6 : ports.v4) ?? 0
          this.#sdp = new CallSdp(codecs, { address, port, sessionId: sessionIdOf(newToken()) })
          return this.#sdp.offer()
        },
      },
      this.#tools,
    )
    setUp.onEarly = (sdp) => {
      this.#listenTo(sdp)
    }
    return setUp
  }

  async #notAnswered(
    setUp: CallSetUp,
    sound: CallSound,
    delivery: Delivery | undefined,
  ): Promise<CallReport> {
    const { progress } = setUp
    const { response } = delivery ?? {}
    const outcome = this.#outcomeOf(setUp, delivery)
    if (delivery?.reason !== undefined) this.#faults.push(delivery.reason)
    if (response !== undefined && delivery?.target !== undefined)
      this.#faults.unshift(`${statusText(response)} from ${targetText(delivery.target)}`)
    if (setUp.isCancelled && outcome !== 'interrupted')
      this.#faults.unshift(`not answered in ${this.#settings.ringMs} ms`)
    const isRefusal = response !== undefined && response.statusCode >= FIRST_REFUSAL
    const isOwnDoing = setUp.isCancelled || outcome === 'refused'
    const media = await this.#finish(sound, LAST_DRAIN_MS)
    return {
      ...this.#report(outcome, setUp, delivery),
      failedSessionRequestDelayMs:
        progress.ringMs ?? (isRefusal && !isOwnDoing ? setUp.finalDelayMs : undefined),
      media: this.#far === undefined ? undefined : media.report,
      loopDelayMs: media.loopDelayMs,
      reason: reasonOf(this.#faults),
    }
  }

  async #talk(
    setUp: CallSetUp,
    sound: CallSound,
    answered: Answered,
    delivery: Delivery | undefined,
  ): Promise<CallReport> {
    const { clock } = this.#tools
    const { dialog, flow, response, atMs } = answered
    const ended = new Promise<Ending>((resolve) => {
      this.#end = resolve
    })
    this.#requests = new DialogRequests({
      ...{ dialog, clock, contact: setUp.contactOf(flow) },
      isReliable: flow.target.transport !== 'udp',
      onBye: () => {
        this.#end('far-end')
      },
      describe: (offer) => this.#describe(offer),
      onAnswer: (answer) => {
        this.#listenTo(answer)
      },
    })
    const release = flow.hold()
    const sdp = sdpOf(response) ?? setUp.progress.earlySdp
    if (sdp === undefined) this.#faults.push('answered without a session description')
    else this.#listenTo(sdp)
    sound.answered()
    const isOfUse = this.#far !== undefined && !this.#isInterrupted
    const cancelHold = clock.setTimer(
      () => {
        this.#end('us')
      },
      isOfUse ? this.#settings.holdMs : 0,
    )
    const ending = await ended
    cancelHold()
    const media = await this.#finish(sound, ending === 'us' ? DRAIN_MS : LAST_DRAIN_MS)
    const talkedMs = clock.monotonicMs() - atMs
    const bye = ending === 'far-end' ? undefined : await this.#hangUp(setUp, answered)
    release()
    this.#requests.close()
    const { ringMs, sentMs } = setUp.progress
    if (ending === 'interrupted') this.#faults.push('hung up early: the time was up')
    if (delivery?.reason !== undefined) this.#faults.push(delivery.reason)
    const answerDelayMs = sentMs === undefined ? undefined : atMs - sentMs
    return {
      ...this.#report('answered', setUp, delivery),
      sessionRequestDelayMs: ringMs ?? answerDelayMs,
      ...{ answerDelayMs, talkedMs },
      endedBy: ending === 'far-end' ? 'far-end' : 'us',
      sessionDisconnectDelayMs: isDone(bye) ? bye?.delayMs : undefined,
      isDisconnectTimeout: bye?.isTimeout === true,
      media: this.#far === undefined ? undefined : media.report,
      loopDelayMs: media.loopDelayMs,
      reason: reasonOf(this.#faults),
    }
  }

  async #hangUp(setUp: CallSetUp, answered: Answered): Promise<Delivery> {
    const delivery = await setUp.bye(answered, this.#lastWords.signal)
    if (!isDone(delivery)) {
      const { response, reason = 'no answer' } = delivery
      this.#faults.push(`BYE: ${response === undefined ? reason : statusText(response)}`)
    }
    return delivery
  }

  #describe(offer: string | undefined): string | undefined {
    if (offer === undefined) return this.#sdp?.offer()
    const answer = this.#sdp?.answer(offer)
    if (answer !== undefined) this.#sendTo(answer.far)
    return answer?.text
  }

  #listenTo(sdp: string): void {
    const far = readFarSound(sdp, this.#settings.codecs)
    if (typeof far === 'string') this.#faults.push(far)
    else this.#sendTo(far)
  }

  #sendTo(far: FarSound): void {
    const { address, port, rtcpPort, law, packetMs, direction } = far
    if (++this.#moves > MAX_MOVES) return
    const isHeld = direction === 'inactive'
    this.#far = far
    if (isHeld || direction === 'recvonly') this.#expectsSound = false
    const maySend = !isHeld && direction !== 'sendonly'
    this.#sound?.talk({ address, port, rtcpPort, law, packetMs, maySend })
  }

  async #finish(sound: CallSound, drainMs: number): ReturnType<CallSound['finish']> {
    return await sound.finish(this.#isInterrupted ? LAST_DRAIN_MS : drainMs)
  }

  #outcomeOf(setUp: CallSetUp, delivery: Delivery | undefined): SetupOutcome {
    const { isRinging, isRefused, ringMs } = setUp.progress
    if (isRefused) return 'refused'
    if (this.#isInterrupted) return 'interrupted'
    if (setUp.isCancelled) return isRinging || ringMs !== undefined ? 'no-answer' : 'timeout'
    const status = delivery?.response?.statusCode
    if (status !== undefined) return outcomeOfStatus(status)
    return delivery?.isTimeout === true ? 'timeout' : 'unreachable'
  }

  #report(
    outcome: SetupOutcome,
    { progress: { isRinging, earlySdp } }: CallSetUp,
    delivery: Delivery | undefined,
  ): CallReport {
    return {
      ...{ outcome, delivery, isRinging, hasEarlyMedia: earlySdp !== undefined, far: this.#far },
      ...{ sessionRequestDelayMs: undefined, failedSessionRequestDelayMs: undefined },
      ...{ answerDelayMs: undefined, talkedMs: undefined, endedBy: undefined },
      ...{ sessionDisconnectDelayMs: undefined, isDisconnectTimeout: false, media: undefined },
      ...{ loopDelayMs: undefined, expectsSound: this.#expectsSound, reason: undefined },
    }
  }
}

function isDone(delivery: Delivery | undefined): boolean {
  const status = delivery?.response?.statusCode
  return status !== undefined && status < FIRST_REFUSAL
}

function sessionIdOf(token: string): number {
  return parseInt(token.slice(0, 8), 16)
}

function reasonOf(faults: readonly string[]): string | undefined {
  return faults.length === 0 ? undefined : [...new Set(faults)].join('; ')
}
