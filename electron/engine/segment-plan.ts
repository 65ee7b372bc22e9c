/**
 * Which bytes of a file are here and which belong together. Pure and immutable: every function returns a new list. Who
 * fetches which is decided in assignment.ts.
 *
 * A plan is a list of segments, sorted, disjoint, together covering [0, size) exactly; only the last may have an
 * unknown end. Starts are multiples of BLOCK_BYTES, so that every block belongs to one segment and its checksum can
 * be made by one connection. start <= durable <= written <= end. All numbers are offsets in the file, in bytes.
 */
import { BLOCK_BYTES, type BlockChecksum, type SegmentRecord } from '../../shared/records.ts'
import type { ByteRange } from '../../shared/schemas.ts'

export type Segment = SegmentRecord

/** One segment over the whole file; none for an empty file. */
export function freshPlan(size: number | null): Segment[] {
  return size === 0 ? [] : [{ start: 0, end: size, written: 0, durable: 0 }]
}

/** Bytes still to write; null while the length is unknown. */
export function remaining(segments: readonly Segment[]): number | null {
  let bytes = 0
  for (const segment of segments) {
    if (segment.end === null) return null
    bytes += segment.end - segment.written
  }
  return bytes
}

export function writtenBytes(segments: readonly Segment[]): number {
  return segments.reduce((bytes, segment) => bytes + segment.written - segment.start, 0)
}

/** Every byte is written. The empty plan is that of an empty file, and complete. */
export function isComplete(segments: readonly Segment[]): boolean {
  return segments.every(isFinished)
}

/** Cuts the segment that starts at `victim` at byte `at`: block aligned, at or after what is written, before its end. */
export function split(segments: readonly Segment[], victim: number, at: number): Segment[] {
  return replaceAt(segments, victim, (segment) => {
    if (segment.end === null || at % BLOCK_BYTES !== 0 || at <= segment.start) throw cannot('split', segment, at)
    if (at < segment.written || at >= segment.end) throw cannot('split', segment, at)
    return [
      { ...segment, end: at },
      { start: at, end: segment.end, written: at, durable: at },
    ]
  })
}

/**
 * Undoes a split of which nothing came: the segment that starts at `start` gets back the one that follows it. The same
 * list where the next one holds bytes, or there is none.
 */
export function absorb(segments: readonly Segment[], start: number): Segment[] {
  const index = segments.findIndex((segment) => segment.start === start)
  const next = segments[index + 1]
  if (index < 0 || next === undefined || next.written > next.start) return [...segments]
  return segments.toSpliced(index, 2, { ...segments[index]!, end: next.end })
}

/** Marks bytes below `written` as handed to the kernel; RangeError when going back or beyond the end. */
export function advance(segments: readonly Segment[], start: number, written: number): Segment[] {
  return replaceAt(segments, start, (segment) => {
    if (!Number.isSafeInteger(written) || written < segment.written) throw cannot('advance', segment, written)
    if (segment.end !== null && written > segment.end) throw cannot('advance', segment, written)
    return [{ ...segment, written }]
  })
}

/**
 * After an fsync: bytes [start, mark) are durable, for each start -> mark taken before it began. Segments may have
 * been split or merged meanwhile; a mark counts for the segment that holds its start now, and never beyond `written`.
 */
export function markDurable(segments: readonly Segment[], marks: ReadonlyMap<number, number>): Segment[] {
  const sorted = [...marks].sort(([a], [b]) => a - b)
  return segments.map((segment) => {
    let { durable } = segment
    for (const [start, mark] of sorted) {
      if (start >= segment.start && start <= durable) durable = Math.max(durable, Math.min(mark, segment.written))
    }
    return durable === segment.durable ? segment : { ...segment, durable }
  })
}

/** The length became known. RangeError if more is written already, or if it was known and is another. */
export function setSize(segments: readonly Segment[], size: number): Segment[] {
  const last = segments.at(-1)
  if (last === undefined ? size === 0 : last.end === size) return [...segments]
  if (last === undefined || last.end !== null || size < last.written || size < last.start) {
    throw new RangeError(`a file of ${size} bytes does not fit the plan ${JSON.stringify(last ?? null)}`)
  }
  const rest = segments.slice(0, -1)
  return size === last.start ? rest : [...rest, { ...last, end: size }]
}

/** After an fsync that failed: nothing counts as written but what an earlier one brought to the disk. */
export function dropUnsynced(segments: readonly Segment[]): Segment[] {
  return segments.map((segment) => ({ ...segment, written: segment.durable }))
}

/**
 * Joins each finished segment with the one after it, so that the list stays short. Not where a `durable` mark would
 * go back by it, nor where the later one is `inUse`: the start by which a connection knows its segment must stay.
 */
export function mergeDone(segments: readonly Segment[], inUse: ReadonlySet<number> = new Set()): Segment[] {
  const merged: Segment[] = []
  for (const segment of segments) {
    const before = merged.at(-1)
    if (before === undefined || !isFinished(before) || inUse.has(before.start) || inUse.has(segment.start)) {
      merged.push(segment)
      continue
    }
    const wasDurable = before.durable === before.end
    if (!wasDurable && segment.durable > segment.start) merged.push(segment)
    else
      merged[merged.length - 1] = { ...segment, start: before.start, durable: (wasDurable ? segment : before).durable }
  }
  return merged
}

