/**
 * Brings a database to the schema this program knows: one transaction a migration, a backup before the first, and a
 * refusal of anything newer. The schemas themselves are in migrations/.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type Database from 'better-sqlite3'
import { NighthaulError } from '../../shared/errors.ts'
import { type Connection, createPrivateFile, type StoreLogger } from './database.ts'

export interface Migration {
  /** schema version after this migration (`user_version`) */
  version: number
  name: string
  /** runs inside a transaction; throws to undo everything */
  up(db: Database.Database): void
}

/** Backups beyond this many, oldest first, are deleted when a new one is made. */
const BACKUPS_KEPT = 3

export function schemaVersion(db: Database.Database): number {
  return db.pragma('user_version', { simple: true }) as number
}

export function latestVersion(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0
}

export function newerStoreError(path: string, found: number, known: number): NighthaulError {
  return new NighthaulError(
    'store_newer',
    `The queue (${path}) was written by a newer Nighthaul; it was left untouched; update this one or use another profile.`,
    { path, found, known },
  )
}

/** `PATH.LABEL-2026-11-22T21-04-05-123Z`, or with a number behind it where that is taken. */
export function stampedPath(path: string, label: string, now: number): string {
  const stamped = `${path}.${label}-${new Date(now).toISOString().replace(/[:.]/g, '-')}`
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? stamped : `${stamped}-${number}`
    if (!existsSync(candidate)) return candidate
  }
}

/** Paths of this database's backups, newest first. */
export function backupsOf(path: string): string[] {
  const folder = dirname(path)
  const prefix = `${basename(path)}.backup-`
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && !/-(wal|shm|journal)$/.test(name))
    .map((name) => ({ name, stamp: name.slice(prefix.length).replace(/^v\d+-/, '') }))
    .sort((a, b) => (a.stamp < b.stamp ? 1 : -1))
    .map(({ name }) => join(folder, name))
}

/** A consistent copy, made by SQLite while others may read and write. Returns its path. */
function backUp({ db, path }: Connection, now: number): string {
  const target = stampedPath(path, `backup-v${schemaVersion(db)}`, now)
  createPrivateFile(target)
  try {
    db.prepare('VACUUM INTO ?').run(target)
  } catch (error) {
    rmSync(target, { force: true })
    throw error
  }
  // Where the clock was set back, this one is not the newest by its name.
  const others = backupsOf(path).filter((backup) => backup !== target)
  for (const old of others.slice(BACKUPS_KEPT - 1)) rmSync(old, { force: true })
  return target
}

/**
 * Runs what is missing, in order. A failing migration is undone, the ones before it stay, and its error is thrown. A new
 * database is made in one transaction: there is nothing to keep, and one flush is enough.
 * @throws `store_newer` (nothing was written)
 */
export function migrate(
  connection: Connection,
  migrations: readonly Migration[],
  { now, logger }: { now: () => number; logger: StoreLogger },
): void {
  const { db, path } = connection
  const found = schemaVersion(db)
  const known = latestVersion(migrations)
  if (found > known) throw newerStoreError(path, found, known)
  if (found === known) return
  if (found > 0) logger.info({ backup: backUp(connection, now()), from: found, to: known }, 'store backed up')

  const run = (migration: Migration) => {
    // Read again: another process may have migrated while this one waited for the lock.
    const current = schemaVersion(db)
    if (current > known) throw newerStoreError(path, current, known)
    if (current >= migration.version) return
    migration.up(db)
    const dangling = db.pragma('foreign_key_check') as unknown[]
    if (dangling.length > 0) throw new Error(`migration ${migration.version} leaves dangling references`)
    db.pragma(`user_version = ${migration.version}`)
    logger.info({ version: migration.version, name: migration.name }, 'store migrated')
  }
  if (found === 0) connection.intent(() => migrations.forEach(run))
  else for (const migration of migrations) connection.intent(() => run(migration))
}
