import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { z } from 'zod'
import {
  createToken,
  listTokens,
  makeFirstToken,
  revokeToken,
  Tokens,
} from '../../collector/http/tokens.ts'
import { Sessions } from '../../collector/http/sessions.ts'
import { StateFile } from '../../collector/state-file.ts'
import { createLogger } from '../../common/log.ts'

const AT = '2026-11-22T12:00:00.000Z'
const LATER = '2026-11-22T13:00:00.000Z'
const OWNER_ONLY = 0o600
const HOUR_MS = 3_600_000

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-tokens-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  return folder
}

async function modeOf(file: string): Promise<number> {
  return (await stat(file)).mode & 0o777
}

test('the first start makes one admin token, which only its owner can read', async (t) => {
  const folder = await folderOf(t)
  await createToken(folder, { role: 'agent', agent: 'gw-1', site: 'hq' }, AT)
  const secret = (await makeFirstToken(folder, AT)) ?? ''
  t.match(secret, /^kiestoon_[\w-]{43}$/, '256 bits')
  t.equal(await readFile(join(folder, 'admin-token'), 'utf8'), `${secret}\n`)
  t.equal(await modeOf(join(folder, 'admin-token')), OWNER_ONLY)
  t.equal(await modeOf(join(folder, 'tokens.json')), OWNER_ONLY)
  t.notMatch(await readFile(join(folder, 'tokens.json'), 'utf8'), secret, 'only its hash is kept')
  t.equal(await makeFirstToken(folder, AT), undefined, 'and no second one')
  const tokens = await Tokens.open(folder, () => 0)
  t.equal((await tokens.find(secret))?.role, 'admin')
  t.equal(await tokens.find(`${secret}x`), undefined)
})

test('a token made or revoked while the collector runs counts within a second', async (t) => {
  const folder = await folderOf(t)
  let nowMs = 0
  const tokens = await Tokens.open(folder, () => nowMs)
  const { token, secret } = await createToken(
    folder,
    { role: 'agent', agent: 'gw-1', site: 'hq' },
    AT,
  )
  t.equal(await tokens.find(secret), undefined, 'the file is not read for every unknown token')
  nowMs = 1000
  t.match(await tokens.find(secret), { agent: 'gw-1', site: 'hq', created: AT })
  t.same([...(await tokens.agents())], ['gw-1'])
  await revokeToken(folder, token.id, LATER)
  nowMs = 2000
  t.equal((await tokens.find(secret))?.revoked, LATER)
  t.same([...(await tokens.agents())], [])
  await revokeToken(folder, token.id, AT)
  t.equal((await listTokens(folder))[0]?.revoked, LATER, 'revoked is revoked')
  await writeFile(join(folder, 'tokens.json'), '{')
  nowMs = 3000
  t.equal((await tokens.find(secret))?.agent, 'gw-1', 'a file that cannot be read changes nothing')
})

test('tokens are not made twice over, nor from a broken file', async (t) => {
  const folder = await folderOf(t)
  const gw = { role: 'agent', agent: 'gw-1', site: 'hq' } as const
  const { token } = await createToken(folder, gw, AT)
  await createToken(folder, gw, AT)
  await t.rejects(createToken(folder, { ...gw, site: 'head office' }, AT), {
    message: /expected a name of letters/,
  })
  await t.rejects(createToken(folder, { ...gw, site: 'branch' }, AT), {
    message: new RegExp(`revoke ${token.id} first`),
  })
  await t.rejects(revokeToken(folder, 'nope', AT), { message: /no token nope/ })
  await writeFile(join(folder, 'tokens.json.lock'), '')
  await t.rejects(createToken(folder, gw, AT), { message: /remove .*tokens\.json\.lock/ })
  await rm(join(folder, 'tokens.json.lock'))
  await writeFile(join(folder, 'tokens.json'), '{"tokens": [{}]}')
  await t.rejects(
    Tokens.open(folder, () => 0),
    { message: /restore the file/ },
  )
  await t.rejects(
    makeFirstToken(folder, AT),
    { message: /restore the file/ },
    'no admin for whoever breaks it',
  )
})

test('a session ends after 12 hours or on logout', async (t) => {
  let nowMs = 0
  const sessions = new Sessions(() => nowMs)
  const [one, two] = [sessions.begin('a'), sessions.begin('b')]
  t.equal(sessions.tokenOf(one), 'a')
  sessions.end(one)
  t.equal(sessions.tokenOf(one), undefined)
  nowMs = 12 * HOUR_MS - 1
  t.equal(sessions.tokenOf(two), 'b')
  nowMs = 12 * HOUR_MS
  t.equal(sessions.tokenOf(two), undefined)
  const first = sessions.begin('c')
  for (let i = 0; i < 1000; i++) sessions.begin('d')
  t.equal(sessions.tokenOf(first), undefined, 'bounded: the oldest goes')
})

test('state is what was saved last; what cannot be read is set aside', async (t) => {
  const folder = await folderOf(t)
  const path = join(folder, 'state.json')
  const schema = z.object({ n: z.number() })
  const log = createLogger('test', 'silent')
  t.equal(await StateFile.read(path, schema, log), undefined)
  let n = 0
  const file = new StateFile(path, () => ({ n }), log)
  const first = file.save()
  n = 7
  await Promise.all([first, file.save()])
  t.same(await StateFile.read(path, schema, log), { n: 7 })
  t.equal(await modeOf(path), OWNER_ONLY)
  await writeFile(path, '{"n":')
  t.equal(await StateFile.read(path, schema, log), undefined)
  t.equal(await readFile(`${path}.unreadable`, 'utf8'), '{"n":')
  await rm(folder, { recursive: true })
  await t.resolves(file.save(), 'a disk that refuses is not the end')
  await mkdir(folder)
  n = 8
  await file.save()
  t.same(await StateFile.read(path, schema, log), { n: 8 })
})
