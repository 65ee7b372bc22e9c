/**
 * A damaged database: set aside under another name, what can be read of it put in a fresh one, and a report. Rows are
 * read one by one by their rowid, so that a damaged page costs the rows on it and no others. Progress from a damaged
 * file is not trusted: the engine checks it against the checksums of the blocks before it goes on.
 */
import { constants, copyFileSync, existsSync, linkSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { TASK_STATES } from '../../shared/task-state.ts'
import { allBackups } from './backup-files.ts'
import { attempt, openDamaged, type Row, readableRows } from './damaged-file.ts'
import { type Connection, createPrivateFile, openConnection, SIDECARS, type StoreLogger } from './database.ts'
import { inspect, suspectMark } from './inspect.ts'
import { backupsOf, latestVersion, type Migration, migrate, stampedPath } from './migrate.ts'
import { mergeMissing } from './salvage-merge.ts'
import { schemaByShape } from './schema-version.ts'
import { sealOf } from './segment-seal.ts'
import { isConstraintViolation } from './store-errors.ts'
import { takePlace } from './take-place.ts'
import { fold } from './task-row.ts'

export interface SalvageReport {
  /** where the damaged file is now */
  setAside: string
  tasksKept: number
  /** those that were in the backup alone */
  tasksFromBackup: number
  /** null: the damaged file does not say how many there were */
  tasksLost: number | null
  /** the backup that filled the gaps */
  restoredFrom?: string
  /** what else was damaged, in words; where a backup filled its gaps it may be older than it was */
  unsure: string[]
}

export interface SalvageOptions {
  migrations: readonly Migration[]
  now: () => number
  logger: StoreLogger
  busyTimeoutMs: number
}

/** Leaves a sound database at `path`, or none at all. Returns its schema version (0: none). */
export function ensureSound(
  path: string,
  options: SalvageOptions,
): { version: number; recovered: SalvageReport | null } {
  const look = () => inspect(path, options.migrations, options.busyTimeoutMs)
  const first = look()
  if (first.kind !== 'damaged') {
    rmSync(suspectMark(path), { force: true })
    return { version: first.kind === 'sound' ? first.version : 0, recovered: null }
  }
  return withSalvageLock(path, options.busyTimeoutMs, () => {
    // Another process may have salvaged it while this one waited.
    const finding = look()
    if (finding.kind !== 'damaged') return { version: finding.kind === 'sound' ? finding.version : 0, recovered: null }
    options.logger.warn({ path, reason: finding.reason }, 'the store is damaged')
    const recovered = salvage(path, options)
    return { version: latestVersion(options.migrations), recovered }
  })
}

/** An SQLite lock rather than a file with a pid: the system releases it when its holder dies. */
function withSalvageLock<T>(path: string, busyTimeoutMs: number, work: () => T): T {
  const lockPath = `${path}.salvage-lock`
  createPrivateFile(lockPath)
  const lock = new Database(lockPath, { timeout: busyTimeoutMs })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return work()
  } finally {
    lock.close()
    rmSync(lockPath, { force: true })
  }
}

/**
 * The damaged file keeps its name until the fresh one takes it, in one rename: whenever this dies, the next start
 * finds either the damaged file or the finished new one, never an empty queue.
 */
function salvage(path: string, options: SalvageOptions): SalvageReport {
  const setAside = stampedPath(path, 'corrupt', options.now())
  try {
    secondName(path, setAside)
    if (existsSync(`${path}-wal`)) secondName(`${path}-wal`, `${setAside}-wal`)
    return salvageFrom(setAside, path, options)
  } catch (error) {
    // The damaged file still has its own name; the next start tries again.
    for (const unfinished of [setAside, freshPath(path), `${freshPath(path)}-from`]) {
      for (const suffix of ['', ...SIDECARS]) rmSync(unfinished + suffix, { force: true })
    }
    throw error
  }
}

function freshPath(path: string): string {
  return `${path}.salvage`
}

