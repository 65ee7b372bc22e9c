/** What of a task's file can be compared with what, and what the comparison means. Pure. */
import { join } from 'node:path'
import type { ExpectedDigest, PieceHashes } from '../../shared/integrity.ts'
import { BLOCK_BYTES, type BlockChecksum, type TaskRecord } from '../../shared/records.ts'
import { MOST_BAD_RANGES, type Verification } from '../../shared/verification.ts'
import type { BlockCheckOrder, BlockCheckResult } from './block-check.ts'
import { fits } from './expectations.ts'
import { partPathOf } from './place.ts'
import { blockRuns, blocksOf, coverage, rangeOf, type Segment, within } from './segment-plan.ts'

export interface VerifyPlan {
  order: BlockCheckOrder
  /** all of the file should be here */
  whole: boolean
  /** how long the file should be; of a partial: how much of it was written */
  bytes: number
  /** one past the last byte that should be here */
  end: number
  /** blocks that hold bytes, and have no checksum */
  unchecked: number[]
  digest: ExpectedDigest | null
  /** hashes of its pieces, which cover all of it; null: its digest is known, or they are not */
  pieces: PieceHashes | null
  /** how many bytes are going to be read */
  totalBytes: number
}

/** Null: nothing of it was ever written. `digest`: that the whole file should have. */
export function planVerification(
  task: Pick<TaskRecord, 'state' | 'folder' | 'filename' | 'partPath' | 'sizeBytes' | 'writtenBytes'>,
  segments: readonly Segment[],
  stored: readonly BlockChecksum[],
  digest: ExpectedDigest | null,
  hashes: PieceHashes | null = null,
): VerifyPlan | null {
  if (task.filename === null) return null
  const whole = task.state === 'done'
  const size = task.sizeBytes ?? task.writtenBytes
  const held = whole ? (size === 0 ? [] : [{ start: 0, end: size }]) : coverage(segments)
  if (!whole && held.length === 0) return null
  const holds = within(held)
  const blocks = stored.filter((block) => holds(rangeOf(block)))
  const checked = new Set(blocks.map((block) => block.index))
  const unchecked = [...new Set(held.flatMap((run) => blocksOf(run.start, run.end)))].filter((i) => !checked.has(i))
  const path = whole ? join(task.folder, task.filename) : partPathOf(task)!
  const compared = whole ? digest : null
  const pieces = whole && !digest && hashes && fits(hashes, size) ? hashes : null
  return {
    order: { path, blocks, digest: compared?.algorithm ?? null, bytes: size },
    whole,
    bytes: held.reduce((sum, run) => sum + run.end - run.start, 0),
    end: held.at(-1)?.end ?? 0,
    unchecked,
    digest: compared,
    pieces,
    totalBytes: compared ? size : blocks.reduce((sum, block) => sum + block.bytes, 0),
  }
}

/** `result` null: the file is not there. `ofPieces`: blocks that bad pieces lie in, where the plan has hashes of pieces. */
export function concludeVerification(
  plan: VerifyPlan,
  result: BlockCheckResult | null,
  at: number,
  ofPieces: readonly number[] = [],
): Verification {
  const { order, whole, bytes, end, unchecked, digest, pieces } = plan
  const bytesOnDisk = result?.bytesOnDisk ?? null
  const bad = [...new Set([...badBlocksOf(plan, result), ...ofPieces])].sort((a, b) => a - b)
  const ranges = blockRuns(bad, end)
  const checksum =
    digest && result?.digest
      ? {
          algorithm: digest.algorithm,
          expected: digest.value,
          actual: result.digest,
          matches: result.digest === digest.value,
        }
      : null
  const sizeDiffers = bytesOnDisk !== null && (whole ? bytesOnDisk !== end : bytesOnDisk < end)
  const compared = order.blocks.length > 0 || checksum !== null || pieces !== null
  const alsoChecked = pieces ? unchecked.length : 0
  const damaged = bad.length > 0 || sizeDiffers || checksum?.matches === false
  return {
    at,
    verdict: result === null ? 'missing' : damaged ? 'damaged' : compared || (whole && end === 0) ? 'right' : 'unknown',
    path: order.path,
    bytes,
    bytesOnDisk,
    sizeDiffers,
    checkedBlocks: result === null ? 0 : order.blocks.length + alsoChecked,
    uncheckedBlocks: unchecked.length - alsoChecked,
    badBlocks: bad.length,
    badBytes: ranges.reduce((sum, range) => sum + range.end - range.start, 0),
    badRanges: ranges.slice(0, MOST_BAD_RANGES),
    checksum,
    repairing: false,
  }
}

/** Those that differ, and those without a checksum that the file does not reach to any more. */
export function badBlocksOf({ unchecked, end }: VerifyPlan, result: BlockCheckResult | null): number[] {
  if (result === null) return []
  const { bad, bytesOnDisk } = result
  const cut = unchecked.filter((index) => Math.min((index + 1) * BLOCK_BYTES, end) > bytesOnDisk)
  return [...bad, ...cut].sort((a, b) => a - b)
}

/**
 * Blocks to fetch again. Where the digest of the whole file differs and no block does, those without a checksum are
 * suspects. Null: the result does not say them all, the file has to be compared again.
 */
export function suspects(found: Verification, unchecked: readonly number[]): number[] | null {
  if (found.badBlocks === 0) return found.checksum?.matches === false ? [...unchecked] : []
  const blocks = found.badRanges.flatMap(({ start, end }) => blocksOf(start, end))
  return blocks.length === found.badBlocks ? blocks : null
}
