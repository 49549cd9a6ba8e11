/** One-sided 99 % of the normal distribution: the 0.99 quantile. */
const Z = 2.326_347_874

/**
 * Lower end of the one-sided 99 % Wilson score interval of a share: with that confidence the true share is above it.
 * E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
 */
export function lowerBound(hits: number, trials: number): number {
  if (trials <= 0) return 0
  const share = Math.min(Math.max(hits / trials, 0), 1)
  const zz = Z * Z
  const centre = share + zz / (2 * trials)
  const margin = Z * Math.sqrt((share * (1 - share)) / trials + zz / (4 * trials * trials))
  return Math.max(0, (centre - margin) / (1 + zz / trials))
}
