/**
 * Speed limits: token buckets that any thread can draw on, and one connection's dealings with those it is under.
 * Nothing here waits; both say for how long to.
 *
 * A bucket is one number in shared memory: the time at which everything taken so far is paid for (virtual scheduling,
 * GCRA, ITU-T I.371). Taking moves it by bytes / rate. All threads must tell time by one clock (`process.hrtime`).
 */

/** What a bucket saves up while nobody draws, as time: it makes up for late timers, and is the longest burst. */
const BURST_MS = 100
/** In about this time everybody who draws on a bucket has his turn. */
const ROUND_MS = 50
/** Smaller reads would cost more than they smooth. */
const MIN_READ_BYTES = 1024
/** About what one write to the disk takes. */
const LARGE_READ_BYTES = 1024 * 1024
/** What comes at once over TLS, whatever is asked for. */
const TLS_RECORD_BYTES = 16 * 1024
/** The most a socket that cannot be told how much to read hands over at once. */
const SOCKET_CHUNK_BYTES = 64 * 1024
/** So many chunks may be larger than asked for: they were under way when the rate or the number of drawers changed. */
const INEXACT_MAX = 3
const NS_PER_MS = 1e6
/** The longest debt, about 150 years: sums stay within 64 bits. */
const MAX_COST_NS = 2 ** 62

/** Places in a bucket's memory, of 64 bits each. */
const PAID_UNTIL_NS = 0
/** 0: no limit */
const BYTES_PER_SECOND = 1
const DRAWERS = 2
/** the largest chunk that comes to one of them whatever he asks for */
const CHUNK_BYTES = 3
const CELLS = 4

export class TokenBucket {
  /** Hand this to another thread, and `attach` there. */
  readonly shared: SharedArrayBuffer
  readonly #cells: BigInt64Array

  /** `null`: no limit. Times are ms of the monotonic clock. */
  constructor(bytesPerSecond: number | null, nowMs: number, shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(CELLS * BigInt64Array.BYTES_PER_ELEMENT)
    this.#cells = new BigInt64Array(this.shared)
    if (!shared) this.setRate(bytesPerSecond, nowMs)
  }

  /** The same bucket, in another thread. */
  static attach(this: void, shared: SharedArrayBuffer): TokenBucket {
    return new TokenBucket(null, 0, shared)
  }

