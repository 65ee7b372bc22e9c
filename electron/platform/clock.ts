/** The machine's own clock as the engine wants one. Its monotonic time is the same in all threads. */
import type { Clock } from '../engine/ports.ts'

export const nodeClock: Clock = {
  now: Date.now,
  monotonic: () => {
    const [seconds, nanoseconds] = process.hrtime()
    return seconds * 1e3 + nanoseconds / 1e6
  },
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}
