/** Puts a backup in the place of the database. The present one is set aside under another name, never deleted. */
import { existsSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { NighthaulError } from '../../shared/errors.ts'
import { BUSY_TIMEOUT_MS, SIDECARS, type StoreLogger } from './database.ts'
import { inspect, suspectMark } from './inspect.ts'
import { latestVersion, newerStoreError, stampedPath } from './migrate.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { fillFresh, secondName } from './salvage.ts'
import { isUnreadable, toStoreError } from './store-errors.ts'
import { takePlace } from './take-place.ts'

export interface RestoreReport {
  tasks: number
  /** where the database is that was there before; null: there was none */
  setAside: string | null
}

/**
 * Nobody may have the database open: the caller holds the queue's lock. What the backup says of files on the disk is
 * checked against them before it is believed.
 * @throws `backup_unusable` where the backup is damaged or none, `store_newer`, `store_busy` while another process uses
 *   the database, and disk errors; the present database is as it was then
 */
export function restoreBackup(
  path: string,
  backup: string,
  { now, logger }: { now: () => number; logger: StoreLogger },
): RestoreReport {
  const fresh = `${path}.restore`
  try {
    const options = { migrations: MIGRATIONS, now, logger, busyTimeoutMs: BUSY_TIMEOUT_MS }
    const finding = inspect(backup, MIGRATIONS, BUSY_TIMEOUT_MS)
    if (finding.kind !== 'sound' || finding.version === 0) throw unusable(backup)
    if (finding.version > latestVersion(MIGRATIONS)) {
      throw newerStoreError(backup, finding.version, latestVersion(MIGRATIONS))
    }
    const { tasksKept } = fillFresh(fresh, backup, options)
    const setAside = existsSync(path) ? stampedPath(path, 'replaced', now()) : null
    if (setAside !== null) {
      closeLog(path)
      secondName(path, setAside)
      // Only a damaged one still has a log.
      if (existsSync(`${path}-wal`)) secondName(`${path}-wal`, `${setAside}-wal`)
    }
    takePlace(fresh, path)
    rmSync(suspectMark(path), { force: true })
    return { tasks: tasksKept, setAside }
  } catch (error) {
    for (const suffix of ['', ...SIDECARS]) rmSync(fresh + suffix, { force: true })
    throw toStoreError(error, path)
  }
}

/** Empties the log into the database and leaves none: SQLite does that only where nobody else has it open. */
function closeLog(path: string): void {
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    db.pragma('journal_mode = DELETE')
  } catch (error) {
    if (!isUnreadable(error)) throw error
  } finally {
    db.close()
  }
}

function unusable(backup: string): NighthaulError {
  return new NighthaulError(
    'backup_unusable',
    `${backup} is no sound backup of a list. Nothing was changed; “nighthaul backups” shows which there are.`,
    { path: backup },
  )
}
