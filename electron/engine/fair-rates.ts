/**
 * How much each of several downloads gets of a line that they share under limits: max-min fairness, found by filling
 * all of them up evenly until something is full. Pure.
 */

/** Something that several downloads draw on together. Bytes per second; Infinity: no bound. */
export interface Share {
  bytesPerSecond: number
  /** while it is worked out: what is left, and how many still draw; kept here because it is worked out very often */
  left?: number
  drawers?: number
}

export interface Flow {
  /** its own bound, bytes per second */
  most: number
  shares: readonly Share[]
}

/** What is left of something full, but for rounding. */
const NOTHING = 1e-12

/** Bytes per second of each flow, in their order. */
export function fairRates(flows: readonly Flow[]): number[] {
  const rates = flows.map(() => 0)
  let open = flows.map((_, index) => index)
  for (const { shares } of flows) for (const share of shares) share.left = share.bytesPerSecond
  while (open.length > 0) {
    for (const index of open) for (const share of flows[index]!.shares) share.drawers = 0
    for (const index of open) for (const share of flows[index]!.shares) share.drawers!++
    let step = Number.POSITIVE_INFINITY
    for (const index of open) {
      const { most, shares } = flows[index]!
      step = Math.min(step, most - rates[index]!)
      for (const { left, drawers } of shares) step = Math.min(step, left! / drawers!)
    }
    // Nothing bounds them: that is for the caller to prevent.
    if (step === Number.POSITIVE_INFINITY) {
      for (const index of open) rates[index] = step
      return rates
    }
    step = Math.max(0, step)
    for (const index of open) {
      rates[index]! += step
      for (const share of flows[index]!.shares) share.left! -= step
    }
    open = open.filter((index) => {
      const { most, shares } = flows[index]!
      const isFull = shares.some(
        ({ left, bytesPerSecond }) => bytesPerSecond !== Number.POSITIVE_INFINITY && left! <= bytesPerSecond * NOTHING,
      )
      return !isFull && rates[index]! < most * (1 - NOTHING)
    })
  }
  return rates
}
