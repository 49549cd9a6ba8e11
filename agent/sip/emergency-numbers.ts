import { parameterOf } from './values.ts'

/**
 * Whether a request would call for help. A test that rings an emergency desk does harm, so this errs on refusing: what is refused
 * wrongly is dialled in another way, or not at all.
 *
 * Every piece of the URI that a server may dial is looked at, percent-escapes undone as often as it takes, visual separators taken off:
 * user and password, each parameter, each header. A piece is refused when its digits
 *
 * - are nine or fewer and hold an emergency number anywhere: 112, +31112, 0112, 9,112, *31#112, but also the extension 4112;
 * - begin with one and no + stands before them: an exchange connects 1124567 after the third digit;
 * - end with one behind a pause or a service code of * and #, however long that is.
 *
 * Longer numbers are those of somebody. What a dial plan of the server makes of other numbers, nobody but the server knows.
 */

/** Of Europe, North America, the United Kingdom and Ireland, and of police and rescue where they have their own. Never to be switched off. */
const BUILT_IN: readonly string[] = ['112', '911', '999', '110', '118']

/** Emergency services without a number, and the user part they had before that (RFC 5031). */
const SOS_URN = /urn:service:sos(?![a-z0-9-])/
const SOS_USER = /^sos(?:\.|$)/
const SOS = 'sos'

/** With outside line, international prefix and country code before it: 0 00 353 112 has nine. */
const MAX_DISGUISED_DIGITS = 9
/** Escapes of escapes; more are a trick. */
const MAX_DECODINGS = 8
const ESCAPE = /%[0-9a-f]{2}/i
const ESCAPES = /%([0-9a-f]{2})/gi
/** Digits of other scripts than ours. */
const FOREIGN_DIGIT = /(?![0-9])\p{Nd}/u
/** Letters part digits, but for those that stand for a pause when dialled. */
const RUN_BORDER = /(?![pwtx])\p{L}+/u
const PAUSE_OR_CODE = /[*#pwtx,;]+/
const TEL_SCHEME = /^\s*(?:tel|fax|modem):/
const NESTED_SCHEMES = /^(?:\s*(?:sips?|tel|fax|modem):)+/
/** Parameters that name a host or a way and are never dialled. */
const NOT_DIALLED: ReadonlySet<string> = new Set([
  ...['maddr', 'received', 'rport', 'transport', 'ttl', 'lr', 'branch', 'tag', 'expires', 'q'],
  ...['+sip.instance', 'reg-id', 'ob', 'gr', 'alias', 'fs_path', 'fs_nat', 'rinstance'],
])

/** An emergency number as somebody may list it. */
export const EMERGENCY_NUMBER = /^\d{2,12}$/

/**
 * Which emergency number a URI leads to, or `sos`; undefined when it leads to none.
 * @param uri of any scheme, as it is about to be sent
 * @param listed numbers beside those built in, digits only
 */
export function emergencyNumberIn(uri: string, listed: readonly string[] = []): string | undefined {
  const numbers = [...BUILT_IN, ...listed]
  const text = decoded(uri)
  if (text === undefined || FOREIGN_DIGIT.test(text)) return 'unreadable digits'
  if (SOS_URN.test(text)) return SOS
  const { dialled, isSos } = piecesOf(text)
  if (isSos) return SOS
  for (const piece of dialled) {
    const number = emergencyIn(piece, numbers)
    if (number !== undefined) return number
  }
  return undefined
}

/** Without escapes, in lower case and plain characters; undefined when there is no end of escapes. */
function decoded(uri: string): string | undefined {
  // One character for each octet of UTF-8: escapes stand for octets.
  let octets = Buffer.from(uri, 'utf8').toString('latin1')
  for (let round = 0; ESCAPE.test(octets); round++) {
    if (round === MAX_DECODINGS) return undefined
    octets = octets.replace(ESCAPES, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
  }
  return Buffer.from(octets, 'latin1').toString('utf8').normalize('NFKC').toLowerCase()
}

/** What of a URI may be dialled. */
function piecesOf(text: string): { readonly dialled: readonly string[]; readonly isSos: boolean } {
  const colon = text.indexOf(':')
  const given = text.slice(colon + 1)
  // sip:tel:112 is no URI of any kind, and its sender means well: it is read as what he means.
  const rest = given.replace(NESTED_SCHEMES, '')
  const isTel = rest !== given || TEL_SCHEME.test(text)
  // The last @ parts user and host, whatever stands before it.
  const at = isTel ? rest.length : rest.lastIndexOf('@')
  const userPart = rest.slice(0, Math.max(0, at))
  const hostPart = rest.slice(at + 1)
  const [host = '', ...parameters] = hostPart.split(/[;?&]/)
  const [user = '', ...userParameters] = userPart.split(/[;:?&]/)
  const named = [...userParameters, ...parameters].filter(
    (parameter) => !NOT_DIALLED.has(parameter.split('=', 1)[0]?.trim() ?? ''),
  )
  const values = named.map((parameter) => parameter.slice(parameter.indexOf('=') + 1))
  const context = parameterOf(`;${userParameters.join(';')}`, 'phone-context') ?? ''
  const [name = '', port = ''] = host.split(':', 2)
  // A host of digits alone is no host: sip:112 is somebody's short form. An address has dots.
  const hosts = /^[\d\s()+*#-]+$/.test(name) ? [name, name + port] : []
  const dialled = [user, userPart, context + user, ...values, ...hosts]
  return { dialled, isSos: [user, ...hosts].some((piece) => SOS_USER.test(piece.trim())) }
}

/** Which of the numbers a piece would reach. */
function emergencyIn(piece: string, numbers: readonly string[]): string | undefined {
  for (const run of piece.split(RUN_BORDER)) {
    const digits = run.replace(/\D/g, '')
    if (digits === '') continue
    const isInternational = /^[^\d]*\+/.test(run)
    const lastPart = run.split(PAUSE_OR_CODE).at(-1)?.replace(/\D/g, '') ?? ''
    const found = numbers.find(
      (number) =>
        (digits.length <= Math.max(MAX_DISGUISED_DIGITS, number.length) &&
          digits.includes(number)) ||
        (!isInternational && digits.startsWith(number)) ||
        (lastPart.length <= MAX_DISGUISED_DIGITS && lastPart.includes(number)),
    )
    if (found !== undefined) return found
  }
  return undefined
}
