import { z } from 'zod'

/** Reading back what an earlier process wrote: checked once, here; what does not fit is left out, never thrown. */

/** The members of an object; none for anything else. */
export function parts(value: unknown): Readonly<Record<string, unknown>> {
  const read = z.record(z.string(), z.unknown()).safeParse(value)
  return read.success ? read.data : {}
}

/** The items of a list that fit the schema. */
export function items<T>(schema: z.ZodType<T>, value: unknown): readonly T[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item: unknown) => {
    const read = schema.safeParse(item)
    return read.success ? [read.data] : []
  })
}
