import { test } from 'tap'
import { CallTap } from '../support/call-tap.ts'
import { Random } from '../fuzz/fuzz.ts'
import { callMessages } from '../support/sip-messages.ts'

/** SIP made to be missed, misread or made too much of. */

const SYN = 2

// ---- TCP

test('a segment that waits for another outlives the memory it was captured in', async (t) => {
  const stream = Buffer.from(
    Array.from({ length: 3 }, (_, call) =>
      callMessages({ callId: `call-${call}` }).map(({ text }) => text),
    )
      .flat()
      .join(''),
  )
  const random = new Random(7)
  for (let round = 0; round < 40; round++) {
    const tap = new CallTap()
    const first = round % 2 === 0 ? 0xffff_fe00 : 1000
    tap.tcp(new Uint8Array(0), first - 1, SYN)
    const segments: { at: number; end: number }[] = []
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + 1 + random.below(900))
      segments.push({ at: Math.max(0, at - random.below(30)), end })
      at = end
    }
    for (let index = 0; index + 1 < segments.length; index += 1 + random.below(3)) {
      const [here, next] = [segments[index], segments[index + 1]]
      if (here !== undefined && next !== undefined) segments.splice(index, 2, next, here)
    }
    // As a reader of captures has it: every packet lies where the one before lay.
    const memory = Buffer.alloc(2048)
    for (const { at, end } of segments) {
      memory.fill(0x20)
      stream.copy(memory, 0, at, end)
      tap.tcp(memory.subarray(0, end - at), first + at)
    }
    t.equal(tap.monitor.counts.messages, 21, `round ${round}`)
    t.same(tap.monitor.counts.invalid, {})
  }
})
