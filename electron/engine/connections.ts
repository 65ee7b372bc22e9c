/**
 * The connections of one running download: opens, replaces and ends them as the planner says, and settles what the
 * failure of one means for the others. ramp.ts decides how many there are, assignment.ts who reads what,
 * connection-policy.ts what a failure means; what is done with a connection is the caller's `fetch`.
 */
import { NighthaulError } from '../../shared/errors.ts'
import type { StrategyReason } from '../../shared/strategy.ts'
import {
  answers,
  begins,
  type Connection,
  type ConnectionsDeps,
  createConnection,
  isOwner,
  LEFT,
  STOPPED,
} from './connection.ts'
import { ConnectionFailures } from './connection-failures.ts'
import { ConnectionPlanner, type Situation } from './connection-planner.ts'
import { toDiskError } from './disk-errors.ts'
import type { Slot, SlotHolder } from './host-controller.ts'
import { HostQuiet } from './host-refusals.ts'
import type { LaneTransfer, RaceAnswer } from './lane/lane.ts'

type Spawn = (slot: Slot | null, racesFor?: number | null) => void

export class Connections implements SlotHolder {
  readonly #deps: ConnectionsDeps
  readonly #open = new Set<Connection>()
  readonly #planner: ConnectionPlanner
  /** the host had no place at the last try */
  #refused = false
  #stop: AbortSignal = new AbortController().signal
  #cap: number
  #failure: NighthaulError | null = null
  readonly #failures: ConnectionFailures
  #wake: (() => void) | null = null
  /** the most that were open at once */
  used: number

  constructor(deps: ConnectionsDeps, used: number) {
    this.#deps = deps
    this.#cap = deps.wanted()
    this.used = used
    this.#failures = new ConnectionFailures(deps.random)
    this.#planner = new ConnectionPlanner(deps.clock.monotonic())
  }

  get size(): number {
    return this.#open.size
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#open.values()
  }

