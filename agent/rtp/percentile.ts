/**
 * The smallest value that at least `share` of the values do not exceed (nearest rank): always one that was measured.
 * @param sorted ascending
 * @param share 0..1; 0.5 is the median
 * @returns undefined when there are no values
 */
export function percentile(sorted: ArrayLike<number>, share: number): number | undefined {
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1]
}
