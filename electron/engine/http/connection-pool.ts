/**
 * Who may have a connection: how many are busy and how many wait idle, per origin and in all, how long an idle one is
 * kept, and who comes next where none is free. Keeps the books alone; opening and closing is the caller's.
 */
import { NighthaulError } from '../../../shared/errors.ts'
import type { Clock, Timer } from '../ports.ts'

export interface PoolLimits {
  /** idle connections kept for one origin, and in all; the longest unused go first */
  idlePerHost: number
  idleInAll: number
  /** requests under way to one origin, and in all; whoever comes later waits */
  busyPerHost: number
  busyInAll: number
  /** an idle connection is closed after this long */
  keepAliveMs: number
  /** the longest wait for a free place */
  waitMs: number
}

/** What the pool needs to know of a connection. */
export interface Pooled {
  readonly origin: string
  /** origin and everything else a request must agree with */
  readonly key: string
  /** false: its other end hung up meanwhile */
  readonly alive: boolean
}

interface Waiter {
  origin: string
  start(): void
}

/** Places are granted in the order they were asked for; one origin’s bound never holds up another’s requests. */
export class ConnectionPool<C extends Pooled> {
  readonly #clock: Clock
  readonly #close: (connection: C) => void
  /** the longest unused first */
  #idle: { connection: C; sinceMs: number }[] = []
  readonly #busy = new Set<C>()
  readonly #busyOf = new Map<string, number>()
  #busyInAll = 0
  #waiters: Waiter[] = []
  #limits: PoolLimits
  #expiry: Timer | null = null

  /** `close` gets every connection that the pool lets go of. */
  constructor(clock: Clock, limits: PoolLimits, close: (connection: C) => void) {
    this.#clock = clock
    this.#limits = limits
    this.#close = close
  }

  get limits(): PoolLimits {
    return this.#limits
  }

  /** Takes effect at once, but for requests under way: these end in their own time. */
  setLimits(limits: PoolLimits): void {
    this.#limits = limits
    this.#expiry?.cancel()
    this.#expiry = null
    this.#trim()
    this.#grant()
  }

  /**
   * A place for a request, and a connection in it: an idle one of this key, the last used first, or what `open` makes.
   * `fresh`: idle ones are not good enough. Rejects with `no_free_connection` after the longest wait, or with the
   * signal’s reason.
   */
  async acquire(
    wanted: { origin: string; key: string; fresh?: boolean; signal: AbortSignal },
    open: () => C,
  ): Promise<C> {
    const { origin, signal } = wanted
    signal.throwIfAborted()
    if (this.#hasPlace(origin)) this.#take(origin)
    else await this.#wait(origin, signal)
    try {
      const connection = (wanted.fresh ? null : this.#reuse(wanted.key)) ?? open()
      this.#busy.add(connection)
      return connection
    } catch (error) {
      this.#leave(origin)
      throw error
    }
  }

  /** Back after a reply that was read to its end: idle from now on, or closed where enough are. */
  release(connection: C): void {
    if (!this.#busy.delete(connection)) return
    this.#idle.push({ connection, sinceMs: this.#clock.monotonic() })
    this.#trim()
    this.#leave(connection.origin)
  }

  /** Of no more use, whatever it was doing. */
  discard(connection: C): void {
    const wasBusy = this.#busy.delete(connection)
    this.#idle = this.#idle.filter((entry) => entry.connection !== connection)
    this.#close(connection)
    if (wasBusy) this.#leave(connection.origin)
  }

  /** Closes idle connections, of one origin or of all. */
  dropIdle(origin?: string): void {
    this.#closeIdle(({ connection }) => origin === undefined || connection.origin === origin)
  }

  /** All of them, for the end: the caller closes them. */
  clear(): C[] {
    this.#expiry?.cancel()
    this.#expiry = null
    const all = [...this.#busy, ...this.#idle.map(({ connection }) => connection)]
    this.#busy.clear()
    this.#idle = []
    return all
  }

  get idle(): number {
    return this.#idle.length
  }

  get busy(): number {
    return this.#busyInAll
  }

  get waiting(): number {
    return this.#waiters.length
  }

  #hasPlace(origin: string): boolean {
    const { busyPerHost, busyInAll } = this.#limits
    return this.#busyInAll < busyInAll && (this.#busyOf.get(origin) ?? 0) < busyPerHost
  }

  #take(origin: string): void {
    this.#busyInAll++
    this.#busyOf.set(origin, (this.#busyOf.get(origin) ?? 0) + 1)
  }

  #leave(origin: string): void {
    this.#busyInAll--
    const left = (this.#busyOf.get(origin) ?? 1) - 1
    if (left > 0) this.#busyOf.set(origin, left)
    else this.#busyOf.delete(origin)
    this.#grant()
  }

  #wait(origin: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { waitMs } = this.#limits
      const end = (how: () => void) => {
        timer.cancel()
        signal.removeEventListener('abort', onAbort)
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
        how()
      }
      const onAbort = () => end(() => reject(signal.reason))
      const waiter: Waiter = { origin, start: () => end(resolve) }
      const timer = this.#clock.setTimeout(() => end(() => reject(noFreeConnection(origin, waitMs))), waitMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
    })
  }

  #grant(): void {
    for (const waiter of [...this.#waiters]) {
      if (this.#busyInAll >= this.#limits.busyInAll) return
      if (!this.#hasPlace(waiter.origin)) continue
      this.#take(waiter.origin)
      waiter.start()
    }
  }

  #reuse(key: string): C | null {
    this.#trim()
    const index = this.#idle.findLastIndex(({ connection }) => connection.key === key)
    return index < 0 ? null : this.#idle.splice(index, 1)[0]!.connection
  }

  /** Closes what is dead, too old or too many. */
  #trim(): void {
    const { idlePerHost, idleInAll, keepAliveMs } = this.#limits
    const now = this.#clock.monotonic()
    const kept = new Map<string, number>()
    let inAll = 0
    const keep = new Set<C>()
    for (const { connection, sinceMs } of this.#idle.toReversed()) {
      const ofOrigin = kept.get(connection.origin) ?? 0
      if (!connection.alive || now - sinceMs >= keepAliveMs || ofOrigin >= idlePerHost || inAll >= idleInAll) continue
      keep.add(connection)
      kept.set(connection.origin, ofOrigin + 1)
      inAll++
    }
    this.#closeIdle(({ connection }) => !keep.has(connection))
    this.#armExpiry()
  }

  #closeIdle(which: (entry: { connection: C }) => boolean): void {
    const closing = this.#idle.filter(which)
    if (closing.length === 0) return
    this.#idle = this.#idle.filter((entry) => !which(entry))
    for (const { connection } of closing) this.#close(connection)
  }

  #armExpiry(): void {
    const [oldest] = this.#idle
    if (this.#expiry !== null || oldest === undefined) return
    const ms = Math.max(0, oldest.sinceMs + this.#limits.keepAliveMs - this.#clock.monotonic())
    this.#expiry = this.#clock.setTimeout(() => {
      this.#expiry = null
      this.#trim()
    }, ms)
  }
}

function noFreeConnection(origin: string, waitMs: number): NighthaulError {
  const { host } = new URL(origin)
  return new NighthaulError(
    'no_free_connection',
    `No connection to “${host}” became free in time: as many as the settings allow are in use. What is already here is kept; it is tried again.`,
    { host, waitMs },
  )
}
