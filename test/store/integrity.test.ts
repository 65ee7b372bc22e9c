/** Digests and hashes of pieces: kept with their task, gone with it, and migrated to. */
import { expect, test } from 'vitest'
import { openConnection } from '../../electron/store/database.ts'
import { migrate } from '../../electron/store/migrate.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import type { PieceHashes } from '../../shared/integrity.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const PIECES: PieceHashes = {
  algorithm: 'sha-1',
  pieceBytes: 1024,
  values: ['a'.repeat(40), 'b'.repeat(40), '0'.repeat(40)],
}

test('hashes of pieces are kept with their task and go with it', () => {
  const path = storePath()
  const store = openTestStore({ path })
  const [first = 0, second = 0] = store.addTasks([
    newTask({ pieces: PIECES }),
    newTask({ url: 'https://example.org/b' }),
  ])
  expect(store.pieces(first)).toEqual(PIECES)
  expect(store.pieces(second)).toBeNull()
  store.removeTasks([first])
  expect(openRaw(path).prepare('SELECT count(*) FROM piece_hashes').pluck().get()).toBe(0)
})

test('hashes of pieces that cannot be read count as absent, with a warning', () => {
  const path = storePath()
  const logger = memoryLogger()
  const store = openTestStore({ path, logger })
  const [id = 0] = store.addTasks([newTask({ pieces: PIECES })])
  openRaw(path).prepare('UPDATE piece_hashes SET hashes = ?').run('zz')
  expect(store.pieces(id)).toBeNull()
  expect(logger.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ data: { taskId: id } }])
})

test('another version’s kind of digest is left out, the others stay', () => {
  const path = storePath()
  const store = openTestStore({ path })
  const [id = 0] = store.addTasks([newTask()])
  const known = { algorithm: 'md5', value: 'a'.repeat(32), source: 'etag' }
  openRaw(path)
    .prepare('UPDATE tasks SET found_digests = ?')
    .run(JSON.stringify([{ ...known, algorithm: 'sha-9' }, known, 7]))
  expect(store.getTask(id)?.foundDigests).toEqual([known])
})

test('a database from before them keeps its results, which came from the user', () => {
  const path = storePath()
  const connection = openConnection(path)
  const before = MIGRATIONS.filter(({ version }) => version < 70)
  migrate(connection, before, { now: () => TEST_NOW, logger: memoryLogger() })
  const checksum = { algorithm: 'md5', value: 'a'.repeat(32), verified: true }
  connection.db
    .prepare(
      `INSERT INTO tasks (position, url, name_key, folder, state, created_at, checksum)
       VALUES (1, 'https://example.org/a', 'a', '/d', 'done', 0, ?)`,
    )
    .run(JSON.stringify(checksum))
  connection.close()
  const store = openTestStore({ path })
  expect(store.getTask(1)).toMatchObject({ foundDigests: [], checksum: { ...checksum, source: 'user', from: null } })
  expect(store.pieces(1)).toBeNull()
})

test('a database from before files that came bad were kept in mind knows those that its errors name', () => {
  const path = storePath()
  const connection = openConnection(path)
  const before = MIGRATIONS.filter(({ version }) => version < 150)
  migrate(connection, before, { now: () => TEST_NOW, logger: memoryLogger() })
  const insert = connection.db.prepare(
    `INSERT INTO tasks (position, url, name_key, folder, state, created_at, error)
     VALUES (?, 'https://example.org/' || ?, 'a', '/d', 'failed', 0, ?)`,
  )
  const error = (code: string, params: object) => JSON.stringify({ code, message: code, params })
  const errors = [
    error('checksum_mismatch', { path: '/d/a (1).bad', earlierPath: '/d/a.bad' }),
    error('checksum_mismatch', { path: '/d/b.bad' }),
    error('disk_full', { path: '/d' }),
    'damaged',
    null,
  ]
  for (const [index, text] of errors.entries()) insert.run(index, index, text)
  connection.close()
  const store = openTestStore({ path })
  const known = errors.map((_, index) => store.getTask(index + 1)!.badTries?.came.map((bad) => bad.path) ?? null)
  expect(known).toEqual([['/d/a.bad', '/d/a (1).bad'], ['/d/b.bad'], null, null, null])
})
