import { randomBytes, randomInt } from 'node:crypto'

const TOKEN_OCTETS = 16
const RANDOM_STEPS = 2 ** 32

/** Text nobody can guess: for branches, tags, Call-IDs and client nonces. */
export function newToken(): string {
  return randomBytes(TOKEN_OCTETS).toString('hex')
}

/** From 0 up to 1. */
export function randomShare(): number {
  return randomInt(RANDOM_STEPS) / RANDOM_STEPS
}
