/** One connection of a download: what it works on, how fast it is, and what all of them need. */
import { NighthaulError } from '../../shared/errors.ts'
import type { SegmentView, TaskId } from '../../shared/schemas.ts'
import type { Worker } from './assignment.ts'
import { ByteHistory } from './byte-history.ts'
import type { HostController, Slot } from './host-controller.ts'
import type { LaneTransfer } from './lane/lane.ts'
import type { Phase } from './measured-rates.ts'
import { SpeedMeter } from './metrics.ts'
import type { EngineDeps } from './ports.ts'
import type { Progress } from './progress.ts'
import { windowMs } from './ramp.ts'
import type { Draw, TokenBucket } from './rate-limiter.ts'
import type { RemoteFile } from './remote-file.ts'
import type { Segment } from './segment-plan.ts'

const left = (why: string) => new NighthaulError('interrupted', why)
/** Thrown to leave a connection that was given up on purpose. */
export const LEFT = {
  shed: left('Another download needed this connection.'),
  overtaken: left('Another connection read these bytes first.'),
  replaced: left('This connection was far slower than the others.'),
}
/** Thrown where the user paused or the engine stops. */
export const STOPPED = new NighthaulError('interrupted', 'The download was paused; what is here is kept.')

export interface Connection {
  /** start of the segment it owns: only the owner writes into it; null between two, and while it races */
  segment: number | null
  /** start of the segment it races for: what it reads of it is not written */
  racesFor: number | null
  /** for the window */
  meter: SpeedMeter
  /** for the planner */
  history: ByteHistory
  /** when its request was sent */
  askedAtMs: number
  /** it was: before that it waits for its turn at the host */
  hadTurn: boolean
  /** when its body began; null: not yet */
  answeredAtMs: number | null
  /** when its first body ever began */
  deliversSinceMs: number | null
  abort: AbortController
  /** its place at `host`; null while it waits for one */
  slot: Slot | null
  host: string
  /** ms it waited for that place; 0 from its second request on */
  queuedMs: number
  /** the reading of its segment; null before the server's reply and between two */
  transfer: LaneTransfer | null
  /** bytes of it that were counted */
  countedBytes: number
  /** its part in the limits of its bytes; null while no body comes */
  draw: Draw | null
  /** its segment was accepted by the server; until then the connection it was split from may still read into it */
  proven: boolean
  /** resolves once nothing more of it is written */
  ended: Promise<void>
}

/** What the connections of a download need. */
export interface ConnectionsDeps extends Pick<EngineDeps, 'clock' | 'random' | 'logger'> {
  id: TaskId
  hosts: Pick<HostController, 'acquire' | 'tryAcquire' | 'quietMs' | 'slowDown' | 'succeeded' | 'reads' | 'failed'>
  progress: Progress
  remote: Pick<RemoteFile, 'host' | 'fresh' | 'rangesProven' | 'onRedirectTarget' | 'resolveAgain'>
  /** the most connections wanted */
  wanted: () => number
  /** for messages about the disk */
  path: () => string
  /** the limits that hold for this task's bytes from a host */
  buckets: (host: string) => readonly TokenBucket[]
  /** bytes came from the network */
  received: (bytes: number) => void
  /**
   * Reads the rest of the segment that the connection owns or races for; a fresh file has none yet, and gets its plan
   * here. Settles only after everything that was read and is the connection's own was written.
   */
  fetch: (connection: Connection) => Promise<void>
}

export function createConnection(slot: Slot | null, host: string, nowMs: number): Connection {
  return {
    segment: null,
    racesFor: null,
    meter: new SpeedMeter(nowMs),
    history: new ByteHistory(nowMs),
    askedAtMs: nowMs,
    hadTurn: false,
    answeredAtMs: null,
    deliversSinceMs: null,
    abort: new AbortController(),
    slot,
    host,
    queuedMs: 0,
    transfer: null,
    countedBytes: 0,
    draw: null,
    proven: false,
    ended: Promise.resolve(),
  }
}

