/**
 * What can be read of a damaged database: opened in spite of its header, its rows one by one by their rowid. What
 * becomes of them is the salvage's.
 */
import { closeSync, copyFileSync, existsSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { SIDECARS, type StoreLogger } from './database.ts'
import { isUnreadable } from './store-errors.ts'

export type Row = Record<string, unknown>

/**
 * Bytes of the header that are the same in all our databases, by offset (https://www.sqlite.org/fileformat2.html, 1.3):
 * what the file is, its pages of 4096 bytes, the log beside it, fixed fractions, the schema's format, UTF-8.
 */
const HEADER: readonly (readonly [at: number, bytes: Buffer])[] = [
  [0, Buffer.from('SQLite format 3\0')],
  [16, Buffer.from([0x10, 0, 2, 2, 0, 64, 32, 32])],
  [44, Buffer.from([0, 0, 0, 4])],
  [52, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])],
  [64, Buffer.from([0, 0, 0, 0])],
]
const HEADER_BYTES = 100
/** What the file's length in the header counts for: not where these two differ. The length itself does then. */
const CHANGES_AT = 24
const CHANGES_OF_LENGTH_AT = 92

/**
 * Read-only. Null where nothing of it can be read. `mended`: where a copy with another header may be made, if the own
 * one is what is damaged; whoever closes the connection deletes it.
 */
export function openDamaged(path: string, mended: string, logger: StoreLogger): Database.Database | null {
  const db = openLeniently(path, logger)
  if (db !== null && hasSchema(db)) return db
  if (!isReadable(() => copyWithHeader(path, mended))) return db
  const other = openLeniently(mended, logger)
  if (other !== null && hasSchema(other)) {
    logger.warn({ path }, 'the header of the damaged store is damaged; it is read as it should be')
    db?.close()
    return other
  }
  other?.close()
  return db
}

function hasSchema(db: Database.Database): boolean {
  return attempt(() => db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() !== 0, false)
}

/** False also where the disk does not give the file away as a whole. */
function isReadable(copy: () => boolean): boolean {
  try {
    return copy()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return false
    throw error
  }
}

/** False: the header is as it should be. */
function copyWithHeader(path: string, copy: string): boolean {
  const header = Buffer.alloc(HEADER_BYTES)
  const source = openSync(path, 'r')
  try {
    if (readSync(source, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return false
  } finally {
    closeSync(source)
  }
  if (HEADER.every(([at, bytes]) => header.subarray(at, at + bytes.length).equals(bytes))) return false
  for (const [at, bytes] of HEADER) bytes.copy(header, at)
  header.writeUInt32BE(~header.readUInt32BE(CHANGES_AT) >>> 0, CHANGES_OF_LENGTH_AT)
  for (const suffix of ['', ...SIDECARS]) rmSync(copy + suffix, { force: true })
  copyFileSync(path, copy)
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
  const target = openSync(copy, 'r+')
  try {
    writeSync(target, header, 0, HEADER_BYTES, 0)
  } finally {
    closeSync(target)
  }
  return true
}

/** Read-only, and told not to give up over a wrong length or a damaged schema. Null where even that fails. */
function openLeniently(path: string, logger: StoreLogger): Database.Database | null {
  let db: Database.Database | undefined
  try {
    db = new Database(path, { readonly: true, fileMustExist: true })
    db.unsafeMode(true)
    db.pragma('writable_schema = ON')
    db.pragma('cell_size_check = ON')
    return db
  } catch (error) {
    if (!isUnreadableRow(error)) throw error
    logger.warn({ path, error: String(error) }, 'nothing of the damaged store can be read')
    db?.close()
    return null
  }
}

/** A bad sector gives I/O errors, and wrong lengths or types give the others; none of them is a reason to give up. */
function isUnreadableRow(error: unknown): boolean {
  const code = error instanceof Database.SqliteError ? error.code : ''
  return isUnreadable(error) || /^SQLITE_(IOERR|CANTOPEN|READONLY|TOOBIG|SCHEMA|FORMAT)/.test(code)
}

/** The result of a read, or `otherwise` where damage prevents it. */
export function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    // RangeError: a stored integer beyond what a number holds.
    if (isUnreadableRow(error) || error instanceof RangeError) return otherwise
    throw error
  }
}

/** Failed look-ups of single rows after which a table is given up: a few seconds at most. */
const FAILURES_MAX = 200_000
/** How far past the last readable row to look where the table's end is unknown. */
const GUESSED_REST = 20_000

/** Every row of a table that can be read, by rising rowid. Steps over damaged pages one rowid at a time. */
export function* readableRows(
  from: Database.Database,
  table: string,
  columns: readonly string[],
  onDamage: () => void,
): Generator<Row> {
  const list = ['rowid AS "rowid"', ...columns.map((name) => `"${name}"`)].join(', ')
  const statements = attempt(
    () => ({
      next: from.prepare<[number], Row>(`SELECT ${list} FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT 1`),
      exact: from.prepare<[number], Row>(`SELECT ${list} FROM ${table} NOT INDEXED WHERE rowid = ?`),
      end: from.prepare<[], number | null>(`SELECT max(rowid) FROM ${table} NOT INDEXED`).pluck(),
    }),
    null,
  )
  if (statements === null) {
    onDamage()
    return
  }
  const end = attempt(() => statements.end.get() ?? null, null)
  let last = 0
  for (let failures = 0; failures < FAILURES_MAX; ) {
    const next = attempt<Row | 'damaged' | undefined>(() => statements.next.get(last), 'damaged')
    if (next === undefined) return
    if (next !== 'damaged' && typeof next.rowid === 'number' && next.rowid > last) {
      last = next.rowid
      yield next
      continue
    }
    onDamage()
    const stop = end !== null && end > last ? end : last + GUESSED_REST
    const found = untraced(() => {
      let row: Row | undefined
      while (row === undefined && last < stop && failures < FAILURES_MAX) {
        last += 1
        failures += 1
        row = attempt(() => statements.exact.get(last), undefined)
      }
      return row
    })
    if (found === undefined) return
    yield found
  }
}

/** Where thousands of errors are expected, what they cost most is to note where they came from. */
function untraced<T>(work: () => T): T {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
