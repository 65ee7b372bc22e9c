/** Speeds: of one connection, of a task, of everything; and the last minutes for the graph. */
import type { ThroughputSample } from '../../shared/schemas.ts'

const WINDOW_MS = 3_000
const BUCKET_MS = 250
const BUCKETS = WINDOW_MS / BUCKET_MS

/** Bytes per second over the last three seconds (less at the start). Memory is constant. */
export class SpeedMeter {
  readonly #buckets = new Float64Array(BUCKETS)
  readonly #startedAt: number
  #slot: number

  constructor(nowMs: number) {
    this.#startedAt = nowMs
    this.#slot = Math.floor(nowMs / BUCKET_MS)
  }

  add(bytes: number, nowMs: number): void {
    this.#forward(nowMs)
    this.#buckets[this.#slot % BUCKETS]! += bytes
  }

  bytesPerSecond(nowMs: number): number {
    this.#forward(nowMs)
    let bytes = 0
    for (const part of this.#buckets) bytes += part
    const full = WINDOW_MS - BUCKET_MS + (nowMs % BUCKET_MS)
    const elapsed = Math.min(full, nowMs - this.#startedAt)
    // The first moments say nothing: a quarter second is the shortest base for a rate.
    return bytes / (Math.max(elapsed, BUCKET_MS) / 1000)
  }

  #forward(nowMs: number): void {
    const slot = Math.floor(nowMs / BUCKET_MS)
    const steps = Math.min(slot - this.#slot, BUCKETS)
    for (let i = 1; i <= steps; i++) this.#buckets[(this.#slot + i) % BUCKETS] = 0
    if (slot > this.#slot) this.#slot = slot
  }
}

export const HISTORY_SAMPLES = 600

/** One sample a second for the last ten minutes. */
export class ThroughputHistory {
  #samples: ThroughputSample[] = []
  #bytes = 0

  add(bytes: number): void {
    this.#bytes += bytes
  }

  /** Ends an interval of `ms` at `at` (epoch ms) and returns its sample. */
  tick(at: number, ms: number): ThroughputSample {
    const sample = { at, bytesPerSecond: Math.round((this.#bytes * 1000) / Math.max(ms, 1)) }
    this.#bytes = 0
    this.#samples.push(sample)
    if (this.#samples.length > HISTORY_SAMPLES) this.#samples = this.#samples.slice(-HISTORY_SAMPLES)
    return sample
  }

  get samples(): ThroughputSample[] {
    return [...this.#samples]
  }
}
