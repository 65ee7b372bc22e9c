/**
 * Moves downloads to other folders on request, finished or not, running ones too; and believes those who say that they
 * moved a file themselves, once it proves to be the one. How a file gets to another place is in relocation.ts.
 */
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { Contract } from '../../shared/contract.ts'
import { MENDED_BY_THEMSELVES, NighthaulError, toErrorInfo } from '../../shared/errors.ts'
import { BLOCK_BYTES, type TaskRecord } from '../../shared/records.ts'
import type { Handlers } from '../../shared/rpc.ts'
import type { MoveTasksInput, MoveTasksResult, TaskId } from '../../shared/schemas.ts'
import { isRunning } from '../../shared/task-state.ts'
import type { Changes } from './changes.ts'
import { onDisk } from './disk-errors.ts'
import { PartFile } from './file-sink.ts'
import { sanitizeFilename } from './filename.ts'
import { partPathOf } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { alreadyThere, CALLED_OFF, gone } from './relocation.ts'
import type { Runner } from './runner.ts'
import { coverage } from './segment-plan.ts'
import { taskNotFound } from './task-errors.ts'

export interface MoverDeps extends Pick<EngineDeps, 'fs' | 'store' | 'logger'> {
  runner: Runner
  changes: Changes
  /** another process works on it */
  heldElsewhere: (task: TaskRecord) => boolean
  /** its file is being compared with its checksums */
  isChecked: (id: TaskId) => boolean
  /** those that moved can go on */
  settled: () => void
}

const QUITTING = new NighthaulError('engine_stopped', 'Nighthaul quits. The move goes on at the next start.')

const NOT_BEGUN = new NighthaulError('engine_stopped', 'Nighthaul quits. This file was not moved: ask for it again.')

/** Where a download is to be. `filename`: null while nobody has named it. */
interface Target {
  folder: string
  filename: string | null
}

export class Mover {
  readonly #deps: MoverDeps
  readonly #moving = new Map<TaskId, { abort: AbortController; ended: Promise<unknown> }>()
  /** asked for, behind another one */
  #waiting = 0
  #isDraining = false

  constructor(deps: MoverDeps) {
    this.#deps = deps
  }

  /** It does not run meanwhile. */
  isMoving(id: TaskId): boolean {
    return this.#moving.has(id)
  }

  /** How many are moved or wait for it. */
  get count(): number {
    return this.#moving.size + this.#waiting
  }

  /** Its file stays where it is. Answers whether it was being moved. */
  callOff(id: TaskId): boolean {
    this.#moving.get(id)?.abort.abort(CALLED_OFF)
    return this.#moving.has(id)
  }

  /**
   * Files that are on their way stop there: of moves nothing is left, of a download that was getting its name on another
   * volume the copy, which goes on when it is resumed.
   */
  pause(tasks: readonly TaskRecord[]): number {
    const { runner } = this.#deps
    let finished = 0
    for (const { id, state } of tasks) if (this.callOff(id) && state === 'done') finished++
    const copying = tasks.filter(({ id, state }) => state === 'finishing' && runner.relocator.copiedBytes(id) !== null)
    for (const { id } of copying) runner.stop(id)
    return finished + runner.applyAll(copying, { kind: 'pause', copying: true })
  }

  /** Calls off the moves of these, and waits until nothing holds their files. */
  async stayed(ids: readonly TaskId[]): Promise<void> {
    for (const id of ids) this.callOff(id)
    await this.settled(ids)
  }

