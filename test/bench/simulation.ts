/**
 * A download in virtual time: the engine's own planner (connections.ts and all it decides with) over a line that plays
 * back recorded speeds. No socket, no file, no real clock, so the same trace always gives the same figures.
 *
 * The line checks what a file could not: that every byte is written once, by the connection that owns it, and that
 * never more connections are open than were asked for.
 */

import { type Connection, type ConnectionsDeps, segmentOf } from '../../electron/engine/connection.ts'
import { Connections } from '../../electron/engine/connections.ts'
import type { TransferResult } from '../../electron/engine/lane/lane.ts'
import { Progress } from '../../electron/engine/progress.ts'
import { freshPlan, type Segment } from '../../electron/engine/segment-plan.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { StrategyReason } from '../../shared/strategy.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { fairShares, speedAt, type Trace, type TraceConnection } from './traces.ts'

export interface SimulationResult {
  totalMs: number
  /** from the beginning until 90 % of the usual rate; the usual rate is the median over the second half */
  rampMs: number
  /** from when the total fell for good below half of the usual rate, to the end */
  tailMs: number
  usualBytesPerSecond: number
  requests: number
  /** sockets opened */
  connections: number
  mostAtOnce: number
  /** read by two connections, or dropped */
  surplusBytes: number
  /** runs that failed and were begun again */
  retries: number
  /** every reason that was given, in the order it first came */
  reasons: StrategyReason['code'][]
}

const TICK_MS = 5
const STALL_TIMEOUT_MS = 30_000
const LONGEST_MS = 3_600_000
const RATE_SPAN_MS = 200
const FIRST_WINDOW_BYTES = 14_600
const MAX_RETRIES = 50

interface Socket {
  spec: TraceConnection
  bytes: number
  windowBytes: number
  used: boolean
}

/** A body on its way. */
interface Reading {
  connection: Connection
  socket: Socket
  /** offset of the next byte read, and below which all is written */
  position: number
  end: number | null
  receivedBytes: number
  owned: { from: number } | null
  ownerAt: number
  asking: Promise<void> | null
  silentSinceMs: number
  credit: number
  settle: (error?: unknown) => void
}

/** Plays a download to its end. Throws where an invariant breaks, or where it never ends. */
export async function simulate(
  trace: Trace,
  held: readonly Segment[] = freshPlan(trace.sizeBytes),
): Promise<SimulationResult> {
  const line = new Line(trace, held)
  return await line.play()
}

class Line {
  readonly #trace: Trace
  readonly #clock = createManualClock()
  readonly #progress = new Progress()
  readonly #readings = new Set<Reading>()
  readonly #idle: Socket[] = []
  /** bytes written by the end of each tick */
  readonly #written: number[] = []
  readonly #reasons = new Set<StrategyReason['code']>()
  readonly #remote: ConnectionsDeps['remote']
  #connections: Connections
  #sockets = 0
  #requests = 0
  #mostAtOnce = 0
  #busy = 0
  #held = 0
  #readBytes = 0
  /** an invariant that did not hold while a connection ended */
  #broken: unknown = null

  constructor(trace: Trace, held: readonly Segment[]) {
    this.#trace = trace
    this.#progress.set([...held])
    const fresh = held.every(({ start, written }) => start === written)
    if (fresh) this.#progress.set([])
    this.#remote = { host: 'host', fresh, rangesProven: !fresh, onRedirectTarget: false, resolveAgain() {} }
    this.#connections = this.#start()
  }

  #start(): Connections {
    const { cap, places = cap } = this.#trace
    const grant = () => {
      let released = false
      this.#held++
      return {
        release: () => {
          if (!released) this.#held--
          released = true
        },
      }
    }
    return new Connections(
      {
        id: 1,
        clock: this.#clock,
        random: () => 0.5,
        logger: { debug() {}, info() {}, warn() {}, error() {} },
        hosts: {
          acquire: async () => grant(),
          tryAcquire: () => (this.#held < places ? grant() : null),
          quietMs: () => 0,
          slowDown() {},
          reads: () => () => {},
          failed() {},
          succeeded() {},
        },
        progress: this.#progress,
        remote: this.#remote,
        wanted: () => cap,
        path: () => 'file',
        buckets: () => [],
        received() {},
        fetch: (connection) => this.#fetch(connection),
      },
      0,
    )
  }

