import { z } from 'zod'
import { name, secret } from '../../common/settings.ts'
import { parseNetwork } from '../capture/address.ts'
import { accountKey } from './account-key.ts'
import { DEFAULT_DIAL_PLAN } from './default-options.ts'
import type { SignallingOptions } from './signalling-row.ts'

const MAX_LIST = 64
const MAX_PREFIXES = 256

const networkOf = z.string().transform((text, context) => {
  const read = parseNetwork(text)
  if (read !== undefined) return read
  const message = 'expected a network such as 10.1.0.0/16, 2001:db8::/32 or a single address'
  context.issues.push({ code: 'custom', message, input: text })
  return z.NEVER
})
const networks = z.array(networkOf).max(MAX_LIST)
const number = z
  .string()
  .regex(/^\+?[0-9*#]{1,20}$/, "expected a number or its beginning, in quotes, such as '0900'")
const numbers = z.array(number).max(MAX_PREFIXES)

/** What to make of SIP that passes, beside the media it sets up. */
export const signallingOptions = z
  .strictObject({
    /** Trunks, registrars and servers that are called by name in alerts and graphs; others go by their address. */
    peers: z
      .record(name, z.union([networkOf.transform((one) => [one]), networks.min(1)]))
      .refine((read) => Object.keys(read).length <= MAX_LIST, 'expected at most 64 peers')
      .default({}),
    /** What is not outside; unless told otherwise, all private addresses. */
    'own-networks': networks.default([]),
    /** Country code, without + or 00. */
    'own-country': z
      .string()
      .regex(/^\d{1,3}$/, "expected a country code in quotes, such as '31'")
      .default(DEFAULT_DIAL_PLAN.ownCountry),
    /** What numbers of other networks of the country begin with; '' where there is no such thing. */
    'national-prefix': z
      .string()
      .regex(/^\d{0,2}$/, "expected digits in quotes, such as '0'")
      .default(DEFAULT_DIAL_PLAN.nationalPrefix),
    /** What numbers abroad begin with. */
    international: z
      .array(z.string().regex(/^\+$|^\d{1,5}$/, "expected '+' or digits in quotes, such as '00'"))
      .max(MAX_LIST)
      .default([...DEFAULT_DIAL_PLAN.international]),
    /** How numbers begin that cost more. */
    premium: numbers.default([...DEFAULT_DIAL_PLAN.premium]),
    /** Whole numbers, besides those that are emergency numbers anywhere. */
    emergency: numbers.default([]),
    /** Dialled first to leave the house. */
    'outside-line': z
      .array(z.string().regex(/^\d{1,3}$/, "expected digits in quotes, such as '0'"))
      .max(MAX_LIST)
      .default([...DEFAULT_DIAL_PLAN.outsideLine]),
    /** How own numbers begin: a call from one of them that arrives from outside is a false one. */
    'own-numbers': numbers.default([]),
    /** What the keys of accounts are made with, the same for agents that are to agree on them. */
    'account-key': secret.optional(),
  })
  .transform((read): SignallingOptions => ({
    peers: Object.entries(read.peers).map(([peer, of]) => ({ name: peer, networks: of })),
    ownNetworks: read['own-networks'],
    accountKey: accountKey(read['account-key']),
    dialPlan: {
      emergency: [...DEFAULT_DIAL_PLAN.emergency, ...read.emergency],
      premium: read.premium,
      international: read.international,
      ownCountry: read['own-country'],
      nationalPrefix: read['national-prefix'],
      outsideLine: read['outside-line'],
      ownNumbers: read['own-numbers'],
    },
  }))
