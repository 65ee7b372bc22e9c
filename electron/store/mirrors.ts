/** Table `mirrors`: the URLs that a task's file can be had from. A task that has but one has no rows here. */
import {
  type MirrorFile,
  type MirrorRecord,
  MOST_MIRRORS,
  type NewMirror,
  type TaskStore,
} from '../../shared/records.ts'
import { MIRROR_ORIGINS, type TaskId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { parseJson, readError } from './task-row.ts'

type Mirrors = Pick<TaskStore, 'mirrors' | 'addMirrors' | 'updateMirror' | 'renameMirror' | 'forgiveMirrors'>

type Row = Omit<MirrorRecord, 'origin' | 'file' | 'error'> & {
  origin: string
  file: string | null
  error: string | null
}

/** Adds them inside the caller’s transaction; those that are there already stay as they are. How many were new. */
export function mirrorWriter({ db }: Connection): (id: TaskId, mirrors: readonly NewMirror[]) => number {
  const insert = db.prepare<[TaskId, string, number, string | null, string, TaskId, number]>(
    `INSERT OR IGNORE INTO mirrors (task_id, url, priority, location, origin, place)
     SELECT ?, ?, ?, ?, ?, coalesce(max(place), 0) + 1 FROM mirrors WHERE task_id = ? HAVING count(*) < ?`,
  )
  return (id, mirrors) =>
    mirrors.reduce(
      (added, { url, priority, location, origin }) =>
        added + insert.run(id, url, priority, location, origin, id, MOST_MIRRORS).changes,
      0,
    )
}

export function createMirrors(connection: Connection, logger: StoreLogger): Mirrors {
  const { db } = connection
  const select = db.prepare<[TaskId], Row>(
    `SELECT url, priority, location, origin, file, error, failures, bytes, busy_ms AS busyMs
     FROM mirrors WHERE task_id = ? ORDER BY place`,
  )
  const add = mirrorWriter(connection)
  const update = db.prepare<[string | null, string | null, number, number, number, TaskId, string]>(
    `UPDATE mirrors SET file = ?, error = ?, failures = ?, bytes = ?, busy_ms = ? WHERE task_id = ? AND url = ?`,
  )
  const removeTwin = db.prepare<[TaskId, string, string]>(
    'DELETE FROM mirrors WHERE task_id = ? AND url = ? AND url <> ?',
  )
  const rename = db.prepare<[string, TaskId, string]>(
    'UPDATE mirrors SET url = ?, file = NULL, error = NULL, failures = 0 WHERE task_id = ? AND url = ?',
  )
  const forgive = db.prepare<[TaskId]>('UPDATE mirrors SET error = NULL, failures = 0 WHERE task_id = ?')

  return {
    mirrors: (id) =>
      select.all(id).map((row) => {
        const warn = (column: string) =>
          logger.warn({ taskId: id, column: `mirrors.${column}` }, 'a stored value is unreadable and was left out')
        return {
          ...row,
          origin: MIRROR_ORIGINS.find((known) => known === row.origin) ?? 'user',
          file: readFile(row.file, warn),
          error: readError(row.error, warn),
        }
      }),
    addMirrors: (id, mirrors) => connection.intent(() => add(id, mirrors)),
    updateMirror: (id, { url, file, error, failures, bytes, busyMs }) => {
      const json = (value: MirrorFile | MirrorRecord['error']) => (value === null ? null : JSON.stringify(value))
      connection.progress(() => update.run(json(file), json(error), failures, bytes, Math.round(busyMs), id, url))
    },
    renameMirror: (id, from, to) =>
      connection.intent(() => {
        removeTwin.run(id, to, from)
        rename.run(to, id, from)
      }),
    forgiveMirrors: (ids) =>
      connection.intent(() => {
        for (const id of ids) forgive.run(id)
      }),
  }
}

/** What was learnt of a mirror’s file can be learnt again. */
function readFile(text: string | null, warn: (column: string) => void): MirrorFile | null {
  if (text === null) return null
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null) {
    warn('file')
    return null
  }
  const given = value as Record<string, unknown>
  const string = (key: keyof MirrorFile) => (typeof given[key] === 'string' ? given[key] : null)
  return {
    etag: string('etag'),
    lastModified: string('lastModified'),
    lastModifiedStrong: given.lastModifiedStrong === true,
    finalUrl: string('finalUrl'),
    httpVersion: string('httpVersion'),
    acceptsRanges: typeof given.acceptsRanges === 'boolean' ? given.acceptsRanges : null,
  }
}
