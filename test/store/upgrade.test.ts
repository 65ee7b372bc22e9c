/** No silent loss on upgrade: a list with data in it, as every older version would have left it, keeps every row. */
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../electron/store/database.ts'
import { openStore } from '../../electron/store/index.ts'
import { backupsOf, type Migration, migrate } from '../../electron/store/migrate.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import { memoryLogger, newTask, openRaw, storePath, TEST_NOW } from '../helpers/store.ts'

const options = { now: () => TEST_NOW, logger: memoryLogger() }
const ROWS = 50

/** Every table and every row, without the columns that came later. Of positions, only their order counts. */
type Content = Map<string, Record<string, unknown>[]>

/** Columns that a migration moved into another one; tests of that migration look there. */
const MOVED: Readonly<Record<string, readonly string[]>> = { queues: ['limit_bytes_per_second'] }

function contentOf(db: Database.Database, like?: Content): Content {
  const names = db.prepare<[], string>(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
  )
  const tables = like ? [...like.keys()] : names.pluck().all()
  return new Map(tables.map((table) => [table, rowsOf(db, table, like?.get(table)?.[0])]))
}

function rowsOf(db: Database.Database, table: string, like?: Record<string, unknown>): Record<string, unknown>[] {
  const rows = db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY rowid`).all()
  const positions = rows.map(({ position }) => Number(position)).sort((one, other) => one - other)
  return rows.map((row) => {
    const kept = Object.entries(row).filter(
      ([name]) => !MOVED[table]?.includes(name) && (like === undefined || Object.hasOwn(like, name)),
    )
    const ranked = kept.map(([name, value]) => [name, name === 'position' ? positions.indexOf(Number(value)) : value])
    return Object.fromEntries(ranked)
  })
}

/** A database as the program of this version left it, with something in every table and column. */
function databaseOf(version: number): string {
  const path = storePath()
  const connection = openConnection(path)
  migrate(
    connection,
    MIGRATIONS.filter((migration) => migration.version <= version),
    options,
  )
  const { db } = connection
  const tables = contentOf(db)
  // Parents first: `tasks` was made first.
  for (const table of tables.keys()) {
    if (table === 'task_counts' || table === 'queue_open') continue
    const columns = db.pragma(`table_info(${table})`) as { name: string; type: string }[]
    const insert = db.prepare(
      `INSERT OR IGNORE INTO ${table} (${columns.map(({ name }) => `"${name}"`).join(', ')})
       VALUES (${columns.map(() => '?').join(', ')})`,
    )
    for (let row = 1; row <= ROWS; row++) insert.run(...columns.map(({ name, type }) => sample(name, type, row)))
  }
  connection.close()
  return path
}

function sample(name: string, type: string, row: number): unknown {
  if (name === 'state') return ['queued', 'paused', 'done', 'failed'][row % 4]
  if (name === 'lease_owner') return null
  if (name === 'content') return JSON.stringify({ tasks: [{ id: row, url: `https://example.org/${row}` }] })
  if (type === 'BLOB') return Buffer.alloc(8, row)
  return type === 'TEXT' ? `${name}-${row}` : row
}

function openSilently(path: string) {
  const { store, recovered } = openStore({ path, ...options })
  onTestFinished(() => store.close())
  return { store, recovered }
}

describe.each(MIGRATIONS.map(({ version }) => version))('a list of version %d', (version) => {
  test('keeps every row of every table, and a backup of what it was', () => {
    const path = databaseOf(version)
    const before = contentOf(openRaw(path))
    expect(before.get('tasks')).toHaveLength(ROWS)
    const { store, recovered } = openSilently(path)
    expect(recovered).toBeNull()
    expect(store.selectIds({ filter: {} })).toHaveLength(ROWS)
    expect(Object.values(store.countsByState()).reduce((sum, count) => sum + count, 0)).toBe(ROWS)
    expect(contentOf(openRaw(path), before)).toEqual(before)
    expect(openRaw(path).pragma('integrity_check', { simple: true })).toBe('ok')
    const backups = backupsOf(path)
    expect(backups).toHaveLength(version === MIGRATIONS.at(-1)!.version ? 0 : 1)
    for (const backup of backups) expect(contentOf(openRaw(backup))).toEqual(before)
    expect(store.addTasks([newTask()])).toEqual([ROWS + 1])
  })
})

test.each([MIGRATIONS[0]!.version, MIGRATIONS.at(-1)!.version])(
  'a list of version %d is as it was where a later migration fails, with its backup beside it',
  (version) => {
    const path = databaseOf(version)
    const before = contentOf(openRaw(path))
    const failing: Migration = {
      version: 10_000,
      name: 'fails halfway',
      up: (db) => {
        db.exec('DELETE FROM segments; DROP TABLE settings')
        throw new Error('the disk is full')
      },
    }
    const old = MIGRATIONS.filter((migration) => migration.version <= version)
    const connection = openConnection(path)
    onTestFinished(() => connection.close())
    expect(() => migrate(connection, [...old, failing], options)).toThrow('the disk is full')
    expect(contentOf(connection.db)).toEqual(before)
    expect(contentOf(openRaw(backupsOf(path)[0]!))).toEqual(before)
  },
)

test('a list of a newer version is refused and left as it was, byte for byte', () => {
  const path = databaseOf(MIGRATIONS.at(-1)!.version)
  const raw = openRaw(path)
  raw.pragma('user_version = 99990')
  raw.close()
  const copy = `${path}.copy`
  copyFileSync(path, copy)
  expect(() => openSilently(path)).toThrow(expect.objectContaining({ code: 'store_newer' }))
  expect(readFileSync(path).equals(readFileSync(copy))).toBe(true)
  expect(existsSync(`${path}-wal`)).toBe(false)
  expect(readdirSync(dirname(path)).sort()).toEqual(['queue.db', 'queue.db.copy'])
})
