/** Daily backups: consistent, checked, rotated; restored without losing what they replace; gaps filled from them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { backUp } from '../../electron/store/backup.ts'
import {
  allBackups,
  type BackupFile,
  backupFolder,
  dailyBackups,
  newestFirst,
  superfluous,
} from '../../electron/store/backup-files.ts'
import { openStore } from '../../electron/store/index.ts'
import { restoreBackup } from '../../electron/store/restore.ts'
import { noticeSentence } from '../../shared/notices.ts'
import type { TaskStore } from '../../shared/records.ts'
import { DEFAULT_REPEAT } from '../../shared/repeats.ts'
import fc from '../helpers/property.ts'
import { listQuery, manyTasks, memoryLogger, newTask, openRaw, storePath, TEST_NOW } from '../helpers/store.ts'

const DAY_MS = 86_400_000
const KEEP = { days: 7, weeks: 4 }

function open(path: string, now = () => TEST_NOW) {
  const logger = memoryLogger()
  const opened = openStore({ path, now, logger, busyTimeoutMs: 2000 })
  onTestFinished(() => opened.store.close())
  return { ...opened, logger }
}

const urls = (store: TaskStore) => store.getTasks(store.selectIds({ filter: {} })).map((task) => task.url)
const names = (path: string) => readdirSync(backupFolder(path)).sort()

describe('a backup', () => {
  test('is one private file with everything in it, the log included, and no more than asked are kept', async () => {
    const path = storePath()
    let now = TEST_NOW
    const { store } = open(path, () => now)
    for (let day = 0; day < 4; day++) {
      store.addTasks([newTask({ url: `https://example.org/${day}` })])
      expect(await store.backUp({ days: 2, weeks: 0 })).toBe(true)
      expect(store.newestBackupAt()).toBe(Math.trunc(now / 1000) * 1000)
      now += DAY_MS
    }
    expect(names(path)).toEqual(['queue-2026-11-24T21-04-05Z.db', 'queue-2026-11-25T21-04-05Z.db'])
    const newest = dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path
    if (process.platform !== 'win32') expect(statSync(newest).mode & 0o777).toBe(0o600)
    expect(openRaw(newest).prepare('SELECT count(*) FROM tasks').pluck().get()).toBe(4)
  })

  test('is not made where nothing has changed since the last, also after a restart', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks([newTask()])
    expect(await store.backUp(KEEP)).toBe(true)
    expect(await store.backUp(KEEP)).toBe(false)
    store.setSettings({ downloadsAtOnce: 3 })
    expect(await store.backUp(KEEP)).toBe(true)
    store.close()
    const again = open(path, () => TEST_NOW + DAY_MS).store
    await again.backUp(KEEP)
    expect(await again.backUp(KEEP)).toBe(false)
  })

  test('is of one moment, whatever is written meanwhile, and lets the others work', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks(manyTasks(5_000))
    const running = store.backUp(KEEP)
    let turns = 0
    let done = false
    void running.finally(() => {
      done = true
    })
    while (!done) {
      store.addTasks([newTask({ url: `https://example.org/during/${turns++}` })])
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await running).toBe(true)
    expect(turns).toBeGreaterThan(3)
    const copy = openRaw(dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path)
    expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
    const kept = copy.prepare('SELECT count(*) FROM tasks').pluck().get() as number
    expect(kept).toBeGreaterThanOrEqual(5_000)
    expect(kept).toBeLessThan(5_000 + turns)
    expect(copy.prepare('SELECT sum(count) FROM task_counts').pluck().get()).toBe(kept)
  })

  test('made after the clock was set back is the newest, and the next is due a day later', async () => {
    const path = storePath()
    let now = TEST_NOW
    const { store } = open(path, () => now)
    for (const day of [0, 1, -30]) {
      now = TEST_NOW + day * DAY_MS
      store.addTasks([newTask({ url: `https://example.org/${day}` })])
      await store.backUp({ days: 2, weeks: 0 })
    }
    expect(store.newestBackupAt()).toBe(Math.trunc(now / 1000) * 1000)
    expect(names(path)).toEqual(['queue-2026-10-23T21-04-05Z.db', 'queue-2026-11-23T21-04-05Z.db'])
    expect(openRaw(allBackups(path, now)[0]!.path).prepare('SELECT count(*) FROM tasks').pluck().get()).toBe(3)
  })

  test('of a damaged list is not kept, and costs none of the older ones', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks(manyTasks(500))
    await store.backUp(KEEP)
    store.close()
    const page = openRaw(path)
      .prepare(`SELECT pageno FROM dbstat WHERE name = 'tasks' AND pagetype = 'leaf'`)
      .pluck()
      .get()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, ((page as number) - 1) * 4096, (page as number) * 4096)
    writeFileSync(path, bytes)
    const before = names(path)
    const keep = { days: 1, weeks: 0 }
    const options = { now: () => TEST_NOW + DAY_MS, logger: memoryLogger(), keep }
    await expect(backUp(path, options)).rejects.toThrow()
    expect(names(path)).toEqual(before)
  })

  test('that cannot be written is an error of its own, and leaves nothing half made', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks([newTask()])
    writeFileSync(backupFolder(path), 'a file where the folder belongs')
    await expect(store.backUp(KEEP)).rejects.toMatchObject({
      code: 'io_error',
      message: `It could not be written to ${backupFolder(path)} (EEXIST); the list is not touched by that.`,
    })
    rmSync(backupFolder(path))
    mkdirSync(backupFolder(path))
    writeFileSync(join(backupFolder(path), 'queue-2026-11-01T00-00-00Z.db.new'), 'left by a crash')
    await store.backUp(KEEP)
    expect(names(path)).toEqual(['queue-2026-11-22T21-04-05Z.db'])
  })
})

describe('rotation', () => {
  const at = (ms: number): BackupFile => ({ path: String(ms), at: ms, bytes: 1, daily: true })

  test('keeps the latest of seven days and of four weeks before them', () => {
    const hours = Array.from({ length: 24 * 60 }, (_, hour) => at(TEST_NOW - hour * 3_600_000))
    const gone = new Set(superfluous(hours, KEEP))
    const kept = hours.filter((backup) => !gone.has(backup)).map(({ at }) => new Date(at).toISOString().slice(0, 10))
    expect(kept).toEqual([
      ...['2026-11-22', '2026-11-21', '2026-11-20', '2026-11-19', '2026-11-18', '2026-11-17', '2026-11-16'],
      ...['2026-11-15', '2026-11-08', '2026-11-01', '2026-10-25'],
    ])
  })

  test('where the clock was set back by a month, keeps those made since as it keeps any', () => {
    let kept: BackupFile[] = []
    let now = TEST_NOW
    const make = () => {
      now += DAY_MS
      const all = newestFirst([at(now), ...kept], now)
      expect(all[0]?.at).toBe(now)
      const gone = new Set(superfluous(all, KEEP))
      kept = all.filter((backup) => !gone.has(backup))
    }
    for (let day = 0; day < 60; day++) make()
    const before = new Set(kept)
    now -= 30 * DAY_MS
    const since = now
    for (let day = 0; day < 4; day++) make()
    expect(kept.slice(0, 4).map((backup) => backup.at)).toEqual([4, 3, 2, 1].map((day) => since + day * DAY_MS))
    // The latest of before fill the days that there are not yet.
    expect(kept.slice(4, 7).map((backup) => before.has(backup))).toEqual([true, true, true])
    for (let day = 0; day < 5; day++) make()
    expect(kept.slice(0, 7).map((backup) => backup.at)).toEqual(
      [9, 8, 7, 6, 5, 4, 3].map((day) => since + day * DAY_MS),
    )
  })

  test('never lets the newest go, keeps no more than asked, and is content with what it has left', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 400 * 24 }), { maxLength: 60 }),
        fc.record({ days: fc.integer({ min: 1, max: 10 }), weeks: fc.nat(6) }),
        (hours, keep) => {
          const all = newestFirst(
            hours.map((hour) => at(TEST_NOW - hour * 3_600_000)),
            TEST_NOW,
          )
          const gone = new Set(superfluous(all, keep))
          const kept = all.filter((backup) => !gone.has(backup))
          expect(kept.length).toBeLessThanOrEqual(keep.days + keep.weeks)
          if (all.length > 0) expect(Math.max(...kept.map(({ at }) => at))).toBe(Math.max(...all.map(({ at }) => at)))
          expect(superfluous(kept, keep)).toEqual([])
        },
      ),
    )
  })
})

describe('restoring', () => {
  test('puts the backup in place, keeps what was there, and trusts no mark of it', async () => {
    const path = storePath()
    const { store } = open(path)
    const [id = 0] = store.addTasks([newTask({ url: 'https://example.org/old' })])
    const segments = [{ start: 0, end: 100, written: 50, durable: 50 }]
    store.checkpoint([{ id, writtenBytes: 50, bootId: 'boot-1', segments }])
    await store.backUp(KEEP)
    store.addTasks([newTask({ url: 'https://example.org/new' })])
    store.close()
    const [backup] = dailyBackups(path, Number.POSITIVE_INFINITY)
    const report = restoreBackup(path, backup!.path, { now: () => TEST_NOW, logger: memoryLogger() })
    expect(report).toEqual({ tasks: 1, setAside: `${path}.replaced-2026-11-22T21-04-05-000Z` })
    const restored = open(path).store
    expect(urls(restored)).toEqual(['https://example.org/old'])
    expect(restored.getTask(id)?.bootId).toBe(null)
    expect(restored.segments(id)).toEqual([{ ...segments[0], durable: 0 }])
    expect(urls(open(report.setAside!).store)).toEqual(['https://example.org/old', 'https://example.org/new'])
  })

  test('is refused while somebody has the list open, and where the backup is none', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks([newTask()])
    await store.backUp(KEEP)
    const options = { now: () => TEST_NOW, logger: memoryLogger() }
    const refusal = (backup: string) => expect(() => restoreBackup(path, backup, options))
    refusal(dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path).toThrow(
      expect.objectContaining({ code: 'store_busy' }),
    )
    store.close()
    const wrong = join(dirname(path), 'wrong.db')
    writeFileSync(wrong, 'no database '.repeat(1000))
    refusal(wrong).toThrow(expect.objectContaining({ code: 'backup_unusable' }))
    refusal(join(dirname(path), 'nothing.db')).toThrow(expect.objectContaining({ code: 'backup_unusable' }))
    expect(readdirSync(dirname(path)).sort()).toEqual(['backups', 'queue.db', 'wrong.db'])
    expect(urls(open(path).store)).toHaveLength(1)
  })
})

describe('a damaged list with a backup', () => {
  const TASKS = 1_000
  const PAGE_BYTES = 4096

  /** A list of which a backup was made, then changed, closed, and hurt on pages of some tables. */
  async function damaged(
    tables: readonly string[],
    change: (store: TaskStore, ids: number[]) => void,
  ): Promise<string> {
    const path = storePath()
    const { store } = open(path)
    const ids = store.addTasks(manyTasks(TASKS))
    const segments = [{ start: 0, end: 100, written: 60, durable: 60 }]
    store.checkpoint(ids.map((id) => ({ id, writtenBytes: 60, bootId: 'boot-1', segments })))
    store.setHostRule({ pattern: 'a.test', connections: 2 })
    store.setScheduleState({ profiles: { day: { connectionsPerDownload: 1 } } })
    for (const hour of ['05:00', '06:00']) {
      const settings = { ...DEFAULT_REPEAT, url: 'https://a.test/daily', when: `daily ${hour}` }
      store.addRepeat(settings, {
        settledAt: TEST_NOW,
        askedUntil: null,
        runs: 3,
        taskId: null,
        last: null,
        results: [],
      })
    }
    store.addMirrors(ids[0]!, [{ url: 'https://b.test/0', priority: 1, location: null, origin: 'user' }])
    await store.backUp(KEEP)
    change(store, ids)
    store.close()
    const raw = openRaw(path)
    const pages = raw.prepare(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path`).pluck()
    const bytes = readFileSync(path)
    for (const table of tables) {
      const all = pages.all(table) as number[]
      for (const page of all.length > 2 ? [all[1]!, all[Math.floor(all.length / 2)]!] : all)
        bytes.fill(0xa5, (page - 1) * PAGE_BYTES, page * PAGE_BYTES)
    }
    raw.close()
    writeFileSync(path, bytes)
    return path
  }

  test('gets back every task that both do not lack, and those removed since stay removed', async () => {
    const path = await damaged(['tasks'], (store, ids) => {
      store.addTasks([newTask({ url: 'https://example.org/newer' })])
      store.removeTasks(ids.slice(20, 25), { removal: store.beginRemoval(TEST_NOW), at: TEST_NOW })
    })
    const { store, recovered } = open(path)
    expect(recovered?.tasksFromBackup).toBeGreaterThan(0)
    expect(recovered).toMatchObject({
      tasksLost: 0,
      restoredFrom: dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path,
    })
    expect(recovered!.tasksKept + recovered!.tasksFromBackup).toBe(TASKS - 5 + 1)
    expect(new Set(urls(store)).size).toBe(TASKS - 5 + 1)
    expect(store.listTasks(listQuery()).total).toBe(TASKS - 4)
    expect(store.removedTasks({ offset: 0, limit: 10 }).total).toBe(5)
    for (const id of store.selectIds({ filter: {} })) {
      const task = store.getTask(id)!
      expect(task.bootId).toBe(null)
      for (const segment of store.segments(id)) expect(segment.durable).toBe(segment.start)
    }
    const [notice] = store.notices()
    expect(notice).toMatchObject({
      code: 'list_salvaged',
      params: { kept: recovered!.tasksKept, fromBackup: recovered!.tasksFromBackup, lost: 0 },
    })
    expect(store.dismissNotice(notice!.id)).toBe(true)
    expect(store.notices()).toEqual([])
  })

  test('gets back the progress that was lost, to be checked against the files', async () => {
    const path = await damaged(['segments'], () => {})
    const { store, recovered } = open(path)
    expect(recovered).toMatchObject({ tasksKept: TASKS, tasksFromBackup: 0, tasksLost: 0 })
    for (const id of store.selectIds({ filter: {} })) {
      expect(store.segments(id)).toEqual([{ start: 0, end: 100, written: 60, durable: 0 }])
      expect(store.getTask(id)?.writtenBytes).toBe(60)
    }
  })

  test('gets back what else it holds, and says what of that may be older than it was', async () => {
    const path = await damaged(['repeats', 'schedule_state', 'mirrors'], () => {})
    const { store, recovered } = open(path)
    const unsure = ['profiles', 'repeating downloads', 'mirrors']
    expect(recovered).toMatchObject({ tasksKept: TASKS, tasksLost: 0, unsure })
    expect(store.repeats()).toMatchObject([{ state: { runs: 3 } }, { state: { runs: 3 } }])
    expect(store.scheduleState().profiles).toEqual({ day: { connectionsPerDownload: 1 } })
    expect(store.mirrors(1)).toMatchObject([{ url: 'https://b.test/0' }])
    const said = store.notices().map((notice) => noticeSentence(notice))
    expect(said[1]).toContain(`or older than they were: ${unsure.join(', ')}. Look`)
  })

  test('says so where the list is gone and only backups are left', async () => {
    const path = storePath()
    const { store } = open(path)
    store.addTasks([newTask()])
    await store.backUp(KEEP)
    store.close()
    rmSync(path)
    const fresh = open(path).store
    expect(fresh.notices()).toMatchObject([
      { code: 'list_missing', params: { backup: dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path } },
    ])
    expect(existsSync(dailyBackups(path, Number.POSITIVE_INFINITY)[0]!.path)).toBe(true)
  })
})

test('every table is carried over by a salvage', () => {
  const path = storePath()
  const { store } = open(path)
  store.addTasks(manyTasks(300))
  store.close()
  const raw = openRaw(path)
  const tables = raw.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).pluck()
  const all = (tables.all() as string[]).filter((name) => name !== 'task_counts' && name !== 'queue_open')
  raw.close()
  const bytes = readFileSync(path)
  bytes.fill(0xa5, 20 * 4096, 21 * 4096)
  writeFileSync(path, bytes)
  const { recovered, logger } = open(path)
  expect(recovered).not.toBeNull()
  const salvaged = new Set(logger.lines.filter(({ message }) => message === 'salvaged').map(({ data }) => data.table))
  expect(all.filter((name) => !salvaged.has(name))).toEqual([])
  expect(basename(path)).toBe('queue.db')
})
