/** Several handles and several processes on one database, kills in the middle, and disks that refuse. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../electron/store/database.ts'
import { openStore } from '../../electron/store/index.ts'
import { toStoreError } from '../../electron/store/store-errors.ts'
import { newTask, openRaw, openTestStore, storePath, TEST_NOW } from '../helpers/store.ts'

const CHILD = fileURLToPath(new URL('./store-child.ts', import.meta.url))

function startChild(mode: 'checkpoint' | 'add', path: string): ChildProcess {
  const child = spawn(process.execPath, [CHILD, mode, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout !== null) yield* createInterface({ input: child.stdout })
}

describe('two handles on one store', () => {
  test('give a lease to one of them', () => {
    const path = storePath()
    const [daemon, get] = [openTestStore({ path }), openTestStore({ path })]
    const [id = 0] = daemon.addTasks([newTask()])
    expect(get.takeLease(id, 'pid:2', null)).toBe(true)
    expect(daemon.takeLease(id, 'pid:1', null)).toBe(false)
    expect(daemon.nextQueued(5)).toEqual([])
    expect(daemon.leasedTasks().map((task) => task.leaseOwner)).toEqual(['pid:2'])
    get.releaseLease(id, 'pid:2')
    expect(daemon.nextQueued(5).map((task) => task.id)).toEqual([id])
  })

  test('each notice what the other wrote, and not what they wrote themselves', () => {
    const path = storePath()
    const [mine, other] = [openTestStore({ path }), openTestStore({ path })]
    const before = mine.dataVersion()
    mine.addTasks([newTask()])
    expect(mine.dataVersion()).toBe(before)
    other.addTasks([newTask()])
    expect(mine.dataVersion()).not.toBe(before)
  })

  test('reserve one name once', () => {
    const path = storePath()
    const [mine, other] = [openTestStore({ path }), openTestStore({ path })]
    const [a = 0, b = 0] = mine.addTasks([newTask(), newTask()])
    expect(mine.reserveFilename(a, '/downloads', 'x')).toBe(true)
    expect(other.reserveFilename(b, '/downloads', 'X')).toBe(false)
  })

  test('closed one by one leave everything in the database itself', () => {
    const path = storePath()
    const [mine, other] = [openTestStore({ path }), openTestStore({ path })]
    mine.addTasks([newTask()])
    other.addTasks([newTask()])
    mine.close()
    expect(other.getTask(1)?.id).toBe(1)
    other.close()
    expect(openTestStore({ path }).countsByState().queued).toBe(2)
  })
})

test('a store that another process holds for too long says store_busy, reads on, and works again after', () => {
  const path = storePath()
  const store = openTestStore({ path, busyTimeoutMs: 20 })
  const [id = 0] = store.addTasks([newTask()])
  const raw = openRaw(path)
  raw.exec('BEGIN IMMEDIATE')
  for (const write of [
    () => store.addTasks([newTask()]),
    () => store.updateTask(id, { attempts: 1 }),
    () => store.checkpoint([{ id, writtenBytes: 1, bootId: 'b' }]),
  ]) {
    expect(write).toThrow(expect.objectContaining({ code: 'store_busy' }))
  }
  expect(store.getTask(id)).toMatchObject({ attempts: 0, writtenBytes: 0 })
  raw.exec('COMMIT')
  store.updateTask(id, { attempts: 1 })
  expect(store.getTask(id)?.attempts).toBe(1)
})

test('intent is committed with synchronous=FULL and progress with NORMAL, in any order', () => {
  const connection = openConnection(storePath())
  onTestFinished(() => connection.close())
  const level = () => connection.db.pragma('synchronous', { simple: true })
  const { intent, progress } = connection
  expect([progress(level), intent(level), intent(level), progress(level), intent(level)]).toEqual([1, 2, 2, 1, 2])
  expect(connection.db.pragma('foreign_keys', { simple: true })).toBe(1)
  expect(connection.db.pragma('journal_mode', { simple: true })).toBe('wal')
})

describe('a disk that refuses', () => {
  test('is disk_full when SQLite finds no room, and the transaction is undone', () => {
    const path = storePath()
    const store = openTestStore({ path })
    store.addTasks([newTask()])
    const raw = openRaw(path)
    raw.pragma(`max_page_count = ${raw.pragma('page_count', { simple: true })}`)
    let thrown: unknown
    try {
      raw.exec(`INSERT INTO settings VALUES ('x', hex(zeroblob(100000)))`)
    } catch (error) {
      thrown = toStoreError(error, path)
    }
    expect(thrown).toMatchObject({ code: 'disk_full', params: { path, cause: 'SQLITE_FULL' } })
    expect(store.getSettings()).toEqual({})
  })

  test.each([
    ['ENOSPC', 'disk_full'],
    ['EROFS', 'read_only'],
    ['EACCES', 'folder_not_writable'],
    ['EIO', 'io_error'],
  ])('with %s is %s', (code, expected) => {
    const error = Object.assign(new Error(code), { code })
    expect(toStoreError(error, '/p')).toMatchObject({ code: expected, cause: error })
  })

  test('is disk_full where there is no room for what connections share', () => {
    const error = new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_SHMSIZE')
    expect(toStoreError(error, storePath())).toMatchObject({ code: 'disk_full' })
  })

  test('is io_error where the path is a folder', () => {
    const path = storePath()
    mkdirSync(path)
    expect(() => openStore({ path, now: () => TEST_NOW })).toThrow(expect.objectContaining({ code: 'io_error' }))
  })

  test('a mistake of ours is not dressed up as one of the machine', () => {
    const mistake = new RangeError('ours')
    expect(toStoreError(mistake, '/p')).toBe(mistake)
  })
})

describe('a process that is killed', { timeout: 60_000 }, () => {
  test('in the middle of checkpoints leaves whole ones: all tasks in step, every reported one there', async () => {
    const path = storePath()
    for (const lines of [1, 25, 60]) {
      const child = startChild('checkpoint', path)
      let reported = -1
      for await (const line of linesOf(child)) {
        reported = Number(line)
        if (reported >= lines) break
      }
      child.kill('SIGKILL')
      await once(child, 'exit')

      const { store, recovered } = openStore({ path, now: () => TEST_NOW })
      expect(recovered).toBeNull()
      const latest = store.selectIds({ filter: {} }).slice(-4)
      const written = new Set(latest.map((id) => store.getTask(id)?.writtenBytes))
      expect(written.size, `killed after ${reported}`).toBe(1)
      const [bytes = 0] = [...written]
      const blocks = (bytes ?? 0) / 1024 / 1024
      expect(blocks).toBeGreaterThan(reported)
      for (const id of latest) {
        expect(store.segments(id)).toMatchObject([{ written: bytes }])
        expect(store.blocks(id).map((block) => block.crc32)).toEqual(
          Array.from({ length: blocks }, (_, index) => index),
        )
      }
      store.close()
      const raw = openRaw(path)
      expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
      raw.close()
    }
  })

  test('and others at once can create a database together: every task is added once', async () => {
    const path = storePath()
    const children = Array.from({ length: 4 }, () => startChild('add', path))
    const lines = children.map(linesOf)
    for (const line of lines) expect((await line.next()).value).toBe('ready')
    for (const child of children) child.stdin?.write('go\n')
    const added = await Promise.all(
      lines.map(async (line) =>
        String((await line.next()).value)
          .split(',')
          .map(Number),
      ),
    )
    const expected = Array.from({ length: 40 }, (_, index) => index + 1)
    expect(added.flat().sort((a, b) => a - b)).toEqual(expected)
    expect(openTestStore({ path }).selectIds({ filter: {} })).toEqual(expected)
  })
})
