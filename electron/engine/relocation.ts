/**
 * Takes a file to another place so that a crash, a power cut or a full disk at any moment leaves it whole in one of the
 * two, and nothing unfinished under its new name. On one volume it is renamed. To another it is copied under a hidden
 * name, compared with its block checksums on the way, brought to the disk, renamed, and only then deleted where it was.
 */

import { dirname, join } from 'node:path'
import { crc32 } from '@node-rs/crc32'
import { NighthaulError } from '../../shared/errors.ts'
import { BLOCK_BYTES, type BlockChecksum, type Relocation, type TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import { PartFile } from './file-sink.ts'
import { shortened } from './filename.ts'
import { damagedBlocks, isFileOfTask } from './place.ts'
import type { EngineDeps } from './ports.ts'
import { syncFile } from './publish.ts'
import type { Room } from './room.ts'
import { coverage, damage, writtenBytes } from './segment-plan.ts'

/** Of a file that is copied: how many bytes are there. */
export type Copied = (bytes: number) => void

export interface RelocatorDeps extends Pick<EngineDeps, 'fs' | 'store' | 'logger' | 'bootId'> {
  room: Pick<Room, 'make' | 'release'>
  progressed: (id: TaskId) => void
}

/** Why a signal ends it: the move is off, rather than interrupted. */
export const CALLED_OFF = new NighthaulError('interrupted', 'The move was called off; the file is where it was.')

export class Relocator {
  readonly #deps: RelocatorDeps
  readonly #copied = new Map<TaskId, number>()

  constructor(deps: RelocatorDeps) {
    this.#deps = deps
  }

  /** Bytes of the task’s file that were copied so far; null: it is not being copied. */
  copiedBytes(id: TaskId): number | null {
    return this.#copied.get(id) ?? null
  }

  /** What an interrupted copy of the task’s file takes up already; 0: there is none. */
  async begunBytes({ id, relocation }: Pick<TaskRecord, 'id' | 'relocation'>): Promise<number> {
    if (relocation === null) return 0
    const hidden = hiddenName(relocation.to, id)
    return (await onDisk(hidden, () => this.#deps.fs.stat(hidden)))?.bytes ?? 0
  }

  /**
   * Ends with the file at `to` and the task saying so. Where it fails the file is where it was, and the move is off: throws
   * `file_exists` (nothing is ever replaced), `partial_missing`, `blocks_damaged` or a disk error. Interrupted by the
   * signal it goes on at the next call with the same places; a signal with CALLED_OFF takes it back.
   */
  async relocate(task: TaskRecord, relocation: Relocation, signal: AbortSignal): Promise<void> {
    const { store } = this.#deps
    const resumed = JSON.stringify(task.relocation) === JSON.stringify(relocation)
    if (resumed && isThere(task, relocation)) return this.#leaveOld(task.id, relocation)
    try {
      if (!resumed) {
        await this.#mustBeFree(relocation)
        store.updateTask(task.id, { relocation }, { intent: true })
        await store.committed(true)
      }
      await this.#bring(task, relocation, resumed, signal)
    } catch (error) {
      if (!signal.aborted || signal.reason === CALLED_OFF) await this.#callOff(task.id, relocation)
      throw signal.aborted ? signal.reason : error
    } finally {
      this.#copied.delete(task.id)
    }
    this.#settle(task, relocation)
    await store.committed(true)
    await this.#leaveOld(task.id, relocation)
  }

  async #bring(task: TaskRecord, { from, to }: Relocation, resumed: boolean, signal: AbortSignal): Promise<void> {
    const { fs } = this.#deps
    const [old, there] = await Promise.all([onDisk(from, () => fs.stat(from)), onDisk(to, () => fs.stat(to))])
    let isNamed = false
    const named = async () => {
      await onDisk(to, () => fs.syncFolder(dirname(to)))
      isNamed = true
    }
    if (there && !(old && isOtherCase(from, to))) {
      // A crash came between the name and its record, or somebody else took the name.
      if (resumed && there.bytes === (old?.bytes ?? there.bytes) && (await this.#matches(task, to))) return named()
      throw alreadyThere(to)
    }
    if (!old) throw gone(from)
    await onDisk(to, () => fs.mkdir(dirname(to)))
    // Under its new name it would not be known for ours if a power cut left it torn.
    if (task.state === 'done' && task.fsyncedAt === null) await syncFile(from, this.#deps)
    try {
      await fs.renameExclusive(from, to, named)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') throw alreadyThere(to)
      if (code !== 'EXDEV') await onDisk(to, () => Promise.reject(error))
      await this.#copy(task, from, to, old.bytes, signal)
    }
    if (!isNamed)
      await named().catch(async (error: unknown) => {
        const isCopy = !isOtherCase(from, to) && (await fs.stat(from)) !== null
        await (isCopy ? fs.unlink(to) : fs.renameExclusive(to, from))
        throw error
      })
  }

  async #copy(task: TaskRecord, from: string, to: string, bytes: number, signal: AbortSignal): Promise<void> {
    const { fs, store, room } = this.#deps
    const { id } = task
    const hidden = hiddenName(to, id)
    const begun = await onDisk(hidden, () => fs.stat(hidden))
    // A sparse partial has holes where nothing came yet: they stay holes.
    const runs = task.state === 'done' ? [{ start: 0, end: bytes }] : coverage(store.segments(id))
    const there = begun?.bytes ?? 0
    const leftBytes = runs.reduce((sum, { start, end }) => sum + Math.max(0, end - Math.max(start, there)), 0)
    await room.make(id, [{ folder: dirname(to), fileBytes: bytes, leftBytes }])
    try {
      const copied: Copied = (so) => {
        this.#copied.set(id, so)
        this.#deps.progressed(id)
      }
      const blocks = store.blocks(id)
      const bad = await copyFile({ fs, from, to: hidden, begun: begun !== null, bytes, runs, blocks, copied, signal })
      if (bad.length > 0) throw this.#damaged(task, from, bad)
      await onDisk(to, () => fs.renameExclusive(hidden, to))
    } finally {
      room.release(id)
    }
  }

  /** What differs from its checksums is fetched again, where that is possible. */
  #damaged(task: TaskRecord, path: string, bad: readonly number[]): NighthaulError {
    const { store, bootId } = this.#deps
    const fetchedAgain = task.state !== 'done' && task.sizeBytes !== null
    if (fetchedAgain) {
      const segments = damage(store.segments(task.id), bad, task.sizeBytes!)
      store.checkpoint([{ id: task.id, bootId, segments, writtenBytes: writtenBytes(segments) }])
    }
    return new NighthaulError(
      'blocks_damaged',
      `${bad.length} blocks of ${path} do not match the checksums kept while they came, so the file was not moved. It is where it was.`,
      { path, blocks: bad.length, fetchedAgain },
    )
  }

  async #matches(task: TaskRecord, path: string): Promise<boolean> {
    const { fs, store } = this.#deps
    if (task.state !== 'done' || task.sizeBytes === null) return true
    const damaged = await damagedBlocks(path, task.sizeBytes, { fs, storedBlocks: () => store.blocks(task.id) })
    return damaged === null || damaged.length === 0
  }

  /** Where cases do not count the file itself is at its new name; giving it that replaces nothing. */
  async #mustBeFree({ from, to }: Relocation): Promise<void> {
    if (!isOtherCase(from, to) && (await onDisk(to, () => this.#deps.fs.stat(to)))) throw alreadyThere(to)
  }

  #settle(task: TaskRecord, { place, to }: Relocation): void {
    const { store } = this.#deps
    const { folder, filename, partPath } = place
    if ((folder !== task.folder || filename !== task.filename) && !store.reserveFilename(task.id, folder, filename))
      throw alreadyThere(to)
    store.updateTask(task.id, { partPath }, { intent: true })
  }

  /** The task says where its file is: what a copy left of the old one goes. What else is there by now stays. */
  async #leaveOld(id: TaskId, { from, to }: Relocation): Promise<void> {
    const { fs, store } = this.#deps
    const [old, there] = await Promise.all([fs.stat(from), fs.stat(to)])
    const isLeft = old !== null && old.bytes === there?.bytes && !isOtherCase(from, to) && !isFileOfTask(from, store)
    if (isLeft)
      await fs.unlink(from).catch((error: NodeJS.ErrnoException) => {
        this.#deps.logger.warn(
          { task: id, path: from, error: error.message },
          'a file that was moved stays also where it was',
        )
      })
    store.updateTask(id, { relocation: null })
  }

  async #callOff(id: TaskId, relocation: Relocation): Promise<void> {
    this.#deps.store.updateTask(id, { relocation: null })
    await this.deleteCopy(id, relocation)
  }

  /** What an interrupted copy left goes. */
  async deleteCopy(id: TaskId, { to }: Relocation): Promise<void> {
    const { fs, logger } = this.#deps
    await fs.unlink(hiddenName(to, id)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT')
        logger.warn({ task: id, error: error.message }, 'an unfinished copy could not be deleted')
    })
  }
}