  /** Why there are so many, the weightiest reason first. */
  get strategy(): StrategyReason[] {
    const { code, params } = this.#obstacle() ?? this.#planner.reason
    const first = { code, params: code === 'host_allowance' ? { ...params, host: this.#deps.remote.host } : params }
    return [first, ...this.#planner.reliefs([...this.#open])]
  }

  /** Gives up one of several connections, so that the host has a place for another task's first one. */
  shed(host: string): boolean {
    const kept = this.#kept()
    const last = kept.findLast((connection) => connection.slot !== null && connection.host === host)
    if (kept.length < 2 || !last) return false
    last.abort.abort(LEFT.shed)
    return true
  }

  /** The number wanted may be another one: surplus connections end now, what they read stays. */
  settingsChanged(): void {
    this.#cap = this.#deps.wanted()
    for (const connection of this.#kept().slice(this.#cap)) connection.abort.abort(LEFT.shed)
    this.look()
  }

  /** Bytes are paid for in other buckets from now on. */
  limitsChanged(): void {
    for (const { draw, transfer, host } of this.#open) {
      draw?.move(this.#deps.buckets(host))
      transfer?.setBuckets(this.#deps.buckets(host))
    }
  }

  /** Those that were not told to end. */
  #kept(): Connection[] {
    return [...this.#open].filter((connection) => !connection.abort.signal.aborted)
  }

  /** There may be work for another connection, or none any more; with an error, the run ends with that. */
  look(failure: NighthaulError | null = null): void {
    this.#failure ??= failure
    this.#wake?.()
  }

  /** A connection has its server's answer and reads until its transfer ends. */
  async reading(connection: Connection, transfer: LaneTransfer): ReturnType<() => LaneTransfer['ended']> {
    const now = this.#deps.clock.monotonic()
    const over = this.#deps.hosts.reads(connection.host)
    answers(connection, transfer, now)
    this.#planner.answered(now - connection.askedAtMs)
    this.look()
    try {
      return await transfer.ended
    } finally {
      over()
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
      const now = this.#deps.clock.monotonic()
      connection.meter.add(bytes, now)
      connection.history.add(bytes, now)
      this.#planner.received(bytes, now)
      this.#deps.received(bytes)
    }
  }

  othersWork(connection: Connection): boolean {
    return [...this.#open].some((c) => c !== connection && (c.segment !== null || c.racesFor !== null))
  }

  /** Reads until the file is complete. Rejects with the failure that ends the run, or with the signal's reason. */
  async run(stop: AbortSignal): Promise<void> {
    this.#stop = stop
    const running = new Set<Promise<void>>()
    const spawn: Spawn = (slot, racesFor = null) => {
      const connection = createConnection(slot, this.#deps.remote.host, this.#deps.clock.monotonic())
      connection.racesFor = racesFor
      connection.ended = this.#connection(connection).finally(() => {
        running.delete(connection.ended)
        this.look()
      })
      running.add(connection.ended)
    }
    try {
      for (;;) {
        if (this.#failure || this.#stop.aborted) break
        if (running.size === 0) {
          if (!this.#deps.remote.fresh && this.#deps.progress.complete) return
          spawn(null)
        } else this.#plan(() => running.size, spawn)
        await this.#untilNextLook()
      }
    } finally {
      if (this.#failure) for (const connection of this.#open) connection.abort.abort(STOPPED)
      await Promise.allSettled(running)
    }
    throw this.#failure ?? stop.reason
  }

  /** Something happened, or enough time has passed. */
  async #untilNextLook(): Promise<void> {
    let timer: { cancel(): void } | null = null
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = this.#deps.clock.setTimeout(resolve, this.#planner.lookAgainMs)
    })
    timer!.cancel()
  }

  // ── what the planner is told, and does ──

  /** Why no connection can be opened now, whatever the measurements say; null: nothing stands in the way. */
  #obstacle(): StrategyReason | null {
    const { remote, clock, progress, hosts, wanted } = this.#deps
    if (wanted() === 1) return { code: 'one_connection_wanted', params: {} }
    if (!remote.fresh && !remote.rangesProven && this.#open.size > 0) return { code: 'no_ranges', params: {} }
    const waitMs = hosts.quietMs(remote.host)
    if (waitMs > 0) return { code: 'host_quiet', params: { host: remote.host, waitMs: Math.ceil(waitMs) } }
    if (!this.#failures.mayOpen(progress.writtenBytes, clock.monotonic()))
      return { code: 'host_struggles', params: { connections: this.#open.size } }
    return null
  }

  /** One look: connections are opened, replaced or given back. */
  #plan(active: () => number, spawn: Spawn): void {
    this.count()
    if (this.#deps.remote.fresh || this.#obstacle()) return
    for (const connection of this.#open)
      if (this.#planner.isHopeless(connection, this.#deps.clock.monotonic())) connection.abort.abort(LEFT.overtaken)
    this.#replaceLaggard(active, spawn)
    let work = this.#planner.look(this.#situation())
    const { target } = this.#planner
    for (const surplus of this.#kept().filter(isOwner).slice(target)) surplus.abort.abort(LEFT.shed)
    while (work !== null && active() < this.#cap) {
      const racing = [...this.#open].filter((connection) => !isOwner(connection)).length
      if (work.kind !== 'hedge' && active() - racing >= target) return
      const slot = this.#acquire()
      if (slot === null) return
      spawn(slot)
      work = this.#planner.nextAssignment(this.#situation())
    }
  }

  #situation(): Situation {
    this.count()
    const { clock, progress, remote, buckets } = this.#deps
    const nowMs = clock.monotonic()
    return {
      nowMs,
      connections: [...this.#open],
      segments: progress.segments,
      remainingBytes: progress.remainingBytes,
      rangesProven: remote.rangesProven,
      cap: this.#cap,
      refused: this.#refused,
      limited: buckets(remote.host).some((bucket) => bucket.take(0, nowMs) > 0),
    }
  }

  #acquire(): Slot | null {
    const slot = this.#deps.hosts.tryAcquire(this.#deps.remote.host, this)
    this.#refused = slot === null
    return slot
  }

  /** By a race where there is a place for one more connection, by a new one in its stead otherwise. */
  #replaceLaggard(active: () => number, spawn: Spawn): void {
    const laggard = this.#planner.laggard(this.#situation())
    if (!laggard) return
    this.#planner.replaced(laggard.segment!, this.#deps.clock.monotonic())
    const slot = laggard.proven && active() < this.#cap ? this.#acquire() : null
    if (slot) spawn(slot, laggard.segment)
    else laggard.abort.abort(LEFT.replaced)
  }

  /** One connection from its slot to its end: segment after segment while there is work. Never rejects. */
  async #connection(connection: Connection): Promise<void> {
    const { clock, hosts } = this.#deps
    const forward = () => connection.abort.abort(this.#stop.reason)
    this.#stop.addEventListener('abort', forward, { once: true })
    if (this.#stop.aborted) forward()
    try {
      const queuedFrom = clock.monotonic()
      connection.slot ??= await hosts.acquire(connection.host, this, connection.abort.signal)
      connection.queuedMs = clock.monotonic() - queuedFrom
      this.#open.add(connection)
      this.used = Math.max(this.used, this.#open.size)
      while (!connection.abort.signal.aborted && !this.#failure && this.#open.size <= this.#cap) {
        const work = this.#assign(connection)
        if (work === null) break
        if (!work) continue
        begins(connection, clock.monotonic())
        await this.#deps.fetch(connection).finally(() => {
          connection.draw?.end()
          connection.draw = null
        })
        connection.queuedMs = 0
        this.#callOffRace(connection.segment)
        connection.segment = null
        connection.racesFor = null
        this.#failures.succeeded()
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

  /** Gives the connection its next piece of work. null: there is none; false: it is gone already, look again. */
  #assign(connection: Connection): boolean | null {
    if (connection.racesFor !== null) return true
    if (this.#deps.remote.fresh) {
      connection.segment = 0
      return true
    }
    const next = this.#planner.nextAssignment(this.#situation())
    switch (next?.kind) {
      case 'take':
        connection.segment = next.start
        return true
      case 'split':
        if (!this.#split(next.victim, next.at)) return false
        connection.segment = next.at
        return true
      case 'hedge':
        this.#planner.raced(next.victim)
        connection.racesFor = next.victim
        return true
      default:
        return null
    }
  }

  /** False: the connection that reads there was faster than this thought. */
  #split(victim: number, at: number): boolean {
    const reading = this.#ownerOf(victim)?.transfer
    if (reading && !reading.setEnd(at)) return false
    this.#deps.progress.split(victim, at)
    return true
  }

  #ownerOf(segment: number): Connection | undefined {
    return [...this.#open].find((connection) => connection.segment === segment)
  }

  // ── races ──

  /**
   * The connection has read its segment up to `position` and asks to go on in the owner's place. The owner is stopped
   * first: it settles only after all it read is written, so that a byte never has two writers.
   */
  async takeOver(taker: Connection, position: number): Promise<RaceAnswer> {
    const start = taker.racesFor!
    const owner = this.#ownerOf(start)
    if (owner) {
      const ahead = Math.max(this.#deps.progress.at(start)!.written, owner.transfer?.position ?? 0)
      if (ahead >= position) return { kind: 'ahead', position: ahead }
      owner.abort.abort(LEFT.overtaken)
      await owner.ended
    }
    taker.abort.signal.throwIfAborted()
    taker.racesFor = null
    taker.segment = start
    const from = this.#deps.progress.at(start)!.written
    return { kind: 'yours', from, blockHeld: this.#deps.progress.holdsBlockTo(from) }
  }

  /** The owner came to the end first. */
  #callOffRace(segment: number | null): void {
    if (segment === null) return
    const at = this.#deps.progress.at(segment)
    if (at && at.written !== at.end) return
    for (const { racesFor, abort } of this.#open) if (racesFor === segment) abort.abort(LEFT.overtaken)
  }

  /** A segment of which nothing came, and nobody else is at, goes back to the connection it was split from. */
  #giveBack(connection: Connection): void {
    const at = ({ segment, racesFor }: Connection) => segment ?? racesFor
    const start = at(connection)
    if (start === null || [...this.#open].some((c) => c !== connection && at(c) === start)) return
    const { progress } = this.#deps
    const before = progress.segments.find((s) => s.end === start)
    if (!before || before.written >= start) return
    progress.absorb(before.start)
    this.#ownerOf(before.start)?.transfer?.setEnd(progress.at(before.start)!.end)
  }

  /** A connection's reading came to its end: where it ends now. An unproven follower loses the race. */
  reached(connection: Connection, position: number): number | null | 'stop' {
    if (connection.segment === null) return 'stop'
    const segment = this.#deps.progress.at(connection.segment)!
    if (segment.end === null || position < segment.end) return segment.end
    const rival = [...this.#open].find((c) => c.segment === segment.end && !c.proven && c !== connection)
    if (!rival || this.#deps.progress.at(segment.end)!.written > segment.end) return 'stop'
    rival.segment = null
    rival.abort.abort(LEFT.overtaken)
    this.#deps.progress.absorb(segment.start)
    return this.reached(connection, position)
  }

  /** The host that asked for less is the one that answered: a redirect may have led to another. */
  #complained(connection: Connection, error: NighthaulError): void {
    const { hosts } = this.#deps
    const { status, host, retryAfterMs } = error.params
    hosts.failed(connection.host, error)
    if (error instanceof HostQuiet || (error.code !== 'too_many_requests' && status !== 503)) return
    const number = (value: unknown) => (typeof value === 'number' ? value : null)
    hosts.slowDown(typeof host === 'string' ? host : connection.host, number(retryAfterMs), number(status))
  }

  /** Decides whether one connection's failure is the run's failure. */
  #connectionFailed(connection: Connection, error: unknown): void {
    if (this.#stop.aborted || this.#failure || Object.values<unknown>(LEFT).includes(error)) return
    const typed = error instanceof NighthaulError ? error : toDiskError(error, this.#deps.path())
    const { clock, logger, progress, remote } = this.#deps
    logger.info({ task: this.#deps.id, code: typed.code, segment: connection.segment }, 'a connection failed')
    this.#complained(connection, typed)
    const othersWork = this.othersWork(connection)
    // Whoever is not asked now, because he wants to be left alone, need not be looked for again.
    const onRedirectTarget = remote.onRedirectTarget && !(typed instanceof HostQuiet)
    switch (this.#failures.add(typed, { othersWork, onRedirectTarget }, progress.writtenBytes, clock.monotonic())) {
      case 'original':
        remote.resolveAgain()
        return
      case 'fewer':
        this.#cap = Math.max(1, this.#open.size - 1)
        return
      case 'fail':
        this.#failure = typed
    }
  }
}
