/**
 * What a free connection does next, and which connection has fallen so far behind that it is replaced. Pure.
 *
 * Everything is judged by time to the end: what a busy connection still needs at its speed, against what a new request
 * needs (its latency, then the speed a connection usually has here). So nothing is cut that would be done sooner
 * anyway, and a slow connection keeps no more than it can bring in the time the rest needs.
 */
import { BLOCK_BYTES } from '../../shared/records.ts'
import type { Segment } from './segment-plan.ts'

export type Assignment =
  /** continue the unfinished segment that starts at `start` */
  | { kind: 'take'; start: number }
  /** cut the segment that starts at `victim` in two; the new one starts at `at` */
  | { kind: 'split'; victim: number; at: number }
  /** read the rest of the segment that starts at `victim` as well; who is ahead goes on with it */
  | { kind: 'hedge'; victim: number }

/** A connection that works on a segment. */
export interface Worker {
  /** start of its segment */
  segment: number
  /** offset of the next byte it reads: what it has read is its own, though the disk may not have it yet */
  position: number
  /** over the last second or so; null: too young to tell */
  bytesPerSecond: number | null
  /** the server accepted its request */
  proven: boolean
  /** how often connections on this segment were raced or replaced before */
  replacements: number
}

export interface AssignmentOptions {
  canSplit: boolean
  /** starts of segments that a connection races for: it goes on with them when their owner ends */
  raced: ReadonlySet<number>
  /** slow connections may be raced and replaced: not where a speed limit makes them slow */
  mayReplace: boolean
  /** what is usual here: from a request to its first byte, and then; null: nothing was measured yet */
  latencyMs: number
  bytesPerSecond: number | null
}

/** A request that saves less time than this is not worth its trouble. */
const WORTH_MS = 50
/** A new segment has at least one block; smaller ones cost more than they bring. */
const MIN_SEGMENT_BYTES = BLOCK_BYTES
/** A race is begun where the newcomer would need less than this share of the owner's time. */
const HEDGE_SHARE = 0.6
/** A connection slower than this share of the others is replaced. */
const LAGS_BELOW = 0.3

/**
 * The next piece of work for a free connection; null when nothing is worth one. Unfinished segments without a
 * connection come first, lowest start first. Otherwise the segment that would be finished last is cut so that both
 * parts end together, or raced for where it is too short to be cut.
 */
export function nextAssignment(
  segments: readonly Segment[],
  workers: readonly Worker[],
  options: AssignmentOptions,
): Assignment | null {
  const claimed = new Set([...options.raced, ...workers.map(({ segment }) => segment)])
  const idle = segments.find((segment) => segment.written !== segment.end && !claimed.has(segment.start))
  if (idle) return { kind: 'take', start: idle.start }
  if (!options.canSplit) return null
  const jobs = workers
    .flatMap((worker) => {
      const end = segments.find(({ start }) => start === worker.segment)?.end ?? null
      // Who is raced for is being relieved already.
      return end === null || worker.position >= end || options.raced.has(worker.segment)
        ? []
        : [jobOf(worker, end, options)]
    })
    .sort((a, b) => b.needsMs - a.needsMs || a.worker.segment - b.worker.segment)
  for (const job of jobs) {
    const at = cutAt(job, options)
    if (at !== null) return { kind: 'split', victim: job.worker.segment, at }
    if (isWorthARace(job, options)) return { kind: 'hedge', victim: job.worker.segment }
  }
  return null
}

interface Job {
  worker: Worker
  end: number
  bytes: number
  /** bytes per ms; 1 where nobody knows better */
  speed: number
  newcomerSpeed: number
  needsMs: number
}

function jobOf(worker: Worker, end: number, options: AssignmentOptions): Job {
  const usual = (options.bytesPerSecond ?? 0) / 1000
  const speed = worker.bytesPerSecond === null ? usual || 1 : worker.bytesPerSecond / 1000
  const bytes = end - worker.position
  const needsMs = speed > 0 ? bytes / speed : Number.POSITIVE_INFINITY
  return { worker, end, bytes, speed, newcomerSpeed: usual || speed || 1, needsMs }
}

