/**
 * One SQLite connection: how it is opened, which pragmas it gets, how it commits, how it is closed. What the tables
 * are is in migrations/, what is done with them in the file of each table group. docs/adr/0004-wal-settings.md says why.
 */
import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { createCommitGroup } from './commit-group.ts'
import { LogSync } from './log-sync.ts'
import { isBusy } from './store-errors.ts'

export interface StoreLogger {
  info(data: Record<string, unknown>, message: string): void
  warn(data: Record<string, unknown>, message: string): void
}

export const SILENT: StoreLogger = { info: () => {}, warn: () => {} }

export interface Connection {
  readonly path: string
  readonly db: Database.Database
  /** One transaction that is on the disk when this returns (synchronous=FULL). */
  intent<T>(work: () => T): T
  /**
   * One transaction that survives a killed process, and a power cut once a later `intent` returned (NORMAL). With
   * grouped commits it joins the others of this turn of the event loop: `committed` says when.
   */
  progress<T>(work: () => T): T
  /** Resolves when everything before it is committed, `durable`: on the disk; rejects where that failed. */
  committed(durable: boolean): Promise<void>
  /** One consistent view for several reads. */
  read<T>(work: () => T): T
  /** Empties the write-ahead log into the database and closes. Idempotent. */
  close(): void
}

export const BUSY_TIMEOUT_MS = 5000

/** A database file together with the files SQLite keeps beside it. */
export const SIDECARS = ['-wal', '-shm'] as const

/**
 * Creates an empty file that only its owner may read: options of tasks hold passwords and cookies. SQLite gives -wal
 * and -shm the permissions of the database. An existing file is never opened here: closing any descriptor of it would
 * drop the locks SQLite holds on it in this process (POSIX).
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function keepPrivate(path: string, logger: StoreLogger): void {
  if (process.platform === 'win32' || (statSync(path).mode & 0o077) === 0) return
  try {
    chmodSync(path, 0o600)
    for (const suffix of SIDECARS) if (existsSync(path + suffix)) chmodSync(path + suffix, 0o600)
  } catch (error) {
    logger.warn({ path, error: String(error) }, 'the store can be read by other users and that could not be changed')
  }
}

/** Two processes that open a new database at once: the switch to WAL does not wait for the other's lock by itself. */
function switchToWal(db: Database.Database, busyTimeoutMs: number): unknown {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + busyTimeoutMs
  for (;;) {
    try {
      return db.pragma('journal_mode = WAL', { simple: true })
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      Atomics.wait(pause, 0, 0, 10)
    }
  }
}

/** Opens (or creates) the database at `path` for reading and writing. Throws SQLite's and Node's own errors. */
export function openConnection(
  path: string,
  {
    busyTimeoutMs = BUSY_TIMEOUT_MS,
    logger = SILENT,
    groupCommits = false,
    flushesHere = false,
  }: { busyTimeoutMs?: number; logger?: StoreLogger; groupCommits?: boolean; flushesHere?: boolean } = {},
): Connection {
  createPrivateFile(path)
  keepPrivate(path, logger)
  const db = new Database(path, { timeout: busyTimeoutMs })
  try {
    const mode = switchToWal(db, busyTimeoutMs)
    if (mode !== 'wal') logger.warn({ path, mode }, 'this disk does not support a write-ahead log; the store is slower')
    db.pragma('synchronous = NORMAL')
    db.pragma('foreign_keys = ON')
    // Adding 100,000 tasks in one transaction spends most of its time on temporary files otherwise.
    db.pragma('temp_store = MEMORY')
    // macOS: fsync alone leaves the bytes in the drive's cache. Nothing elsewhere.
    db.pragma('fullfsync = ON')
    // Each time the log is emptied, this thread waits for the disk twice: with many small files that is often.
    db.pragma('wal_autocheckpoint = 4000')
    // A large import leaves a large log behind; give the space back.
    db.pragma(`journal_size_limit = ${16 * 1024 * 1024}`)
  } catch (error) {
    db.close()
    throw error
  }
  const hasLog = db.pragma('journal_mode', { simple: true }) === 'wal'
  const log = hasLog && !flushesHere ? new LogSync(path) : null
  return connectionOver(db, path, logger, groupCommits, log)
}

function connectionOver(
  db: Database.Database,
  path: string,
  logger: StoreLogger,
  groupCommits: boolean,
  log: LogSync | null,
): Connection {
  // IMMEDIATE: the lock is taken up front, where the busy timeout applies; a read lock that becomes a write lock
  // halfway fails at once when another process wrote in between.
  const transaction = db.transaction((work: () => unknown) => work())
  let level: 'NORMAL' | 'FULL' = 'NORMAL'
  const setLevel = (wanted: typeof level) => {
    // SQLite refuses to change this inside a transaction, and applies it while it prepares: so no prepared statement.
    if (level === wanted || db.inTransaction) return
    db.pragma(`synchronous = ${wanted}`)
    level = wanted
  }
  const write = <T>(wanted: typeof level, work: () => T): T => {
    setLevel(wanted)
    return transaction.immediate(work) as T
  }
  const flushHere = () =>
    write('FULL', () => db.pragma(`user_version = ${db.pragma('user_version', { simple: true })}`))
  const group = createCommitGroup(
    {
      begin() {
        setLevel('NORMAL')
        db.exec('BEGIN IMMEDIATE')
      },
      commit: () => db.exec('COMMIT'),
      rollBack: () => db.inTransaction && db.exec('ROLLBACK'),
      // Within the group's transaction this is a savepoint: a work that throws takes back its own changes alone.
      run: (work) => transaction(work),
      async flush() {
        if (log) await log.run().catch(flushHere)
        else flushHere()
      },
    },
    logger,
  )
  return {
    path,
    db,
    intent(work) {
      group.commit()
      return write('FULL', work)
    },
    progress: <T>(work: () => T) =>
      groupCommits && !(db.inTransaction && !group.isOpen) ? (group.run(work) as T) : write('NORMAL', work),
    committed: (durable) => group.committed(durable),
    read: <T>(work: () => T) => transaction.deferred(work) as T,
    close() {
      if (!db.open) return
      try {
        group.commit()
      } catch (error) {
        logger.warn({ path, error: String(error) }, 'the last changes could not be stored')
      }
      try {
        db.pragma('wal_checkpoint(TRUNCATE)')
      } catch (error) {
        // Nothing is lost: the log stays beside the database and the next opening reads it.
        logger.warn({ path, error: String(error) }, 'the write-ahead log could not be emptied')
      }
      db.close()
      log?.close().catch((error: unknown) => logger.warn({ path, error: String(error) }, 'the log could not be closed'))
    },
  }
}
