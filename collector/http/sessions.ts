import { createHash, randomBytes } from 'node:crypto'

const LIFETIME_MS = 12 * 3_600_000
/** When full, the oldest has to log in again. */
const MAX_SESSIONS = 1000
const ID_BYTES = 32

export const SESSION_COOKIE = 'kiestoon_session'
export const SESSION_LIFETIME_S = LIFETIME_MS / 1000

/** Who is logged in at the console. Kept in memory only: after a restart people log in again. */
export class Sessions {
  readonly #nowMs: () => number
  /** By the hash of the cookie, oldest first. */
  readonly #sessions = new Map<string, { readonly tokenId: string; readonly endsMs: number }>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Begins a session for the holder of a token; gives what goes into the cookie. */
  begin(tokenId: string): string {
    const id = randomBytes(ID_BYTES).toString('base64url')
    this.#sessions.set(hashOf(id), { tokenId, endsMs: this.#nowMs() + LIFETIME_MS })
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_SESSIONS) break
      this.#sessions.delete(oldest)
    }
    return id
  }

  /** The token the session was begun with; undefined when there is no such session, or not any more. */
  tokenOf(id: string): string | undefined {
    const key = hashOf(id)
    const session = this.#sessions.get(key)
    if (session === undefined) return undefined
    if (session.endsMs > this.#nowMs()) return session.tokenId
    this.#sessions.delete(key)
    return undefined
  }

  end(id: string): void {
    this.#sessions.delete(hashOf(id))
  }
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}
