import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import type { Breach } from '../../collector/evaluate/breach.ts'
import type { Change } from '../../collector/evaluate/evaluator.ts'
import { Dispatch, type Channel } from '../../collector/notify/dispatch.ts'
import { notifierOptions } from '../../collector/notify/index.ts'
import { listen } from '../support/listen.ts'

tap.setTimeout(30_000)

const S = 1_000_000
const SINCE = 1_795_317_120 * S

function breach(object: string, overrides: Partial<Breach> = {}): Breach {
  return {
    id: `path-loss/${object}/1`,
    fingerprint: `path-loss/${object}`,
    rule: 'path-loss',
    object,
    state: 'firing',
    severity: 'warning',
    summary: '8 % of 1,000 packets lost, limit 3 %',
    labels: { owner: 'carrier-b' },
    evidence: { loss_ratio: 0.08, limit_ratio: 0.03 },
    sinceUs: SINCE,
    updatedUs: SINCE,
    ...overrides,
  }
}

function change(kind: Change['kind'], object = 'hq -> b', atUs = SINCE): Change {
  const state = kind === 'resolved' || kind === 'ended' ? kind : 'firing'
  return { kind, breach: breach(object, { state, updatedUs: atUs }) }
}

const bodySchema = z.object({
  id: z.string(),
  kind: z.string(),
  title: z.string(),
  link: z.string(),
  breach: z.object({ object: z.string() }),
  action: z.record(z.string(), z.string()).optional(),
})

type Body = z.output<typeof bodySchema>

/** An HTTP server that answers with what `answer` says and keeps what came. */
class Receiver {
  readonly got: Body[] = []
  /** Status per request; undefined lets it hang. */
  answer: (body: Body) => number | undefined = () => 204
  url = ''
  #heard: () => void = () => undefined

  async open(t: Test): Promise<this> {
    const server = createServer((request, response) => {
      void text(request).then((json) => {
        const body = bodySchema.parse(JSON.parse(json))
        this.got.push(body)
        const status = this.answer(body)
        if (status !== undefined) response.writeHead(status).end()
        this.#heard()
      })
    })
    this.url = `http://127.0.0.1:${await listen(server)}/`
    t.teardown(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    return this
  }

  async until(number: number): Promise<void> {
    while (this.got.length < number)
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
  }

  kinds(): string[] {
    return this.got.map(({ kind, breach: { object } }) => `${kind} ${object}`)
  }
}

const silent = pino({ level: 'silent' })

interface Setup {
  readonly dispatch: Dispatch
  /** The outbox as the caller would find it after a kill: what onChange last kept. */
  readonly kept: () => unknown
  readonly settled: (isSo: () => boolean) => Promise<void>
}

function start(
  t: Test,
  receivers: Record<string, Receiver>,
  extra: Partial<Channel> = {},
  restored?: unknown,
  rules: Readonly<Record<string, readonly string[]>> = {},
): Setup {
  let kept: unknown = restored
  let wake: () => void = () => undefined
  const channels = Object.entries(receivers).map(([name, { url }]): Channel => {
    const configured = notifierOptions.parse({ notifier: 'webhook', name, url })
    const notifier = configured.create({ log: silent, now: () => 0 })
    return { name, notifier, rules: rules[name], ...extra }
  })
  const dispatch = new Dispatch({
    notifiers: channels,
    log: silent,
    link: ({ object }) => `http://console/${object}`,
    restored,
    onChange: () => {
      kept = JSON.parse(JSON.stringify(dispatch.snapshot()))
      wake()
    },
  })
  t.teardown(async () => dispatch.close())
  return {
    dispatch,
    kept: () => kept,
    settled: async (isSo) => {
      while (!isSo())
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
  }
}

test('a change is delivered at once, to every channel', async (t) => {
  const [one, two] = [await new Receiver().open(t), await new Receiver().open(t)]
  const { dispatch, settled } = start(t, { one, two })
  dispatch.enqueue([change('firing')])
  await Promise.all([one.until(1), two.until(1)])
  t.match(one.got, [
    { kind: 'firing', title: 'hq -> b: 8 % loss (limit 3 %)', link: 'http://console/hq -> b' },
  ])
  t.same(one.got, two.got)
  await settled(() => Object.values(dispatch.counters()).every(({ delivered }) => delivered === 1))
  t.same(dispatch.snapshot(), { one: [], two: [] })
  let fastestMs = Infinity
  for (let n = 2; n < 12; n++) {
    const startedMs = performance.now()
    dispatch.enqueue([change('firing', `path ${n}`)])
    await one.until(n)
    fastestMs = Math.min(fastestMs, performance.now() - startedMs)
  }
  t.ok(fastestMs < 50, `${fastestMs} ms: nothing in it waits for a timer`)
})

test('a channel that fails for a while gets it later, once, with the same id', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = () => (receiver.got.length < 2 ? 500 : 200)
  const { dispatch, settled } = start(t, { receiver })
  const startedMs = performance.now()
  dispatch.enqueue([change('firing')])
  await settled(() => dispatch.counters()['receiver']?.delivered === 1)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 500 && tookMs < 10_000, `not before half a second: ${tookMs} ms`)
  t.equal(receiver.got.length, 2)
  t.equal(receiver.got[0]?.id, receiver.got[1]?.id)
  t.match(dispatch.counters()['receiver'], { delivered: 1, retried: 1, failed: 0, waiting: 0 })
})