function isThere(task: TaskRecord, { place }: Relocation): boolean {
  return task.folder === place.folder && task.filename === place.filename && task.partPath === place.partPath
}

/** The same place but for case or form: one file where the file system does not tell them apart. */
function isOtherCase(from: string, to: string): boolean {
  const [left, right] = [from, to].map((path) => path.normalize('NFC').toLowerCase())
  return dirname(from) === dirname(to) && left === right
}

/** Beside the name it will get; found again by whoever goes on. */
export function hiddenName(path: string, id: TaskId): string {
  const name = path.slice(dirname(path).length).replace(/^[/\\]/, '')
  return join(dirname(path), `.${shortened(name, 120)}.${id}.moving`)
}

export function alreadyThere(path: string): NighthaulError {
  return new NighthaulError(
    'file_exists',
    `${path} exists already, and nothing is ever replaced by a move. Nothing was changed.`,
    { path },
  )
}

export function gone(path: string): NighthaulError {
  return new NighthaulError(
    'partial_missing',
    `${path} is not there, so it cannot be moved. Say where it is now, or bring it back.`,
    {
      path,
    },
  )
}

interface Copy {
  fs: EngineDeps['fs']
  from: string
  to: string
  /** an earlier try left something at `to`: what is equal there is not written again */
  begun: boolean
  bytes: number
  runs: readonly { start: number; end: number }[]
  blocks: readonly BlockChecksum[]
  copied: Copied
  signal: AbortSignal
}

