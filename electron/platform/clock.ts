/** The machine's own clock as the engine wants one. */
import type { Clock } from '../engine/ports.ts'

export const nodeClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}
