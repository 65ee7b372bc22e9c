/**
 * Room on volumes: what is about to be written fits beside what all other running downloads still have to write. Asked
 * for every file, so what was found a moment ago counts, less what was promised since. A sparse file takes no room for
 * bytes that are not written: what counts is what is left to write.
 */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskRecord } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { onDisk } from './disk-errors.ts'
import type { EngineDeps } from './ports.ts'

/** How long a look at a folder is good for. */
const FRESH_MS = 1_000
/** Folders remembered; all are forgotten beyond. */
const MOST_FOLDERS = 1_000
/** What is kept free is at most this part of a volume, so that small ones can be used too. */
const MOST_SPARED = 0.01

/** What will be written into a folder. */
export interface Demand {
  folder: string
  /** of the whole file; null: not known */
  fileBytes: number | null
  /** not written yet; null: not known */
  leftBytes: number | null
  /** the same at any later time, for as long as it is promised; left out: stays */
  left?: () => number | null
}

export interface Lack {
  path: string
  neededBytes: number
  freeBytes: number
  /** of the free ones: promised to other downloads, or to stay free */
  reservedBytes: number
}

interface Promised {
  device: string
  left: () => number
}

interface Space {
  device: string
  /** null: cannot be told */
  freeBytes: number | null
  /** of these promised, or to stay free */
  reservedBytes: number
  largestFileBytes: number | null
}

interface Wanted {
  demand: Demand
  space: Space
}

export class Room {
  readonly #deps: Pick<EngineDeps, 'fs' | 'clock'>
  readonly #keepFreeBytes: () => number
  readonly #folders = new Map<string, { lookedAt: number; device: string }>()
  readonly #spaces = new Map<string, Space>()
  readonly #promised = new Map<TaskId, Promised[]>()

  constructor(deps: Pick<EngineDeps, 'fs' | 'clock'>, keepFreeBytes: () => number) {
    this.#deps = deps
    this.#keepFreeBytes = keepFreeBytes
  }

  /**
   * Makes the folders and promises their room to the task, until `release`. Of several demands on one volume the first
   * counts: what lies there already need not be written again. Throws `disk_full` or `file_too_large`, or what making a
   * folder met; nothing is promised then.
   */
  async make(id: TaskId, demands: readonly Demand[]): Promise<void> {
    this.release(id)
    let wanted = await this.#lookAt(demands)
    if (lackOf(wanted)) {
      // What others gave back within the last moment is not known yet.
      for (const { folder } of demands) this.forget(folder)
      wanted = await this.#lookAt(demands)
    }
    const lack = lackOf(wanted)
    if (lack) throw diskFull(lack)
    for (const { demand, space } of wanted) {
      const { fileBytes } = demand
      if (fileBytes !== null && space.largestFileBytes !== null && fileBytes > space.largestFileBytes)
        throw fileTooLarge(demand.folder, fileBytes, space.largestFileBytes)
    }
    for (const { demand, space } of wanted) space.reservedBytes += demand.leftBytes ?? 0
    this.#promised.set(
      id,
      wanted.map(({ demand: { left, leftBytes }, space: { device } }) => ({
        device,
        left: () => left?.() ?? leftBytes ?? 0,
      })),
    )
  }

  release(id: TaskId): void {
    this.#promised.delete(id)
  }

  /** What was met while writing; of a full disk with what is missing in numbers. */
  async inNumbers(error: NighthaulError, task: TaskRecord | null): Promise<NighthaulError> {
    if (!task || error.code !== 'disk_full' || error.params.neededBytes !== undefined) return error
    const { folder, sizeBytes, writtenBytes } = task
    this.forget(folder)
    const neededBytes = sizeBytes === null ? null : sizeBytes - writtenBytes
    const freeBytes = await this.#deps.fs.freeBytes(folder)
    return new NighthaulError(error.code, error.message, { ...error.params, neededBytes, freeBytes }, { cause: error })
  }

  /** Somebody found the volume full: it is looked at anew. */
  forget(folder: string): void {
    this.#folders.delete(folder)
  }

  /**
   * What is missing for this to fit now; null: nothing, or it cannot be told. Makes the folders. `taken`: bytes by
   * device that others are about to be promised; what fits is added.
   */
  async lack(demands: readonly Demand[], taken: Map<string, number> = new Map()): Promise<Lack | null> {
    const wanted = await this.#lookAt(demands)
    const lack = lackOf(wanted, taken)
    if (!lack)
      for (const { demand, space } of wanted)
        taken.set(space.device, (taken.get(space.device) ?? 0) + (demand.leftBytes ?? 0))
    return lack
  }

  /** One for each volume. */
  async #lookAt(demands: readonly Demand[]): Promise<Wanted[]> {
    const wanted: Wanted[] = []
    for (const demand of demands) {
      const space = await this.#look(demand.folder)
      if (!wanted.some((other) => other.space.device === space.device)) wanted.push({ demand, space })
    }
    return wanted
  }

  async #look(path: string): Promise<Space> {
    const { fs, clock } = this.#deps
    const known = this.#folders.get(path)
    const space = known && this.#spaces.get(known.device)
    if (known && space && clock.monotonic() - known.lookedAt < FRESH_MS) return space
    await onDisk(path, () => fs.mkdir(path))
    const [volume, freeBytes] = await Promise.all([fs.volume(path), fs.freeBytes(path)])
    const device = volume?.device ?? path
    const fresh: Space = {
      device,
      largestFileBytes: volume?.largestFileBytes ?? null,
      freeBytes,
      reservedBytes: this.#spared(volume?.totalBytes ?? null) + this.#left(device),
    }
    if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear()
    this.#folders.set(path, { lookedAt: clock.monotonic(), device })
    this.#spaces.set(device, fresh)
    return fresh
  }

  #spared(totalBytes: number | null): number {
    return totalBytes === null ? 0 : Math.min(this.#keepFreeBytes(), Math.floor(totalBytes * MOST_SPARED))
  }

  #left(device: string): number {
    let bytes = 0
    for (const promised of this.#promised.values())
      for (const one of promised) if (one.device === device) bytes += one.left()
    return bytes
  }
}

function lackOf(wanted: readonly Wanted[], taken?: ReadonlyMap<string, number>): Lack | null {
  for (const { demand, space } of wanted) {
    if (space.freeBytes === null) continue
    // Of an unknown length: a first byte at least.
    const neededBytes = demand.leftBytes ?? 1
    const reservedBytes = space.reservedBytes + (taken?.get(space.device) ?? 0)
    if (neededBytes > 0 && neededBytes > space.freeBytes - reservedBytes)
      return { path: demand.folder, neededBytes, freeBytes: space.freeBytes, reservedBytes }
  }
  return null
}

function diskFull(lack: Lack): NighthaulError {
  const { path, neededBytes, freeBytes, reservedBytes } = lack
  const others = reservedBytes > 0 ? `, ${reservedBytes} of them reserved,` : ''
  return new NighthaulError(
    'disk_full',
    `The disk is too full: ${path} has ${freeBytes} bytes free${others} and the download needs ${neededBytes}. What is here is kept; make room, and it goes on.`,
    { ...lack },
  )
}

function fileTooLarge(path: string, fileBytes: number, largestBytes: number): NighthaulError {
  return new NighthaulError(
    'file_too_large',
    `The file has ${fileBytes} bytes, and the file system of ${path} takes files of at most ${largestBytes} (it is FAT). What is downloaded is kept; move the download to another disk.`,
    { path, fileBytes, largestBytes },
  )
}
