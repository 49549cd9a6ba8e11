import { randomBytes } from 'node:crypto'
import { open, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import { tokenHash } from '../../common/farewell.ts'
import { name } from '../../common/settings.ts'
import { isMissing, replaceFile } from '../state-file.ts'

const FILE = 'tokens.json'
const LOCK = 'tokens.json.lock'
const ADMIN_FILE = 'admin-token'
const OWNER_ONLY = 0o600
/** 256 bits: nobody guesses it, so a plain SHA-256 of it may lie on the disk. */
const SECRET_BYTES = 32
const ID_BYTES = 4
/** Lets a scanner for leaked secrets know one. */
const PREFIX = 'kiestoon_'
/** How old a read of the file may be when a token is looked up. */
const FRESH_MS = 1000

export const ROLES = ['agent', 'viewer', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

const token = z
  .strictObject({
    id: z.string().min(1),
    role: z.enum(ROLES),
    agent: name.optional(),
    site: name.optional(),
    /** SHA-256 of the token, hexadecimal. */
    hash: z.string().length(64),
    created: z.iso.datetime(),
    revoked: z.iso.datetime().optional(),
  })
  .refine((it) => it.role !== 'agent' || (it.agent !== undefined && it.site !== undefined), {
    message: 'a token of an agent needs agent and site',
  })

const tokenFile = z.strictObject({ tokens: z.array(token) })

export type Token = z.output<typeof token>
export type NewToken =
  | { readonly role: 'agent'; readonly agent: string; readonly site: string }
  | { readonly role: Exclude<Role, 'agent'> }

/** The tokens of a collector's data folder, for looking up; follows what `kiestoon-collector token` changes meanwhile. */
export class Tokens {
  readonly #folder: string
  readonly #nowMs: () => number
  #byHash: ReadonlyMap<string, Token>
  #agents: ReadonlySet<string>
  #mark: string
  #checkedMs: number
  #checking: Promise<void> | undefined

  private constructor(folder: string, nowMs: () => number, read: TokenList) {
    this.#folder = folder
    this.#nowMs = nowMs
    this.#byHash = byHash(read.tokens)
    this.#agents = agentsOf(read.tokens)
    this.#mark = read.mark
    this.#checkedMs = nowMs()
  }

  /** @throws PermanentError when the file cannot be read: to start without it would lock everybody out, or let somebody in */
  static async open(folder: string, nowMs: () => number): Promise<Tokens> {
    return new Tokens(folder, nowMs, await readTokens(folder))
  }

  /**
   * The token with this secret, revoked or not. Looked up by its hash, so that how long it takes says nothing about the secret.
   */
  async find(secret: string): Promise<Token | undefined> {
    await this.#follow()
    return this.#byHash.get(tokenHash(secret))
  }

  async byId(id: string): Promise<Token | undefined> {
    await this.#follow()
    return [...this.#byHash.values()].find((it) => it.id === id)
  }

  /** Agents with a token that is not revoked; the same set until the tokens change. */
  async agents(): Promise<ReadonlySet<string>> {
    await this.#follow()
    return this.#agents
  }

  /** Reads the file again when it changed, at most once a second. A file that cannot be read leaves the tokens as they were. */
  async #follow(): Promise<void> {
    if (Math.abs(this.#nowMs() - this.#checkedMs) < FRESH_MS) return
    this.#checking ??= this.#reload().finally(() => {
      this.#checkedMs = this.#nowMs()
      this.#checking = undefined
    })
    await this.#checking
  }

  async #reload(): Promise<void> {
    if ((await markOf(this.#folder)) === this.#mark) return
    try {
      const read = await readTokens(this.#folder)
      this.#byHash = byHash(read.tokens)
      this.#agents = agentsOf(read.tokens)
      this.#mark = read.mark
    } catch {
      return
    }
  }
}

/**
 * Makes a token; its secret is given here once and kept nowhere.
 * @param at the time, ISO 8601
 * @throws PermanentError when a name is not one, or the agent is at another site already
 */
export async function createToken(
  folder: string,
  wanted: NewToken,
  at: string,
): Promise<{ readonly token: Token; readonly secret: string }> {
  const secret = PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
  const made: Token = {
    id: randomBytes(ID_BYTES).toString('hex'),
    ...wanted,
    hash: tokenHash(secret),
    created: at,
  }
  // What could not be read again would lock everybody out.
  const { error } = token.safeParse(made)
  if (error !== undefined)
    throw new PermanentError('token', error.issues.map(({ message }) => message).join('; '))
  await changeTokens(folder, (tokens) => {
    const elsewhere = tokens.find(
      (it) =>
        made.agent !== undefined &&
        it.agent === made.agent &&
        it.site !== made.site &&
        it.revoked === undefined,
    )
    if (elsewhere !== undefined)
      throw new PermanentError(
        'token',
        `agent ${made.agent ?? ''} has a token for site ${elsewhere.site ?? ''}: revoke ${elsewhere.id} first, or give the agent another name`,
      )
    return [...tokens, made]
  })
  return { token: made, secret }
}

export async function listTokens(folder: string): Promise<readonly Token[]> {
  return (await readTokens(folder)).tokens
}

/** @throws PermanentError when there is no such token */
export async function revokeToken(folder: string, id: string, at: string): Promise<void> {
  await changeTokens(folder, (tokens) => {
    if (!tokens.some((it) => it.id === id))
      throw new PermanentError(
        'token',
        `no token ${id}: see the ids with kiestoon-collector token list`,
      )
    return tokens.map((it) => (it.id === id ? { ...it, revoked: it.revoked ?? at } : it))
  })
}

/** At the first start: an admin token, left in a file only its owner can read. Gives its secret, or undefined when there is one. */
export async function makeFirstToken(folder: string, at: string): Promise<string | undefined> {
  const { tokens } = await readTokens(folder)
  if (tokens.some(({ role, revoked }) => role === 'admin' && revoked === undefined))
    return undefined
  const { secret } = await createToken(folder, { role: 'admin' }, at)
  await replaceFile(join(folder, ADMIN_FILE), `${secret}\n`)
  return secret
}

interface TokenList {
  readonly tokens: readonly Token[]
  /** Changes whenever the file does. */
  readonly mark: string
}

async function readTokens(folder: string): Promise<TokenList> {
  const path = join(folder, FILE)
  const mark = await markOf(folder)
  try {
    return { tokens: tokenFile.parse(JSON.parse(await readFile(path, 'utf8'))).tokens, mark }
  } catch (error) {
    if (isMissing(error)) return { tokens: [], mark }
    throw new PermanentError(
      'token',
      `cannot read the tokens in ${path} (${reasonOf(error).replaceAll(/\s+/g, ' ')}): restore the file, or move it away to start with a new admin token`,
      { cause: error },
    )
  }
}

async function markOf(folder: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(join(folder, FILE), { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch {
    return ''
  }
}

/** Reads, changes and replaces the file. What is written first is also the lock that keeps a second command out. */
async function changeTokens(
  folder: string,
  change: (tokens: readonly Token[]) => readonly Token[],
): Promise<void> {
  const lock = join(folder, LOCK)
  try {
    await (await open(lock, 'wx', OWNER_ONLY)).close()
  } catch (error) {
    throw new PermanentError(
      'token',
      error instanceof Error && 'code' in error && error.code === 'EEXIST'
        ? `another command is changing the tokens; if none is running, remove ${lock}`
        : `cannot write in ${folder}: ${reasonOf(error)}`,
      { cause: error },
    )
  }
  try {
    const { tokens } = await readTokens(folder)
    const text = JSON.stringify({ tokens: change(tokens) }, undefined, 2)
    await replaceFile(join(folder, FILE), `${text}\n`, lock)
  } catch (error) {
    await unlink(lock).catch(() => undefined)
    throw error
  }
}

function byHash(tokens: readonly Token[]): ReadonlyMap<string, Token> {
  return new Map(tokens.map((it) => [it.hash, it]))
}

function agentsOf(tokens: readonly Token[]): ReadonlySet<string> {
  return new Set(
    tokens.flatMap(({ agent, revoked }) => (revoked === undefined ? (agent ?? []) : [])),
  )
}