/**
 * What to believe at start-up. The same boot: everything written, the page cache survived. Another boot: what was
 * fsynced, and of the rest each block that verifies, whatever became of its neighbours. `blockOk` says whether a block
 * reads back as its CRC-32 says (null: no checksum held). A block that is not written to its end has no checksum: what
 * is not fsynced of it is fetched again.
 */
export function trustAfterBoot(
  segments: readonly Segment[],
  sameBoot: boolean,
  blockOk: (index: number) => boolean | null,
): Segment[] {
  if (sameBoot) return [...segments]
  return segments.flatMap((segment) => {
    const unfinished = segment.written === segment.end ? 0 : segment.written % BLOCK_BYTES
    const written = Math.max(segment.durable, segment.written - unfinished)
    const doubtful = blocksOf(segment.durable, written).filter((index) => blockOk(index) !== true)
    return without({ ...segment, written }, blockRuns(doubtful, written))
  })
}

/** Indexes of the blocks that bytes [from, to) lie in. */
export function blocksOf(from: number, to: number): number[] {
  if (from >= to) return []
  const first = Math.floor(from / BLOCK_BYTES)
  return Array.from({ length: Math.ceil(to / BLOCK_BYTES) - first }, (_, n) => first + n)
}

/** The partial on disk holds only `partBytes`: nothing beyond can be written or durable. */
export function clipToFile(segments: readonly Segment[], partBytes: number): Segment[] {
  return segments.map((segment) => {
    const limit = Math.max(segment.start, partBytes)
    if (segment.written <= limit) return segment
    return { ...segment, written: limit, durable: Math.min(segment.durable, limit) }
  })
}

/** The bytes of these blocks must be fetched again. Duplicates and blocks beyond `size` are ignored. */
export function damage(segments: readonly Segment[], badBlocks: readonly number[], size: number): Segment[] {
  const runs = blockRuns(badBlocks, size)
  return segments.flatMap((segment) => without(segment, runs))
}

/** The written runs of the file, merged. */
export function coverage(segments: readonly Segment[]): ByteRange[] {
  const runs: ByteRange[] = []
  for (const { start, written } of segments) {
    const before = runs.at(-1)
    if (written === start) continue
    if (before?.end === start) before.end = written
    else runs.push({ start, end: written })
  }
  return runs
}

/** Tells whether a run lies within one of `runs` (in order, disjoint). To be asked in order. */
export function within(runs: readonly ByteRange[]): (run: ByteRange) => boolean {
  let at = 0
  return ({ start, end }) => {
    while (at < runs.length && runs[at]!.end < end) at++
    return at < runs.length && runs[at]!.start <= start
  }
}

/** Where a block lies. */
export function rangeOf({ index, bytes }: Pick<BlockChecksum, 'index' | 'bytes'>): ByteRange {
  return { start: index * BLOCK_BYTES, end: index * BLOCK_BYTES + bytes }
}

function isFinished(segment: Segment): boolean {
  return segment.written === segment.end
}

/** The segment with what is written of these runs unwritten. */
function without(segment: Segment, runs: readonly ByteRange[]): Segment[] {
  const pieces: Segment[] = []
  let rest = segment
  for (const run of runs) {
    if (run.end <= rest.start || run.start >= rest.written) continue
    const from = Math.max(run.start, rest.start)
    if (from > rest.start) {
      pieces.push({ start: rest.start, end: from, written: from, durable: Math.min(rest.durable, from) })
    }
    if (run.end >= rest.written) {
      pieces.push({ start: from, end: rest.end, written: from, durable: from })
      return pieces
    }
    pieces.push({ start: from, end: run.end, written: from, durable: from })
    rest = { ...rest, start: run.end, durable: Math.max(rest.durable, run.end) }
  }
  return [...pieces, rest]
}

/** Runs of bytes that these blocks make, in order; neighbours are one. */
export function blockRuns(blocks: readonly number[], size: number): ByteRange[] {
  const runs: ByteRange[] = []
  for (const index of [...new Set(blocks)].sort((a, b) => a - b)) {
    const start = index * BLOCK_BYTES
    const end = Math.min(start + BLOCK_BYTES, size)
    const before = runs.at(-1)
    if (index < 0 || start >= size) continue
    if (before?.end === start) before.end = end
    else runs.push({ start, end })
  }
  return runs
}

function replaceAt(segments: readonly Segment[], start: number, change: (segment: Segment) => Segment[]): Segment[] {
  const index = segments.findIndex((segment) => segment.start === start)
  if (index < 0) throw new RangeError(`no segment starts at ${start}`)
  return segments.toSpliced(index, 1, ...change(segments[index]!))
}

function cannot(what: string, segment: Segment, offset: number): RangeError {
  return new RangeError(`cannot ${what} the segment ${JSON.stringify(segment)} at ${offset}`)
}
