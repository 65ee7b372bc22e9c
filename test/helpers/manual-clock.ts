/** A clock that moves only when a test moves it. */
import type { Clock } from '../../electron/engine/ports.ts'

export interface ManualClock extends Clock {
  /** timers that are set */
  readonly pending: number
  /** moves on by so many ms; timers fire in order, each at its own time */
  advance(ms: number): void
}

const EPOCH_MS = Date.UTC(2026, 0, 1)

export function createManualClock(): ManualClock {
  const timers = new Map<object, { at: number; callback: () => void }>()
  let now = 0
  return {
    now: () => EPOCH_MS + now,
    monotonic: () => now,
    setTimeout(callback, ms) {
      const timer = { cancel: () => void timers.delete(timer) }
      timers.set(timer, { at: now + Math.max(0, ms), callback })
      return timer
    },
    get pending() {
      return timers.size
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)
        if (!next) break
        now = Math.max(now, next[1].at)
        timers.delete(next[0])
        next[1].callback()
      }
      now = end
    },
  }
}
