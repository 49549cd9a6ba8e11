import { secret } from '../../common/settings.ts'

/** As many octets as the seal has: a shorter key would be the easier thing to guess. */
const MIN_KEY_LENGTH = 16

/** The key both ends share. */
export const testKey = secret.refine((key) => key.reveal().length >= MIN_KEY_LENGTH, {
  error: `expected a key of at least ${MIN_KEY_LENGTH} characters, the same at both ends`,
})
