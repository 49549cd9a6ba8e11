import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { z } from 'zod'

/** The kinds of value people write in our YAML files, each with a complaint that shows how to write it. */

const MS_PER: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const BYTES_PER: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
}
const PERCENT = 100
const SECRET = 'expected a secret, or { file: /path/to/it }'

/** A duration such as `500ms`, `10s`, `5min`, `12h` or `30d`; gives milliseconds. */
export const duration = z
  .string('expected a duration such as 10s, 500ms, 5min, 12h or 30d')
  .transform((text, context) =>
    withUnit(text, MS_PER, 'a duration such as 10s, 500ms, 5min, 12h or 30d', context),
  )

/** A share such as `3%` or `0.03`; gives 0..1. */
export const ratio = z
  .union([z.string(), z.number()], 'expected a share such as 3% or 0.03')
  .transform((value, context) => {
    const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(value.trim()) : null
    const number = typeof value === 'number' ? value : match ? Number(match[1]) / PERCENT : NaN
    if (number >= 0 && number <= 1) return number
    context.issues.push({
      code: 'custom',
      message: 'expected a share from 0% to 100%, such as 3% or 0.03',
      input: value,
    })
    return z.NEVER
  })

/** A size such as `64MiB` or `500kB`; gives bytes. */
export const bytes = z
  .string('expected a size such as 64MiB')
  .transform((text, context) => withUnit(text, BYTES_PER, 'a size such as 64MiB', context))

/** `host:port` or `[v6]:port`. */
export const hostPort = z.string('expected host:port').transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host !== undefined && port <= 65_535) return { host, port }
  context.issues.push({
    code: 'custom',
    message: 'expected host:port, such as 127.0.0.1:8420 or [::1]:8420',
    input: text,
  })
  return z.NEVER
})

/** A name used in tags and file names: letters, digits, dot, dash, underscore; at most 64 characters. */
export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'expected a name of letters, digits, dot, dash and underscore, at most 64 long',
  )

/** An http or https address without credentials in it. */
export const httpUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}, 'expected an address such as https://collector.example.org:8420, without a user name in it')

/** A value that must not be seen: prints as [secret] in logs, JSON and templates. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

/** A secret in the file itself, or (better) `{ file: /path }` whose first line is the secret. */
export const secret = z
  .union([z.string().min(1, SECRET), z.strictObject({ file: z.string().min(1) })], SECRET)
  .transform((value, context) => {
    if (typeof value === 'string') return new Secret(value)
    try {
      const text = readFileSync(value.file, 'utf8').split('\n', 1)[0]?.trim() ?? ''
      if (text !== '') return new Secret(text)
      context.issues.push({ code: 'custom', message: `${value.file} is empty`, input: value })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      context.issues.push({
        code: 'custom',
        message: `cannot read the secret: ${reason}`,
        input: value,
      })
    }
    return z.NEVER
  })

function withUnit(
  text: string,
  units: Readonly<Record<string, number>>,
  what: string,
  context: z.core.$RefinementCtx<string>,
): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim())
  const symbol = match?.[2] ?? ''
  const unit = Object.hasOwn(units, symbol) ? units[symbol] : undefined
  if (match && unit !== undefined) return Math.round(Number(match[1]) * unit)
  context.issues.push({ code: 'custom', message: `expected ${what}`, input: text })
  return z.NEVER
}
