import tap, { test } from 'tap'
import { Random, fuzz } from './fuzz/fuzz.ts'
import { describe, fuzzTargets } from './fuzz/targets.ts'

/** A short run of what `npm run fuzz` does at length. */
const INPUTS = 20_000
const SEED = 1

tap.setTimeout(120_000)

test('no parser throws, hangs or grows', async (t) => {
  for (const target of await fuzzTargets()) {
    const report = await fuzz(target, Math.ceil(INPUTS * Math.min(1, target.share ?? 1)), SEED)
    t.equal(report.failure, undefined, describe(report))
  }
})

test('the fuzzer finds what is wrong, and the same inputs find it again', async (t) => {
  const corpus = [Buffer.from('a well-formed input')]
  const thrower = { name: 'thrower', corpus, run: failOn((input) => input.includes(0)) }
  const first = await fuzz(thrower, 1000, SEED)
  t.match(first.failure, /found on input \d+: [0-9a-f]* \(\d+ octets\)|found/)
  t.equal((await fuzz(thrower, 1000, SEED)).inputs, first.inputs)
  const rejecting = {
    name: 'rejecting',
    corpus,
    run: async (input: Uint8Array) => {
      failOn(() => true)(input)
    },
  }
  t.match((await fuzz(rejecting, 10, SEED)).failure, /found/)
  const slow = { name: 'slow', corpus, run: sleep }
  t.match((await fuzz(slow, 10, SEED)).failure, /took \d+ ms on input 0/)
  const kept: Uint8Array[] = []
  const growing = { name: 'growing', corpus, run: () => kept.push(new Uint8Array(100_000)) }
  t.match((await fuzz(growing, 1000, SEED)).failure, /grew by \d+ octets/)
  const quiet = { name: 'quiet', corpus, run: () => undefined }
  t.match(await fuzz(quiet, 1000, SEED), { inputs: 1000, failure: undefined })
})

test('inputs are of all kinds, and none is longer than it says', async (t) => {
  const corpus = [Buffer.from('first input'), Buffer.alloc(5000, 2)]
  const words = [Buffer.from('MAGIC')]
  const seen = { empty: 0, same: 0, words: 0, longest: 0 }
  await fuzz(
    {
      name: 'watched',
      corpus,
      words,
      run: (input) => {
        if (input.length === 0) seen.empty++
        if (Buffer.from(input).equals(corpus[0] ?? Buffer.alloc(0))) seen.same++
        if (Buffer.from(input).includes('MAGIC')) seen.words++
        seen.longest = Math.max(seen.longest, input.length)
        if (input.buffer.byteLength !== input.length) throw new Error('room behind the input')
      },
    },
    5000,
    SEED,
  )
  t.ok(seen.empty > 0 && seen.same > 0 && seen.words > 0, JSON.stringify(seen))
  t.equal(seen.longest, 4096)
  const random = new Random(1)
  // Xorshift of 13, 17, 5 from 1.
  t.strictSame([random.below(2 ** 32), random.below(2 ** 32)], [270_369, 67_634_689])
})

function failOn(isWrong: (input: Uint8Array) => boolean): (input: Uint8Array) => void {
  return (input) => {
    if (isWrong(input)) throw new Error('found')
  }
}

function sleep(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250)
}
