/**
 * Folders to download to: that they are there, and that what is about to be written fits. Asked for every file, so what
 * was found a moment ago counts, less what was promised to others since.
 */
import { NighthaulError } from '../../shared/errors.ts'
import { onDisk } from './disk-errors.ts'
import type { EngineDeps } from './ports.ts'

/** How long a look at a folder is good for. */
const FRESH_MS = 1_000
/** Folders remembered; all are forgotten beyond. */
const MOST_FOLDERS = 1_000

interface Folder {
  lookedAt: number
  /** null: cannot be told */
  freeBytes: number | null
}

export class Room {
  readonly #deps: Pick<EngineDeps, 'fs' | 'clock'>
  readonly #folders = new Map<string, Folder>()

  constructor(deps: Pick<EngineDeps, 'fs' | 'clock'>) {
    this.#deps = deps
  }

  /** Throws `disk_full` where `bytes` (null: not known) do not fit, or what making the folder met. */
  async make(path: string, bytes: number | null): Promise<void> {
    const folder = await this.#look(path)
    if (bytes === null || folder.freeBytes === null) return
    if (bytes > folder.freeBytes) {
      this.#folders.delete(path)
      throw new NighthaulError(
        'disk_full',
        `The disk is too full: ${path} has ${folder.freeBytes} bytes free and the file needs ${bytes}. Free some space and resume.`,
        { path, neededBytes: bytes, freeBytes: folder.freeBytes },
      )
    }
    folder.freeBytes -= bytes
  }

  async #look(path: string): Promise<Folder> {
    const { fs, clock } = this.#deps
    const known = this.#folders.get(path)
    if (known && clock.monotonic() - known.lookedAt < FRESH_MS) return known
    await onDisk(path, () => fs.mkdir(path))
    const folder = { lookedAt: clock.monotonic(), freeBytes: await fs.freeBytes(path) }
    if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear()
    this.#folders.set(path, folder)
    return folder
  }
}
