/**
 * Where a task's bytes live: NAME.part beside the name the file will get, or in the folder for temporary files. Finds the
 * partial of an earlier run, or reserves a name and makes room for a new one. A name is taken once: in the store against
 * other tasks, on the disk against other files.
 */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { keptBadFiles } from '../../shared/integrity.ts'
import {
  BLOCK_BYTES,
  type BlockChecksum,
  type TaskPatch,
  type TaskRecord,
  type TaskStore,
} from '../../shared/records.ts'
import type { Settings } from '../../shared/schemas.ts'
import { onDisk, toDiskError } from './disk-errors.ts'
import { PartFile } from './file-sink.ts'
import {
  filenameFrom,
  filenameInLink,
  isKnownBinaryName,
  numberedName,
  sanitizeFilename,
  shortened,
} from './filename.ts'
import type { EngineDeps, FileSystem, Logger } from './ports.ts'
import type { Demand } from './room.ts'
import { isComplete, type Segment } from './segment-plan.ts'

const MAX_NUMBERED_NAMES = 10_000
/** Such a file is created, written and closed in one go by whoever reads it. */
const SMALL_BYTES = BLOCK_BYTES
/** What was seen on the disk while the server was asked counts for so long. */
const FORESEEN_MS = 250

export interface PlaceContext {
  fs: FileSystem
  logger: Logger
  settings: () => Settings
  reserve: (filename: string) => boolean
  /** makes the folders and sees to it that what will be written fits; throws `disk_full` or another disk error */
  makeRoom: (demands: readonly Demand[]) => Promise<void>
  /** a partial that is gone means starting over: somebody is there who asked for the file just now */
  startsOverWithoutPartial: boolean
  bootId: string
  /** bytes of its copy on another volume that are there from an earlier try */
  begunBytes: () => Promise<number>
  /** what the store learnt survives a crash of this process */
  committed: () => Promise<void>
  /** the same of a power cut */
  recorded: () => Promise<void>
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

export function partPathOf(task: Pick<TaskRecord, 'folder' | 'filename' | 'partPath'>): string | null {
  if (task.partPath !== null) return task.partPath
  return task.filename === null ? null : `${join(task.folder, task.filename)}.part`
}

/** What a finished file is called while it is a partial again: beside its name, wherever its partial was before. */
export function takenBackPath(path: string): string {
  return `${path}.part`
}

/**
 * What a task will write, and where: the partial first, then what becomes of it on another volume, of which
 * `copiedBytes` are there already.
 */
export function demandsOf(
  task: Pick<TaskRecord, 'folder' | 'sizeBytes' | 'writtenBytes'>,
  partFolder: string,
  copiedBytes: number,
  left?: () => number | null,
): Demand[] {
  const fileBytes = task.sizeBytes
  const leftBytes = fileBytes === null ? null : Math.max(0, fileBytes - task.writtenBytes)
  const part = { folder: partFolder, fileBytes, leftBytes, left }
  if (partFolder === task.folder) return [part]
  return [part, { folder: task.folder, fileBytes, leftBytes: fileBytes && Math.max(0, fileBytes - copiedBytes) }]
}

/** Where a new partial goes. */
export function partFolderOf(
  task: Pick<TaskRecord, 'folder' | 'options'>,
  settings: Pick<Settings, 'temporaryFolder'>,
): string {
  const temporary = task.options.temporaryFolder ?? settings.temporaryFolder
  return temporary !== null && isAbsolute(temporary) ? resolve(temporary) : task.folder
}

/** What of a task may lie on the disk: the finished file or its partial, and one set aside as NAME.bad. */
export function filesOf(task: TaskRecord): string[] {
  const partPath = partPathOf(task)
  if (partPath === null) return []
  return [task.state === 'done' ? join(task.folder, task.filename!) : partPath, ...keptBadFiles(task.badTries)]
}

/** Whether a download of the list has this file for its own, finished or as its partial. */
export function isFileOfTask(path: string, store: Pick<TaskStore, 'isFileOfTask'>): boolean {
  const [folder, name] = [dirname(path), basename(path)]
  return (
    store.isFileOfTask(folder, name, true) ||
    (name.endsWith('.part') && store.isFileOfTask(folder, basename(name, '.part'), false))
  )
}

export async function restorePlace(task: TaskRecord, context: PlaceContext): Promise<RestoredPlace> {
  const partPath = partPathOf(task)
  if (!partPath) return { kind: 'nothing', lost: false }
  const { fs } = context
  if (await onDisk(partPath, () => fs.stat(partPath)))
    return { kind: 'place', place: { part: await PartFile.open(fs, partPath, 'open') } }
  const finalPath = join(task.folder, task.filename!)
  if (await isPublished(task, finalPath, context)) return { kind: 'published', path: finalPath }
  if (await isOursUnsynced(task, finalPath, context)) {
    await onDisk(partPath, () => takeBack(finalPath, partPath, fs))
    return { kind: 'place', place: { part: await PartFile.open(fs, partPath, 'open') } }
  }
  if (task.writtenBytes === 0) return { kind: 'nothing', lost: false }
  const folder = dirname(partPath)
  if (!(await onDisk(folder, () => fs.stat(folder)))) throw folderMissing(folder)
  // A power cut may take the name of a file of which nothing was fsynced, and that of one which was just given another.
  const segments = context.storedSegments()
  const promised =
    task.bootId === context.bootId || (!isComplete(segments) && segments.some((s) => s.durable > s.start))
  if (promised && !context.startsOverWithoutPartial) throw partialMissing(task, partPath)
  context.logger.warn({ task: task.id, path: partPath }, 'the partial file is gone; starting over')
  return { kind: 'nothing', lost: true }
}

function folderMissing(path: string): NighthaulError {
  return new NighthaulError(
    'folder_missing',
    `The folder ${path} is not there (was a drive unplugged?). The download goes on by itself when it is back.`,
    { path },
  )
}

function partialMissing(task: TaskRecord, path: string): NighthaulError {
  return new NighthaulError(
    'partial_missing',
    `The partial ${path} with ${task.writtenBytes} bytes is not there (was it moved, or is its drive not mounted?). The download goes on by itself when it is back; say where it is now, or retry to start over.`,
    { path, bytes: task.writtenBytes },
  )
}

/**
 * A file that turned out to be damaged becomes a partial again, for good: once it is on record as incomplete, it would
 * not be known for ours under its name.
 */
export async function takeBack(path: string, partPath: string, fs: FileSystem): Promise<void> {
  await fs.renameExclusive(path, partPath)
  for (const folder of new Set([dirname(partPath), dirname(path)])) await fs.syncFolder(folder)
}

/** Proven by the checksums of every block, not by the name alone. */
async function isPublished(task: TaskRecord, path: string, context: PlaceContext): Promise<boolean> {
  if (task.sizeBytes === null || !isComplete(context.storedSegments())) return false
  const stats = await onDisk(path, () => context.fs.stat(path))
  if (stats?.bytes !== task.sizeBytes) return false
  return (await damagedBlocks(path, task.sizeBytes, context))?.length === 0
}

/**
 * It got its name without an fsync, and then the power went: what is there now may be anything, but the name was
 * recorded as the file's before. With `strict` durability it would be whole, so that is somebody else's.
 */
async function isOursUnsynced(task: TaskRecord, path: string, context: PlaceContext): Promise<boolean> {
  const { durability = context.settings().durability } = task.options
  if (durability === 'strict' || task.bootId === context.bootId) return false
  if (task.sizeBytes === null || !isComplete(context.storedSegments())) return false
  const stats = await onDisk(path, () => context.fs.stat(path))
  return stats !== null && stats.bytes <= task.sizeBytes
}

/** Indexes of blocks that differ from their stored checksums; null: checksums are missing, nothing can be said. */
export async function damagedBlocks(
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
  /** what is left to write at any later time; null: not known */
  left: () => number | null
  /** the reply is a web page and the user did not ask for one */
  html: boolean
  /** what was thought beforehand */
  foreseen: Foreseen | null
}

/** What lies where a new file and its partial would. */
interface Looked {
  file: boolean
  part: boolean
}

/** What a new file will be called, as far as its link tells, and whether that name is taken. */
export interface Foreseen {
  name: string
  /** null: that was too long ago */
  looked: () => Promise<Looked> | null
}

/** The size that a file must have: as was said when it was added, or, at a mirror, as the server before it said. */
export function sizeExpected({ options, sourceUrl, sizeBytes }: TaskRecord): number | null {
  return options.sizeBytes ?? (sourceUrl === null ? null : sizeBytes)
}

/** Throws `size_mismatch` where the file is to have another size than it has. */
export function checkSize(size: number | null, expected: number | null): void {
  if (expected === null || size === null || size === expected) return
  throw new NighthaulError(
    'size_mismatch',
    `The file on the server has ${size} bytes, not ${expected} as expected: it is another one. Nothing of it was written.`,
    { expected, actual: size },
  )
}

/** For the first good reply: reserves the name, creates the partial and sets its length. */
export async function beginPlace(
  task: TaskRecord,
  context: PlaceContext,
  existing: Place | null,
  facts: FileFacts,
): Promise<Place> {
  if (facts.html && facts.contentDisposition === undefined) {
    const filename = filenameInLink(task.url)
    if (isKnownBinaryName(filename))
      throw new NighthaulError(
        'html_instead_of_file',
        `The server answered with a web page instead of ${filename}: perhaps it wants a login first. Nothing was saved.`,
        { filename, host: new URL(facts.finalUrl).host },
      )
  }
  const partFolder = existing ? dirname(existing.part.path) : partFolderOf(task, context.settings())
  await context.makeRoom(
    demandsOf({ folder: task.folder, sizeBytes: facts.size, writtenBytes: 0 }, partFolder, 0, facts.left),
  )
  const place = existing ?? { part: await createPart(task, context, facts) }
  const sparse = facts.size !== null && facts.size > SMALL_BYTES && context.settings().preallocate === 'sparse'
  try {
    if (existing) {
      await place.part.resize(0)
      // Longer than it should be, it would not be known for ours where a power cut leaves it torn under its name.
      await place.part.datasync()
    }
    if (sparse) await place.part.resize(facts.size!)
  } catch (error) {
    if (!existing) await place.part.close()
    throw error
  }
  return place
}

function nameOf(task: TaskRecord, facts: Pick<FileFacts, 'contentDisposition' | 'finalUrl' | 'contentType'>): string {
  if (task.requestedFilename) return sanitizeFilename(task.requestedFilename)
  const { contentDisposition, finalUrl, contentType } = facts
  return task.filename ?? filenameFrom({ contentDisposition, finalUrl, originalUrl: task.url, contentType })
}

/** Looks for what a new file's name may meet while the server is being asked for it; null: that must not be old news. */
export function foresee(task: TaskRecord, context: PlaceContext & Pick<EngineDeps, 'clock'>): Foreseen | null {
  const { clock } = context
  const onConflict = task.options.onConflict ?? context.settings().onConflict
  if (onConflict === 'skip') return null
  const name = nameOf(task, { contentDisposition: undefined, finalUrl: task.url, contentType: null })
  const partPath = newPartPath(task, context, name)
  const looked = look(join(task.folder, name), partPath, onConflict === 'overwrite', context)
  // Whoever needs the answer hears of the failure.
  looked.catch(() => undefined)
  const at = clock.monotonic()
  return { name, looked: () => (clock.monotonic() - at < FORESEEN_MS ? looked : null) }
}

async function look(path: string, partPath: string, overwrite: boolean, { fs }: PlaceContext): Promise<Looked> {
  const [file, part] = await Promise.all([overwrite ? null : fs.stat(path), fs.stat(partPath)])
  return { file: file !== null, part: part !== null }
}

/** `base`: what the name was derived from. */
function newPartPath(task: TaskRecord, context: PlaceContext, name: string, base = name): string {
  const folder = partFolderOf(task, context.settings())
  if (folder === task.folder) return `${join(folder, name)}.part`
  return join(folder, `${shortened(name, longest(base) - 8)}.${task.id}.part`)
}

async function createPart(task: TaskRecord, context: PlaceContext, facts: FileFacts): Promise<PartFile> {
  const { fs } = context
  const wanted = nameOf(task, facts)
  const onConflict = task.options.onConflict ?? context.settings().onConflict
  const partFolder = partFolderOf(task, context.settings())
  let base = wanted
  for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
    const name = n === 0 ? base : numberedName(base, n, longest(base))
    const path = join(task.folder, name)
    const partPath = newPartPath(task, context, name, base)
    try {
      const foreseen = facts.foreseen?.name === name ? facts.foreseen.looked() : null
      const looked = await (foreseen ?? look(path, partPath, onConflict === 'overwrite', context))
      if (looked.file) {
        if (onConflict === 'skip')
          throw new NighthaulError(
            'file_exists',
            `${path} exists already, so this download was skipped as you asked.`,
            { path, skipped: true },
          )
        continue
      }
      // Looked for before the name is ours: a crash in between must not leave us with somebody else's partial.
      if (looked.part || !context.reserve(name)) continue
      const recorded = partFolder === task.folder ? null : partPath
      if (recorded !== task.partPath) context.learned({ partPath: recorded })
      await context.committed()
      // Where the name may still prove to be too long, that has to come out here.
      const small = facts.size !== null && facts.size > 0 && facts.size <= SMALL_BYTES && base === wanted
      return small ? PartFile.toOpen(fs, partPath, true) : await PartFile.open(fs, partPath, 'create')
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'EEXIST') continue
      const shorter = code === 'ENAMETOOLONG' || code === 'name_too_long' ? shorterThan(base) : null
      if (shorter === null) throw toDiskError(error, path)
      base = shorter
      n = -1
    }
  }
  throw new NighthaulError('file_exists', `No free name was found for ${wanted} in ${task.folder}.`, {
    path: task.folder,
  })
}

/** Bytes that names of several file systems have room for, less ` (999)` and `.part`; 143: eCryptfs. */
const SHORTER_NAMES = [143 - 11, 100, 60, 30] as const

function shorterThan(name: string): string | null {
  const bytes = SHORTER_NAMES.find((limit) => limit < Buffer.byteLength(name))
  return bytes === undefined ? null : shortened(name, bytes)
}

/** What a name derived from this one may have in bytes: as much, and room for its number. */
function longest(base: string): number {
  return Math.min(250, Math.max(Buffer.byteLength(base) + ' (999)'.length, 30))
}
