/**
 * Damaged databases: set aside, salvaged, reported, never silently recreated.
 * Long because: every kind of damage is met in one place.
 */
import fs, {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../electron/store/index.ts'
import { suspectMark } from '../../electron/store/inspect.ts'
import { MIGRATIONS } from '../../electron/store/migrations/index.ts'
import { takePlace } from '../../electron/store/take-place.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskStore } from '../../shared/records.ts'
import {
  listQuery,
  manyTasks,
  memoryLogger,
  newTask,
  openRaw,
  openTestStore,
  storePath,
  TEST_NOW,
} from '../helpers/store.ts'

const TASKS = 1500
const PAGE_BYTES = 4096

/** A closed store with many tasks, some progress and a setting. */
function filledStore(): string {
  const path = storePath()
  const store = openTestStore({ path })
  const ids = store.addTasks(manyTasks(TASKS))
  store.checkpoint(
    ids.slice(0, 300).map((id) => ({
      id,
      writtenBytes: 30,
      bootId: 'boot-1',
      segments: [
        { start: 0, end: 100, written: 20, durable: 20 },
        { start: 100, end: null, written: 110, durable: 105 },
      ],
      blocks: [{ index: 0, crc32: id, bytes: 30 }],
    })),
  )
  store.setSettings({ downloadsAtOnce: 7 })
  store.updateQueue(1, { limitBytesPerSecond: 1000 })
  const { id: queueId } = store.addQueue({ name: 'Night', limitBytesPerSecond: null })
  store.updateTask(1, { queueId })
  store.setHostRule({ pattern: 'a.test', connections: 2 })
  store.close()
  return path
}

function open(path: string, logger = memoryLogger()) {
  const opened = openStore({ path, now: () => TEST_NOW, logger, busyTimeoutMs: 2000 })
  onTestFinished(() => opened.store.close())
  return { ...opened, logger }
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, offset)
  closeSync(descriptor)
}

