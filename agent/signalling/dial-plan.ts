/** What dialled numbers mean in a country: whether a call is free, dear, far, or a matter of life. */

export const DESTINATIONS = [
  'emergency',
  'premium',
  'international',
  'national',
  'short',
  'other',
] as const
export type Destination = (typeof DESTINATIONS)[number]

export interface DialPlanOptions {
  /** Whole numbers. */
  readonly emergency: readonly string[]
  /** How numbers begin that cost more, as dialled within the country, or in international form with +. */
  readonly premium: readonly string[]
  /** What numbers of other countries begin with. */
  readonly international: readonly string[]
  /** Without +, such as 31. */
  readonly ownCountry: string
  /** What numbers of other networks of the country begin with; '' where there is no such thing. */
  readonly nationalPrefix: string
  /** Dialled before a number to leave the house. */
  readonly outsideLine: readonly string[]
  /** Own numbers begin with these. */
  readonly ownNumbers: readonly string[]
}

/** What a caller dialled. */
export interface Dialled {
  readonly destination: Destination
  /** The number of the service called, 'sos' for a URN. */
  readonly emergencyNumber: string | undefined
}

/** With whatever is dialled before it. */
const MAX_EMERGENCY_DIGITS = 12
/** Extensions and short codes have no more. */
const MAX_SHORT_DIGITS = 5
/** No number is longer (ITU-T E.164, with what may be dialled before it). */
const MAX_DIGITS = 32
/** Emergency services without a number (RFC 5031). */
const SOS = /^urn:service:sos(?:\.|$)/i

export class DialPlan {
  readonly #options: DialPlanOptions
  readonly #emergency: ReadonlySet<string>

  constructor(options: DialPlanOptions) {
    this.#options = options
    this.#emergency = new Set(options.emergency)
  }

  /** What the user part of a URI, a number or a URN means. */
  read(userOrUrn: string): Dialled {
    if (SOS.test(userOrUrn)) return { destination: 'emergency', emergencyNumber: 'sos' }
    const number = digitsOf(userOrUrn)
    if (number === undefined) return { destination: 'other', emergencyNumber: undefined }
    const emergencyNumber = this.#emergencyIn(number)
    const destination = emergencyNumber === undefined ? this.#destinationOf(number) : 'emergency'
    return { destination, emergencyNumber }
  }

  /** Whether a number is one of our own. */
  isOwn(user: string): boolean {
    const { ownNumbers, nationalPrefix, ownCountry } = this.#options
    if (ownNumbers.length === 0) return false
    const number = digitsOf(user)
    if (number === undefined) return false
    const abroad = this.#internationalPart(number)
    const isNational = nationalPrefix !== '' && number.startsWith(nationalPrefix)
    const whole =
      abroad ?? (isNational ? ownCountry + number.slice(nationalPrefix.length) : undefined)
    const forms = whole === undefined ? [number] : [number, `+${whole}`]
    return ownNumbers.some((prefix) => forms.some((form) => form.startsWith(prefix)))
  }

  #destinationOf(number: string): Destination {
    const { premium, nationalPrefix, ownCountry } = this.#options
    const abroad = this.#internationalPart(number)
    const isOwnCountry = ownCountry !== '' && abroad?.startsWith(ownCountry) === true
    const forms = [number]
    if (abroad !== undefined) forms.push(`+${abroad}`)
    if (isOwnCountry) forms.push(nationalPrefix + abroad.slice(ownCountry.length))
    if (premium.some((prefix) => forms.some((form) => form.startsWith(prefix)))) return 'premium'
    if (abroad !== undefined) return isOwnCountry ? 'national' : 'international'
    return number.length <= MAX_SHORT_DIGITS ? 'short' : 'national'
  }

  #emergencyIn(number: string): string | undefined {
    if (this.#emergency.has(number)) return number
    if (number.length > MAX_EMERGENCY_DIGITS) return undefined
    const { outsideLine, ownCountry } = this.#options
    for (const prefix of [...outsideLine, `+${ownCountry}`]) {
      const rest = number.slice(prefix.length)
      if (number.startsWith(prefix) && this.#emergency.has(rest)) return rest
    }
    return undefined
  }

  /** Country code and number, when it begins as an international number does. */
  #internationalPart(number: string): string | undefined {
    const prefix = this.#options.international.find((one) => number.startsWith(one))
    return prefix === undefined ? undefined : number.slice(prefix.length)
  }
}

/** The digits of a number, visual separators and parameters taken off (RFC 3966); undefined when it is none. */
function digitsOf(user: string): string | undefined {
  const [text = ''] = user.split(';', 1)
  const digits = text.replace(/%2b/gi, '+').replace(/[-.() ]/g, '')
  return digits.length <= MAX_DIGITS && /^\+?[0-9*#]+$/.test(digits) ? digits : undefined
}