test('a resolved never overtakes its firing, and holds up nobody else', async (t) => {
  const receiver = await new Receiver().open(t)
  let refusals = 1
  receiver.answer = ({ breach: { object } }) => (object === 'a' && refusals-- > 0 ? 503 : 204)
  const { dispatch, settled } = start(t, { receiver })
  dispatch.enqueue([change('firing', 'a')])
  await receiver.until(1)
  dispatch.enqueue([change('resolved', 'a', SINCE + 60 * S), change('firing', 'b')])
  await settled(() => dispatch.counters()['receiver']?.delivered === 3)
  t.same(receiver.kinds(), ['firing a', 'firing b', 'firing a', 'resolved a'])
})

test('one delivery that hangs does not hold up other alerts', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = ({ breach: { object } }) => (object === 'a' ? undefined : 204)
  const { dispatch, settled } = start(t, { receiver })
  dispatch.enqueue([change('firing', 'a'), change('resolved', 'a'), change('firing', 'b')])
  await settled(() => dispatch.counters()['receiver']?.delivered === 1)
  t.same(receiver.kinds().sort(), ['firing a', 'firing b'])
})

test('what is refused for good is counted and not tried again', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = () => (receiver.got.length === 1 ? 400 : 204)
  const { dispatch, settled } = start(t, { receiver })
  dispatch.enqueue([change('firing'), change('resolved')])
  await settled(() => dispatch.counters()['receiver']?.delivered === 1)
  t.same(receiver.kinds(), ['firing hq -> b', 'resolved hq -> b'])
  t.match(dispatch.counters()['receiver'], { delivered: 1, failed: 1, waiting: 0 })
})

test('a change stays in the outbox through a kill until it is delivered, under the same id', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = () => undefined
  const first = start(t, { receiver })
  first.dispatch.enqueue([change('firing'), change('resolved', 'hq -> b', SINCE + S)])
  await receiver.until(1)
  const kept = first.kept()
  await first.dispatch.close()
  receiver.answer = () => 204
  const second = start(t, { receiver }, {}, kept)
  await second.settled(() => second.dispatch.counters()['receiver']?.delivered === 2)
  t.same(receiver.kinds(), ['firing hq -> b', 'firing hq -> b', 'resolved hq -> b'])
  t.equal(receiver.got[0]?.id, receiver.got[1]?.id)
  t.not(receiver.got[1]?.id, receiver.got[2]?.id)
  t.same(second.kept(), { receiver: [] })
})

test('closing keeps what is under way in the snapshot and ends at once', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = () => undefined
  const { dispatch } = start(t, { receiver })
  dispatch.enqueue([change('firing')])
  await receiver.until(1)
  const startedMs = performance.now()
  await dispatch.close()
  t.ok(performance.now() - startedMs < 5000, 'not after the ten seconds of its timeout')
  t.match(dispatch.snapshot(), { receiver: [{ kind: 'firing' }] })
})

