/**
 * The last steps of a file that was verified: make it durable, give it its name. In `strict` durability the data is on the disk
 * before the name is, and the name before the task is done; in `background` the name comes first and the fsync after.
 */
import { dirname, join } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import type { Relocation, TaskPatch, TaskRecord } from '../../shared/records.ts'
import { losesWrites, onDisk } from './disk-errors.ts'
import { PartFile } from './file-sink.ts'
import { numberedName, shortened } from './filename.ts'
import type { PlaceContext } from './place.ts'

const MAX_NUMBERED_NAMES = 10_000

export interface PublishContext extends PlaceContext {
  /** takes the partial to another place; the store knows it there afterwards */
  relocate: (relocation: Relocation, signal: AbortSignal) => Promise<void>
  /** an fsync failed: what was not on the disk before is to be fetched again */
  lost: () => void
}

/** Of a file that was verified (checking.ts). Returns what the store should learn. Throws a disk error. */
export async function publish(
  task: TaskRecord,
  partPath: string,
  context: PublishContext,
  signal: AbortSignal,
): Promise<TaskPatch> {
  const { fs } = context
  const strict = (task.options.durability ?? context.settings().durability) === 'strict'
  await fs.markOrigin(partPath, task.finalUrl ?? task.sourceUrl ?? task.url, null)
  if (strict) await syncFile(partPath, context, context.lost)
  const filename = await bringHome(task, partPath, context, signal)
  if (strict) await onDisk(task.folder, () => fs.syncFolder(task.folder))
  return { filename, partPath: null }
}

/** From a folder for temporary files on another volume the file comes in two steps: a copy beside its place, then its name. */
async function bringHome(
  task: TaskRecord,
  partPath: string,
  context: PublishContext,
  signal: AbortSignal,
): Promise<string> {
  if (dirname(partPath) === task.folder) return giveName(task, partPath, context)
  await onDisk(task.folder, () => context.fs.mkdir(task.folder))
  try {
    return await giveName(task, partPath, context)
  } catch (error) {
    if (!(error instanceof NighthaulError) || error.params.errno !== 'EXDEV') throw error
  }
  const near = `${join(task.folder, `.${shortened(task.filename!, 120)}`)}.${task.id}.part`
  const place = { folder: task.folder, filename: task.filename!, partPath: near }
  await context.relocate({ from: partPath, to: near, place }, signal)
  await context.fs.markOrigin(near, task.finalUrl ?? task.sourceUrl ?? task.url, null)
  return giveName(task, near, context)
}

/** fdatasync of a file that nobody has open. `lost`: hears before it throws where that may have cost bytes. */
export async function syncFile(path: string, context: Pick<PlaceContext, 'fs'>, lost?: () => void): Promise<void> {
  const file = await PartFile.open(context.fs, path, 'open')
  try {
    await file.datasync()
  } catch (error) {
    if (error instanceof NighthaulError && losesWrites(error)) lost?.()
    throw error
  } finally {
    await file.close()
  }
}

/**
 * Another file may have taken the name meanwhile: then the next number is ours. The name is on record before the file
 * has it: a file that got a name nobody knows of would be nobody's after a crash, and its damage never found.
 */
async function giveName(task: TaskRecord, partPath: string, context: PlaceContext): Promise<string> {
  const { fs, reserve, recorded, learned } = context
  const wanted = task.filename!
  const overwrite = (task.options.onConflict ?? context.settings().onConflict) === 'overwrite'
  if (overwrite) {
    const path = join(task.folder, wanted)
    await recorded()
    await onDisk(path, () => fs.rename(partPath, path))
    return wanted
  }
  for (let n = 0; n < MAX_NUMBERED_NAMES; n++) {
    const name = n === 0 ? wanted : numberedName(wanted, n)
    const path = join(task.folder, name)
    // The first is on record as ours, and free as a rule; giving it replaces nothing where it is not.
    if (n > 0) {
      if ((await onDisk(path, () => fs.stat(path))) || !reserve(name)) continue
      learned({ partPath })
    }
    await recorded()
    if (await tryRename(partPath, path, context)) return name
  }
  throw new NighthaulError('file_exists', `No free name was found for ${wanted} in ${task.folder}.`, {
    path: task.folder,
  })
}

async function tryRename(from: string, to: string, context: PlaceContext): Promise<boolean> {
  return onDisk(to, async () => {
    try {
      await context.fs.renameExclusive(from, to)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  })
}
