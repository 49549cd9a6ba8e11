/** What a component could not do, with a stable code; the message names the thing, what was expected and what came. */
abstract class CodedError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Worth a retry: the far side may answer later. `retryAfterMs` is set where it said when. */
export class TransientError extends CodedError {
  override readonly name = 'TransientError'
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, options?: ErrorOptions & { retryAfterMs?: number }) {
    super(code, message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** Not worth a retry: the same attempt will fail the same way. */
export class PermanentError extends CodedError {
  override readonly name = 'PermanentError'
}

/** The one-line reason of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
