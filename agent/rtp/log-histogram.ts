/**
 * Counts of values by size, four bins to the octave: a percentile read from it is off by less than a tenth, mostly much less, as the
 * values are taken to be spread evenly within a bin. From 16 us to a second; smaller values share the first bin, larger ones the last.
 */

const BINS = 64

const FIRST_OCTAVE = 4
const BINS_SHIFT = 2
const BINS_PER_OCTAVE = 4
const HIGHEST_BIT = 31

/** The bin of a value, which is not negative. */
export function binOf(valueUs: number): number {
  const whole = valueUs | 0
  const octave = HIGHEST_BIT - Math.clz32(whole)
  if (octave < FIRST_OCTAVE) return 0
  const quarter = (whole >>> (octave - BINS_SHIFT)) & (BINS_PER_OCTAVE - 1)
  return Math.min(BINS - 1, ((octave - FIRST_OCTAVE) << BINS_SHIFT) + quarter)
}

/** The value that a share of 0..1 of the counted ones do not exceed; undefined when none was counted. */
export function percentileOf(
  counts: ArrayLike<number>,
  share: number,
  highest: number,
): number | undefined {
  let total = 0
  for (let bin = 0; bin < BINS; bin++) total += counts[bin] ?? 0
  let left = share * total
  for (let bin = 0; bin < BINS; bin++) {
    const count = counts[bin] ?? 0
    if (count > 0 && left <= count) {
      const from = lowerBound(bin)
      return Math.min(highest, from + (lowerBound(bin + 1) - from) * (left / count))
    }
    left -= count
  }
  return undefined
}

function lowerBound(bin: number): number {
  if (bin === 0) return 0
  const octave = FIRST_OCTAVE + (bin >>> BINS_SHIFT)
  return (BINS_PER_OCTAVE + (bin & (BINS_PER_OCTAVE - 1))) * 2 ** (octave - BINS_SHIFT)
}
