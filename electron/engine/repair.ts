/**
 * Setting a file right: its bad parts are recorded as missing, so that the next run fetches them and nothing else. A
 * finished file is NAME.part again meanwhile and gets its name back only after all of it was compared once more, so a
 * wrong file never stands under its name unnoticed. What is bad is decided in verification-plan.ts.
 */
import { join } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { formatBytes } from '../../shared/format.ts'
import type { TaskPatch, TaskRecord } from '../../shared/records.ts'
import type { Verification } from '../../shared/verification.ts'
import { checkFile } from './block-check.ts'
import { onDisk } from './disk-errors.ts'
import { takenBackPath } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { damage, freshPlan, type Segment, writtenBytes } from './segment-plan.ts'
import { badBlocksOf, concludeVerification, planVerification, suspects } from './verification-plan.ts'

export type RepairContext = Pick<EngineDeps, 'store' | 'fs' | 'bootId' | 'clock'>

/** How many bytes these blocks make missing, and the plan without them. */
function without(task: TaskRecord, bad: readonly number[], { store }: RepairContext) {
  const size = task.sizeBytes ?? task.writtenBytes
  const stored = store.segments(task.id)
  const before: Segment[] =
    stored.length > 0 || task.state !== 'done'
      ? stored
      : freshPlan(size).map((segment) => ({ ...segment, written: size, durable: size }))
  const segments = damage(before, bad, size)
  return { before, segments, bytes: writtenBytes(before) - writtenBytes(segments) }
}

/** Records these blocks of a partial as missing. Answers how many bytes are fetched again. */
export function markBad(task: TaskRecord, found: Verification, bad: readonly number[], context: RepairContext): number {
  const { segments, bytes } = without(task, bad, context)
  remember(task, segments, { verification: { ...found, repairing: true } }, context)
  return bytes
}

/** A partial that is known to be bad and goes on: its bad parts count as missing from now on. */
export function withoutBad(task: TaskRecord, context: RepairContext): TaskRecord {
  const { verification } = task
  if (verification?.verdict !== 'damaged' || verification.repairing) return task
  markBad(task, verification, suspects(verification, []) ?? [], context)
  return context.store.getTask(task.id) ?? task
}

/**
 * A finished file becomes NAME.part, with these blocks missing. `queue` takes the task back into the queue; where that
 * or anything else fails, all is as it was. Whenever this process dies in between, the next start goes on with it.
 */
export async function takeBack(
  task: TaskRecord,
  found: Verification,
  bad: readonly number[],
  context: RepairContext,
  queue: () => void,
): Promise<number> {
  const { fs, store } = context
  const { before, segments, bytes } = without(task, bad, context)
  const path = join(task.folder, task.filename!)
  const partPath = takenBackPath(path)
  if (await onDisk(partPath, () => fs.stat(partPath)))
    throw new NighthaulError(
      'file_exists',
      `${partPath} is there already, and the repair needs this name. Nothing was changed; move that file away first.`,
      { path: partPath },
    )
  let moved = false
  try {
    remember(task, segments, { verification: { ...found, repairing: true }, fsyncedAt: null }, context)
    await store.committed(true)
    // One of its names is on the disk at any time, and in the end the new one: in a task that is not done, an incomplete
    // file would not be known for ours under the old one.
    const named = () => onDisk(task.folder, () => fs.syncFolder(task.folder))
    await onDisk(path, () => fs.renameExclusive(path, partPath, named))
    moved = true
    await named()
    queue()
    return bytes
  } catch (error) {
    if (moved) await onDisk(path, () => fs.renameExclusive(partPath, path))
    // Another process was faster: what it put on record stands.
    else if (!(await onDisk(path, () => fs.stat(path))) && (await onDisk(partPath, () => fs.stat(partPath))))
      throw error
    remember(task, before, { verification: found, fsyncedAt: task.fsyncedAt }, context)
    throw error
  }
}

/**
 * The repaired file is all here, and has not got its name yet: every block is compared again. Throws `blocks_damaged`,
 * with what is still bad recorded as missing.
 */
export async function compareAgain(
  task: TaskRecord,
  partPath: string,
  context: RepairContext,
  progress: (checkedBytes: number, totalBytes: number) => void,
  signal: AbortSignal,
): Promise<Verification | null> {
  const plan = planVerification({ ...task, state: 'done' }, [], context.store.blocks(task.id), null)
  if (plan === null) return null
  progress(0, plan.totalBytes)
  const order = { ...plan.order, path: partPath }
  const result = await checkFile(order, (bytes) => progress(bytes, plan.totalBytes), signal)
  const found = concludeVerification(plan, result, context.clock.now())
  if (found.verdict !== 'damaged') return found
  markBad(task, { ...found, path: partPath }, badBlocksOf(plan, result), context)
  throw new NighthaulError(
    'blocks_damaged',
    `After the repair ${found.badBlocks} blocks of ${task.filename} still differ from what came (${formatBytes(found.badBytes)}). It is kept as ${partPath}; check the disk, then retry.`,
    { blocks: found.badBlocks, bytes: found.badBytes, path: partPath },
  )
}

function remember(
  { id }: TaskRecord,
  segments: readonly Segment[],
  patch: TaskPatch,
  { store, bootId }: RepairContext,
): void {
  store.updateTask(id, patch, { intent: true })
  store.checkpoint([{ id, bootId, segments, writtenBytes: writtenBytes(segments) }])
}
