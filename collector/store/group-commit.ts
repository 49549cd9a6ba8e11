import { TransientError } from '../../common/errors.ts'
import { Turnstile } from './turnstile.ts'

interface Waiting<T> {
  readonly items: readonly T[]
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export interface GroupCommitLimits {
  /** Most items of one commit; a single larger write is a commit of its own. */
  readonly maxPerCommit: number
  /** Most items that wait; writes beyond are refused, and the sender keeps them. */
  readonly maxWaiting: number
}

/**
 * Many writers, one disk: what arrives while a commit runs is committed together by the next one, so a flush to disk is paid once
 * for all of them. A write resolves when the commit it was part of has, and rejects with it.
 */
export class GroupCommit<T> {
  readonly #commit: (items: readonly T[]) => Promise<void>
  readonly #limits: GroupCommitLimits
  readonly #turnstile = new Turnstile(1, Infinity)
  #waiting: Waiting<T>[] = []
  #waitingItems = 0
  #idle: Promise<void> = Promise.resolve()
  #scheduled = false

  constructor(commit: (items: readonly T[]) => Promise<void>, limits: GroupCommitLimits) {
    this.#commit = commit
    this.#limits = limits
  }

  /** @throws TransientError `store-busy` when too much waits already, or what the commit threw */
  async write(items: readonly T[]): Promise<void> {
    if (this.#waitingItems > 0 && this.#waitingItems + items.length > this.#limits.maxWaiting) {
      throw new TransientError('store-busy', `${this.#waitingItems} points already wait`)
    }
    this.#waitingItems += items.length
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ items, resolve, reject })
      this.#schedule()
    })
  }

  /** Runs a task of another kind (retention, reopening) between two commits. */
  async between<R>(task: () => Promise<R>): Promise<R> {
    return await this.#turnstile.run(task)
  }

  /** Resolves when nothing waits. */
  async drained(): Promise<void> {
    while (this.#scheduled) await this.#idle
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#idle = this.#turnstile.run(async () => {
      await this.#commitGroup(this.#takeGroup())
      this.#scheduled = false
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #takeGroup(): readonly Waiting<T>[] {
    let items = 0
    let count = 0
    for (const { items: more } of this.#waiting) {
      if (count > 0 && items + more.length > this.#limits.maxPerCommit) break
      items += more.length
      count++
    }
    this.#waitingItems -= items
    return this.#waiting.splice(0, count)
  }

  async #commitGroup(group: readonly Waiting<T>[]): Promise<void> {
    const only = group.length === 1 ? group[0]?.items : undefined
    try {
      await this.#commit(only ?? group.flatMap(({ items }) => items))
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    }
    for (const { resolve } of group) resolve()
  }
}
