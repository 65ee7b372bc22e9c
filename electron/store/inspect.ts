/** What is at a path before anything is opened for good: nothing, a sound store, or a damaged one. Writes nothing. */
import { existsSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { allBackups } from './backup-files.ts'
import { type Migration, schemaVersion } from './migrate.ts'
import { schemaByShape } from './schema-version.ts'
import { isUnreadable } from './store-errors.ts'

export type Finding = { kind: 'none' } | { kind: 'sound'; version: number } | { kind: 'damaged'; reason: string }

/**
 * Stands beside a database in which a statement ran into damage. The quick check at start-up reads every row but
 * compares no index with its table; this asks for the thorough one, which takes about four times as long.
 */
export function suspectMark(path: string): string {
  return `${path}.suspect`
}

function bytesAt(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null
}

/**
 * Where a log was left behind the connection is read-only, because the last one to close otherwise moves the log into
 * the database: a store that turns out to be newer must stay as it is.
 */
export function openForReading(path: string, busyTimeoutMs: number): Database.Database {
  return new Database(path, {
    readonly: (bytesAt(`${path}-wal`) ?? 0) > 0,
    fileMustExist: true,
    timeout: busyTimeoutMs,
  })
}

/**
 * @returns `sound` also for schemas newer than ours, which nobody but a newer program can judge
 * @throws SQLite's and Node's own errors for anything but damage (no permission, busy, I/O)
 */
export function inspect(path: string, migrations: readonly Migration[], busyTimeoutMs: number): Finding {
  const bytes = bytesAt(path)
  if (bytes === null) return { kind: 'none' }
  if (bytes === 0) {
    // Also what is left when the program dies while it creates its first database; only then it has no past.
    const hasPast = (bytesAt(`${path}-wal`) ?? 0) > 0 || allBackups(path, 0).length > 0
    return hasPast ? { kind: 'damaged', reason: 'the file is empty' } : { kind: 'none' }
  }
  let db: Database.Database | undefined
  try {
    db = openForReading(path, busyTimeoutMs)
    const version = schemaVersion(db)
    const known = migrations.map((migration) => migration.version)
    if (version > (known.at(-1) ?? 0)) return { kind: 'sound', version }
    // SQLite writes whole pages. It reads what is missing of the last one as zeroes, and no check need notice.
    const isCut = bytes % (db.pragma('page_size', { simple: true }) as number) !== 0
    if (isCut && !bytesAt(`${path}-wal`)) return { kind: 'damaged', reason: 'the end of the file is missing' }
    const fault =
      faultOf(db, version, known, existsSync(suspectMark(path))) ??
      // Migrating what has been migrated would fail, at every start.
      (version > 0 && version < known.at(-1)! && schemaByShape(db, migrations) > version
        ? `the tables are newer than schema ${version}`
        : null)
    return fault === null ? { kind: 'sound', version } : { kind: 'damaged', reason: fault }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { kind: 'damaged', reason: error instanceof Error ? error.message : String(error) }
  } finally {
    db?.close()
  }
}

function faultOf(db: Database.Database, version: number, known: readonly number[], thorough: boolean): string | null {
  const hasTasks = db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tasks'`).get() !== undefined
  if (version !== 0 && !known.includes(version)) return `schema ${version} never existed`
  if (hasTasks !== version > 0) return `schema ${version} does not fit the tables`
  const verdict = db.pragma(thorough ? 'integrity_check(1)' : 'quick_check(1)', { simple: true })
  return verdict === 'ok' ? null : String(verdict)
}
