/**
 * The connections of one running download: how many there are, which segment each works on, and what the failure of
 * one means for the others. Who gets which bytes is decided by segment-plan.ts, what a failure means by
 * connection-policy.ts; what is done with a connection is the caller's `fetch`.
 */
import { NighthaulError } from '../../shared/errors.ts'
import { BLOCK_BYTES } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { StrategyReason } from '../../shared/strategy.ts'
import { afterFailure, growthPauseMs } from './connection-policy.ts'
import { toDiskError } from './disk-errors.ts'
import { type HostController, HostQuiet, type Slot, type SlotHolder } from './host-controller.ts'
import type { LaneTransfer } from './lane/lane.ts'
import { SpeedMeter } from './metrics.ts'
import type { EngineDeps } from './ports.ts'
import type { Progress } from './progress.ts'
import type { Draw, TokenBucket } from './rate-limiter.ts'
import type { RemoteFile } from './remote-file.ts'
import * as plan from './segment-plan.ts'

/** Below twice this a range is not worth another connection. */
const MIN_SPLIT_BYTES = BLOCK_BYTES
/** How often a free place at the host is looked for. */
const GROW_MS = 500

export interface Connection {
  /** start of the segment it works on; null between two */
  segment: number | null
  meter: SpeedMeter
  abort: AbortController
  /** its place at `host`; null while it waits for one */
  slot: Slot | null
  host: string
  /** the reading of its segment; null before the server's reply and between two */
  transfer: LaneTransfer | null
  /** bytes of it that were counted */
  countedBytes: number
  /** its part in the limits of its bytes; null while no body comes */
  draw: Draw | null
  /** its segment was accepted by the server; until then the connection it was split from may still read into it */
  proven: boolean
}

/** Thrown to leave a connection that was given up on purpose. */
const SHED = new NighthaulError('interrupted', 'Another download needed this connection.')
const OVERTAKEN = new NighthaulError('interrupted', 'Another connection read these bytes first.')
/** Thrown where the user paused or the engine stops. */
export const STOPPED = new NighthaulError('interrupted', 'The download was paused; what is here is kept.')

export interface ConnectionsDeps extends Pick<EngineDeps, 'clock' | 'random' | 'logger'> {
  id: TaskId
  hosts: HostController
  progress: Progress
  remote: RemoteFile
  /** the most connections wanted */
  wanted: () => number
  /** for messages about the disk */
  path: () => string
  /** bytes came from the network */
  received: (bytes: number) => void
  /** reads the rest of the connection's segment; a fresh file has none yet, and gets its plan here */
  fetch: (connection: Connection) => Promise<void>
}

export class Connections implements SlotHolder {
  readonly #deps: ConnectionsDeps
  readonly #open = new Set<Connection>()
  #stop: AbortSignal = new AbortController().signal
  #cap: number
  #failure: NighthaulError | null = null
  #growNotBefore = 0
  /** what was written when a connection failed last: nothing new is tried until the others have brought more */
  #writtenAtFailure = -1
  /** what was written when the link itself was asked again: once more only after that brought something */
  #writtenAtResolve = -1
  #failuresInARow = 0
  #wake: (() => void) | null = null
  /** the most that were open at once in this run, and why there were no more */
  #most = 0
  #strategy: StrategyReason[] = []
  /** the most that were open at once */
  used: number

  constructor(deps: ConnectionsDeps, used: number) {
    this.#deps = deps
    this.#cap = deps.wanted()
    this.used = used
  }

  get size(): number {
    return this.#open.size
  }

  /** Why there are as many connections as there are, or were when there were most. */
  get strategy(): StrategyReason[] {
    return this.#strategy
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#open.values()
  }

  /** Gives up one of several connections, so that the host has a place for another task's first one. */
  shed(host: string): boolean {
    const kept = this.#kept()
    const last = kept.findLast((connection) => connection.slot !== null && connection.host === host)
    if (kept.length < 2 || !last) return false
    last.abort.abort(SHED)
    return true
  }

