/** Tasks as rows: add, read, change, remove, names, counts, settings, and values that were damaged. */
import { statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TaskPatch } from '../../shared/records.ts'
import { TASK_STATES } from '../../shared/task-state.ts'
import { RIGHT } from '../helpers/fake-verifications.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const MD5 = { algorithm: 'md5', value: 'd41d8cd98f00b204e9800998ecf8427e' } as const

describe('tasks', () => {
  test('come back as they were added, with ids and positions in the order given', () => {
    const store = openTestStore()
    const ids = store.addTasks([
      newTask({ requestedFilename: 'own name.iso', options: { connections: 3, headers: [['X-Key', 'a']] } }),
      newTask({ url: 'https://example.org/b', state: 'paused', leaseOwner: 'pid:1' }),
    ])
    expect(ids).toEqual([1, 2])
    expect(store.getTask(1)).toEqual({
      id: 1,
      url: 'https://example.org/files/archive.tar.gz',
      requestedFilename: 'own name.iso',
      filename: null,
      folder: '/downloads',
      state: 'queued',
      position: 1024,
      sizeBytes: null,
      writtenBytes: 0,
      sourceUrl: null,
      finalUrl: null,
      etag: null,
      lastModified: null,
      lastModifiedStrong: false,
      contentType: null,
      contentEncoding: null,
      httpVersion: null,
      acceptsRanges: null,
      options: { connections: 3, headers: [['X-Key', 'a']] },
      error: null,
      retryAt: null,
      attempts: 0,
      secondChances: 0,
      hostWaits: 0,
      connectionsUsed: 0,
      resumedFromBytes: 0,
      checksum: null,
      foundDigests: [],
      badTries: null,
      verification: null,
      createdAt: TEST_NOW,
      startedAt: null,
      finishedAt: null,
      bootId: null,
      fsyncedAt: null,
      startAt: null,
      forced: false,
      queueId: 1,
      leaseOwner: null,
      strategy: [],
      partPath: null,
      relocation: null,
    })
    expect(store.getTask(2)).toMatchObject({ position: 2 * 1024, state: 'paused', leaseOwner: 'pid:1' })
    expect(store.getTask(3)).toBeNull()
    expect(store.getTasks([2, 99, 1]).map((task) => task.id)).toEqual([2, 1])
  })

  test('keep every field of a patch, and the fields a patch does not name', () => {
    const path = storePath()
    const store = openTestStore({ path })
    const [id = 0] = store.addTasks([newTask()])
    const patch: Required<TaskPatch> = {
      url: 'https://example.org/renewed',
      requestedFilename: 'wanted.bin',
      filename: 'wanted.bin',
      folder: '/elsewhere',
      state: 'waiting',
      sizeBytes: 5_000_000_000_000,
      writtenBytes: 4_999_999_999_999,
      sourceUrl: 'https://mirror.example/file',
      finalUrl: 'https://cdn.example.org/x',
      etag: '"abc"',
      lastModified: 'Sun, 22 Nov 2026 21:00:00 GMT',
      lastModifiedStrong: true,
      contentType: 'application/gzip',
      contentEncoding: 'gzip',
      httpVersion: '1.1',
      acceptsRanges: true,
      options: { user: 'me', password: 'secret', onChange: 'keep' },
      error: { code: 'stalled', message: 'It stalled.', params: { seconds: 30, host: null } },
      retryAt: TEST_NOW + 1000,
      attempts: 2,
      secondChances: 1,
      hostWaits: 3,
      connectionsUsed: 8,
      resumedFromBytes: 7,
      checksum: { ...MD5, verified: true, source: 'sums-file', from: 'https://example.org/files/MD5SUMS' },
      foundDigests: [{ ...MD5, source: 'content-md5' }],
      badTries: { came: [{ digest: 'ab', path: '/d/f.bad' }], mended: true, whole: true, over: false },
      verification: RIGHT,
      startedAt: TEST_NOW + 1,
      finishedAt: TEST_NOW + 2,
      bootId: 'boot-1',
      fsyncedAt: TEST_NOW + 3,
      startAt: TEST_NOW + 4,
      forced: true,
      queueId: 3,
      leaseOwner: 'pid:7',
      strategy: [{ code: 'ramp_stopped', params: { connections: 4, gainPercent: 3 } }],
      partPath: '/tmp/file.7.part',
      relocation: {
        from: '/tmp/file.7.part',
        to: '/data/file.part',
        place: { folder: '/data', filename: 'file', partPath: null },
      },
    }
    store.updateTask(id, patch)
    store.close()
    const reopened = openTestStore({ path })
    expect(reopened.getTask(id)).toEqual({ ...patch, id, position: 1024, createdAt: TEST_NOW })

    reopened.updateTask(id, { acceptsRanges: false, error: null, checksum: null }, { intent: true })
    expect(reopened.getTask(id)).toEqual({
      ...patch,
      id,
      position: 1024,
      createdAt: TEST_NOW,
      acceptsRanges: false,
      error: null,
      checksum: null,
    })
  })

  test('changed together change in one transaction: one refusal undoes all', () => {
    const store = openTestStore()
    const [a = 0, b = 0] = store.addTasks([newTask(), newTask()])
    expect(store.reserveFilename(a, '/downloads', 'taken.bin')).toBe(true)
    expect(() =>
      store.updateTasks([
        { id: a, patch: { state: 'paused' } },
        { id: b, patch: { filename: 'TAKEN.bin' } },
      ]),
    ).toThrow(expect.objectContaining({ code: 'file_exists' }))
    expect(store.getTask(a)?.state).toBe('queued')
    expect(store.countsByState()).toMatchObject({ queued: 2, paused: 0 })
  })

  test('are removed with their segments and blocks, and their ids are never given again', () => {
    const path = storePath()
    const store = openTestStore({ path })
    const [a = 0, b = 0] = store.addTasks([newTask(), newTask()])
    store.checkpoint([
      {
        id: b,
        writtenBytes: 10,
        bootId: 'boot',
        segments: [{ start: 0, end: 10, written: 10, durable: 0 }],
        blocks: [{ index: 0, crc32: 1, bytes: 10 }],
      },
    ])
    store.removeTasks([b, 12345])
    expect(store.getTask(b)).toBeNull()
    const raw = openRaw(path)
    expect(raw.prepare('SELECT count(*) FROM segments').pluck().get()).toBe(0)
    expect(raw.prepare('SELECT count(*) FROM block_pages').pluck().get()).toBe(0)
    expect(store.addTasks([newTask()])).toEqual([3])
    expect(store.getTasks([a, 3]).map((task) => task.position)).toEqual([1024, 2048])
  })

  test('that were removed meanwhile stay removed when they are updated or checkpointed', () => {
    const store = openTestStore()
    const [id = 0, other = 0] = store.addTasks([newTask(), newTask()])
    store.removeTasks([id])
    store.updateTask(id, { state: 'active', filename: 'x' })
    const segments = [{ start: 0, end: null, written: 1, durable: 0 }]
    store.checkpoint([
      { id, writtenBytes: 1, bootId: 'b', segments },
      { id: other, writtenBytes: 2, bootId: 'b' },
    ])
    expect(store.getTask(id)).toBeNull()
    expect(store.segments(id)).toEqual([])
    expect(store.getTask(other)).toMatchObject({ writtenBytes: 2, bootId: 'b' })
  })

  test('are counted by state through every change', () => {
    const store = openTestStore()
    const ids = store.addTasks([newTask(), newTask(), newTask({ state: 'paused' }), newTask()])
    store.updateTask(ids[0] ?? 0, { state: 'active' })
    store.updateTask(ids[0] ?? 0, { state: 'active' })
    store.updateTasks([{ id: ids[1] ?? 0, patch: { state: 'done' } }])
    store.removeTasks([ids[3] ?? 0])
    const none = Object.fromEntries(TASK_STATES.map((state) => [state, 0]))
    expect(store.countsByState()).toEqual({ ...none, active: 1, done: 1, paused: 1 })
  })
})

