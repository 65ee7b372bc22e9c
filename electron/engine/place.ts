/**
 * Where a task's bytes live: NAME.part beside the name the file will get. Finds the partial of an earlier run, or
 * reserves a name and makes room for a new one. A name is taken once: in the store against other tasks, on the disk
 * against other files.
 */
import { join } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { BLOCK_BYTES, type BlockChecksum, type TaskPatch, type TaskRecord } from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import { PartFile } from './file-sink.ts'
import { filenameFrom, isKnownBinaryName, numberedName, sanitizeFilename } from './filename.ts'
import type { FileSystem, Logger } from './ports.ts'
import { isComplete, type Segment } from './segment-plan.ts'

const MAX_NUMBERED_NAMES = 10_000
/** Such a file is created, written and closed in one go by whoever reads it. */
const SMALL_BYTES = BLOCK_BYTES

export interface PlaceContext {
  fs: FileSystem
  logger: Logger
  settings: () => Settings
  reserve: (filename: string) => boolean
  /** makes the folder and sees to it that so many bytes fit; throws `disk_full` or another disk error */
  makeRoom: (folder: string, bytes: number | null) => Promise<void>
  /** what the store learnt survives a crash of this process */
  committed: () => Promise<void>
  learned: (patch: TaskPatch) => void
  storedSegments: () => Segment[]
  storedBlocks: () => BlockChecksum[]
}

export interface Place {
  part: PartFile
}

export type RestoredPlace =
  | { kind: 'place'; place: Place }
  /** no partial; `lost`: there was one, and it is gone */
  | { kind: 'nothing'; lost: boolean }
  /** the file already stands under its name: a crash came between the rename and its record */
  | { kind: 'published'; path: string }

export function partPathOf(task: Pick<TaskRecord, 'folder' | 'filename'>): string | null {
  return task.filename === null ? null : `${join(task.folder, task.filename)}.part`
}

/** What of a task may lie on the disk: the finished file or its partial, and one set aside as NAME.bad. */
export function filesOf(task: TaskRecord): string[] {
  const partPath = partPathOf(task)
  if (partPath === null) return []
  const setAside = task.error?.code === 'checksum_mismatch' ? task.error.params.path : null
  return [
    task.state === 'done' ? join(task.folder, task.filename!) : partPath,
    ...(typeof setAside === 'string' ? [setAside] : []),
  ]
}

export async function restorePlace(task: TaskRecord, context: PlaceContext): Promise<RestoredPlace> {
  const partPath = partPathOf(task)
  if (!partPath) return { kind: 'nothing', lost: false }
  const { fs } = context
  if (await onDisk(partPath, () => fs.stat(partPath)))
    return { kind: 'place', place: { part: await PartFile.open(fs, partPath, 'open') } }
  const finalPath = join(task.folder, task.filename!)
  if (await isPublished(task, finalPath, context)) return { kind: 'published', path: finalPath }
  if (task.writtenBytes > 0 && !(await onDisk(task.folder, () => fs.stat(task.folder))))
    throw new NighthaulError(
      'folder_missing',
      `The folder ${task.folder} is not there (was a drive unplugged?). Bring it back and resume.`,
      {
        path: task.folder,
      },
    )
  if (task.writtenBytes > 0)
    context.logger.warn({ task: task.id, path: partPath }, 'the partial file is gone; starting over')
  return { kind: 'nothing', lost: task.writtenBytes > 0 }
}

/** Proven by the checksums of every block, not by the name alone. */
async function isPublished(task: TaskRecord, path: string, context: PlaceContext): Promise<boolean> {
  if (task.sizeBytes === null || !isComplete(context.storedSegments())) return false
  const stats = await onDisk(path, () => context.fs.stat(path))
  if (stats?.bytes !== task.sizeBytes) return false
  return (await damagedBlocks(path, task.sizeBytes, context))?.length === 0
}

/** Indexes of blocks that differ from their stored checksums; null: checksums are missing, nothing can be said. */
async function damagedBlocks(
  path: string,
  sizeBytes: number,
  context: Pick<PlaceContext, 'fs' | 'storedBlocks'>,
): Promise<number[] | null> {
  const blocks = context.storedBlocks()
  if (blocks.reduce((bytes, block) => bytes + block.bytes, 0) < sizeBytes) return null
  const file = await PartFile.open(context.fs, path, 'open')
  try {
    const damaged: number[] = []
    for (const block of blocks)
      if ((await file.blockChecksum(block.index, block.bytes)) !== block.crc32) damaged.push(block.index)
    return damaged
  } finally {
    await file.close()
  }
}

export interface FileFacts {
  contentDisposition: string | undefined
  finalUrl: string
  contentType: string | null
  size: number | null
  /** the reply is a web page and the user did not ask for one */
  html: boolean
}

/** For the first good reply: reserves the name, creates the partial and sets its length. */
export async function beginPlace(
  task: TaskRecord,
  context: PlaceContext,
  existing: Place | null,
  facts: FileFacts,
): Promise<Place> {
  const linkName = filenameFrom({
    contentDisposition: undefined,
    finalUrl: task.url,
    originalUrl: task.url,
    contentType: null,
  })
  if (facts.html && facts.contentDisposition === undefined && isKnownBinaryName(linkName))
    throw new NighthaulError(
      'html_instead_of_file',
      `The server answered with a web page instead of ${linkName}: perhaps it wants a login first. Nothing was saved.`,
      { filename: linkName },
    )
  await context.makeRoom(task.folder, facts.size)
  const place = existing ?? { part: await createPart(task, context, facts) }
  const sparse = facts.size !== null && facts.size > SMALL_BYTES && context.settings().preallocate === 'sparse'
  try {
    if (existing) await place.part.resize(0)
    if (sparse) await place.part.resize(facts.size!)
  } catch (error) {
    if (!existing) await place.part.close()
    throw error
  }
  return place
}

async function createPart(task: TaskRecord, context: PlaceContext, facts: FileFacts): Promise<PartFile> {
  const { fs } = context
  const wanted = task.requestedFilename
    ? sanitizeFilename(task.requestedFilename)
    : (task.filename ??
      filenameFrom({
        contentDisposition: facts.contentDisposition,
        finalUrl: facts.finalUrl,
        originalUrl: task.url,
        contentType: facts.contentType,
      }))
  const onConflict = task.options.onConflict ?? context.settings().onConflict
  for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
    const name = n === 0 ? wanted : numberedName(wanted, n)
    const path = join(task.folder, name)
    if (onConflict !== 'overwrite' && (await onDisk(path, () => fs.stat(path)))) {
      if (onConflict === 'skip')
        throw new NighthaulError('file_exists', `${path} exists already, so this download was skipped as you asked.`, {
          path,
          skipped: true,
        })
      continue
    }
    // Looked for before the name is ours: a crash in between must not leave us with somebody else's partial.
    if ((await onDisk(path, () => fs.stat(`${path}.part`))) || !context.reserve(name)) continue
    await context.committed()
    try {
      const small = facts.size !== null && facts.size > 0 && facts.size <= SMALL_BYTES
      const part = small ? PartFile.toCreate(fs, `${path}.part`) : await PartFile.open(fs, `${path}.part`, 'create')
      return part
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  throw new NighthaulError('file_exists', `No free name was found for ${wanted} in ${task.folder}.`, {
    path: task.folder,
  })
}
