/** Token buckets: how long to wait before taking more bytes. Pure but for the marks they keep. */

/** No burst is longer than this much of the rate; short, so that a limit is felt at once and averages stay true. */
const BURST_MS = 100
/** Smaller reads would cost more than they smooth. */
const MIN_READ_BYTES = 4 * 1024

/**
 * A bucket that may go into debt: bytes that came are paid for afterwards by waiting. So a chunk larger than the
 * bucket passes, and the average still is the rate.
 */
export class TokenBucket {
  #bytesPerSecond: number | null
  #tokens = 0
  #at: number

  /** `null`: no limit. Times are ms of a monotonic clock. */
  constructor(bytesPerSecond: number | null, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#at = nowMs
  }

  get bytesPerSecond(): number | null {
    return this.#bytesPerSecond
  }

  /** Takes effect at once, debts included: what was taken under the old rate is forgiven. */
  setRate(bytesPerSecond: number | null, nowMs: number): void {
    if (bytesPerSecond === this.#bytesPerSecond) return
    this.#bytesPerSecond = bytesPerSecond
    this.#tokens = 0
    this.#at = nowMs
  }

  /** Pays for bytes that have arrived; returns the ms to wait before the next ones may be read. */
  take(bytes: number, nowMs: number): number {
    const rate = this.#bytesPerSecond
    if (rate === null) return 0
    const refill = ((nowMs - this.#at) * rate) / 1000
    this.#at = nowMs
    this.#tokens = Math.min(this.#tokens + refill, (rate * BURST_MS) / 1000) - bytes
    return this.#tokens >= 0 ? 0 : (-this.#tokens / rate) * 1000
  }
}

/** How many bytes to read at once so that none of these buckets is overdrawn by more than its burst. */
export function readSize(buckets: readonly TokenBucket[], mostBytes: number): number {
  let bytes = mostBytes
  for (const { bytesPerSecond } of buckets)
    if (bytesPerSecond !== null) bytes = Math.min(bytes, Math.ceil((bytesPerSecond * BURST_MS) / 1000))
  return Math.min(mostBytes, Math.max(bytes, MIN_READ_BYTES))
}
