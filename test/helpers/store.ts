/** Stores on real files for tests: a folder of their own, sample tasks, a logger that remembers, a second raw handle. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { openStore, type StoreOptions } from '../../electron/store/index.ts'
import type { NewTask, TaskStore } from '../../shared/records.ts'
import type { ListTasksInput } from '../../shared/schemas.ts'

/** Every test's clock stands here: names of backups and set-aside files are then known. */
export const TEST_NOW = Date.UTC(2026, 10, 22, 21, 4, 5)

/** Takes what is to be undone; the latest is undone first. A hook for many tests passes its own. */
type OnEnd = (undo: () => void) => void

/** A path for a database in a new folder that is deleted when the test ends. */
export function storePath(onEnd: OnEnd = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'nighthaul-store-'))
  onEnd(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'queue.db')
}

/** A store that is closed when the test ends. */
export function openTestStore(options: Partial<StoreOptions> = {}, onEnd: OnEnd = onTestFinished): TaskStore {
  const path = options.path ?? storePath(onEnd)
  const { store } = openStore({ now: () => TEST_NOW, busyTimeoutMs: 2000, ...options, path })
  onEnd(() => store.close())
  return store
}

/** A plain SQLite handle on the same file, closed when the test ends. */
export function openRaw(path: string): Database.Database {
  const db = new Database(path)
  onTestFinished(() => {
    db.close()
  })
  return db
}

export function newTask(overrides: Partial<NewTask> = {}): NewTask {
  return {
    url: 'https://example.org/files/archive.tar.gz',
    requestedFilename: null,
    folder: '/downloads',
    state: 'queued',
    options: {},
    createdAt: TEST_NOW,
    leaseOwner: null,
    ...overrides,
  }
}

export function manyTasks(count: number): NewTask[] {
  return Array.from({ length: count }, (_, index) =>
    newTask({ url: `https://example.org/files/archive-${index}.tar.gz`, createdAt: TEST_NOW + index }),
  )
}

export function listQuery(overrides: Partial<ListTasksInput> = {}): ListTasksInput {
  return { sort: 'position', descending: false, offset: 0, limit: 200, ...overrides }
}

export interface LogLine {
  level: 'info' | 'warn'
  data: Record<string, unknown>
  message: string
}

export function memoryLogger(): { lines: LogLine[] } & NonNullable<StoreOptions['logger']> {
  const lines: LogLine[] = []
  return {
    lines,
    info: (data, message) => lines.push({ level: 'info', data, message }),
    warn: (data, message) => lines.push({ level: 'warn', data, message }),
  }
}