/** Ends when all is on the disk. Answers the blocks that are not what their checksums say. */
async function copyFile({ fs, from, to, begun, bytes, runs, blocks, copied, signal }: Copy): Promise<number[]> {
  const checksums = new Map(blocks.map((block) => [block.index, block]))
  const bad: number[] = []
  const source = await PartFile.open(fs, from, 'read')
  try {
    const target = await PartFile.open(fs, to, begun ? 'open' : 'create')
    try {
      // Its length says how far it came: what was not copied yet is not there.
      const there = begun ? await target.size() : 0
      let done = 0
      for (const run of runs)
        for (let at = run.start; at < Math.min(run.end, bytes); ) {
          signal.throwIfAborted()
          const length = Math.min(run.end, bytes, at - (at % BLOCK_BYTES) + BLOCK_BYTES) - at
          const piece = await source.read(at, length)
          const block = at % BLOCK_BYTES === 0 ? checksums.get(at / BLOCK_BYTES) : undefined
          if (piece.length !== length || (block?.bytes === length && crc32(piece) !== block.crc32))
            bad.push(Math.floor(at / BLOCK_BYTES))
          else if (at >= there || !(await target.read(at, length)).equals(piece)) await target.writeAll([piece], at)
          at += length
          done += length
          copied(done)
        }
      if (bad.length === 0) {
        if ((await target.size()) !== bytes) await target.resize(bytes)
        await target.datasync()
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
  return bad
}