  /** Waits until none of these is moved any more. */
  async settled(ids: readonly TaskId[]): Promise<void> {
    await Promise.allSettled(ids.map((id) => this.#moving.get(id)?.ended))
  }

  /** Ends what is under way; the next start goes on with it. */
  async drain(): Promise<void> {
    this.#isDraining = true
    for (const { abort } of this.#moving.values()) abort.abort(QUITTING)
    await this.settled([...this.#moving.keys()])
  }

  /** Goes on with what an earlier process began, and does not wait for it. */
  recover(): void {
    for (const task of this.#deps.store.relocating())
      this.#during(task.id, (signal) => this.#deps.runner.relocator.relocate(task, task.relocation!, signal)).catch(
        (error: unknown) => {
          this.#deps.logger.warn({ task: task.id, error: toErrorInfo(error).message }, 'a move did not go on')
        },
      )
  }

  get handlers(): Pick<Handlers<Contract>, 'tasks.move'> {
    return { 'tasks.move': (input) => this.move(input) }
  }

  /** One after the other; what fails is told and keeps none of the others from it. */
  async move(input: MoveTasksInput): Promise<MoveTasksResult> {
    const { fs } = this.#deps
    const ids = [...new Set(input.ids)]
    if (!isAbsolute(input.to))
      throw new NighthaulError('invalid_input', `“${input.to}” is not an absolute path. Nothing was moved.`, {
        to: input.to,
      })
    const to = resolve(input.to)
    const there = await onDisk(to, () => fs.stat(to))
    const isFolder = there?.isDirectory ?? (/[/\\]$/.test(input.to) || ids.length > 1)
    if (ids.length > 1 && there && !there.isDirectory)
      throw new NighthaulError(
        'invalid_input',
        `${to} is a file, and there are ${ids.length} downloads. Nothing was moved.`,
        { to },
      )
    const result: MoveTasksResult = { moved: [], failed: [] }
    this.#waiting += ids.length
    for (const id of ids)
      try {
        this.#waiting -= 1
        const path = await this.#during(id, (signal) =>
          input.alreadyThere ? this.#locate(id, to, isFolder) : this.#moveOne(id, to, isFolder, signal),
        )
        result.moved.push({ id, path })
      } catch (error) {
        result.failed.push({ id, error: toErrorInfo(ofMove(error)) })
      }
    return result
  }

  async #during<T>(id: TaskId, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#moving.has(id))
      throw new NighthaulError(
        'task_state',
        `Download ${id} is being moved already. Wait for it, or pause it to call that off.`,
        { id },
      )
    if (this.#isDraining) throw NOT_BEGUN
    const abort = new AbortController()
    const ended = this.#idle(id).then(() => work(abort.signal))
    this.#moving.set(id, { abort, ended })
    try {
      return await ended
    } finally {
      this.#moving.delete(id)
      this.#deps.changes.changed([id])
      this.#deps.settled()
    }
  }

  /** A running one goes back to the queue, which leaves it alone until it has moved. */
  async #idle(id: TaskId): Promise<void> {
    const { store, runner, heldElsewhere } = this.#deps
    const task = store.getTask(id)
    if (!task) throw taskNotFound(id)
    if (heldElsewhere(task))
      throw new NighthaulError('task_leased', `Another Nighthaul process works on download ${id}. Nothing was moved.`, {
        id,
      })
    if (this.#deps.isChecked(id))
      throw new NighthaulError(
        'task_state',
        `The file of download ${id} is being compared now. Nothing was moved; wait for that.`,
        { id },
      )
    // In the next turn: by then it counts as moving, and is not admitted again.
    await Promise.resolve()
    if (!runner.isRunning(id)) return
    runner.stop(id)
    await runner.settled([id])
    const stopped = store.getTask(id)
    if (stopped && isRunning(stopped.state)) runner.applyTo(stopped, { kind: 'drained' })
  }

  async #moveOne(id: TaskId, to: string, isFolder: boolean, signal: AbortSignal): Promise<string> {
    const { store, fs, runner } = this.#deps
    const task = this.#existing(id)
    const asked = isFolder ? null : sanitizeFilename(basename(to))
    const target: Target = { folder: isFolder ? to : dirname(to), filename: asked ?? task.filename }
    const { folder, filename } = target
    if (filename === null || (task.filename === null && task.state !== 'done')) {
      // Nothing of it is here yet: it will be there.
      store.updateTask(id, { folder, ...(asked && { requestedFilename: asked }) }, { intent: true })
      this.#goOn(id)
      return filename === null ? folder : join(folder, filename)
    }
    const path = join(folder, filename)
    const done = task.state === 'done'
    const from = done ? join(task.folder, task.filename!) : partPathOf(task)!
    // A partial in a folder of its own stays there: only what it becomes goes elsewhere.
    const partPath = done ? null : task.partPath
    const file = done ? path : (partPath ?? `${path}.part`)
    if (folder === task.folder && filename === task.filename) return file
    const taken = (await onDisk(path, () => fs.stat(path))) !== null && from.toLowerCase() !== path.toLowerCase()
    if (taken || (!done && store.isFileOfTask(folder, filename, false) && !isOtherCase(task, target)))
      throw alreadyThere(path)
    const there = await onDisk(from, () => fs.stat(from))
    if (!there && (done || task.writtenBytes > 0)) throw gone(from)
    if (there && file !== from)
      await runner.relocator.relocate(task, { from, to: file, place: { folder, filename, partPath } }, signal)
    else if (!store.reserveFilename(id, folder, filename)) throw alreadyThere(path)
    this.#goOn(id)
    return file
  }

  /** Somebody moved the file already. Throws `file_differs` where it is another one. */
  async #locate(id: TaskId, to: string, isFolder: boolean): Promise<string> {
    const { store } = this.#deps
    const task = this.#existing(id)
    const done = task.state === 'done'
    const old = done ? join(task.folder, task.filename!) : partPathOf(task)
    if (old === null)
      throw new NighthaulError(
        'task_state',
        `Nothing of download ${id} was written yet, so it has no file to be somewhere.`,
        { id },
      )
    const path = isFolder ? join(to, basename(old)) : to
    await this.#mustBeTheFile(task, path)
    const isPart = !done && path.endsWith('.part') && task.partPath === null
    const folder = !done && task.partPath !== null ? task.folder : dirname(path)
    const filename = done ? basename(path) : isPart ? basename(path, '.part') : task.filename!
    if ((folder !== task.folder || filename !== task.filename) && !store.reserveFilename(id, folder, filename))
      throw alreadyThere(join(folder, filename))
    store.updateTask(id, { partPath: done || isPart ? null : path }, { intent: true })
    this.#goOn(id)
    return path
  }

  /** By its size and the checksums of its blocks. */
  async #mustBeTheFile(task: TaskRecord, path: string): Promise<void> {
    const { fs, store } = this.#deps
    const stats = await onDisk(path, () => fs.stat(path))
    if (!stats) throw gone(path)
    const runs =
      task.state === 'done' ? [{ start: 0, end: task.sizeBytes ?? stats.bytes }] : coverage(store.segments(task.id))
    const end = runs.at(-1)?.end ?? 0
    if (stats.isDirectory || (task.state === 'done' ? stats.bytes !== end : stats.bytes < end))
      throw differs(task, path)
    const blocks = store.blocks(task.id).filter(({ index, bytes }) => {
      const start = index * BLOCK_BYTES
      return runs.some((run) => run.start <= start && start + bytes <= run.end)
    })
    if (end > 0 && task.state === 'done' && blocks.length === 0) throw differs(task, path)
    const file = await PartFile.open(fs, path, 'read')
    try {
      for (const block of blocks)
        if ((await file.blockChecksum(block.index, block.bytes)) !== block.crc32) throw differs(task, path)
    } finally {
      await file.close()
    }
  }

  #existing(id: TaskId): TaskRecord {
    const task = this.#deps.store.getTask(id)
    if (!task) throw taskNotFound(id)
    return task
  }

