/** Randomness that a seed repeats. */

export interface Random {
  /** [0, 1) */
  next(): number
  /** a whole number from `least` to `most` */
  whole(least: number, most: number): number
  /** whether something of this probability happens */
  chance(probability: number): boolean
  pick<T>(choices: readonly T[]): T
  /** one of the choices, by their weights */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T
  /** small numbers as likely as large ones: from `least` to `most`, by orders of magnitude */
  magnitude(least: number, most: number): number
}

/** mulberry32 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    whole,
    chance: (probability) => next() < probability,
    pick: (choices) => choices[whole(0, choices.length - 1)]!,
    weighted(choices) {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, choice] of choices) {
        left -= weight
        if (left < 0) return choice
      }
      return choices.at(-1)![1]
    },
    magnitude: (least, most) => Math.round(least * (most / least) ** next()),
  }
}
