/** The hasty clock at a time of day, and jumping as clocks do when a machine slept or was set. */
import type { Clock } from '../../electron/engine/ports.ts'
import { hastyClock } from './engine.ts'

export interface JumpingClock extends Clock {
  jump(ms: number): void
}

export function clockAt(iso: string): JumpingClock {
  let offset = Date.parse(iso) - hastyClock.now()
  return {
    ...hastyClock,
    now: () => hastyClock.now() + offset,
    jump: (ms) => {
      offset += ms
    },
  }
}