describe('names in a folder', () => {
  test('are reserved once among unfinished tasks, whatever their case and Unicode form', () => {
    const store = openTestStore()
    const [a = 0, b = 0] = store.addTasks([newTask(), newTask()])
    expect(store.reserveFilename(a, '/downloads', 'Ünïcode.ISO')).toBe(true)
    expect(store.reserveFilename(b, '/downloads', 'ünïcode.iso'.normalize('NFD'))).toBe(false)
    expect(store.getTask(b)?.filename).toBeNull()
    expect(store.reserveFilename(b, '/elsewhere', 'Ünïcode.ISO')).toBe(true)
    expect(store.getTask(b)).toMatchObject({ folder: '/elsewhere', filename: 'Ünïcode.ISO' })
    expect(store.reserveFilename(a, '/downloads', 'ünïcode.iso')).toBe(true)
  })

  test('are free again once the task that held them is done or removed', () => {
    const store = openTestStore()
    const [a = 0, b = 0, c = 0] = store.addTasks([newTask(), newTask(), newTask()])
    store.reserveFilename(a, '/downloads', 'x.bin')
    store.updateTask(a, { state: 'failed' })
    expect(store.reserveFilename(b, '/downloads', 'x.bin')).toBe(false)
    store.updateTask(a, { state: 'done' })
    expect(store.reserveFilename(b, '/downloads', 'x.bin')).toBe(true)
    store.removeTasks([b])
    expect(store.reserveFilename(c, '/downloads', 'x.bin')).toBe(true)
    expect(() => store.updateTask(a, { state: 'queued' })).toThrow(expect.objectContaining({ code: 'file_exists' }))
  })

  test('cannot be reserved for a task that is gone', () => {
    const store = openTestStore()
    expect(() => store.reserveFilename(5, '/downloads', 'x')).toThrow(
      expect.objectContaining({ code: 'task_not_found' }),
    )
  })
})

