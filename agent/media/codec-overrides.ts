import { z } from 'zod'
import { SCALES } from '../rtp/codec-impairments.ts'

const MAX_CODECS = 64
/** Longest name of an encoding that is not refused. */
const MAX_NAME_LENGTH = 64
/** Greatest impairment by loss of the fullband scale (ITU-T G.107.2). */
const MAX_IE = 132
const MAX_BPL = 100

/**
 * What an operator says of codecs, by encoding name: `PCMA: {ie: 0, bpl: 4.3}`. For withOverrides().
 */
export const codecOverrides = z
  .record(
    z.string().min(1).max(MAX_NAME_LENGTH),
    z.strictObject({
      scale: z.enum(SCALES).default('narrowband'),
      ie: z.number().min(0).max(MAX_IE),
      bpl: z.number().positive().max(MAX_BPL),
    }),
  )
  .refine(
    (codecs) => Object.keys(codecs).length <= MAX_CODECS,
    `expected at most ${MAX_CODECS} codecs`,
  )
  .default({})