  /** What the disk had stopped may go on where it is now. */
  #goOn(id: TaskId): void {
    const task = this.#existing(id)
    const { error, state } = task
    if (state === 'paused' && error && MENDED_BY_THEMSELVES.has(error.code))
      this.#deps.runner.applyTo(task, { kind: 'mended' })
    if (state === 'failed' && (error?.code === 'file_too_large' || error?.code === 'name_too_long'))
      this.#deps.runner.applyTo(task, { kind: 'retry' })
  }
}

/** A move that found no room is off, and does not go on by itself as a download does. */
function ofMove(error: unknown): unknown {
  if (!(error instanceof NighthaulError) || error.code !== 'disk_full') return error
  const { path, neededBytes, freeBytes } = error.params
  const room = typeof neededBytes === 'number' ? ` (${freeBytes} bytes free, ${neededBytes} needed)` : ''
  return new NighthaulError(
    'disk_full',
    `There is no room for the file in ${path}${room}: it is where it was. Make room and move it again, or choose another place.`,
    error.params,
    { cause: error },
  )
}

/** The same file under a name that differs in case only. */
function isOtherCase(task: TaskRecord, { folder, filename }: Target): boolean {
  return folder === task.folder && filename?.toLowerCase() === task.filename?.toLowerCase()
}

function differs(task: TaskRecord, path: string): NighthaulError {
  return new NighthaulError(
    'file_differs',
    `${path} is not the file of this download: its size or its bytes differ from what came. Nothing was changed.`,
    { path, id: task.id },
  )
}
