/** When a crashed engine is started again. Pure: the crashes so far in, a decision out. */

const WINDOW_MS = 60_000
const CRASHES_TOLERATED = 5
const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 8_000

export type RestartDecision = { kind: 'restart'; delayMs: number } | { kind: 'give-up'; crashes: number }

/**
 * @param crashes when the engine crashed, in ms of a monotonic clock, the latest last
 * @param now the same clock
 * @returns the delay doubles with every crash of the last minute; more than five crashes in it mean: give up
 */
export function decideRestart(crashes: readonly number[], now: number): RestartDecision {
  const recent = crashes.filter((at) => now - at < WINDOW_MS).length
  if (recent > CRASHES_TOLERATED) return { kind: 'give-up', crashes: recent }
  return { kind: 'restart', delayMs: Math.min(FIRST_DELAY_MS * 2 ** Math.max(0, recent - 1), LONGEST_DELAY_MS) }
}
