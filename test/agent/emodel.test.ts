import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { z } from 'zod'
import { codecOverrides } from '../../agent/media/codec-overrides.ts'
import { CODEC_IMPAIRMENTS, withOverrides } from '../../agent/rtp/codec-impairments.ts'
import { fullbandRating, widebandRating } from '../../agent/rtp/emodel-wideband.ts'
import {
  absoluteDelayImpairment,
  equipmentImpairment,
  mosOf,
  rOf,
  transmissionRating,
  type EModelParameters,
} from '../../agent/rtp/emodel.ts'
import type { QualityInput } from '../../agent/rtp/quality.ts'
import { rate } from '../../agent/rtp/rate.ts'

const PERCENT = 100

const numbers = z.record(z.string(), z.number())
const vectors = z
  .object({
    baseline: numbers,
    narrowband: z.array(
      z.object({
        codec: z.string(),
        ie: z.number(),
        bpl: z.number(),
        lossPct: z.number(),
        oneWayDelayMs: z.number(),
        burstR: z.number(),
        advantage: z.number(),
        expect: z.object({
          ieEff: z.number(),
          listening: z.object({ r: z.number(), mosLq: z.number() }),
          perfectEchoControl: z.object({ idd: z.number(), r: z.number(), mosCq: z.number() }),
          full: numbers,
        }),
      }),
    ),
    fullModel: z.array(z.object({ params: numbers, expect: numbers, goR: z.number() })),
    rToMos: z.array(z.object({ r: z.number(), mos: z.number() })),
    mosToR: z.array(z.object({ mos: z.number(), rClosedForm: z.number() })),
    wideband: z.array(
      z.object({
        ieWb: z.number(),
        bplWb: z.number().optional(),
        lossPct: z.number(),
        r: z.number(),
        mos: z.number(),
      }),
    ),
    fullband: z.array(
      z.object({
        ieFb: z.number(),
        bplFb: z.number(),
        lossPct: z.number(),
        oneWayDelayMs: z.number(),
        ieEff: z.number(),
        idFb: z.number(),
        r: z.number(),
        mos: z.number(),
      }),
    ),
    publishedIeUnderLoss: z.array(
      z.object({
        codec: z.string(),
        lossPct: z.number(),
        publishedIe: z.number(),
        formulaIeEff: z.number(),
      }),
    ),
  })
  .parse(
    JSON.parse(readFileSync(new URL('../fixtures/emodel/emodel.json', import.meta.url), 'utf8')),
  )

/** Names of the vectors: as the Recommendation writes them. */
const PARAMETERS: Readonly<Record<string, keyof EModelParameters>> = {
  T: 'tMs',
  Ta: 'taMs',
  Tr: 'trMs',
  TELR: 'telr',
  WEPL: 'wepl',
  STMR: 'stmr',
  LSTR: 'lstr',
  Ps: 'ps',
  Pr: 'pr',
  Qdu: 'qdu',
  Nc: 'nc',
  Nfor: 'nfor',
  A: 'advantage',
  Ie: 'ie',
}

test('the full narrowband model: 12 sets of parameters, every term', async (t) => {
  t.equal(vectors.fullModel.length, 12)
  for (const { params, expect, goR } of vectors.fullModel) {
    const given: Partial<Record<keyof EModelParameters, number>> = {}
    for (const [name, value] of Object.entries(params)) {
      const parameter = PARAMETERS[name]
      if (parameter === undefined) throw new Error(`no parameter ${name}`)
      given[parameter] = value
    }
    const rating = transmissionRating(given)
    const label = JSON.stringify(params)
    near(t, rating.noise, expect['No'], 2e-6, `No ${label}`)
    near(t, rating.signalToNoise, expect['Ro'], 2e-6, `Ro ${label}`)
    near(t, rating.loudness, expect['Iolr'], 2e-6, `Iolr ${label}`)
    near(t, rating.sidetone, expect['Ist'], 2e-6, `Ist ${label}`)
    near(t, rating.quantization, expect['Iq'], 2e-6, `Iq ${label}`)
    near(t, rating.simultaneous, expect['Is'], 2e-6, `Is ${label}`)
    near(t, rating.talkerEcho, expect['Idte'], 2e-6, `Idte ${label}`)
    near(t, rating.listenerEcho, expect['Idle'], 2e-6, `Idle ${label}`)
    near(t, rating.absoluteDelay, expect['Idd'], 2e-6, `Idd ${label}`)
    near(t, rating.delay, expect['Id'], 2e-6, `Id ${label}`)
    near(t, rating.equipment, expect['IeEff'], 2e-6, `Ie_eff ${label}`)
    near(t, rating.r, goR, 2e-6, `R ${label}`)
    near(t, mosOf(rating.r), expect['mos'], 2e-6, `MOS ${label}`)
  }
})