  async play(): Promise<SimulationResult> {
    const stop = new AbortController()
    let retries = 0
    for (;;) {
      let outcome: { error: unknown } | 'done' | null = null
      this.#connections.run(stop.signal).then(
        () => {
          outcome = 'done'
        },
        (error: unknown) => {
          outcome = { error }
        },
      )
      await settled()
      while (outcome === null) {
        this.#tick()
        await settled()
        if (this.#broken !== null) throw this.#broken
        if (this.#written.length * TICK_MS > LONGEST_MS) throw new Error('the download never ends')
      }
      if (outcome === 'done') return this.#result(retries)
      const { error } = outcome as { error: unknown }
      if (!(error instanceof NighthaulError) || ++retries > MAX_RETRIES) throw error
      this.#connections = this.#start()
    }
  }

  // ── the network ──

  /** What download.ts does with a connection, without bytes. */
  async #fetch(connection: Connection): Promise<void> {
    const { signal } = connection.abort
    const socket = this.#idle.pop() ?? this.#open()
    this.#requests++
    this.#busy++
    this.#mostAtOnce = Math.max(this.#mostAtOnce, this.#busy)
    if (this.#busy > this.#trace.cap) throw new Error(`${this.#busy} connections, where ${this.#trace.cap} were wanted`)
    try {
      const from = this.#remote.fresh ? 0 : this.#progress.at(segmentOf(connection))!.written
      const { rttMs } = this.#trace
      await this.#wait((socket.used ? 1 : 2) * rttMs + (socket.spec.thinksMs ?? 0), signal)
      socket.used = true
      const { refusedWith } = socket.spec
      if (refusedWith !== undefined) throw new NighthaulError('forbidden', 'refused', { status: refusedWith })
      connection.proven = true
      if (this.#remote.fresh) {
        this.#progress.set(freshPlan(this.#trace.sizeBytes))
        Object.assign(this.#remote, { fresh: false, rangesProven: !this.#trace.noRanges })
        this.#connections.look()
      }
      await this.#read(connection, socket, from)
      this.#idle.push(socket)
    } finally {
      this.#busy--
    }
  }

  #open(): Socket {
    const { connections } = this.#trace
    const spec = connections[Math.min(this.#sockets++, connections.length - 1)]!
    return { spec, bytes: 0, windowBytes: FIRST_WINDOW_BYTES, used: false }
  }

  #read(connection: Connection, socket: Socket, from: number): Promise<unknown> {
    const { signal } = connection.abort
    const { promise, resolve, reject } = Promise.withResolvers<TransferResult>()
    const reading: Reading = {
      connection,
      socket,
      position: from,
      end: this.#progress.at(segmentOf(connection))!.end,
      receivedBytes: 0,
      owned: connection.racesFor === null ? { from } : null,
      ownerAt: from,
      asking: null,
      silentSinceMs: this.#clock.monotonic(),
      credit: 0,
      settle: (error) => {
        if (!this.#readings.delete(reading)) return
        signal.removeEventListener('abort', onAbort)
        // What was read is written a little later, after the answer of who asked, and only then the connection has ended.
        this.#clock.setTimeout(async () => {
          await reading.asking
          try {
            this.#write(reading)
          } catch (broken) {
            this.#broken = broken
          }
          if (error === undefined) resolve({ how: 'limit', digests: null, position: reading.position })
          else reject(error)
        }, TICK_MS)
      },
    }
    const onAbort = () => reading.settle(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#readings.add(reading)
    if (signal.aborted) onAbort()
    return this.#connections.reading(connection, {
      ended: promise,
      get position() {
        return reading.position
      },
      get receivedBytes() {
        return reading.receivedBytes
      },
      threadBusy: 0,
      setEnd(end) {
        if (end !== null && end < reading.position) return false
        reading.end = end
        return true
      },
      setBuckets() {},
      flush() {},
    })
  }

