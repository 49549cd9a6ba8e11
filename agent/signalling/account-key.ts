import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Secret } from '../../common/settings.ts'

/** Stays the same for the life of an installation, and is to be told nobody as it is (machine-id(5)). */
const MACHINE_ID_FILE = '/etc/machine-id'
const PURPOSE = 'kiestoon account keys'
const RANDOM_OCTETS = 32

/**
 * What the keys of accounts are made with: the secret of the configuration, the same for agents that are to give an account the same
 * key; else one of this machine's own; where it has none, one that lasts as long as the program runs.
 */
export function accountKey(given: Secret | undefined): string {
  if (given !== undefined) return given.reveal()
  try {
    const id = readFileSync(MACHINE_ID_FILE, 'utf8').trim()
    if (id !== '') return createHmac('sha256', id).update(PURPOSE).digest('hex')
  } catch {
    // Containers often have none.
  }
  return randomBytes(RANDOM_OCTETS).toString('hex')
}