test('codecs under loss, bursts and delay: 32 narrowband vectors', async (t) => {
  t.equal(vectors.narrowband.length, 32)
  for (const vector of vectors.narrowband) {
    const { codec, ie, bpl, lossPct, oneWayDelayMs, burstR, advantage, expect } = vector
    const lossRatio = lossPct / PERCENT
    const label = `${codec} ${lossPct} % ${oneWayDelayMs} ms BurstR ${burstR} A ${advantage}`
    near(t, equipmentImpairment(ie, bpl, lossRatio, burstR), expect.ieEff, 6e-5, `Ie_eff ${label}`)
    const call = transmissionRating({
      ie,
      bpl,
      lossRatio,
      burstRatio: burstR,
      advantage,
      tMs: oneWayDelayMs,
      taMs: oneWayDelayMs,
      trMs: 2 * oneWayDelayMs,
    })
    near(t, call.talkerEcho, expect.full['idte'], 6e-5, `Idte ${label}`)
    near(t, call.listenerEcho, expect.full['idle'], 6e-5, `Idle ${label}`)
    near(t, call.r, expect.full['r'], 6e-5, `R ${label}`)
    near(t, mosOf(call.r), expect.full['mosCq'], 6e-5, `MOS-CQ ${label}`)
    const { idd } = expect.perfectEchoControl
    near(t, absoluteDelayImpairment(oneWayDelayMs), idd, 6e-5, `Idd ${label}`)
    // The vector rounds R of a perfect line to 93.2; the model's own is 93.2062.
    const listening = transmissionRating({
      ie,
      bpl,
      lossRatio,
      burstRatio: burstR,
      advantage,
    })
    near(t, listening.r, expect.listening.r, 0.0064, `R without delay ${label}`)
    near(t, mosOf(listening.r), expect.listening.mosLq, 4e-4, `MOS-LQ ${label}`)
  }
})

test('R and MOS turn into one another as Annex B and Appendix I say', async (t) => {
  for (const { r, mos } of vectors.rToMos) near(t, mosOf(r), mos, 1e-6, `MOS of R ${r}`)
  for (const { mos, rClosedForm } of vectors.mosToR)
    near(t, rOf(mos), rClosedForm, 6e-5, `R of MOS ${mos}`)
  // Printed in the Recommendation: 4.34, 3.60, 3.10, 2.58.
  t.equal(mosOf(90).toFixed(2), '4.34')
  t.equal(mosOf(70).toFixed(2), '3.60')
  t.equal(mosOf(60).toFixed(2), '3.10')
  t.equal(mosOf(50).toFixed(3), '2.575')
})

test('wideband: the published figures of AMR-WB', async (t) => {
  t.equal(vectors.wideband.length, 18)
  for (const { ieWb, bplWb = 4.3, lossPct, r, mos } of vectors.wideband) {
    const rating = widebandRating(ieWb, bplWb, lossPct / PERCENT)
    near(t, rating.r, r, 6e-5, `R of Ie ${ieWb} under ${lossPct} %`)
    near(t, mosOf(rating.r / 1.29), mos, 6e-5, `MOS of Ie ${ieWb} under ${lossPct} %`)
  }
})

