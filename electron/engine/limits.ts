/**
 * The limits of bytes: buckets of all, of queues and of hosts, and which of them a connection pays into. Rates are looked
 * up again when somebody says that they changed; whoever waits on a bucket feels it at once.
 */
import { DEFAULT_QUEUE_ID, type QueueId, type TaskOptions } from '../../shared/schemas.ts'
import type { Clock } from './ports.ts'
import { TokenBucket } from './rate-limiter.ts'

export interface Rates {
  /** bytes per second; null: no limit, here and below */
  all(): number | null
  /** by queue */
  queues(): ReadonlyMap<QueueId, number | null>
  host(name: string): number | null
}

/** From so many buckets of hosts on, those that nobody draws on are dropped. */
const SWEEP_AT = 256

export class Limits {
  readonly #clock: Clock
  readonly #rates: Rates
  readonly #all: TokenBucket
  readonly #queues = new Map<QueueId, TokenBucket>()
  readonly #hosts = new Map<string, TokenBucket>()

  constructor(clock: Clock, rates: Rates) {
    this.#clock = clock
    this.#rates = rates
    this.#all = new TokenBucket(rates.all(), clock.monotonic())
    this.changed()
  }

  /** Takes over all rates as they are now. */
  changed(): void {
    const now = this.#clock.monotonic()
    this.#all.setRate(this.#rates.all(), now)
    const queues = this.#rates.queues()
    for (const id of this.#queues.keys()) if (!queues.has(id)) this.#queues.delete(id)
    for (const [id, rate] of queues) {
      const bucket = this.#queues.get(id)
      if (bucket) bucket.setRate(rate, now)
      else this.#queues.set(id, new TokenBucket(rate, now))
    }
    for (const [name, bucket] of this.#hosts) bucket.setRate(this.#rates.host(name), now)
  }

  /**
   * What bytes of a task in this queue pay into when they come from this host; `own` is the task's, asked for again when
   * it is limited.
   */
  buckets(queueId: QueueId, host: string, own: TokenBucket | null): TokenBucket[] {
    const queue = this.#queues.get(queueId) ?? this.#queues.get(DEFAULT_QUEUE_ID)
    const ofHost = this.#host(host)
    return [this.#all, ...(queue ? [queue] : []), ...(ofHost ? [ofHost] : []), ...(own?.bytesPerSecond ? [own] : [])]
  }

  /** Only hosts that are limited have one. */
  #host(name: string): TokenBucket | undefined {
    const known = this.#hosts.get(name)
    if (known) return known
    const rate = this.#rates.host(name)
    if (rate === null) return undefined
    if (this.#hosts.size >= SWEEP_AT)
      for (const [other, bucket] of this.#hosts) if (bucket.drawers <= 0) this.#hosts.delete(other)
    const bucket = new TokenBucket(rate, this.#clock.monotonic())
    this.#hosts.set(name, bucket)
    return bucket
  }
}

/** A task's own bucket, or `known` with the rate that its options say. Most have none: shared memory takes time to make. */
export function ownBucket(
  { limitBytesPerSecond }: Pick<TaskOptions, 'limitBytesPerSecond'>,
  clock: Clock,
  known: TokenBucket | null = null,
): TokenBucket | null {
  const rate = limitBytesPerSecond ?? null
  if (known === null) return rate === null ? null : new TokenBucket(rate, clock.monotonic())
  known.setRate(rate, clock.monotonic())
  return known
}