  get bytesPerSecond(): number | null {
    return Number(Atomics.load(this.#cells, BYTES_PER_SECOND)) || null
  }

  /** connections that draw on it now */
  get drawers(): number {
    return Number(Atomics.load(this.#cells, DRAWERS))
  }

  /** Takes effect at once, debts included: what was taken under the old rate is forgiven. */
  setRate(bytesPerSecond: number | null, nowMs: number): void {
    if (bytesPerSecond === this.bytesPerSecond) return
    Atomics.store(this.#cells, BYTES_PER_SECOND, BigInt(bytesPerSecond ?? 0))
    Atomics.store(this.#cells, PAID_UNTIL_NS, toNs(nowMs))
  }

  /** Takes bytes, or gives back what was taken and not used (less than 0); answers the ms until all is paid for. */
  take(bytes: number, nowMs: number): number {
    const rate = this.bytesPerSecond
    if (rate === null) return 0
    const now = toNs(nowMs)
    const earliest = now - toNs(BURST_MS)
    const cost = BigInt(Math.round(Math.min((bytes / rate) * 1e9, MAX_COST_NS)))
    for (;;) {
      const before = Atomics.load(this.#cells, PAID_UNTIL_NS)
      const after = (before > earliest ? before : earliest) + cost
      if (Atomics.compareExchange(this.#cells, PAID_UNTIL_NS, before, after) !== before) continue
      return after > now ? Number(after - now) / NS_PER_MS : 0
    }
  }

  /** 0: everybody gets as little at a time as he asks for */
  get chunkBytes(): number {
    return Number(Atomics.load(this.#cells, CHUNK_BYTES))
  }

  /** A connection begins to draw. */
  join(): void {
    Atomics.add(this.#cells, DRAWERS, 1n)
  }

  /** A connection ceases to draw. */
  leave(): void {
    if (Atomics.sub(this.#cells, DRAWERS, 1n) === 1n) Atomics.store(this.#cells, CHUNK_BYTES, 0n)
  }

  /** One of those who draw cannot take less than this at a time. */
  comesInChunks(bytes: number): void {
    // Another thread may say less at the same moment and win: the next chunk says it again.
    if (bytes > this.chunkBytes) Atomics.store(this.#cells, CHUNK_BYTES, BigInt(bytes))
  }
}

/**
 * How many bytes one connection reads at a time, so that all who draw on a bucket have equal turns and a round of
 * turns is short, however many they are. A turn is never less than what one of them is handed anyway.
 */
export function readSize(buckets: readonly TokenBucket[], mostBytes = LARGE_READ_BYTES): number {
  let bytes = mostBytes
  for (const bucket of buckets) {
    const rate = bucket.bytesPerSecond
    if (rate === null) continue
    const turn = (rate * ROUND_MS) / 1000 / Math.max(1, bucket.drawers)
    bytes = Math.min(bytes, Math.max(turn, bucket.chunkBytes))
  }
  return Math.min(mostBytes, Math.max(Math.ceil(bytes), MIN_READ_BYTES))
}

/**
 * One connection under several buckets: it pays before it reads, one turn at a time, and waits until its turn is paid
 * for in each of them. So no bucket is ever overdrawn by the number of those who draw, and whoever was handed a large
 * chunk sits out as many turns as it was worth.
 */
export class Limiter {
  readonly #mostBytes: number
  /** what comes at once whatever is asked for: nothing is read before that is paid for */
  #chunkBytes: number
  /** chunks in a row that were much larger than asked for */
  #inexact = 0
  #buckets: readonly TokenBucket[] = []
  /** bytes paid for and not read yet */
  #credit = 0
  /** when the turn is paid for, by bucket: what others take later is not waited for */
  #paidAtMs: number[] = []

  /** `url`: where the bytes come from */
  constructor(buckets: readonly TokenBucket[], url: string, mostBytes = LARGE_READ_BYTES) {
    this.#mostBytes = mostBytes
    this.#chunkBytes = url.startsWith('https:') ? TLS_RECORD_BYTES : 0
    this.#buckets = buckets
    this.#comeInChunks(this.#chunkBytes)
  }

  /** how many bytes to read at once */
  get readBytes(): number {
    return readSize(this.#buckets, this.#mostBytes)
  }

  /** Counts bytes that were read; answers the ms to wait before reading on. With 0 bytes: asks how long still. */
  take(bytesRead: number, nowMs: number): number {
    if (this.#buckets.every((bucket) => bucket.bytesPerSecond === null)) {
      this.#credit = 0
      this.#paidAtMs = []
      return 0
    }
    const turn = this.readBytes
    this.#credit -= bytesRead
    if (bytesRead > 0) this.#inexact = bytesRead > 2 * turn ? this.#inexact + 1 : 0
    if (this.#inexact >= INEXACT_MAX) this.#comeInChunks(Math.min(bytesRead, SOCKET_CHUNK_BYTES))
    const left = this.#waitMs(nowMs)
    if (left > 0 || this.#credit >= Math.max(turn / 2, this.#chunkBytes)) return left
    this.#credit += turn
    this.#paidAtMs = this.#buckets.map((bucket) => nowMs + bucket.take(turn, nowMs))
    return this.#waitMs(nowMs)
  }

  /** Pays into other buckets from now on. */
  move(buckets: readonly TokenBucket[], nowMs: number): void {
    this.close(nowMs)
    this.#buckets = buckets
    this.#comeInChunks(this.#chunkBytes)
  }

  /** The connection reads no more: what it paid for and did not read is the others'. */
  close(nowMs: number): void {
    if (this.#credit !== 0) for (const bucket of this.#buckets) bucket.take(-this.#credit, nowMs)
    this.#buckets = []
    this.#credit = 0
    this.#paidAtMs = []
  }

  #comeInChunks(bytes: number): void {
    this.#chunkBytes = Math.max(this.#chunkBytes, bytes)
    for (const bucket of this.#buckets) bucket.comesInChunks(this.#chunkBytes)
  }

  /** Less than was answered when it paid, where a limit was lifted or changed meanwhile. */
  #waitMs(nowMs: number): number {
    return this.#paidAtMs.reduce((most, paidAt, n) => {
      const left = Math.min(paidAt - nowMs, this.#buckets[n]!.take(0, nowMs))
      return Math.max(most, left)
    }, 0)
  }
}

/** One connection among those who draw on its buckets. Kept by the engine's thread, which outlives the others. */
export class Draw {
  buckets: readonly TokenBucket[]

  constructor(buckets: readonly TokenBucket[]) {
    this.buckets = buckets
    for (const bucket of buckets) bucket.join()
  }

  move(buckets: readonly TokenBucket[]): void {
    this.end()
    this.buckets = buckets
    for (const bucket of buckets) bucket.join()
  }

  end(): void {
    for (const bucket of this.buckets) bucket.leave()
    this.buckets = []
  }
}

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms * NS_PER_MS))
}