/** It works, or will work, on a segment of its own. */
export function isOwner({ racesFor }: Connection): boolean {
  return racesFor === null
}

/** Start of the segment it reads, its own or the one it races for. */
export function segmentOf({ segment, racesFor }: Connection): number {
  return (segment ?? racesFor)!
}

/** Its server answered, and it reads until the transfer ends. */
export function answers(connection: Connection, transfer: LaneTransfer, nowMs: number): void {
  connection.transfer = transfer
  connection.countedBytes = 0
  connection.answeredAtMs = nowMs
  connection.deliversSinceMs ??= nowMs
}

/** Its turn at the host came, and its request is sent. */
export function asks(connection: Connection, nowMs: number): void {
  connection.askedAtMs = nowMs
  connection.hadTurn = true
}

/** What a download with these connections does. */
export function phaseOf(connections: Iterable<Connection>): Phase {
  const all = [...connections]
  if (all.some(({ transfer }) => transfer !== null)) return 'reads'
  return all.some(({ hadTurn }) => hadTurn) ? 'asks' : 'waits'
}

/** It turns to another request. */
export function begins(connection: Connection, nowMs: number): void {
  connection.meter = new SpeedMeter(nowMs)
  connection.askedAtMs = nowMs
  connection.hadTurn = false
  connection.answeredAtMs = null
  connection.proven = false
}

/** After so many doublings nobody is watched longer. */
const MOST_DOUBLINGS = 6
/** Too short a look makes an even line look uneven. */
const SHORTEST_LOOK_MS = 1_000

/** How long a connection is watched before it is called slow. */
export function lookMs(latencyMs: number): number {
  return Math.max(SHORTEST_LOOK_MS, 4 * windowMs(latencyMs))
}

/** How long a request may go without an answer before nothing is expected of it. */
export function answerMs(latencyMs: number): number {
  return Math.max(2 * SHORTEST_LOOK_MS, 8 * latencyMs)
}

/**
 * Bytes per second over the last `spanMs` of the present request, once it has been watched for `leastMs`; null before.
 * A request without an answer for too long brings nothing.
 */
export function speedOf(
  connection: Connection,
  nowMs: number,
  { spanMs, leastMs, latencyMs }: { spanMs: number; leastMs: number; latencyMs: number },
): number | null {
  const { answeredAtMs, history, askedAtMs } = connection
  if (answeredAtMs === null) return nowMs - askedAtMs > answerMs(latencyMs) ? 0 : null
  if (nowMs - answeredAtMs < leastMs) return null
  return history.rate(Math.max(answeredAtMs, nowMs - spanMs), nowMs)
}

/** The connections that own a segment, as assignment.ts wants them. */
export function workersOf(
  connections: Iterable<Connection>,
  segments: readonly Segment[],
  nowMs: number,
  speed: { spanMs: number; leastMs: number; latencyMs: number },
  replacements: (segment: number) => number,
): Worker[] {
  return [...connections].flatMap((connection) => {
    const { segment } = connection
    if (segment === null) return []
    const written = segments.find(({ start }) => start === segment)?.written ?? segment
    const relieved = replacements(segment)
    // Where a new connection did no better, the next is watched longer: a struggling server is not asked ever faster.
    const patience = 2 ** Math.min(relieved, MOST_DOUBLINGS)
    const look = { ...speed, leastMs: speed.leastMs * patience }
    return {
      segment,
      position: Math.max(written, connection.transfer?.position ?? 0),
      bytesPerSecond: speedOf(connection, nowMs, look),
      proven: connection.proven,
      replacements: relieved,
    }
  })
}

/** The segments of a file with who reads them now. */
export function liveViews(
  segments: readonly Segment[],
  connections: readonly Connection[],
  nowMs: number,
): SegmentView[] {
  return segments.map(({ start, end, written, durable }) => {
    const connection = connections.find((c) => c.segment === start)
    const bytesPerSecond = connection?.meter.bytesPerSecond(nowMs) ?? 0
    const active = connection !== undefined
    return { start, end, writtenBytes: written - start, durableBytes: durable - start, active, bytesPerSecond }
  })
}
