/** How busy a thread is: one that never waits for bytes gets no more of them over another connection. */
import type { EventLoopUtilization, Performance } from 'node:perf_hooks'

type Read = Performance['eventLoopUtilization']

/** Shorter spans say more of a single write than of the thread. */
const SPAN_MS = 100

export class ThreadLoad {
  readonly #read: Read
  #begin: EventLoopUtilization
  #busy = 0

  /** `read`: `performance.eventLoopUtilization` of the thread. */
  constructor(read: Read) {
    this.#read = read
    this.#begin = read()
  }

  /** The share of the last tenth of a second or more, up to a moment ago, in which it did not wait: 0 to 1. */
  get busy(): number {
    const now = this.#read()
    const { idle, active, utilization } = this.#read(now, this.#begin)
    if (idle + active >= SPAN_MS) {
      this.#begin = now
      this.#busy = utilization
    }
    return this.#busy
  }
}
