/**
 * Makes a daily backup: a consistent copy, taken a few pages at a time from a snapshot while everybody goes on, looked
 * through before it gets its name; only then an older one may go.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { NighthaulError } from '../../shared/errors.ts'
import { type BackupFile, backupFolder, dailyBackups, dailyPath, superfluous } from './backup-files.ts'
import { createPrivateFile, SIDECARS, type StoreLogger } from './database.ts'
import { toBackupError } from './store-errors.ts'
import { fileToDisk, folderToDisk } from './to-disk.ts'

/** About half a millisecond of copying, then the event loop has its turn. */
const PAGES_A_STEP = 256

export interface BackUpOptions {
  now: () => number
  logger: StoreLogger
  keep: { days: number; weeks: number }
}

/**
 * @returns the new backup; null: nothing has changed since the newest one
 * @throws `store_corrupt` where the copy does not pass its check; `disk_full`, `folder_not_writable` and others like them
 */
export async function backUp(path: string, options: BackUpOptions): Promise<BackupFile | null> {
  try {
    return await makeBackup(path, options)
  } catch (error) {
    throw toBackupError(error, backupFolder(path))
  }
}

async function makeBackup(path: string, { now, logger, keep }: BackUpOptions): Promise<BackupFile | null> {
  const folder = backupFolder(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const changedMs = lastChangeMs(path)
  const [newest] = dailyBackups(path, now())
  // A backup carries the time of what it is a copy of.
  if (newest !== undefined && Math.trunc(statSync(newest.path).mtimeMs) === changedMs) return null
  // What a crash left half made.
  for (const name of readdirSync(folder)) if (/\.new(-\w+)?$/.test(name)) rmSync(join(folder, name), { force: true })
  const target = dailyPath(path, now())
  const unfinished = `${target}.new`
  try {
    createPrivateFile(unfinished)
    await copy(path, unfinished)
    check(unfinished)
    await fileToDisk(unfinished)
    utimesSync(unfinished, changedMs / 1000, changedMs / 1000)
    renameSync(unfinished, target)
    await folderToDisk(folder)
  } catch (error) {
    for (const suffix of ['', ...SIDECARS]) rmSync(unfinished + suffix, { force: true })
    throw error
  }
  for (const old of superfluous(dailyBackups(path, now()), keep)) rmSync(old.path, { force: true })
  const backup = { path: target, at: Math.trunc(now() / 1000) * 1000, bytes: statSync(target).size, daily: true }
  logger.info({ backup: target, bytes: backup.bytes }, 'the list was backed up')
  return backup
}

/** When the database, or its log, was written last: whole epoch ms. */
function lastChangeMs(path: string): number {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })
  const logMs = log !== undefined && log.size > 0 ? log.mtimeMs : 0
  return Math.trunc(Math.max(statSync(path).mtimeMs, logMs))
}

/** A connection of its own, whose open read transaction is the snapshot: what others write does not begin it anew. */
async function copy(path: string, target: string): Promise<void> {
  const source = new Database(path, { readonly: true, fileMustExist: true })
  try {
    source.exec('BEGIN')
    source.prepare('SELECT count(*) FROM sqlite_schema').get()
    await source.backup(target, { progress: () => PAGES_A_STEP })
  } finally {
    source.close()
  }
}

/** Makes it one file without a log, and reads all of it once. */
function check(path: string): void {
  const db = new Database(path, { fileMustExist: true })
  try {
    db.pragma('journal_mode = DELETE')
    const verdict = db.pragma('quick_check(1)', { simple: true })
    if (verdict === 'ok') return
    throw new NighthaulError(
      'store_corrupt',
      `The backup of the list was not kept, because the list is damaged (${verdict}); older backups are as they were. Start Nighthaul again and it saves what can be read.`,
      { path, verdict: String(verdict) },
    )
  } finally {
    db.close()
  }
}
