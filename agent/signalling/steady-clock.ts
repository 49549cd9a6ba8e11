/** Packets may be handed over a little later than the end of the interval they belong to. */
const MAX_LATE_US = 5_000_000

/** Times that do not go back when the clock of the machine is set back: whoever waits for 32 s would wait for an hour longer. */
export class SteadyClock {
  #setBackUs = 0
  #endUs = -Infinity

  /** When a packet came. */
  timeOf(timeUs: number): number {
    return Math.max(timeUs + this.#setBackUs, this.#endUs - MAX_LATE_US)
  }

  /** The end of an interval: none is before the one before. */
  end(endUs: number): number {
    const steadyUs = endUs + this.#setBackUs
    if (steadyUs < this.#endUs) this.#setBackUs += this.#endUs - steadyUs
    this.#endUs = Math.max(this.#endUs, steadyUs)
    return this.#endUs
  }
}
