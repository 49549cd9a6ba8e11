/** What became of a call that was to be set up: by whom it was answered, or why it was not. */
export const SETUP_OUTCOMES = [
  'answered',
  /** 486, 600. */
  'busy',
  /** It rang until our patience ended. */
  'no-answer',
  /** 480, 487 without our CANCEL: nobody is there now. */
  'unavailable',
  /** 403, 603, 607, 608: we are not wanted. */
  'rejected',
  /** 401, 407 that could not be answered, or were again. */
  'unauthorized',
  /** 404, 410, 484, 485, 604: no such number. */
  'not-found',
  /** 415, 488, 606: no common codec, or encryption wanted. */
  'incompatible',
  /** 503: full, or down. */
  'overloaded',
  /** 3xx that could not be followed. */
  'redirected',
  /** Any other failure response. */
  'failed',
  /** No final answer in time, and it never rang; 408 and 504 of somebody on the way too. */
  'timeout',
  /** No server to be found, or none that takes the request. */
  'unreachable',
  /** Not called: it would have reached an emergency number. */
  'refused',
  /** We had to hang up before it was known: nothing is. */
  'interrupted',
] as const
export type SetupOutcome = (typeof SETUP_OUTCOMES)[number]

const BY_STATUS: ReadonlyMap<number, SetupOutcome> = new Map([
  ...([486, 600] as const).map((status) => [status, 'busy'] as const),
  ...([480, 487] as const).map((status) => [status, 'unavailable'] as const),
  ...([403, 603, 607, 608] as const).map((status) => [status, 'rejected'] as const),
  ...([401, 407] as const).map((status) => [status, 'unauthorized'] as const),
  ...([404, 410, 484, 485, 604] as const).map((status) => [status, 'not-found'] as const),
  ...([415, 488, 606] as const).map((status) => [status, 'incompatible'] as const),
  ...([408, 504] as const).map((status) => [status, 'timeout'] as const),
  [503, 'overloaded'] as const,
])
const FIRST_REDIRECT = 300
const FIRST_FAILURE = 400

export function outcomeOfStatus(statusCode: number): SetupOutcome {
  if (statusCode < FIRST_REDIRECT) return 'answered'
  if (statusCode < FIRST_FAILURE) return 'redirected'
  return BY_STATUS.get(statusCode) ?? 'failed'
}
