/** When the list is backed up: once a day, by the owner of the queue. What fails is said and tried again; never fatal. */
import { toErrorInfo } from '../../shared/errors.ts'
import type { Settings } from '../../shared/schemas.ts'
import type { Notices } from './notices.ts'
import type { EngineDeps } from './ports.ts'

const DAY_MS = 86_400_000
/** The first look comes when the start is over. */
const FIRST_LOOK_MS = 30_000
const LOOK_EVERY_MS = 600_000

export interface BackupsDeps extends Pick<EngineDeps, 'store' | 'clock' | 'logger'> {
  settings: () => Settings
  notices: Notices
}

export class Backups {
  readonly #deps: BackupsDeps
  #nextLook: number
  #running: Promise<void> | null = null

  constructor(deps: BackupsDeps) {
    this.#deps = deps
    this.#nextLook = deps.clock.monotonic() + FIRST_LOOK_MS
  }

  /** A step of the clockwork. */
  step(): void {
    const { clock } = this.#deps
    if (this.#running !== null || clock.monotonic() < this.#nextLook) return
    this.#nextLook = clock.monotonic() + LOOK_EVERY_MS
    try {
      this.#backUpWhenDue()
    } catch (error) {
      this.#failed(error)
    }
  }

  #backUpWhenDue(): void {
    const { clock, store } = this.#deps
    const { backupDays: days, backupWeeks: weeks } = this.#deps.settings()
    if (days + weeks === 0) return
    const newest = store.newestBackupAt()
    const ageMs = newest === null ? DAY_MS : clock.now() - newest
    // Younger than now: the clock was wrong once, and would be believed for years.
    if (ageMs >= 0 && ageMs < DAY_MS) return
    this.#running = store
      .backUp({ days, weeks })
      .then(() => this.#deps.notices.drop('backup_failed'))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = null
      })
  }

  #failed(error: unknown): void {
    const { logger, notices } = this.#deps
    const { message } = toErrorInfo(error)
    logger.error({ error: message }, 'the list could not be backed up')
    try {
      notices.replace('backup_failed', { reason: message })
    } catch (cause) {
      // The same disk, most likely: the log has it.
      logger.error({ error: toErrorInfo(cause).message }, 'the failed backup could not be made known')
    }
  }

  /** Resolves when none is being made. */
  async settled(): Promise<void> {
    await this.#running
  }
}
