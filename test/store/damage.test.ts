/**
 * Damage anywhere: bytes flipped and files cut off at seeded places of every kind of page, of the header and of the
 * log. Whatever happens, nobody is told less than what is lost, and no mark says more than what was written.
 * NIGHTHAUL_DAMAGE_CASES=5000 runs more; NIGHTHAUL_DAMAGE_SEED=7 others.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dailyBackups } from '../../electron/store/backup-files.ts'
import { openStore } from '../../electron/store/index.ts'
import { suspectMark } from '../../electron/store/inspect.ts'
import type { SegmentRecord, TaskStore } from '../../shared/records.ts'
import type { TaskState } from '../../shared/task-state.ts'
import { listQuery, manyTasks, newTask, TEST_NOW } from '../helpers/store.ts'

const CASES = Number(process.env.NIGHTHAUL_DAMAGE_CASES ?? 200)
const SEED = Number(process.env.NIGHTHAUL_DAMAGE_SEED ?? 1)
const TASKS = 160
const PAGE_BYTES = 4096
const SIZE = 1000

interface Template {
  database: Buffer
  log: Buffer
  /** pages by what they hold: `tasks leaf`, `tasks_list_name internal`, `freelist`… */
  pages: Map<string, number[]>
  truth: Map<number, { url: string; state: TaskState; segments: SegmentRecord[] }>
  /** tasks that are in the log alone */
  inLog: Set<number>
}

let template: Template
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nighthaul-damage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const segmentsOf = (id: number): SegmentRecord[] => [
  { start: 0, end: 500, written: 100 + (id % 300), durable: 100 },
  { start: 500, end: SIZE, written: 600, durable: 550 },
]

beforeAll(async () => {
  const path = join(folder, 'template.db')
  const open = () => openStore({ path, now: () => TEST_NOW, busyTimeoutMs: 2000 }).store
  let store = open()
  const ids = store.addTasks(
    manyTasks(TASKS).map((task) => ({ ...task, options: { headers: [['X-Pad', 'x'.repeat(150)]] } })),
  )
  store.updateTasks(
    ids.map((id) => ({ id, patch: { sizeBytes: SIZE, filename: `f-${id}`, state: id % 5 === 0 ? 'done' : 'paused' } })),
  )
  store.checkpoint(
    ids.map((id) => ({
      id,
      writtenBytes: 1,
      bootId: 'boot',
      segments: segmentsOf(id),
      blocks: [{ index: 0, crc32: id, bytes: SIZE }],
    })),
  )
  store.setSettings({ downloadsAtOnce: 7 })
  await store.backUp({ days: 7, weeks: 0 })
  // Leaves free pages behind, and removed tasks.
  const gone = ids.slice(100, 130)
  store.removeTasks(gone, { removal: store.beginRemoval(TEST_NOW), at: TEST_NOW })
  store.forgetRemoved(TEST_NOW, 20)
  store.close()
  const database = readFileSync(path)
  const raw = new Database(path)
  const pages = new Map<string, number[]>()
  const free = new Set(Array.from({ length: database.length / PAGE_BYTES }, (_, index) => index + 1))
  for (const { name, kind, page } of raw
    .prepare<[], { name: string; kind: string; page: number }>(
      'SELECT name, pagetype AS kind, pageno AS page FROM dbstat',
    )
    .all()) {
    free.delete(page)
    const key = `${name} ${kind}`
    pages.set(key, [...(pages.get(key) ?? []), page])
  }
  if (free.size > 0) pages.set('freelist', [...free])
  raw.close()
  writeFileSync(path, database)
  store = open()
  const inLog = new Set(
    store.addTasks([1, 2, 3].map((n) => newTask({ url: `https://example.org/log-${n}`, state: 'paused' }))),
  )
  const log = readFileSync(`${path}-wal`)
  const live = readFileSync(path)
  const truth: Template['truth'] = new Map()
  for (const id of store.selectIds({ filter: {} })) {
    const { url, state } = store.getTask(id)!
    truth.set(id, { url, state, segments: store.segments(id) })
  }
  store.close()
  expect(inLog.size).toBe(3)
  template = { database: live, log, pages, truth, inLog }
}, 60_000)

/** Park and Miller: the same cases on every machine. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed * 48_271 + 11) % 2_147_483_647
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

interface Damage {
  what: string
  database: Buffer
  log: Buffer | null
  /** the end of the log is gone without a trace, as after a power cut */
  unseen?: true
}

