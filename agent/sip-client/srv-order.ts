/** An SRV record, as far as the order of servers goes. */
export interface Weighted {
  /** Lower ones first. */
  readonly priority: number
  /** Of one priority, the share of those who try it first. */
  readonly weight: number
}

/** The records in the order to try them: by priority, within it drawn by weight (RFC 2782). `random` gives 0 up to 1. */
export function inSrvOrder<Record extends Weighted>(
  records: readonly Record[],
  random: () => number,
): Record[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  return priorities.flatMap((wanted) =>
    drawn(
      records.filter(({ priority }) => priority === wanted),
      random,
    ),
  )
}

function drawn<Record extends Weighted>(
  records: readonly Record[],
  random: () => number,
): Record[] {
  // Those of weight 0 first: then they have a small chance too.
  const left = records.toSorted((a, b) => Math.sign(a.weight) - Math.sign(b.weight))
  const order: Record[] = []
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0)
    let share = random() * total
    const found = left.findIndex(({ weight }) => {
      share -= weight
      return share <= 0
    })
    order.push(...left.splice(Math.max(0, found), 1))
  }
  return order
}
