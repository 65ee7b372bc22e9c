/**
 * Finished files without an fsync on record: after a power cut some of their blocks may never have reached the disk.
 * Finds out by the stored checksums, and turns a damaged file back into a partial. When this is done is the runner's.
 */
import { join } from 'node:path'
import type { TaskRecord } from '../../shared/records.ts'
import { damagedBlocks, type PlaceContext, partPathOf } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { damage, isComplete, writtenBytes } from './segment-plan.ts'

export type UnsyncedFile =
  /** somebody moved or deleted it: nothing to look after */
  | { kind: 'gone' }
  /** as far as can be told */
  | { kind: 'sound' }
  /** it is NAME.part again, and these bytes are recorded as missing */
  | { kind: 'damaged'; missingBytes: number }

export type UnsyncedContext = Pick<EngineDeps, 'fs' | 'store' | 'logger' | 'bootId'> &
  Pick<PlaceContext, 'storedBlocks'>

/** Under the same boot the page cache vouches for the file. Throws disk errors. */
export async function checkUnsynced(task: TaskRecord, context: UnsyncedContext): Promise<UnsyncedFile> {
  const { fs, store, logger, bootId } = context
  const { id, sizeBytes } = task
  const path = join(task.folder, task.filename!)
  const partPath = partPathOf(task)!
  const stored = store.segments(id)
  // Not complete: an earlier check was cut short between the record of the damage and the rename.
  const known = !isComplete(stored)
  const missing = (segments = stored) => (sizeBytes ?? 0) - writtenBytes(segments)
  if (!(await fs.stat(path)))
    return known && (await fs.stat(partPath)) ? { kind: 'damaged', missingBytes: missing() } : { kind: 'gone' }
  if (sizeBytes === null || (task.bootId === bootId && !known)) return { kind: 'sound' }
  const damaged = await damagedBlocks(path, sizeBytes, context)
  if (damaged === null) logger.warn({ task: id }, 'a finished file has no checksums to compare after a reboot')
  if (damaged === null || damaged.length === 0) return { kind: 'sound' }
  const segments = damage(stored, damaged, sizeBytes)
  store.checkpoint([{ id, bootId, segments, writtenBytes: writtenBytes(segments) }])
  await fs.renameExclusive(path, partPath)
  return { kind: 'damaged', missingBytes: missing(segments) }
}
