/** Bringing older databases up to date, and leaving newer ones alone. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Connection, openConnection } from '../../electron/store/database.ts'
import { openStore } from '../../electron/store/index.ts'
import { backupsOf, type Migration, migrate, schemaVersion } from '../../electron/store/migrate.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const now = () => TEST_NOW
const logger = memoryLogger()

function connect(path: string): Connection {
  const connection = openConnection(path)
  onTestFinished(() => connection.close())
  return connection
}

function adding(version: number, sql: string): Migration {
  return { version, name: `test ${version}`, up: (db) => void db.exec(sql) }
}

const first = adding(10, 'CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)')
const second = adding(20, 'ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 2')
const third = adding(30, 'UPDATE a SET x = x + y')

describe('the shipped migrations', () => {
  test('are numbered by tens and rise', () => {
    const versions = MIGRATIONS.map((migration) => migration.version)
    expect(versions.map((version) => version % 10)).toEqual(versions.map(() => 0))
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
  })

  test('leave the schema of the latest version, which a second opening does not touch', () => {
    const path = storePath()
    openTestStore({ path }).close()
    const log = memoryLogger()
    openTestStore({ path, logger: log }).close()
    expect(log.lines).toEqual([])
    expect(schemaVersion(openRaw(path))).toBe(MIGRATIONS.at(-1)?.version)
    expect(backupsOf(path)).toEqual([])
  })
})

describe('migrating', () => {
  test('runs what is missing, in order, and nothing twice', () => {
    const connection = connect(storePath())
    migrate(connection, [first], { now, logger })
    migrate(connection, [first, second, third], { now, logger })
    migrate(connection, [first, second, third], { now, logger })
    expect(connection.db.prepare('SELECT x, y FROM a').all()).toEqual([{ x: 3, y: 2 }])
    expect(schemaVersion(connection.db)).toBe(30)
  })

  test('of an existing database leaves a consistent private backup of what it was, log included', () => {
    const path = storePath()
    const connection = connect(path)
    migrate(connection, [first], { now, logger })
    connection.db.exec('UPDATE a SET x = 41')
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
    migrate(connection, [first, second], { now, logger })
    const backups = backupsOf(path)
    expect(backups.map((backup) => basename(backup))).toEqual(['queue.db.backup-v10-2026-11-22T21-04-05-000Z'])
    const backup = openRaw(backups[0] ?? '')
    expect(schemaVersion(backup)).toBe(10)
    expect(backup.prepare('SELECT * FROM a').all()).toEqual([{ x: 41 }])
    expect(backup.pragma('integrity_check', { simple: true })).toBe('ok')
    if (process.platform !== 'win32') expect(statSync(backups[0] ?? '').mode & 0o777).toBe(0o600)
  })

  test('keeps the three newest backups', () => {
    const path = storePath()
    const connection = connect(path)
    for (const minute of [1, 2, 3, 4, 5]) {
      const migrations = Array.from({ length: minute }, (_, index) => adding((index + 1) * 10, 'SELECT 1'))
      migrate(connection, migrations, { now: () => TEST_NOW + minute * 60_000, logger })
    }
    expect(backupsOf(path).map((backup) => basename(backup))).toEqual([
      'queue.db.backup-v40-2026-11-22T21-09-05-000Z',
      'queue.db.backup-v30-2026-11-22T21-08-05-000Z',
      'queue.db.backup-v20-2026-11-22T21-07-05-000Z',
    ])
  })

  test('keeps the backup it has just made, also where the clock was set back', () => {
    const path = storePath()
    const connection = connect(path)
    for (const [index, minute] of [1, 2, 3, 4, -60].entries()) {
      const migrations = Array.from({ length: index + 1 }, (_, place) => adding((place + 1) * 10, 'SELECT 1'))
      migrate(connection, migrations, { now: () => TEST_NOW + minute * 60_000, logger })
    }
    expect(backupsOf(path).map((backup) => basename(backup))).toEqual([
      'queue.db.backup-v30-2026-11-22T21-08-05-000Z',
      'queue.db.backup-v20-2026-11-22T21-07-05-000Z',
      'queue.db.backup-v40-2026-11-22T20-04-05-000Z',
    ])
  })

  test('commits each migration by itself: a failing one is undone whole, those before it stay', () => {
    const path = storePath()
    const connection = connect(path)
    migrate(connection, [first], { now, logger })
    const failing = adding(30, 'DELETE FROM a; CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)')
    expect(() => migrate(connection, [first, second, failing], { now, logger })).toThrow('nowhere')
    expect(schemaVersion(connection.db)).toBe(20)
    expect(connection.db.prepare('SELECT * FROM a').all()).toEqual([{ x: 1, y: 2 }])
    expect(connection.db.prepare(`SELECT name FROM sqlite_schema WHERE name = 'half'`).get()).toBeUndefined()
    expect(backupsOf(path)).toHaveLength(1)
  })

  test('that fails leaves a store which the older program still opens with all its tasks', () => {
    const path = storePath()
    openTestStore({ path }).addTasks([newTask(), newTask()])
    const connection = connect(path)
    const failing = adding(1000, 'DROP TABLE segments; DELETE FROM tasks; SELECT nothing')
    expect(() => migrate(connection, [...MIGRATIONS, failing], { now, logger })).toThrow()
    connection.close()
    const reopened = openTestStore({ path })
    expect(reopened.getTasks([1, 2])).toHaveLength(2)
    expect(reopened.segments(1)).toEqual([])
  })

  test('refuses a migration that leaves rows pointing nowhere', () => {
    const connection = connect(storePath())
    migrate(connection, MIGRATIONS, { now, logger })
    const dangling: Migration = {
      version: 1000,
      name: 'dangling',
      up: (db) => {
        db.pragma('defer_foreign_keys = ON')
        db.exec('INSERT INTO segments (task_id, start, written, durable) VALUES (77, 0, 0, 0)')
      },
    }
    expect(() => migrate(connection, [...MIGRATIONS, dangling], { now, logger })).toThrow('dangling references')
    expect(connection.db.prepare('SELECT count(*) FROM segments').pluck().get()).toBe(0)
  })
})

describe('a database of a newer schema', () => {
  const filesOf = (path: string) =>
    readdirSync(dirname(path))
      .filter((name) => !name.endsWith('-shm'))
      .map((name) => [name, readFileSync(`${dirname(path)}/${name}`).toString('base64')])

  test('is refused with a clear message and stays as it is, byte for byte', () => {
    const path = storePath()
    openTestStore({ path }).close()
    const newer = new Database(path)
    newer.pragma('user_version = 990')
    newer.close()
    const before = filesOf(path)
    expect(() => openStore({ path, now })).toThrow(
      expect.objectContaining({
        code: 'store_newer',
        params: expect.objectContaining({ found: 990 }),
        message: expect.stringMatching(/newer Nighthaul.*untouched.*update/),
      }),
    )
    expect(filesOf(path)).toEqual(before)
  })

  test('stays as it is even where its program died and left a log behind', () => {
    const path = storePath()
    const store = openTestStore({ path })
    store.addTasks([newTask()])
    const newer = openRaw(path)
    newer.pragma('user_version = 990')
    // What a killed process leaves: the database and its log, copied while both are open.
    const left = storePath()
    for (const suffix of ['', '-wal']) writeFileSync(left + suffix, readFileSync(path + suffix))
    const before = filesOf(left)
    expect(() => openStore({ path: left, now })).toThrow(expect.objectContaining({ code: 'store_newer' }))
    expect(filesOf(left)).toEqual(before)
  })

  test('is refused by a migration that finds it only once it holds the lock', () => {
    const connection = connect(storePath())
    migrate(connection, [first, second], { now, logger })
    expect(() => migrate(connection, [first], { now, logger })).toThrow(
      expect.objectContaining({ code: 'store_newer' }),
    )
  })
})
