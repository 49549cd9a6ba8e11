/** How what two intervals measured becomes one figure; undefined is "not measured" and gives way. */

export function plus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a + b
}

export function most(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}

export function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

export function mean(
  a: number | undefined,
  aWeight: number,
  b: number | undefined,
  bWeight: number,
): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const weight = aWeight + bWeight
  return weight > 0 ? (a * aWeight + b * bWeight) / weight : undefined
}