function salvageFrom(setAside: string, path: string, options: SalvageOptions): SalvageReport {
  const { logger } = options
  const fresh = freshPath(path)
  const { tasksKept, tasksExpected, damaged } = fillFresh(fresh, setAside, options)
  let restoredFrom: string | undefined
  let tasksFromBackup = 0
  if (tasksExpected !== tasksKept || damaged.size > 0) {
    const backup = allBackups(path, options.now()).find((candidate) => isSound(candidate.path, options))
    if (backup === undefined) {
      logger.warn({ setAside, tasksKept }, 'there is no backup to take from what could not be read')
    } else {
      restoredFrom = backup.path
      tasksFromBackup = fillGaps(fresh, restoredFrom, damaged, options)
      logger.warn({ setAside, backup: restoredFrom, tasksFromBackup }, 'what could not be read was taken from a backup')
    }
  }

  takePlace(fresh, path)
  rmSync(suspectMark(path), { force: true })
  const gap = tasksExpected === null ? null : Math.max(0, tasksExpected - tasksKept)
  // More than were missing: some of them had been removed since, so it cannot be told how many are still missing.
  const tasksLost = gap === null || tasksFromBackup > gap ? null : gap - tasksFromBackup
  const report: SalvageReport = {
    setAside,
    tasksKept,
    tasksFromBackup,
    tasksLost,
    ...(restoredFrom && { restoredFrom }),
    unsure: Object.entries(IN_WORDS).flatMap(([table, words]) => (damaged.has(table) ? [words] : [])),
  }
  logger.warn({ ...report }, 'the damaged store was set aside and what could be read was kept')
  return report
}

/** From a copy of the backup, brought to the present schema; it vouches for nothing on the disk either. */
function fillGaps(fresh: string, backup: string, damaged: ReadonlySet<string>, options: SalvageOptions): number {
  const present = `${fresh}-from`
  fillFresh(present, backup, options)
  const target = openConnection(fresh, { logger: options.logger })
  try {
    return mergeMissing(target, present, damaged)
  } finally {
    target.close()
    for (const suffix of ['', ...SIDECARS]) rmSync(present + suffix, { force: true })
  }
}

/** A hard link costs no space; a copy where the file system has no links. */
export function secondName(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error
    copyFileSync(from, to, constants.COPYFILE_EXCL)
  }
}

function isSound(path: string, { migrations, busyTimeoutMs }: SalvageOptions): boolean {
  const finding = inspect(path, migrations, busyTimeoutMs)
  return finding.kind === 'sound' && finding.version <= latestVersion(migrations)
}

interface Filled {
  tasksKept: number
  /** null: not known */
  tasksExpected: number | null
  /** tables of which rows may be missing */
  damaged: ReadonlySet<string>
}

/** Builds the database `fresh` from what can be read of `source`; leaves it closed, complete and without a log. */
export function fillFresh(fresh: string, source: string, { migrations, now, logger }: SalvageOptions): Filled {
  for (const suffix of ['', ...SIDECARS]) rmSync(fresh + suffix, { force: true })
  const target = openConnection(fresh, { logger })
  const from = openDamaged(source, `${fresh}-mended`, logger)
  try {
    // Rows go into the schema they were written under; the migrations then treat them like any others.
    const sourceVersion = from === null ? 0 : attempt(() => schemaByShape(from, migrations), 0)
    const schema = migrations.filter(({ version }) => version <= sourceVersion)
    migrate(target, schema.length === 0 ? migrations : schema, { now, logger })
    const filled =
      from === null
        ? { tasksKept: 0, tasksExpected: null, damaged: new Set(Object.keys(TABLES)) }
        : copyReadable(from, target, logger)
    migrate(target, migrations, { now, logger })
    return filled
  } finally {
    from?.close()
    target.close()
    for (const suffix of ['', ...SIDECARS]) rmSync(`${fresh}-mended${suffix}`, { force: true })
    for (const backup of backupsOf(fresh)) rmSync(backup, { force: true })
  }
}

/** How a row of each table is made fit to be kept; null: it cannot be. Parents come before their children. */
const TABLES: Readonly<Record<string, (row: Row) => Row | null>> = {
  tasks: repairTask,
  segments: repairSegment,
  block_pages: (row) => row,
  piece_hashes: (row) => row,
  mirrors: (row) => row,
  settings: (row) => row,
  queues: (row) => row,
  hosts: (row) => row,
  host_rules: (row) => row,
  request_statistics: (row) => row,
  received_bytes: (row) => row,
  journal: (row) => row,
  queue_bytes: (row) => row,
  removals: (row) => row,
  removed_tasks: repairRemoved,
  notices: (row) => row,
  schedule_state: (row) => row,
  repeats: (row) => row,
}

/** Of these people are told by name. Of the others either more is said, or nothing that they ever said is in them. */
const IN_WORDS: Readonly<Record<string, string>> = {
  settings: 'settings',
  queues: 'queues',
  schedule_state: 'profiles',
  repeats: 'repeating downloads',
  host_rules: 'rules for hosts',
  removed_tasks: 'removed downloads',
  mirrors: 'mirrors',
  piece_hashes: 'checksums of pieces',
}

