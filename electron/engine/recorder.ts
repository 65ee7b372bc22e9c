/**
 * Brings what was stored to the disk for many at once. Every file waits for that before it gets its name, and each time
 * holds up everything else that writes to the disk: so the first goes at once, and those that come shortly after share
 * the next. Nobody's place waits with them (scheduler.ts).
 */
import type { TaskStore } from '../../shared/records.ts'
import type { Clock } from './ports.ts'

/** From one time to the next. */
export const REST_MS = 25

export class Recorder {
  readonly #store: Pick<TaskStore, 'committed'>
  readonly #clock: Clock
  #next: Promise<void> | null = null
  /** monotonic ms before which nothing is brought to the disk again */
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor({ store, clock }: { store: Pick<TaskStore, 'committed'>; clock: Clock }) {
    this.#store = store
    this.#clock = clock
  }

  /** Resolves when all that was stored before is on the disk; rejects where that failed. */
  recorded(): Promise<void> {
    if (this.#next) return this.#next
    const restMs = this.#restsUntil - this.#clock.monotonic()
    if (restMs <= 0) return this.#record()
    this.#next = new Promise<void>((resolve) => this.#clock.setTimeout(resolve, restMs)).then(() => {
      // Whoever comes from here on stored something that this time may not bring along.
      this.#next = null
      return this.#record()
    })
    return this.#next
  }

  #record(): Promise<void> {
    this.#restsUntil = this.#clock.monotonic() + REST_MS
    return this.#store.committed(true)
  }
}