test('fullband: loss and delay', async (t) => {
  t.equal(vectors.fullband.length, 6)
  for (const { ieFb, bplFb, lossPct, oneWayDelayMs, ieEff, idFb, r, mos } of vectors.fullband) {
    const rating = fullbandRating(ieFb, bplFb, lossPct / PERCENT, oneWayDelayMs)
    const label = `${lossPct} %, ${oneWayDelayMs} ms`
    near(t, rating.equipment, ieEff, 6e-5, `Ie_eff under ${label}`)
    near(t, rating.delay, idFb, 6e-5, `Id under ${label}`)
    near(t, rating.r, r, 6e-5, `R under ${label}`)
    near(t, mosOf(rating.r / 1.48), mos, 6e-5, `MOS under ${label}`)
  }
})

test('the table comes within 1.1 of what G.113 prints for codecs under random loss', async (t) => {
  t.equal(vectors.publishedIeUnderLoss.length, 10)
  for (const { codec, lossPct, publishedIe, formulaIeEff } of vectors.publishedIeUnderLoss) {
    const entry = CODEC_IMPAIRMENTS.get(codec.startsWith('G729') ? 'G729' : 'G723')
    const effective = equipmentImpairment(entry?.ie ?? NaN, entry?.bpl ?? NaN, lossPct / PERCENT)
    near(t, effective, formulaIeEff, 0.006, `${codec} under ${lossPct} %`)
    near(t, effective, publishedIe, 1.1, `${codec} under ${lossPct} %, printed`)
  }
})

test('bursts make loss worse, but never beyond the scale', async (t) => {
  near(t, equipmentImpairment(0, 25.1, 0.03, 2), 10.71, 0.006, 'BurstR 2')
  near(t, equipmentImpairment(0, 25.1, 0.03, 4), 11.03, 0.006, 'BurstR 4')
  t.equal(equipmentImpairment(0, 25.1, 0.03, 0.2), equipmentImpairment(0, 25.1, 0.03, 1))
  t.equal(equipmentImpairment(0, 25.1, 0.03, 50), equipmentImpairment(0, 25.1, 0.03, 8))
  t.equal(equipmentImpairment(0, 4.3, 1, 10), 95, 'the bare formula passes 95 here')
})

const CALL: QualityInput = {
  codec: 'PCMA',
  clockRate: 8000,
  packetMs: 20,
  expected: 500,
  lost: 0,
  discarded: 0,
  lossRuns: 0,
  lossRunPackets: 0,
  roundTripMs: undefined,
}

test('a perfect G.711 call is 4.41, and 3 % random loss makes it 4.13', async (t) => {
  const perfect = rate(CALL, CODEC_IMPAIRMENTS)
  t.match(perfect, { scale: 'narrowband', isAssumed: false, mosCq: undefined })
  near(t, perfect?.rFactor, 93.2062, 1e-4, 'R')
  near(t, perfect?.mosLq, 4.4094, 1e-4, 'MOS-LQ')
  const lossy = { ...CALL, lost: 15, lossRuns: 15, lossRunPackets: 15 }
  // Runs of 1 among 97 % that came: 0.97, which counts as random.
  near(t, rate(lossy, CODEC_IMPAIRMENTS)?.mosLq, 4.134, 0.001, 'MOS-LQ under 3 %')
})

test('what a jitter buffer discards is as bad as what was lost', async (t) => {
  const lost = rate({ ...CALL, lost: 50 }, CODEC_IMPAIRMENTS)
  const discarded = rate({ ...CALL, lost: 20, discarded: 30 }, CODEC_IMPAIRMENTS)
  near(t, lost?.mosLq, 3.411, 0.001, 'MOS-LQ under 10 %')
  t.equal(discarded?.mosLq, lost?.mosLq)
})