test('a malformed outbox is read as far as it can be', async (t) => {
  const receiver = await new Receiver().open(t)
  const good = { id: 'ab12', kind: 'firing', breach: breach('good'), queuedMs: Date.now() }
  for (const restored of [null, 3, 'x', [], { receiver: 7 }]) start(t, { receiver }, {}, restored)
  const bad = [
    { ...good, id: 'x\r\ny: z' },
    { ...good, kind: 'boo' },
    null,
    { ...good, breach: {} },
  ]
  start(t, { receiver }, {}, { receiver: [...bad, good], gone: [good] })
  await receiver.until(1)
  t.same(receiver.kinds(), ['firing good'])
})

test('a queue is bounded: the oldest goes, counted', async (t) => {
  const receiver = await new Receiver().open(t)
  receiver.answer = () => undefined
  const { dispatch } = start(t, { receiver })
  dispatch.enqueue(Array.from({ length: 1203 }, (_, n) => change('firing', `p${n}`)))
  t.match(dispatch.counters()['receiver'], { dropped: 203, waiting: 1000 })
  t.match(dispatch.snapshot(), { receiver: [{ breach: { object: 'p203' } }] })
})

test('a channel gets what is severe enough for it', async (t) => {
  const receiver = await new Receiver().open(t)
  const { dispatch } = start(t, { receiver })
  const all = start(t, { receiver }, { severity: 'notice' })
  const notice: Change = { kind: 'firing', breach: breach('n', { severity: 'notice' }) }
  dispatch.enqueue([notice])
  t.equal(dispatch.counters()['receiver']?.waiting, 0, 'a notice is not a page')
  all.dispatch.enqueue([notice])
  await receiver.until(1)
  t.same(receiver.kinds(), ['firing n'])
})

test('the same alert firing again has another id', async (t) => {
  const receiver = await new Receiver().open(t)
  const { dispatch } = start(t, { receiver })
  dispatch.enqueue([
    change('firing'),
    change('ended', 'hq -> b', SINCE + 60 * S),
    { kind: 'firing', breach: breach('hq -> b', { reopened: 1, updatedUs: SINCE + 90 * S }) },
  ])
  await receiver.until(3)
  t.same(receiver.kinds(), ['firing hq -> b', 'ended hq -> b', 'firing hq -> b'])
  t.equal(new Set(receiver.got.map(({ id }) => id)).size, 3)
})

test('fraud goes its own way at once, with what to block; a breach that names a channel goes there', async (t) => {
  const oncall = await new Receiver().open(t)
  const fraud = await new Receiver().open(t)
  const reception = await new Receiver().open(t)
  const { dispatch, settled } = start(t, { oncall, fraud, reception }, {}, undefined, {
    fraud: ['fraud'],
    reception: [],
  })
  const account = '***23@pbx.example.org'
  dispatch.enqueue([
    change('firing'),
    {
      kind: 'firing',
      breach: breach('account', {
        id: 'toll-fraud/a/1',
        fingerprint: 'toll-fraud/a',
        rule: 'toll-fraud',
        labels: { class: 'fraud', account, account_id: '00aa', trunk: 'carrier-a', site: 'hq' },
        evidence: { premium: 5, suggested_block: 'account' },
      }),
    },
    {
      kind: 'firing',
      breach: breach('emergency', {
        id: 'emergency-call/a/1',
        fingerprint: 'emergency-call/a',
        rule: 'emergency-call',
        severity: 'notice',
        labels: { class: 'emergency', notify: 'reception' },
      }),
    },
  ])
  await oncall.until(2)
  await fraud.until(1)
  await reception.until(1)
  await settled(() => Object.values(dispatch.counters()).every(({ waiting }) => waiting === 0))
  t.same(oncall.kinds().sort(), ['firing account', 'firing hq -> b'])
  t.same(fraud.kinds(), ['firing account'])
  t.same(reception.kinds(), ['firing emergency'])
  t.same(fraud.got[0]?.action, {
    ...{ block: 'account', account, accountId: '00aa', trunk: 'carrier-a', site: 'hq' },
  })
  t.notOk(oncall.got.find(({ breach: { object } }) => object === 'hq -> b')?.action)
})