  #tick(): void {
    for (const reading of this.#readings) this.#write(reading)
    this.#clock.advance(TICK_MS)
    const now = this.#clock.monotonic()
    const able = [...this.#readings].filter(({ asking }) => !asking)
    const most = able.map(({ socket }) => this.#ceiling(socket, now))
    const shares = fairShares(most, speedAt(this.#trace.line, now))
    able.forEach((reading, index) => {
      if (this.#readings.has(reading)) this.#deliver(reading, shares[index]!, now)
    })
    this.#written.push(this.#progress.writtenBytes)
    for (const { code } of this.#connections.strategy) this.#reasons.add(code)
  }

  /** Bytes per second that this connection could bring. */
  #ceiling({ spec, bytes, windowBytes }: Socket, now: number): number {
    if (bytes >= (spec.stallsAfterBytes ?? Number.POSITIVE_INFINITY)) return 0
    const { rttMs, slowStart } = this.#trace
    const recorded = speedAt(spec.speeds, now)
    return slowStart ? Math.min(recorded, (windowBytes * 1000) / Math.max(rttMs, 1)) : recorded
  }

  #deliver(reading: Reading, bytesPerSecond: number, now: number): void {
    const { connection, socket } = reading
    reading.credit += (bytesPerSecond * TICK_MS) / 1000
    let bytes = Math.floor(reading.credit)
    reading.credit -= bytes
    socket.windowBytes += bytes
    bytes = Math.min(bytes, (socket.spec.stallsAfterBytes ?? Number.POSITIVE_INFINITY) - socket.bytes)
    if (bytes <= 0) {
      if (now - reading.silentSinceMs > STALL_TIMEOUT_MS) reading.settle(new NighthaulError('stalled', 'nothing came'))
      return
    }
    reading.silentSinceMs = now
    if (reading.end !== null) bytes = Math.min(bytes, reading.end - reading.position)
    reading.receivedBytes += bytes
    socket.bytes += bytes
    reading.position += bytes
    this.#readBytes += bytes
    if (reading.owned === null && reading.position > reading.ownerAt) this.#ask(reading)
    if (reading.position === reading.end) {
      const end = this.#connections.reached(connection, reading.position)
      if (end === 'stop') {
        reading.settle()
        return
      }
      reading.end = end
    }
    if (socket.bytes >= (socket.spec.breaksAfterBytes ?? Number.POSITIVE_INFINITY)) {
      socket.bytes = 0
      reading.settle(new NighthaulError('connection_reset', 'the connection broke'))
    }
  }

  /** What racing-writer.ts does. */
  #ask(reading: Reading): void {
    reading.asking = this.#connections.takeOver(reading.connection, reading.position).then((answer) => {
      reading.asking = null
      if (answer.kind === 'ahead') reading.ownerAt = answer.position
      else reading.owned = { from: answer.from }
    }, reading.settle)
  }

  /** The disk takes what the owner of a segment has read. */
  #write({ connection, owned, position }: Reading): void {
    const start = connection.segment
    if (owned === null || start === null || position <= owned.from) return
    const { written } = this.#progress.at(start)!
    if (written !== owned.from) throw new Error(`bytes from ${owned.from} have two writers: ${written} are written`)
    this.#progress.advance(start, position)
    owned.from = position
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(resolve, ms)
      const onAbort = () => {
        timer.cancel()
        reject(signal.reason)
      }
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  // ── the figures ──

  #result(retries: number): SimulationResult {
    const ticks = this.#written
    const span = RATE_SPAN_MS / TICK_MS
    const rate = (tick: number) => ((ticks[tick]! - (ticks[tick - span] ?? 0)) * 1000) / RATE_SPAN_MS
    const half = ticks.slice(Math.floor(ticks.length / 2)).map((_, index) => rate(Math.floor(ticks.length / 2) + index))
    const usual = [...half].sort((a, b) => a - b)[Math.floor(half.length / 2)]!
    const rampTick = ticks.findIndex((_, tick) => rate(tick) >= 0.9 * usual)
    const lastTick = ticks.findLastIndex((_, tick) => rate(tick) >= 0.5 * usual)
    return {
      totalMs: ticks.length * TICK_MS,
      rampMs: (rampTick + 1) * TICK_MS,
      tailMs: (ticks.length - 1 - lastTick) * TICK_MS,
      usualBytesPerSecond: Math.round(usual),
      requests: this.#requests,
      connections: this.#sockets,
      mostAtOnce: this.#mostAtOnce,
      surplusBytes: this.#readBytes - this.#trace.sizeBytes,
      retries,
      reasons: [...this.#reasons],
    }
  }
}

/** All promises that can settle have. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
