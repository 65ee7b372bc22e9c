/** Queues, what hosts were seen to take, and rules: kept, migrated to, and salvaged. */
import { describe, expect, test } from 'vitest'
import { openConnection } from '../../electron/store/database.ts'
import { migrate } from '../../electron/store/migrate.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import { DEFAULT_QUEUE_SETTINGS } from '../../shared/queues.ts'
import type { HostRecord } from '../../shared/records.ts'
import { memoryLogger, newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const DEFAULT = { ...DEFAULT_QUEUE_SETTINGS, id: 1, name: 'Default' }

describe('queues', () => {
  test('begin with the default one, which keeps its place and cannot be removed', () => {
    const store = openTestStore()
    expect(store.queues()).toEqual([DEFAULT])
    expect(store.addQueue({ name: 'Night', limitBytesPerSecond: 5 })).toEqual({
      ...DEFAULT,
      id: 2,
      name: 'Night',
      limitBytesPerSecond: 5,
    })
    expect(store.updateQueue(1, { name: 'Day' })).toEqual({ ...DEFAULT, name: 'Day' })
    expect(store.queues().map(({ name }) => name)).toEqual(['Day', 'Night'])
    expect(() => store.removeQueue(1)).toThrow(expect.objectContaining({ code: 'queue_is_default' }))
  })

  test('have names of their own, however they are written, and keep what is left out of a change', () => {
    const store = openTestStore()
    const night = store.addQueue({ name: 'Night', limitBytesPerSecond: 5 })
    expect(() => store.addQueue({ name: 'NIGHT', limitBytesPerSecond: null })).toThrow(
      expect.objectContaining({ code: 'queue_exists' }),
    )
    expect(() => store.updateQueue(1, { name: 'night' })).toThrow(expect.objectContaining({ code: 'queue_exists' }))
    expect(store.updateQueue(night.id, { name: 'night' })).toMatchObject({ name: 'night', limitBytesPerSecond: 5 })
    expect(store.updateQueue(night.id, { limitBytesPerSecond: null })).toMatchObject({ limitBytesPerSecond: null })
    expect(() => store.updateQueue(9, {})).toThrow(expect.objectContaining({ code: 'queue_not_found' }))
    expect(() => store.removeQueue(9)).toThrow(expect.objectContaining({ code: 'queue_not_found' }))
    expect(store.queues()).toHaveLength(2)
  })

  test('leave their tasks to the default one when they are removed', () => {
    const store = openTestStore()
    const { id } = store.addQueue({ name: 'Night', limitBytesPerSecond: null })
    const [first, second, third] = store.addTasks([
      newTask({ queueId: id }),
      newTask({ url: 'https://example.org/b', queueId: id }),
      newTask({ url: 'https://example.org/c' }),
    ])
    expect([first, second, third].map((task) => store.getTask(task!)!.queueId)).toEqual([id, id, 1])
    expect(store.removeQueue(id)).toBe(2)
    expect([first, second, third].map((task) => store.getTask(task!)!.queueId)).toEqual([1, 1, 1])
  })
})

describe('hosts', () => {
  const record = (host: string, complaintAt: number): HostRecord => ({
    host,
    allowance: 2,
    notBefore: complaintAt + 10,
    complaintStatus: 429,
    complaintAt,
    complaints: 3,
  })

  test('are kept as they were learned last, and forgotten with time or when told to', () => {
    const path = storePath()
    const store = openTestStore({ path })
    store.saveHosts([record('a.test', 1000), record('b.test', 2000)], 0)
    store.saveHosts([{ ...record('a.test', 1500), allowance: null, notBefore: null }], 0)
    expect(store.hosts(0)).toEqual([
      { ...record('a.test', 1500), allowance: null, notBefore: null },
      record('b.test', 2000),
    ])
    expect(store.hosts(1500).map(({ host }) => host)).toEqual(['b.test'])
    store.saveHosts([record('c.test', 3000)], 1500)
    store.forgetHost('b.test')
    store.close()
    expect(openTestStore({ path }).hosts(0)).toEqual([record('c.test', 3000)])
  })
})

describe('rules for hosts', () => {
  test('are replaced as a whole, and found again after a restart', () => {
    const path = storePath()
    const store = openTestStore({ path })
    store.setHostRule({ pattern: 'b.test', connections: 2, password: 'pw', headers: [['x', 'y']] })
    store.setHostRule({ pattern: '*.a.test', proxy: '' })
    store.setHostRule({ pattern: 'b.test', user: 'me' })
    expect(store.removeHostRule('other.test')).toBe(false)
    store.close()
    const again = openTestStore({ path })
    expect(again.hostRules()).toEqual([
      { pattern: '*.a.test', proxy: '' },
      { pattern: 'b.test', user: 'me' },
    ])
    expect(again.removeHostRule('b.test')).toBe(true)
    expect(again.hostRules()).toHaveLength(1)
  })

  test('lose what cannot be read of them, with a warning that tells no secret', () => {
    const path = storePath()
    const log = memoryLogger()
    openTestStore({ path }).close()
    const raw = openRaw(path)
    const insert = raw.prepare('INSERT INTO host_rules (pattern, rule) VALUES (?, ?)')
    insert.run('a.test', '{"connections":"many","password":"geheim","spacingMs":5}')
    insert.run('b.test', '{"password":"geheim"')
    raw.close()
    expect(openTestStore({ path, logger: log }).hostRules()).toEqual([
      { pattern: 'a.test', password: 'geheim', spacingMs: 5 },
    ])
    expect(JSON.stringify(log.lines)).toContain('a.test')
    expect(JSON.stringify(log.lines)).not.toContain('geheim')
  })
})

test('a database from before them gets the default queue for all its tasks', () => {
  const path = storePath()
  const connection = openConnection(path)
  const before = MIGRATIONS.filter(({ version }) => version < 30)
  migrate(connection, before, { now: () => TEST_NOW, logger: memoryLogger() })
  connection.db.exec(
    `INSERT INTO tasks (position, url, name_key, folder, state, created_at)
     VALUES (1, 'https://example.org/a', 'a', '/d', 'queued', 0), (2, 'https://example.org/b', 'b', '/d', 'done', 0)`,
  )
  connection.close()
  const store = openTestStore({ path })
  expect(store.queues()).toEqual([DEFAULT])
  expect(store.getTasks([1, 2]).map(({ queueId }) => queueId)).toEqual([1, 1])
  expect(store.hostRules()).toEqual([])
})