  /** The number wanted may be another one: surplus connections end now, what they read stays. */
  settingsChanged(): void {
    this.#cap = this.#deps.wanted()
    for (const connection of this.#kept().slice(this.#cap)) connection.abort.abort(SHED)
    this.#wake?.()
  }

  /** Bytes are paid for in other buckets from now on. */
  limitsChanged(buckets: (host: string) => readonly TokenBucket[]): void {
    for (const { draw, transfer, host } of this.#open) {
      draw?.move(buckets(host))
      transfer?.setBuckets(buckets(host))
    }
  }

  /** Those that were not told to end. */
  #kept(): Connection[] {
    return [...this.#open].filter((connection) => !connection.abort.signal.aborted)
  }

  /** There may be work for another connection, or none any more. */
  look(): void {
    this.#wake?.()
  }

  othersWork(connection: Connection): boolean {
    return [...this.#open].some((c) => c !== connection && c.segment !== null)
  }

  /** Reads until the file is complete. Rejects with the failure that ends the run, or with the signal's reason. */
  async run(stop: AbortSignal): Promise<void> {
    this.#stop = stop
    let grow: { cancel(): void } | null = null
    const running = new Set<Promise<void>>()
    const spawn = (slot: Slot | null) => {
      const connection = this.#connection(slot).finally(() => {
        running.delete(connection)
        this.#wake?.()
      })
      running.add(connection)
    }
    const tick = () => {
      this.count()
      this.#wake?.()
      grow = this.#deps.clock.setTimeout(tick, GROW_MS)
    }
    grow = this.#deps.clock.setTimeout(tick, GROW_MS)
    try {
      spawn(null)
      for (;;) {
        if (this.#failure || this.#stop.aborted) break
        if (running.size === 0) {
          if (!this.#deps.remote.fresh && this.#deps.progress.complete) return
          spawn(null)
        } else if (this.#mayGrow(running.size)) {
          const slot = this.#deps.hosts.tryAcquire(this.#deps.remote.host, this)
          if (slot) {
            spawn(slot)
            continue
          }
        }
        if (this.#open.size > 0 && this.#open.size >= this.#most) {
          this.#most = this.#open.size
          this.#strategy = this.#explain()
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      grow.cancel()
      if (this.#failure) for (const connection of this.#open) connection.abort.abort(STOPPED)
      await Promise.allSettled(running)
    }
    throw this.#failure ?? stop.reason
  }

  #mayGrow(active: number): boolean {
    if (!this.#deps.remote.rangesProven || this.#deps.remote.fresh || active >= this.#cap) return false
    if (this.#deps.clock.monotonic() < this.#growNotBefore) return false
    // Otherwise connections that fail in turn would keep each other, and the run, alive for ever.
    if (this.#deps.progress.writtenBytes <= this.#writtenAtFailure) return false
    if (this.#deps.hosts.quietMs(this.#deps.remote.host) > 0) return false
    return this.#nextAssignment() !== null
  }

  #explain(): StrategyReason[] {
    const { remote, hosts, clock, wanted, progress } = this.#deps
    const connections = this.#open.size
    const quietMs = hosts.quietMs(remote.host)
    if (remote.fresh) return []
    if (!remote.rangesProven) return [{ code: 'no_ranges', params: {} }]
    if (wanted() === 1) return [{ code: 'one_connection_wanted', params: {} }]
    if (quietMs > 0) return [{ code: 'host_quiet', params: { host: remote.host, waitMs: Math.ceil(quietMs) } }]
    if (clock.monotonic() < this.#growNotBefore || connections >= this.#cap)
      return [{ code: this.#cap < wanted() ? 'host_struggles' : 'cap_reached', params: { connections } }]
    if (this.#nextAssignment() === null) {
      const remainingBytes = (remote.size ?? 0) - progress.writtenBytes
      return [{ code: 'small_file', params: { remainingBytes } }]
    }
    return [{ code: 'host_allowance', params: { connections, host: remote.host } }]
  }

  #nextAssignment(): plan.Assignment | null {
    this.count()
    const now = this.#deps.clock.monotonic()
    const busy = new Map<number, { bytesPerSecond: number }>()
    const read = new Map<number, number>()
    for (const c of this.#open) {
      if (c.segment === null) continue
      busy.set(c.segment, { bytesPerSecond: c.meter.bytesPerSecond(now) })
      read.set(c.segment, c.transfer?.position ?? 0)
    }
    // What a connection has read is its own, though the disk may not have it yet.
    const segments = this.#deps.progress.segments.map((s) => ({
      ...s,
      written: Math.max(s.written, read.get(s.start) ?? 0),
    }))
    return plan.nextAssignment(segments, busy, {
      minSplitBytes: MIN_SPLIT_BYTES,
      canSplit: this.#deps.remote.rangesProven,
    })
  }

  /** One connection from its slot to its end: segment after segment while there is work. Never rejects. */
  async #connection(granted: Slot | null): Promise<void> {
    const { clock, hosts } = this.#deps
    const connection: Connection = {
      segment: null,
      meter: new SpeedMeter(clock.monotonic()),
      abort: new AbortController(),
      slot: granted,
      host: this.#deps.remote.host,
      transfer: null,
      countedBytes: 0,
      draw: null,
      proven: false,
    }
    const forward = () => connection.abort.abort(this.#stop.reason)
    this.#stop.addEventListener('abort', forward, { once: true })
    if (this.#stop.aborted) forward()
    try {
      connection.slot ??= await hosts.acquire(connection.host, this, connection.abort.signal)
      this.#open.add(connection)
      this.used = Math.max(this.used, this.#open.size)
      while (!connection.abort.signal.aborted && !this.#failure && this.#open.size <= this.#cap) {
        if (this.#deps.remote.fresh) connection.segment = 0
        else {
          const next = this.#nextAssignment()
          if (!next) break
          if (next.kind === 'split' && !this.#split(next.victim, next.at)) continue
          connection.segment = next.kind === 'split' ? next.at : next.start
        }
        connection.meter = new SpeedMeter(clock.monotonic())
        await this.#deps.fetch(connection).finally(() => {
          connection.draw?.end()
          connection.draw = null
        })
        connection.segment = null
        connection.proven = false
        this.#failuresInARow = 0
        hosts.succeeded(connection.host)
      }
    } catch (error) {
      this.#giveBack(connection)
      this.#connectionFailed(connection, error)
    } finally {
      this.#stop.removeEventListener('abort', forward)
      this.#open.delete(connection)
      connection.slot?.release()
    }
  }

  /** A segment that was never proven goes back to the connection it was split from: one-time links serve only that. */
  #giveBack(connection: Connection): void {
    if (connection.proven || connection.segment === null) return
    const before = this.#deps.progress.segments.find((s) => s.end === connection.segment)
    if (before && before.written < connection.segment) this.#absorb(before.start)
  }

  /** False: the connection that reads there was faster than this thought. */
  #split(victim: number, at: number): boolean {
    const reading = this.#at(victim)?.transfer
    if (reading && !reading.setEnd(at)) return false
    this.#deps.progress.split(victim, at)
    return true
  }

  #absorb(start: number): void {
    this.#deps.progress.absorb(start)
    this.#at(start)?.transfer?.setEnd(this.#deps.progress.at(start)!.end)
  }

  #at(segment: number): Connection | undefined {
    return [...this.#open].find((connection) => connection.segment === segment)
  }

  /** A connection reads until its transfer ends. */
  async reading(connection: Connection, transfer: LaneTransfer): ReturnType<() => LaneTransfer['ended']> {
    connection.transfer = transfer
    connection.countedBytes = 0
    try {
      return await transfer.ended
    } finally {
      this.count()
      connection.transfer = null
    }
  }

  /** Counts what came since the last time; whoever asks for speeds asks for this first. */
  count(): void {
    for (const connection of this.#open) {
      const bytes = (connection.transfer?.receivedBytes ?? 0) - connection.countedBytes
      if (connection.transfer === null || bytes <= 0) continue
      connection.countedBytes += bytes
      connection.meter.add(bytes, this.#deps.clock.monotonic())
      this.#deps.received(bytes)
    }
  }

  /** A connection's reading came to its end: where it ends now. An unproven follower loses the race. */
  reached(connection: Connection, position: number): number | null | 'stop' {
    const segment = this.#deps.progress.at(connection.segment!)!
    if (segment.end === null || position < segment.end) return segment.end
    const rival = [...this.#open].find((c) => c.segment === segment.end && !c.proven && c !== connection)
    if (!rival || this.#deps.progress.at(segment.end)!.written > segment.end) return 'stop'
    rival.segment = null
    rival.abort.abort(OVERTAKEN)
    this.#deps.progress.absorb(segment.start)
    return this.reached(connection, position)
  }

  /** The host that asked for less is the one that answered: a redirect may have led to another. */
  #complained(connection: Connection, error: NighthaulError): void {
    const { status, host, retryAfterMs } = error.params
    if (error instanceof HostQuiet || (error.code !== 'too_many_requests' && status !== 503)) return
    this.#deps.hosts.slowDown(
      typeof host === 'string' ? host : connection.host,
      typeof retryAfterMs === 'number' ? retryAfterMs : null,
      typeof status === 'number' ? status : null,
    )
  }

  /** Decides whether one connection's failure is the run's failure. */
  #connectionFailed(connection: Connection, error: unknown): void {
    if (this.#stop.aborted || this.#failure || error === SHED || error === OVERTAKEN) return
    const typed = error instanceof NighthaulError ? error : toDiskError(error, this.#deps.path())
    const { clock, logger, random } = this.#deps
    const { writtenBytes } = this.#deps.progress
    logger.info({ task: this.#deps.id, code: typed.code, segment: connection.segment }, 'a connection failed')
    this.#complained(connection, typed)
    const action = afterFailure(typed, {
      othersWork: this.othersWork(connection),
      onRedirectTarget: this.#deps.remote.onRedirectTarget,
      originalTried: writtenBytes <= this.#writtenAtResolve,
    })
    switch (action) {
      case 'original':
        this.#writtenAtResolve = writtenBytes
        this.#deps.remote.resolveAgain()
        return
      case 'fewer':
      case 'later':
        if (action === 'fewer') this.#cap = Math.max(1, this.#open.size - 1)
        this.#writtenAtFailure = writtenBytes
        this.#growNotBefore = clock.monotonic() + growthPauseMs(this.#failuresInARow++, random())
        return
      case 'fail':
        this.#failure = typed
    }
  }
}
