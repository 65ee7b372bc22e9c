/** Times in which something wanted bytes and none came, from the journal and the bytes of each minute. Pure. */
import type { JournalEntry } from '../../shared/journal.ts'
import type { QueueId } from '../../shared/schemas.ts'
import { type DownTime, type QuietReason, Situation } from './night-situation.ts'
import type { Range } from './nights.ts'

export const MINUTE_MS = 60_000

interface Piece extends Range {
  reason: QuietReason
}

export interface Quiet extends Range {
  /** the one that lasted longest first */
  reasons: (QuietReason & { ms: number })[]
}

export interface QuietInput {
  range: Range
  /** in order; those before the range tell how things were when it began */
  entries: readonly JournalEntry[]
  down: readonly DownTime[]
  /** minutes in which bytes came, by their beginning */
  busyMinutes: ReadonlySet<number>
  /** null: any */
  queueId: QueueId | null
}

/**
 * Quiet times of a minute and more, and how long it was quiet in all. A minute in which one byte came is not quiet.
 */
export function quietTimes(input: QuietInput): { times: Quiet[]; ms: number } {
  const pieces = quietPieces(input)
  const ms = pieces.reduce((sum, { from, to }) => sum + to - from, 0)
  const times: Quiet[] = []
  for (const stretch of groups(merged(pieces), (before, piece) => before.to === piece.from)) {
    // What lasted a minute stands alone, short ones that follow each other share a line.
    const isShort = ({ from, to }: Range) => to - from < MINUTE_MS
    for (const group of groups(stretch, (before, piece) => isShort(before) && isShort(piece))) {
      const time = { from: group[0]!.from, to: group.at(-1)!.to, reasons: ranked(group) }
      if (!isShort(time)) times.push(time)
    }
  }
  return { times, ms }
}

function quietPieces({ range, entries, down, busyMinutes, queueId }: QuietInput): Piece[] {
  const situation = new Situation()
  const pieces: Piece[] = []
  let at = range.from
  const edges = down.flatMap(({ from, to }) => [from, to]).sort((a, b) => a - b)
  let edge = 0
  /** Everything is as it is until `to`. */
  const pass = (to: number) => {
    while (at < to) {
      const nextMinute = Math.floor(at / MINUTE_MS) * MINUTE_MS + MINUTE_MS
      while (edge < edges.length && edges[edge]! <= at) edge++
      const end = Math.min(to, nextMinute, edges[edge] ?? Number.POSITIVE_INFINITY)
      if (!busyMinutes.has(nextMinute - MINUTE_MS)) {
        const isDown = down.find((time) => time.from <= at && at < time.to) ?? null
        const reason = situation.whyQuiet(at, isDown, queueId)
        if (reason !== null) pieces.push({ from: at, to: end, reason })
      }
      at = end
    }
  }
  for (const entry of entries) {
    pass(Math.min(entry.at, range.to))
    situation.hear(entry)
  }
  pass(range.to)
  return pieces
}

/** Neighbours with the same reason as one. */
function merged(pieces: readonly Piece[]): Piece[] {
  const result: Piece[] = []
  for (const piece of pieces) {
    const before = result.at(-1)
    if (before && before.to === piece.from && before.reason.code === piece.reason.code) before.to = piece.to
    else result.push({ ...piece })
  }
  return result
}

function groups<T>(items: readonly T[], belongs: (before: T, item: T) => boolean): T[][] {
  const result: T[][] = []
  for (const item of items) {
    const group = result.at(-1)
    if (group && belongs(group.at(-1)!, item)) group.push(item)
    else result.push([item])
  }
  return result
}

function ranked(pieces: readonly Piece[]): Quiet['reasons'] {
  const byCode = new Map<string, QuietReason & { ms: number }>()
  for (const { reason, from, to } of pieces) {
    const known = byCode.get(reason.code)
    if (known) known.ms += to - from
    else byCode.set(reason.code, { ...reason, ms: to - from })
  }
  return [...byCode.values()].sort((a, b) => b.ms - a.ms)
}
