const US_PER_S = 1_000_000

/** Lets through `ratePerS` on average and `burst` at once. */
export class TokenBucket {
  readonly #ratePerS: number
  readonly #burst: number
  #tokens: number
  #filledUs: number

  constructor(ratePerS: number, burst: number, nowUs: number) {
    this.#ratePerS = ratePerS
    this.#burst = burst
    this.#tokens = burst
    this.#filledUs = nowUs
  }

  take(nowUs: number): boolean {
    const filled = this.#tokens + ((nowUs - this.#filledUs) / US_PER_S) * this.#ratePerS
    this.#tokens = Math.min(this.#burst, filled)
    this.#filledUs = nowUs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