test('loss in runs is worse than the same loss at random; four lost packets tell nothing of runs', async (t) => {
  const atRandom = rate({ ...CALL, lost: 50, lossRuns: 45, lossRunPackets: 50 }, CODEC_IMPAIRMENTS)
  // Runs of 2.222 among 90 % that came: BurstR 2, Ie_eff 31.56.
  const inRuns = rate(
    { ...CALL, expected: 500, lost: 50, lossRuns: 9, lossRunPackets: 20 },
    CODEC_IMPAIRMENTS,
  )
  near(t, atRandom?.rFactor, 93.2062 - 27.07, 0.006, 'at random')
  near(t, inRuns?.rFactor, 93.2062 - 31.56, 0.006, 'in runs')
  const few = rate({ ...CALL, lost: 4, lossRuns: 1, lossRunPackets: 4 }, CODEC_IMPAIRMENTS)
  t.equal(few?.rFactor, rate({ ...CALL, lost: 4 }, CODEC_IMPAIRMENTS)?.rFactor)
})

test('conversational quality needs a round trip that somebody measured', async (t) => {
  t.equal(rate(CALL, CODEC_IMPAIRMENTS)?.mosCq, undefined)
  // Half the round trip 89.75, the packet 20, the codec 0.25, the jitter buffer 40: 150 ms, which makes 4.327.
  const call = rate({ ...CALL, roundTripMs: 179.5 }, CODEC_IMPAIRMENTS)
  near(t, call?.mosCq, 4.327, 0.0006, 'MOS-CQ at 150 ms mouth to ear')
  near(t, call?.mosLq, 4.4094, 1e-4, 'MOS-LQ does not know of delay')
  const unknownPacket = rate(
    { ...CALL, packetMs: undefined, roundTripMs: 179.5 },
    CODEC_IMPAIRMENTS,
  )
  t.equal(unknownPacket?.mosCq, call?.mosCq, 'an unknown packet time is taken for 20 ms')
  const far = rate({ ...CALL, codec: 'opus', roundTripMs: 267, lost: 50 }, CODEC_IMPAIRMENTS)
  near(t, far?.mosCq, 1.7158, 1e-4, 'fullband at 200 ms and 10 %')
})

test('what cannot be rated is absent, never a default', async (t) => {
  t.equal(rate({ ...CALL, codec: 'X-SECRET' }, CODEC_IMPAIRMENTS), undefined)
  t.equal(rate({ ...CALL, codec: '' }, CODEC_IMPAIRMENTS), undefined)
  t.equal(rate({ ...CALL, codec: 'EVS' }, CODEC_IMPAIRMENTS), undefined)
  t.equal(rate({ ...CALL, expected: 0 }, CODEC_IMPAIRMENTS), undefined)
  t.equal(rate({ ...CALL, expected: -3 }, CODEC_IMPAIRMENTS), undefined)
})

test('more came than was sent: that is no better than perfect', async (t) => {
  const healed = rate({ ...CALL, lost: -5 }, CODEC_IMPAIRMENTS)
  t.equal(healed?.rFactor, rate(CALL, CODEC_IMPAIRMENTS)?.rFactor)
})

test('with everything lost no scale leaves its ends', async (t) => {
  const dead = { ...CALL, lost: 500, lossRuns: 1, lossRunPackets: 500, roundTripMs: 900 }
  t.match(rate({ ...dead, codec: 'G726-16' }, CODEC_IMPAIRMENTS), { mosCq: 1 })
  // Bursts: the impairment stops at 95, and a line without codec has 93.2.
  t.match(rate({ ...dead, codec: 'PCMA', lossRuns: 9 }, CODEC_IMPAIRMENTS), { mosCq: 1 })
  // G.107.1 takes at most 95 of its 129: that scale never comes down to MOS 1 by loss alone.
  const wideband = rate({ ...dead, codec: 'G722' }, CODEC_IMPAIRMENTS)
  near(t, wideband?.rFactor, 37.8303, 1e-4, 'G.722')
  near(t, wideband?.mosLq, 1.581, 0.001, 'G.722')
  near(t, rate({ ...dead, codec: 'opus' }, CODEC_IMPAIRMENTS)?.rFactor, 21.0215, 1e-4, 'opus')
})

