/**
 * Brings the write-ahead log to the disk from one of Node's threads: what SQLite committed before survives a power cut
 * then, just as after a commit under synchronous=FULL, and nobody waits for the disk on the engine's thread. SQLite holds
 * no locks on the log itself, so that opening it beside SQLite takes none away (database.ts says why that matters).
 */
import { promises as fs } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

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
    this.#log ??= fs.open(`${this.#path}-wal`, 'r+').catch((error: unknown) => {
      this.#log = null
      throw error
    })
    const done = this.#log.then((log) => log.datasync())
    this.#underWay = Promise.allSettled([this.#underWay, done])
    return done
  }

  /** Once what is under way has ended. */
  async close(): Promise<void> {
    const log = this.#log
    this.#log = null
    await this.#underWay
    await (await log)?.close()
  }
}