describe('settings', () => {
  test('keep what was set, over restarts, and only that', () => {
    const path = storePath()
    const store = openTestStore({ path })
    expect(store.getSettings()).toEqual({})
    store.setSettings({ downloadsAtOnce: 3, proxy: null, theme: undefined })
    store.setSettings({ downloadsAtOnce: 5 })
    store.close()
    expect(openTestStore({ path }).getSettings()).toEqual({ downloadsAtOnce: 5, proxy: null })
  })

  test('that cannot be understood fall back to their defaults, with a warning', () => {
    const path = storePath()
    const logger = memoryLogger()
    const store = openTestStore({ path, logger })
    store.setSettings({ downloadsAtOnce: 3 })
    openRaw(path).exec(`INSERT INTO settings VALUES ('theme', '"pink"'), ('proxy', '{'), ('toString', '1')`)
    expect(store.getSettings()).toEqual({ downloadsAtOnce: 3 })
    expect(logger.lines.filter((line) => line.level === 'warn').map((line) => line.data.key)).toEqual(
      expect.arrayContaining(['theme', 'proxy', 'toString']),
    )
  })
})

describe('a damaged value', () => {
  test.each([
    ['options', 'not json', { options: {} }],
    [
      'options',
      '{"connections":4,"retries":"many","password":"hush"}',
      { options: { connections: 4, password: 'hush' } },
    ],
    ['error', '{"code":"no_such_code","message":"x","params":{}}', { error: null }],
    ['error', '[', { error: null }],
    ['checksum', '{"algorithm":"md5","value":"zz"}', { checksum: null }],
    ['found_digests', '{', { foundDigests: [] }],
    ['bad_tries', '{"came":1}', { badTries: null }],
    ['verification', '{}', { verification: null }],
    ['state', 'flying', { state: 'paused' }],
  ])('in %s (%s) costs that value, not the task, and is logged without its text', (column, text, expected) => {
    const path = storePath()
    const logger = memoryLogger()
    const store = openTestStore({ path, logger })
    const [id = 0] = store.addTasks([newTask({ options: { retries: 1 } })])
    openRaw(path).prepare(`UPDATE tasks SET ${column} = ? WHERE id = ?`).run(text, id)
    expect(store.getTask(id)).toMatchObject({ id, url: 'https://example.org/files/archive.tar.gz', ...expected })
    const warnings = logger.lines.filter((line) => line.level === 'warn')
    expect(warnings).toMatchObject([{ data: { taskId: id, column } }])
    expect(JSON.stringify(logger.lines)).not.toContain('hush')
  })
})

test.skipIf(process.platform === 'win32')('the database and its log can be read by their owner alone', () => {
  const path = storePath()
  const store = openTestStore({ path })
  store.addTasks([newTask({ options: { password: 'secret' } })])
  for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777, suffix).toBe(0o600)
})

test('a store that was closed can be closed again, and says so when it is used', () => {
  const store = openTestStore()
  store.close()
  store.close()
  expect(() => store.addTasks([newTask()])).toThrow(expect.objectContaining({ code: 'engine_stopped' }))
})