/** Pages of the table itself (not of its indexes), in ascending order. */
function pagesOf(path: string, table: string): number[] {
  const raw = openRaw(path)
  const pages = raw.prepare(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'`).pluck().all(table)
  raw.close()
  return pages as number[]
}

function allTasks(store: TaskStore) {
  return store.getTasks(store.selectIds({ filter: {} }))
}

/** What was kept must be what was stored: damage may take tasks away but not make others up. */
function expectPlausible(store: TaskStore): void {
  for (const task of allTasks(store)) {
    expect(task.id).toBeGreaterThan(0)
    expect(task.writtenBytes).toBeGreaterThanOrEqual(0)
    for (const segment of store.segments(task.id)) {
      expect(segment.written).toBeGreaterThanOrEqual(segment.start)
      if (segment.end !== null) expect(segment.written).toBeLessThanOrEqual(segment.end)
    }
    store.blocks(task.id)
  }
  const counted = Object.values(store.countsByState()).reduce((sum, count) => sum + count, 0)
  expect(counted).toBe(store.listTasks(listQuery()).total)
  expect(store.addTasks([newTask()])).toHaveLength(1)
}

describe('a store with damaged pages', { timeout: 60_000 }, () => {
  test('gives up the rows on them and keeps all others, with their progress and the settings', () => {
    const path = filledStore()
    const pages = pagesOf(path, 'tasks')
    const middle = pages[Math.floor(pages.length / 2)] ?? 0
    const damaged = [middle, pages.at(-3) ?? 0]
    for (const page of damaged) overwrite(path, (page - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
    const bytes = readFileSync(path)

    const { store, recovered, logger } = open(path)
    expect(recovered).toMatchObject({ setAside: `${path}.corrupt-2026-11-22T21-04-05-000Z` })
    expect(readFileSync(recovered?.setAside ?? '').equals(bytes)).toBe(true)
    const kept = recovered?.tasksKept ?? 0
    expect(kept).toBeLessThan(TASKS)
    expect(kept).toBeGreaterThan(TASKS - 100)
    expect(recovered?.tasksLost).toBe(TASKS - kept)
    expect(store.listTasks(listQuery()).total).toBe(kept)
    expect(store.getTask(1)?.url).toBe('https://example.org/files/archive-0.tar.gz')
    expect(store.getTask(TASKS)?.url).toBe(`https://example.org/files/archive-${TASKS - 1}.tar.gz`)
    expect(store.getSettings()).toEqual({ downloadsAtOnce: 7 })
    expect(store.queues()).toMatchObject([
      { id: 1, name: 'Default', limitBytesPerSecond: 1000 },
      { id: 2, name: 'Night', limitBytesPerSecond: null },
    ])
    expect(store.getTask(1)?.queueId).toBe(2)
    expect(store.hostRules()).toEqual([{ pattern: 'a.test', connections: 2 }])
    expect(logger.lines.filter((line) => line.level === 'warn').length).toBeGreaterThan(0)
    expect(store.addTasks([newTask()])).toEqual([TASKS + 1])
    expect(openRaw(path).pragma('integrity_check', { simple: true })).toBe('ok')
  })

  test('keeps progress only as something to be checked: nothing counts as durable, no boot vouches for it', () => {
    const path = filledStore()
    const last = pagesOf(path, 'tasks').at(-2) ?? 0
    overwrite(path, (last - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
    const { store, recovered } = open(path)
    expect(recovered).not.toBeNull()
    expect(store.getTask(5)).toMatchObject({ bootId: null, writtenBytes: 30 })
    expect(store.segments(5)).toEqual([
      { start: 0, end: 100, written: 20, durable: 0 },
      { start: 100, end: null, written: 110, durable: 100 },
    ])
    expect(store.blocks(5)).toEqual([{ index: 0, crc32: 5, bytes: 30 }])
  })

  test.each(MIGRATIONS.slice(0, -1).map(({ version }) => version))(
    'keeps everything where its version became %d, which is another one’s',
    (version) => {
      const path = filledStore()
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, version)
      overwrite(path, 60, bytes)
      const { store, recovered } = open(path)
      expect(recovered).toMatchObject({ tasksKept: TASKS, tasksLost: 0 })
      expect(store.getSettings()).toEqual({ downloadsAtOnce: 7 })
      expect(store.segments(5)).toHaveLength(2)
    },
  )

  test('keeps the ids it has given even where their tasks are lost', () => {
    const path = filledStore()
    const last = pagesOf(path, 'tasks').at(-1) ?? 0
    overwrite(path, (last - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
    const { store } = open(path)
    expect(store.getTask(TASKS)).toBeNull()
    expect(store.addTasks([newTask()])).toEqual([TASKS + 1])
  })

  test('is salvaged with the changes that are still in its log', () => {
    const source = filledStore()
    const store = openTestStore({ path: source })
    const [id = 0] = store.addTasks([newTask({ url: 'https://example.org/only-in-the-log' })])
    const path = storePath()
    for (const suffix of ['', '-wal']) writeFileSync(path + suffix, readFileSync(source + suffix))
    const page = pagesOf(source, 'tasks')[10] ?? 0
    overwrite(path, (page - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
    const opened = open(path)
    expect(opened.recovered).not.toBeNull()
    expect(existsSync(`${opened.recovered?.setAside}-wal`)).toBe(true)
    expect(opened.store.getTask(id)?.url).toBe('https://example.org/only-in-the-log')
  })

  test('found damaged only while it was used is checked thoroughly at the next start', () => {
    const path = filledStore()
    // An index page replaced by another's: every page is well formed, and the quick check is content.
    const raw = openRaw(path)
    const leaves = raw
      .prepare(`SELECT pageno FROM dbstat WHERE name = 'tasks_list_created' AND pagetype = 'leaf' ORDER BY path`)
      .pluck()
      .all() as number[]
    raw.close()
    const [from = 0, to = 0] = leaves.slice(1)
    const page = readFileSync(path).subarray((from - 1) * PAGE_BYTES, from * PAGE_BYTES)
    overwrite(path, (to - 1) * PAGE_BYTES, page)
    writeFileSync(suspectMark(path), '')
    const { store, recovered } = open(path)
    expect(recovered).toMatchObject({ tasksKept: TASKS, tasksLost: 0 })
    expect(existsSync(suspectMark(path))).toBe(false)
    expect(store.listTasks(listQuery({ sort: 'created' })).total).toBe(TASKS)
  })

  test('tells whoever is using it, and marks itself for the thorough check', () => {
    const path = filledStore()
    const { store, recovered } = open(path)
    expect(recovered).toBeNull()
    const page = pagesOf(path, 'tasks').at(-1) ?? 0
    overwrite(path, (page - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
    expect(() => store.getTask(TASKS)).toThrow(expect.objectContaining({ code: 'store_corrupt' }))
    expect(existsSync(suspectMark(path))).toBe(true)
    expect(store.getTask(1)?.id).toBe(1)
  })
})

describe('a store that is hurt anywhere', { timeout: 60_000 }, () => {
  const template = { bytes: null as Buffer | null }
  const filledBytes = (): Buffer => {
    template.bytes ??= readFileSync(filledStore())
    return template.bytes
  }
  const hurt = (change: (bytes: Buffer) => Buffer): string => {
    const path = storePath()
    writeFileSync(path, change(Buffer.from(filledBytes())))
    return path
  }

  test.each([
    [0.001, 0],
    [0.1, 0],
    [0.5, TASKS / 10],
    [0.9, TASKS / 4],
    [0.9999, TASKS - 50],
  ])('cut off at %f of its length still gives at least %d tasks', (part, atLeast) => {
    const path = hurt((bytes) => bytes.subarray(0, Math.floor(bytes.length * part)))
    const size = statSync(path).size
    const { store, recovered } = open(path)
    expect(statSync(recovered?.setAside ?? '').size).toBe(size)
    expect(store.listTasks(listQuery()).total).toBe(recovered?.tasksKept)
    expect(recovered?.tasksKept).toBeLessThanOrEqual(TASKS)
    expect(recovered?.tasksKept).toBeGreaterThanOrEqual(atLeast)
    expectPlausible(store)
  })

  /** A fixed spread over the file: the header, the schema, and every 25th of the rest. */
  const offsets = [0, 16, 20, 24, 28, 44, 52, 56, 60, 68, 100, 103, 107, 112, 4000]
  const parts = Array.from({ length: 25 }, (_, index) => index / 25 + 0.0123)

  test.each([...offsets.map((offset) => ({ offset })), ...parts.map((part) => ({ part }))])(
    'with eight bytes flipped at %j opens, or is salvaged, or is refused as newer; nothing is lost silently',
    (place) => {
      let offset = 0
      const path = hurt((bytes) => {
        offset = 'offset' in place ? place.offset : Math.floor(bytes.length * place.part)
        for (let index = offset; index < offset + 8; index++) bytes[index] = (bytes[index] ?? 0) ^ 0xff
        return bytes
      })
      let opened: ReturnType<typeof open>
      try {
        opened = open(path)
      } catch (error) {
        // The only refusal: the flip made the version number a high one. The file must be as it was.
        expect(error, `offset ${offset}`).toMatchObject({ code: 'store_newer' })
        expect(readFileSync(path).length).toBe(filledBytes().length)
        return
      }
      let { store, recovered } = opened
      if (recovered === null) {
        try {
          expect(store.listTasks(listQuery()).total, `offset ${offset}`).toBe(TASKS)
          return
        } catch (error) {
          // What a quick look at the start does not see (an index that lies) is met in use, and then the next start
          // looks at everything.
          expect(error, `offset ${offset}`).toMatchObject({ code: 'store_corrupt' })
          store.close()
          ;({ store, recovered } = open(path))
          expect(recovered, `offset ${offset}`).not.toBeNull()
        }
      }
      if (recovered !== null) {
        expect(statSync(recovered.setAside).size).toBe(filledBytes().length)
        expect(store.listTasks(listQuery()).total, `offset ${offset}`).toBe(recovered.tasksKept)
        expectPlausible(store)
      }
    },
  )

  test.each([
    ['its first four bytes', 0, 4],
    ['the size of its pages', 16, 2],
    ['its format', 18, 6],
    ['its length', 24, 8],
    ['its encoding', 56, 4],
    ['all of its header', 0, 100],
  ])('without %s it still gives every task', (_what, from, count) => {
    const path = hurt((bytes) => bytes.fill(0xa5, from, from + count))
    const { store, recovered } = open(path)
    // What is damaged beyond what every list has in common may still be read.
    if (recovered !== null) expect(recovered).toMatchObject({ tasksKept: TASKS, tasksLost: 0 })
    expect(store.listTasks(listQuery()).total).toBe(TASKS)
    expect(store.getSettings()).toEqual({ downloadsAtOnce: 7 })
    expect(readdirSync(dirname(path)).filter((name) => name.includes('mended'))).toEqual([])
    expectPlausible(store)
  })

  test('stays as it is, with nothing set aside, where the salvage itself cannot be written', () => {
    const path = hurt(() => Buffer.from('garbage '.repeat(2000)))
    mkdirSync(`${path}.salvage`)
    expect(() => open(path)).toThrow(NighthaulError)
    expect(readFileSync(path, 'utf8')).toContain('garbage')
    expect(readdirSync(dirname(path)).filter((name) => name.includes('corrupt'))).toEqual([])
  })

  test('that is no database at all is set aside and reported, with nothing kept', () => {
    const path = hurt(() => Buffer.from('this is a text file, not a queue\n'.repeat(500)))
    const { store, recovered, logger } = open(path)
    expect(recovered).toMatchObject({ tasksKept: 0, tasksLost: null })
    expect(readFileSync(recovered?.setAside ?? '', 'utf8')).toContain('a text file')
    expect(logger.lines.map((line) => line.message)).toContain('there is no backup to take from what could not be read')
    expect(store.countsByState().queued).toBe(0)
  })

  test('leaves nothing in the folder but the store and what was set aside', () => {
    const path = hurt(() => Buffer.from('garbage '.repeat(2000)))
    open(path).store.close()
    expect(readdirSync(dirname(path)).sort()).toEqual(['queue.db', 'queue.db.corrupt-2026-11-22T21-04-05-000Z'])
  })
})

describe('a store of which nothing can be read', { timeout: 60_000 }, () => {
  test('is restored from its newest sound backup, which the report names', () => {
    const path = filledStore()
    const backup = (label: string) => `${path}.backup-v10-${label}`
    openRaw(path).prepare('VACUUM INTO ?').run(backup('2026-11-01T00-00-00-000Z'))
    writeFileSync(backup('2026-11-02T00-00-00-000Z'), 'damaged too '.repeat(1000))
    writeFileSync(path, 'garbage '.repeat(2000))
    const { store, recovered, logger } = open(path)
    expect(recovered).toMatchObject({
      tasksKept: 0,
      tasksFromBackup: TASKS,
      tasksLost: null,
      restoredFrom: backup('2026-11-01T00-00-00-000Z'),
    })
    expect(store.getSettings()).toEqual({ downloadsAtOnce: 7 })
    expect(logger.lines.map((line) => line.message)).toContain('what could not be read was taken from a backup')
  })

  test('counts as damaged when it is empty although a backup shows that it was not', () => {
    const path = filledStore()
    openRaw(path).prepare('VACUUM INTO ?').run(`${path}.backup-v10-2026-11-01T00-00-00-000Z`)
    truncateSync(path, 0)
    expect(open(path).recovered).toMatchObject({ tasksFromBackup: TASKS })
  })
})

test('an empty file without a past is a new store', () => {
  const path = storePath()
  writeFileSync(path, '')
  const { store, recovered } = open(path)
  expect(recovered).toBeNull()
  expect(store.addTasks([newTask()])).toEqual([1])
})

test('passwords and cookies of salvaged tasks are kept, and never logged', () => {
  const path = storePath()
  const secret = 'hunter2-cookie-jar'
  const store = openTestStore({ path })
  store.addTasks(manyTasks(200).map((task) => ({ ...task, options: { password: secret, cookies: secret } })))
  store.close()
  const page = pagesOf(path, 'tasks')[3] ?? 0
  overwrite(path, (page - 1) * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0xa5))
  const opened = open(path)
  expect(opened.recovered?.tasksKept).toBeGreaterThan(100)
  expect(opened.store.getTask(1)?.options).toEqual({ password: secret, cookies: secret })
  expect(JSON.stringify([opened.logger.lines, opened.recovered])).not.toContain(secret)
})

test('its log is gone for good before the fresh one takes its name, and that name is on the disk at once', async () => {
  const path = storePath()
  const fresh = `${path}.fresh`
  for (const file of [path, `${path}-wal`, fresh]) writeFileSync(file, file)
  const calls: string[] = []
  const real = { rmSync: fs.rmSync, renameSync: fs.renameSync, fsyncSync: fs.fsyncSync }
  const told =
    <A extends unknown[], R>(name: string, call: (...input: A) => R) =>
    (...input: A) => {
      calls.push(name)
      return call(...input)
    }
  Object.assign(fs, Object.fromEntries(Object.entries(real).map(([name, call]) => [name, told(name, call as never)])))
  syncBuiltinESMExports()
  try {
    takePlace(fresh, path)
  } finally {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  }
  expect(calls).toEqual(['rmSync', 'rmSync', 'fsyncSync', 'renameSync', 'fsyncSync'])
  expect(existsSync(`${path}-wal`)).toBe(false)
  expect(readFileSync(path, 'utf8')).toBe(fresh)
})