/**
 * Where to cut so that owner and newcomer end together: after x bytes, x / speed = latency + (bytes - x) / newcomer's
 * speed; then at the better of the blocks around it. null: that leaves too little, or saves too little time.
 */
function cutAt(job: Job, { latencyMs }: AssignmentOptions): number | null {
  const { worker, end, bytes, speed, newcomerSpeed, needsMs } = job
  const kept = (speed * (latencyMs * newcomerSpeed + bytes)) / (speed + newcomerSpeed)
  const before = alignDown(worker.position + Math.min(bytes, kept))
  let best: { at: number; endsMs: number } | null = null
  for (const at of [before, before + BLOCK_BYTES, alignDown(worker.position) + BLOCK_BYTES]) {
    if (at <= worker.position || end - at < MIN_SEGMENT_BYTES) continue
    const ownerMs = (at - worker.position) / Math.max(speed, Number.MIN_VALUE)
    const endsMs = Math.max(ownerMs, latencyMs + (end - at) / newcomerSpeed)
    if (best === null || endsMs < best.endsMs) best = { at, endsMs }
  }
  // Against an owner that brings nothing every cut is as good: it keeps what is left of its block.
  return best && (needsMs === Number.POSITIVE_INFINITY || needsMs - best.endsMs >= WORTH_MS) ? best.at : null
}

/** Where a segment cannot be cut any more, its last bytes are asked for twice, if that ends it clearly sooner. */
function isWorthARace({ worker, bytes, newcomerSpeed, needsMs }: Job, options: AssignmentOptions): boolean {
  if (!worker.proven || !options.mayReplace || options.bytesPerSecond === null) return false
  const newcomerMs = options.latencyMs + bytes / newcomerSpeed
  return newcomerMs < (needsMs * HEDGE_SHARE) / 2 ** worker.replacements && needsMs - newcomerMs >= WORTH_MS
}

/**
 * The connection that is to be replaced: slower than a third of the others' middle, and with more left to do than a new
 * one would need. null: none is. `workers` are only those watched long enough.
 */
export function findLaggard(
  segments: readonly Segment[],
  workers: readonly Worker[],
  options: AssignmentOptions,
): Worker | null {
  if (!options.mayReplace) return null
  let worst: { worker: Worker; needsMs: number } | null = null
  for (const worker of workers) {
    if (worker.bytesPerSecond === null || options.raced.has(worker.segment)) continue
    const others = workers.filter((other) => other !== worker).flatMap((other) => other.bytesPerSecond ?? [])
    const usual = median(others)
    if (usual === 0 || worker.bytesPerSecond >= LAGS_BELOW * usual) continue
    const end = segments.find(({ start }) => start === worker.segment)?.end ?? null
    if (end === null) continue
    const job = jobOf(worker, end, { ...options, bytesPerSecond: usual })
    const newcomerMs = options.latencyMs + job.bytes / job.newcomerSpeed
    if (newcomerMs >= job.needsMs * HEDGE_SHARE || job.needsMs - newcomerMs < WORTH_MS) continue
    if (worst === null || job.needsMs > worst.needsMs) worst = { worker, needsMs: job.needsMs }
  }
  return worst?.worker ?? null
}

/**
 * What a connection usually brings here: the middle of those that bring bytes now. Of one alone it cannot be told
 * whether the line or the connection slowed down: only far below what was usual it counts as the connection.
 */
export function usualSpeed(before: number | null, bytesPerSecond: readonly number[]): number | null {
  const delivering = bytesPerSecond.filter((speed) => speed > 0)
  if (delivering.length === 0) return before
  const now = median(delivering)
  return before !== null && bytesPerSecond.length === 1 && now < LAGS_BELOW * before ? before : now
}

/** The middle one; of an even number the lower. 0 for none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0
}

function alignDown(offset: number): number {
  return Math.floor(offset / BLOCK_BYTES) * BLOCK_BYTES
}