function damage(number: number): Damage {
  const random = randomOf(SEED * 100_003 + number + 1)
  const database = Buffer.from(template.database)
  const withLog = number % 3 !== 0
  const log = withLog ? Buffer.from(template.log) : null
  const flip = (bytes: Buffer, at: number, count: number) => {
    for (let n = at; n < Math.min(bytes.length, at + count); n++) bytes[n] = bytes[n]! ^ (1 + random(255))
  }
  const kinds = [...template.pages.keys()]
  switch (number % 8) {
    case 0: {
      const at = random(100)
      flip(database, at, 1 + random(8))
      return { what: `header at ${at}`, database, log }
    }
    case 1: {
      const at = random(database.length)
      return { what: `database cut at ${at}`, database: database.subarray(0, at), log }
    }
    case 2: {
      const at = random(template.log.length)
      const hurt = Buffer.from(template.log)
      flip(hurt, at, 1 + random(16))
      // What says that the last frame is one of these can be hurt as well.
      const last = hurt.length - PAGE_BYTES - 24
      return { what: `log at ${at}`, database, log: hurt, ...(at > last - 16 && at < last + 24 && { unseen: true }) }
    }
    case 3: {
      const at = random(template.log.length)
      return { what: `log cut at ${at}`, database, log: template.log.subarray(0, at), unseen: true }
    }
    default: {
      const kind = kinds[Math.floor(number / 8) % kinds.length]!
      const pages = template.pages.get(kind)!
      const page = pages[random(pages.length)]!
      const within = random(PAGE_BYTES)
      const count = number % 8 === 4 ? PAGE_BYTES - within : 1 + random(16)
      flip(database, (page - 1) * PAGE_BYTES + within, count)
      return { what: `${kind} page ${page} at ${within}, ${count} bytes`, database, log }
    }
  }
}

/** What it says it has is what there was; what it lacks it tells. */
function check(store: TaskStore, what: string, hasLog: boolean): number {
  const ids = store.selectIds({ filter: {} })
  expect(
    Object.values(store.countsByState()).reduce((sum, count) => sum + count, 0),
    what,
  ).toBe(ids.length)
  expect(store.listTasks(listQuery({ limit: 1000 })).total, what).toBe(ids.length)
  let missing = 0
  for (const [id, truth] of template.truth) {
    if (!hasLog && template.inLog.has(id)) continue
    const task = store.getTask(id)
    if (task === null) {
      missing++
      continue
    }
    if (truth.state !== 'done') expect(task.state, `${what}, task ${id}`).not.toBe('done')
    const believed = store.segments(id)
    if (truth.state === 'done' || believed.length === 0) continue
    let next = 0
    for (const segment of believed) {
      expect(segment.start, `${what}, task ${id} has a hole`).toBe(next)
      next = segment.end ?? SIZE
      if (segment.written === segment.start) continue
      const real = truth.segments.find(({ start, written }) => start <= segment.start && segment.written <= written)
      expect(real, `${what}, task ${id} says it has bytes it never wrote`).toBeDefined()
    }
    store.blocks(id)
  }
  expect(store.addTasks([newTask({ url: 'https://example.org/after' })]), what).toHaveLength(1)
  return missing
}

function run(number: number): void {
  const { what, database, log, unseen } = damage(number)
  const home = join(folder, 'case')
  const path = join(home, 'template.db')
  const withBackup = number % 2 === 0
  mkdirSync(join(home, 'backups'), { recursive: true })
  for (const { path: backup } of withBackup ? dailyBackups(join(folder, 'template.db'), TEST_NOW) : [])
    copyFileSync(backup, join(home, 'backups', basename(backup)))
  writeFileSync(path, database)
  if (log !== null) writeFileSync(`${path}-wal`, log)
  const open = () => openStore({ path, now: () => TEST_NOW, busyTimeoutMs: 2000 })
  let opened: ReturnType<typeof open> | null = null
  try {
    try {
      opened = open()
    } catch (error) {
      // The version became a high one: another program may know it, so it is left alone.
      expect(error, what).toMatchObject({ code: 'store_newer' })
      return
    }
    let missing: number
    try {
      missing = check(opened.store, what, log !== null)
    } catch (error) {
      if ((error as { code?: string }).code !== 'store_corrupt') throw error
      // A damaged index is met in use; the next start looks at everything.
      expect(existsSync(suspectMark(path)), what).toBe(true)
      opened.store.close()
      opened = open()
      expect(opened.recovered, what).not.toBeNull()
      missing = check(opened.store, what, log !== null)
    }
    if (missing === 0 || (unseen && missing <= template.inLog.size)) return
    // Told, and by no less than what is missing.
    const notices = opened.store.notices()
    expect(
      notices.map(({ code }) => code),
      `${what}: ${missing} missing without a word`,
    ).not.toEqual([])
    const { recovered } = opened
    if (recovered !== null && recovered.tasksLost !== null && notices.every(({ code }) => code.startsWith('list_')))
      expect(recovered.tasksLost, what).toBeGreaterThanOrEqual(missing)
    if (withBackup) expect(missing, what).toBeLessThanOrEqual(template.inLog.size)
  } finally {
    opened?.store.close()
    rmSync(home, { recursive: true, force: true })
  }
}

describe('a list that is damaged anywhere', { timeout: 600_000 }, () => {
  test(`opens, or is put together again, or says what it lacks: ${CASES} cases of seed ${SEED}`, () => {
    for (let number = 0; number < CASES; number++) run(number)
  })
})