test('codecs are known by their encoding name in any case, and say on which scale they are', async (t) => {
  for (const codec of ['opus', 'OPUS', 'Opus'])
    t.match(rate({ ...CALL, codec }, CODEC_IMPAIRMENTS), { scale: 'fullband', isAssumed: true })
  t.match(rate({ ...CALL, codec: 'G722' }, CODEC_IMPAIRMENTS), {
    scale: 'wideband',
    isAssumed: true,
  })
  t.match(rate({ ...CALL, codec: 'iLBC' }, CODEC_IMPAIRMENTS), { isAssumed: true })
  t.match(rate({ ...CALL, codec: 'AMR' }, CODEC_IMPAIRMENTS), { isAssumed: true })
  t.match(rate({ ...CALL, codec: 'g729' }, CODEC_IMPAIRMENTS), {
    scale: 'narrowband',
    isAssumed: false,
  })
  near(t, rate({ ...CALL, codec: 'opus' }, CODEC_IMPAIRMENTS)?.mosLq, 4.4075, 1e-4, 'opus')
})

test('an operator can say better what a codec is worth', async (t) => {
  const given = codecOverrides.parse({
    pcma: { ie: 0, bpl: 4.3 },
    EVS: { scale: 'wideband', ie: 1, bpl: 9 },
  })
  const table = withOverrides(CODEC_IMPAIRMENTS, given)
  const lossy = { ...CALL, lost: 15, lossRuns: 15, lossRunPackets: 15 }
  near(t, rate(lossy, table)?.mosLq, 2.794, 0.001, 'G.711 without concealment')
  near(t, rate({ ...lossy, codec: 'PCMU' }, table)?.mosLq, 4.134, 0.001, 'PCMU is as it was')
  const evs = rate({ ...CALL, codec: 'evs' }, table)
  t.match(evs, { scale: 'wideband', isAssumed: false, rFactor: 128 })
  t.equal(CODEC_IMPAIRMENTS.get('PCMA')?.bpl, 25.1, 'the table itself is not touched')
  // The codec's look-ahead stays: 7.5 ms of G.723.1.
  const g723 = withOverrides(CODEC_IMPAIRMENTS, { G723: { scale: 'narrowband', ie: 19, bpl: 16 } })
  t.match(g723.get('G723'), { ie: 19, lookaheadMs: 7.5 })
})

test('overrides that make no sense are refused with their place', async (t) => {
  const complaints = (value: unknown): readonly string[] =>
    codecOverrides.safeParse(value).error?.issues.map(({ path }) => path.join('.')) ?? []
  t.strictSame(complaints({ PCMA: { ie: -1, bpl: 4 } }), ['PCMA.ie'])
  t.strictSame(complaints({ PCMA: { ie: 0, bpl: 0 } }), ['PCMA.bpl'])
  t.strictSame(complaints({ PCMA: { ie: 0, bpl: 4, scale: 'ultra' } }), ['PCMA.scale'])
  t.strictSame(complaints({ PCMA: { ie: 0, bpl: 4, mos: 5 } }), ['PCMA'])
  const many = Array.from({ length: 65 }, (_, n) => [`X${n}`, { ie: 0, bpl: 1 }] as const)
  t.strictSame(complaints(Object.fromEntries(many)), [''])
  t.strictSame(codecOverrides.parse(undefined), {})
})

function near(
  t: { ok(value: boolean, message: string): void },
  actual: number | undefined,
  expected: number | undefined,
  tolerance: number,
  message: string,
): void {
  const difference = Math.abs((actual ?? NaN) - (expected ?? NaN))
  t.ok(difference <= tolerance, `${message}: ${actual ?? 'none'}, expected ${expected ?? 'none'}`)
}
