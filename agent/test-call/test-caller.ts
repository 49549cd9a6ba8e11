import { waitSeconds } from '../sip/bindings.ts'
import type { SipMessage } from '../sip/message.ts'
import type { SetUpTools } from './call-set-up.ts'
import { OutgoingCall, type CallReport, type CallSettings } from './outgoing-call.ts'

/** After a refusal: whoever goes on trying a wrong password locks the account out. */
const REFUSED_PAUSE_S = 900
/** What a server asks for in Retry-After is granted up to this. */
const MAX_PAUSE_S = 3600
const MS_PER_S = 1000
/** Calls that are over, and whose far end may not know yet. */
const MAX_LINGERING = 4

/** What one check found. */
export interface CallCheck {
  /** Why nobody was called, and for how long; then nothing else is known. */
  readonly pause: { readonly leftS: number; readonly reason: string } | undefined
  readonly report: CallReport | undefined
  /** Calls in a row, this one included, that were not answered; those that had to be taken back by us early do not count. */
  readonly failuresInRow: number
}

/** One number that is called again and again, one call at a time. */
export class TestCaller {
  readonly #settings: CallSettings
  readonly #tools: SetUpTools
  /** The newest last. */
  readonly #calls: OutgoingCall[] = []
  #pause: { readonly untilMs: number; readonly reason: string } | undefined
  #failuresInRow = 0

  constructor(settings: CallSettings, tools: SetUpTools) {
    this.#settings = settings
    this.#tools = tools
  }

  async check(signal: AbortSignal): Promise<CallCheck> {
    const pause = this.#pauseNow()
    if (pause !== undefined) return { pause, report: undefined, failuresInRow: this.#failuresInRow }
    this.#settings.authenticator?.startOver()
    const call = new OutgoingCall(this.#settings, this.#tools)
    this.#calls.push(call)
    if (this.#calls.length > MAX_LINGERING) this.#calls.shift()?.close()
    const report = await call.run(signal)
    if (report.outcome === 'answered') this.#failuresInRow = 0
    else if (report.outcome !== 'interrupted') this.#failuresInRow++
    this.#notePause(report)
    return { pause: undefined, report, failuresInRow: this.#failuresInRow }
  }

  /** Takes a request within one of our calls; false when it is in none. */
  take(request: SipMessage, reply: (bytes: Uint8Array) => void): boolean {
    return this.#calls.some((call) => call.take(request, reply))
  }

  close(): void {
    for (const call of this.#calls) call.close()
  }

  #notePause({ delivery, outcome, reason = '' }: CallReport): void {
    const isLockout = delivery?.areCredentialsWrong === true
    const retryS =
      outcome === 'answered' ? 0 : (waitSeconds(delivery?.response?.header('retry-after')) ?? 0)
    const pauseS = isLockout ? REFUSED_PAUSE_S : Math.min(retryS, MAX_PAUSE_S)
    if (pauseS === 0) return
    const why = isLockout ? 'so as not to lock the account out' : 'as the server asked'
    this.#pause = {
      untilMs: this.#tools.clock.monotonicMs() + pauseS * MS_PER_S,
      reason: `not called, ${why}: ${reason}`,
    }
  }

  #pauseNow(): CallCheck['pause'] {
    if (this.#pause === undefined) return undefined
    const { untilMs, reason } = this.#pause
    const leftS = (untilMs - this.#tools.clock.monotonicMs()) / MS_PER_S
    if (leftS > 0) return { leftS, reason }
    this.#pause = undefined
    return undefined
  }
}