function repairTask(row: Row): Row | null {
  if (typeof row.url !== 'string' || typeof row.folder !== 'string') return null
  // Another boot: the engine then checks what is behind the durable mark instead of trusting it.
  const repaired: Row = { ...row, boot_id: null }
  if (!TASK_STATES.some((state) => state === row.state)) repaired.state = 'paused'
  if (typeof row.filename === 'string') repaired.filename_folded = fold(row.filename)
  if (typeof row.written_bytes !== 'number' || row.written_bytes < 0) repaired.written_bytes = 0
  if (typeof row.size_bytes === 'number' && row.size_bytes < 0) repaired.size_bytes = null
  return repaired
}

function repairRemoved(row: Row): Row | null {
  try {
    return typeof row.content === 'string' && Array.isArray(JSON.parse(row.content).tasks) ? row : null
  } catch {
    // What it was cannot be told any more, so it cannot come back either.
    return null
  }
}

function repairSegment(row: Row): Row | null {
  const { start, end, written } = row
  if (typeof start !== 'number' || typeof written !== 'number' || start < 0 || written < start) return null
  if (end !== null && (typeof end !== 'number' || written > end)) return null
  const sealed = row.seal !== null && row.seal !== undefined
  const segment = { start, end: end as number | null, written, durable: row.durable as number }
  if (sealed && row.seal !== sealOf(row.task_id as number, segment)) return null
  const kept = { ...segment, durable: start }
  return { ...row, ...kept, ...(sealed && { seal: sealOf(row.task_id as number, kept) }) }
}

function copyReadable(from: Database.Database, target: Connection, logger: StoreLogger): Filled {
  const { db } = target
  const lastId = attempt(() => from.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'tasks'`).pluck().get(), null)
  const tasksExpected = attempt(
    () => from.prepare('SELECT coalesce(sum(count), 0) FROM task_counts').pluck().get() as number,
    null,
  )
  let tasksKept = 0
  const damaged = new Set<string>()
  target.intent(() => {
    for (const [table, repair] of Object.entries(TABLES)) {
      const kept = copyTable(from, db, table, repair, { logger, damaged })
      if (table === 'tasks') tasksKept = kept
    }
    db.exec(
      `UPDATE tasks SET written_bytes =
         (SELECT coalesce(sum(written - start), 0) FROM segments WHERE task_id = tasks.id)
       WHERE state <> 'done'`,
    )
    // Ids are never given twice, not even those of tasks that were lost.
    if (typeof lastId === 'number' && Number.isSafeInteger(lastId) && lastId > 0) {
      const updated = db.prepare(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'tasks'`).run(lastId)
      if (updated.changes === 0) db.prepare(`INSERT INTO sqlite_sequence (name, seq) VALUES ('tasks', ?)`).run(lastId)
    }
  })
  return { tasksKept, tasksExpected, damaged }
}

function copyTable(
  from: Database.Database,
  to: Database.Database,
  table: string,
  repair: (row: Row) => Row | null,
  { logger, damaged }: { logger: StoreLogger; damaged: Set<string> },
): number {
  // table_info leaves generated columns out, which is what an INSERT needs.
  const columns = (to.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name)
  // A schema from before this table.
  if (columns.length === 0) return 0
  // The default queue is there from the start: what is kept of it takes its place.
  const insert = to.prepare(
    `INSERT ${table === 'queues' ? 'OR REPLACE ' : ''}INTO ${table} (${columns.map((name) => `"${name}"`).join(', ')})
     VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
  )
  let kept = 0
  let refused = 0
  for (const row of readableRows(from, table, columns, () => damaged.add(table))) {
    const repaired = repair(row)
    if (repaired !== null && (insertOrNull(insert, repaired) || insertRenumbered(to, insert, table, repaired))) kept++
    else refused++
  }
  if (refused > 0) damaged.add(table)
  logger.info({ table, kept, refused }, 'salvaged')
  return kept
}

function insertOrNull(insert: Database.Statement, row: Row): boolean {
  try {
    insert.run(row)
    return true
  } catch (error) {
    if (isConstraintViolation(error)) return false
    throw error
  }
}

/** A task whose place or name another one holds, by damage: it goes to the end and gets its name again later. */
function insertRenumbered(to: Database.Database, insert: Database.Statement, table: string, row: Row): boolean {
  if (table !== 'tasks') return false
  const position = to.prepare('SELECT coalesce(max(position), 0) + 1 FROM tasks').pluck().get()
  return insertOrNull(insert, { ...row, position, filename: null, filename_folded: null })
}
