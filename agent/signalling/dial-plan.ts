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
/** Emergency services without a number (RFC 5031), and the user part they had before that. */
const SOS_URN = /^urn:service:sos(?:\.|$)/i
const SOS_USER =
  /^sos(?:\.(?:ambulance|animal-control|fire|gas|marine|mountain|physician|poison|police))?$/i
const ESCAPES = /%([0-9a-f]{2})/gi
/** A number, and what is dialled once it answers. */
const NUMBER = /^(\+?[0-9*#]+)(?:[,pw][0-9*#,pw]*)?$/i
/** Withholds or shows the caller's own number; and the key that ends a number. */
const CALLER_CODE = /^(?:[*#]31[*#]|\*67|\*82)/
const END_KEY = /#$/

export class DialPlan {
  readonly #options: DialPlanOptions
  readonly #emergency: ReadonlySet<string>

  constructor(options: DialPlanOptions) {
    this.#options = options
    this.#emergency = new Set(options.emergency)
  }

  /** What the user part of a URI, a number or a URN means. */
  read(userOrUrn: string): Dialled {
    if (SOS_URN.test(userOrUrn) || SOS_USER.test(unescaped(userOrUrn)))
      return { destination: 'emergency', emergencyNumber: 'sos' }
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
    if (isOwnCountry) forms.push(nationalPrefix + abroad.slice(ownCountry.length))
    // 0 0900 1234 begins like a number abroad, too.
    forms.push(...this.#inside(number).filter(({ length }) => length > MAX_SHORT_DIGITS))
    const all = forms.flatMap((form) => [form, `+${this.#internationalPart(form) ?? ''}`])
    if (premium.some((prefix) => all.some((form) => form.startsWith(prefix)))) return 'premium'
    if (abroad !== undefined) return isOwnCountry ? 'national' : 'international'
    return number.length <= MAX_SHORT_DIGITS ? 'short' : 'national'
  }

  #emergencyIn(number: string): string | undefined {
    const plain = number.replace(CALLER_CODE, '').replace(END_KEY, '')
    if (plain.length > MAX_EMERGENCY_DIGITS) return undefined
    const { ownCountry } = this.#options
    const dialled = [plain, ...this.#inside(plain)]
    // Handsets write what is dialled in international form, with or without a country.
    const abroad = dialled.flatMap((form) => this.#internationalPart(form) ?? [])
    const athome = abroad
      .filter((form) => form.startsWith(ownCountry))
      .map((form) => form.slice(ownCountry.length))
    return [...dialled, ...abroad, ...athome].find((form) => this.#emergency.has(form))
  }

  /** What is left of a number without the digits for an outside line. */
  #inside(number: string): string[] {
    return this.#options.outsideLine
      .filter((prefix) => number.startsWith(prefix))
      .map((prefix) => number.slice(prefix.length))
  }

  /** Country code and number, when it begins as an international number does. */
  #internationalPart(number: string): string | undefined {
    const prefix = this.#options.international.find((one) => number.startsWith(one))
    return prefix === undefined ? undefined : number.slice(prefix.length)
  }
}

/** The digits of a number, visual separators and parameters taken off (RFC 3966); undefined when it is none. */
function digitsOf(user: string): string | undefined {
  const [text = ''] = unescaped(user).split(';', 1)
  const digits = NUMBER.exec(text.replace(/[-.() ]/g, ''))?.[1]
  return digits !== undefined && digits.length <= MAX_DIGITS ? digits : undefined
}

/** Escapes undone, once (RFC 3261 section 19.1.2). */
function unescaped(text: string): string {
  return text.replace(ESCAPES, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
}
