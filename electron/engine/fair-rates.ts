/**
 * How much each of several downloads gets of a line that they share under limits: max-min fairness, found by filling
 * all of them up evenly until something is full. Pure.
 */

/** Something that several downloads draw on together. Bytes per second; Infinity: no bound. */
export interface Share {
  bytesPerSecond: number
}

export interface Flow {
  /** its own bound, bytes per second */
  most: number
  shares: readonly Share[]
}

/** Bytes per second of each flow, in their order. */
export function fairRates(flows: readonly Flow[]): number[] {
  const rates = flows.map(() => 0)
  const left = new Map<Share, number>()
  const open = new Set(flows.keys())
  for (const { shares } of flows)
    for (const share of shares) if (Number.isFinite(share.bytesPerSecond)) left.set(share, share.bytesPerSecond)
  while (open.size > 0) {
    const drawers = new Map<Share, number>()
    let step = Number.POSITIVE_INFINITY
    for (const index of open) {
      const { most, shares } = flows[index]!
      step = Math.min(step, most - rates[index]!)
      for (const share of shares) if (left.has(share)) drawers.set(share, (drawers.get(share) ?? 0) + 1)
    }
    for (const [share, count] of drawers) step = Math.min(step, left.get(share)! / count)
    // Nothing bounds them: that is for the caller to prevent.
    if (step === Number.POSITIVE_INFINITY) return rates.map((rate, index) => (open.has(index) ? step : rate))
    for (const index of open) rates[index]! += step
    for (const [share, count] of drawers) left.set(share, left.get(share)! - step * count)
    for (const index of open) {
      const { most, shares } = flows[index]!
      const isFull = (share: Share) => left.has(share) && left.get(share)! <= share.bytesPerSecond * 1e-12
      if (rates[index]! >= most * (1 - 1e-12) || shares.some(isFull)) open.delete(index)
    }
  }
  return rates
}
