/**
 * Finished files without an fsync on record: after a power cut some of their blocks may never have reached the disk.
 * What was not fsynced is compared with its checksums, and a damaged file turns back into a partial. When this is done
 * is the runner’s.
 */
import { join } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import { PartFile } from './file-sink.ts'
import { type PlaceContext, takeBack, takenBackPath } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { believed } from './progress.ts'
import { isComplete, writtenBytes } from './segment-plan.ts'

export type UnsyncedFile =
  /** somebody moved or deleted it: nothing to look after */
  | { kind: 'gone' }
  /** the power cut took its name: NAME.part is left, or nothing */
  | { kind: 'nameless' }
  /** as far as can be told */
  | { kind: 'sound' }
  /** it is NAME.part again, and these bytes are recorded as missing */
  | { kind: 'damaged'; missingBytes: number }

export interface UnsyncedContext
  extends Pick<EngineDeps, 'fs' | 'store' | 'bootId'>,
    Pick<PlaceContext, 'storedBlocks'> {
  /**
   * The file was finished by a process that fsyncs within seconds and records it. Otherwise (`get` leaves that to the
   * system) a file that is not there was moved, most likely: it is not fetched again unasked.
   */
  syncedSoon: boolean
}

/** Under the same boot the page cache vouches for the file. Throws disk errors. */
export async function checkUnsynced(task: TaskRecord, context: UnsyncedContext): Promise<UnsyncedFile> {
  const { fs, store, bootId } = context
  const { id, sizeBytes } = task
  const path = join(task.folder, task.filename!)
  const partPath = takenBackPath(path)
  const stored = store.segments(id)
  // An earlier check, or a repair, was cut short between the record of the damage and the rename.
  const known = !isComplete(stored) || task.verification?.repairing === true
  const missing = (segments = stored) => (sizeBytes ?? 0) - writtenBytes(segments)
  const sameBoot = task.bootId === bootId
  if (!(await fs.stat(path))) {
    const hasPart = (await fs.stat(partPath)) !== null
    if (known && hasPart) return { kind: 'damaged', missingBytes: missing() }
    return !sameBoot && (hasPart || known || context.syncedSoon) ? { kind: 'nameless' } : { kind: 'gone' }
  }
  if (sizeBytes === null || (sameBoot && !known)) return { kind: 'sound' }
  const part = await PartFile.open(fs, path, 'open')
  const segments = await believed({ segments: stored, blocks: context.storedBlocks }, sameBoot, part).finally(() =>
    part.close(),
  )
  if (isComplete(segments) && !known) return { kind: 'sound' }
  store.checkpoint([{ id, bootId, segments, writtenBytes: writtenBytes(segments) }])
  try {
    await takeBack(path, partPath, fs)
  } catch (error) {
    // The cut took the rename: what has the name is what the file was to replace.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return { kind: 'nameless' }
    throw error
  }
  return { kind: 'damaged', missingBytes: missing(segments) }
}

export function lostBytes(task: TaskRecord, bytes: number): NighthaulError {
  return new NighthaulError(
    'blocks_damaged',
    `${bytes} bytes of ${task.filename} were lost when the machine stopped. They are fetched again; the rest is kept.`,
    { bytes },
  )
}

export function lostName(task: TaskRecord): NighthaulError {
  return new NighthaulError(
    'blocks_damaged',
    `${task.filename} lost its name when the machine stopped. What is left of it is kept; the rest is fetched again.`,
    { bytes: task.sizeBytes },
  )
}
