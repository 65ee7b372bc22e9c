/**
 * The seal of a segment: a checksum over its numbers, stored beside them. SQLite notices a damaged page by its
 * structure; a number that became another one it does not. A mark that cannot be trusted would leave a hole in a file,
 * so a segment with a broken seal is fetched again. Pure.
 */
import { crc32 } from 'node:zlib'
import type { SegmentRecord } from '../../shared/records.ts'

/** null: stored before there were seals */
export type SealedSegment = SegmentRecord & { seal: number | null }

export function sealOf(taskId: number, { start, end, written, durable }: SegmentRecord): number {
  return crc32(`${taskId} ${start} ${end} ${written} ${durable}`)
}

/**
 * What can be believed of a task's segments, by start: those with a sound seal. What they leave open up to
 * `sizeBytes` (null: not known) counts as not there, so that a row that is lost is no hole in the file.
 */
export function believed(
  taskId: number,
  rows: readonly SealedSegment[],
  sizeBytes: number | null,
): { segments: SegmentRecord[]; broken: number } {
  const sound = rows.filter((row) => row.seal === null || row.seal === sealOf(taskId, row))
  const segments = sound.map(({ start, end, written, durable }) => ({ start, end, written, durable }))
  const broken = rows.length - sound.length
  if (segments.length === 0) return { segments, broken }
  return { segments: filled(segments, sizeBytes ?? (broken > 0 ? null : 0)), broken }
}

function filled(segments: readonly SegmentRecord[], sizeBytes: number | null): SegmentRecord[] {
  const result: SegmentRecord[] = []
  const empty = (start: number, end: number | null) => ({ start, end, written: start, durable: start })
  let next = 0
  for (const segment of segments) {
    // What overlaps was made up by damage.
    if (segment.start < next) continue
    if (segment.start > next) result.push(empty(next, segment.start))
    result.push(segment)
    if (segment.end === null) return result
    next = segment.end
  }
  return sizeBytes !== null && next >= sizeBytes ? result : [...result, empty(next, sizeBytes)]
}
