/**
 * Brings the write-ahead log to the disk from one of Node's threads: what SQLite committed before survives a power cut
 * then, just as after a commit under synchronous=FULL, and nobody waits for the disk on the engine's thread. SQLite holds
 * no locks on the log itself, so that opening it beside SQLite takes none away (database.ts says why that matters). The
 * log is a new file after each start: its name is brought to the disk as well, which SQLite does with its own first flush.
 */
import { promises as fs } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { folderToDisk } from './to-disk.ts'

export class LogSync {
  readonly #path: string
  #log: Promise<FileHandle> | null = null
  #underWay: Promise<unknown> = Promise.resolve()

  /** `path`: of the database. */
  constructor(path: string) {
    this.#path = path
  }

  /** Rejects where there is no log, or it cannot be flushed. */
  run(): Promise<void> {
    this.#log ??= this.#open().catch((error: unknown) => {
      this.#log = null
      throw error
    })
    const done = this.#log.then((log) => log.datasync())
    this.#underWay = Promise.allSettled([this.#underWay, done])
    return done
  }

  async #open(): Promise<FileHandle> {
    const log = await fs.open(`${this.#path}-wal`, 'r+')
    try {
      await folderToDisk(dirname(this.#path))
      return log
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /** Once what is under way has ended. */
  async close(): Promise<void> {
    const log = this.#log
    this.#log = null
    await this.#underWay
    await (await log)?.close()
  }
}
