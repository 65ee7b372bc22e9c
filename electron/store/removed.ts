/**
 * Table `removed_tasks`: what was taken off the list and can come back. A task is kept as JSON, with the rows of every
 * table that refers to it, so that tables and columns that come later are kept without a word here.
 */
import type { OtherName, RemovedFiles, RemovedStore } from '../../shared/list-records.ts'
import type { RemovedTask, TaskId } from '../../shared/schemas.ts'
import type { Connection } from './database.ts'
import { isUniqueViolation } from './store-errors.ts'
import { fold } from './task-row.ts'

type Row = Record<string, string | number | null | Buffer>

interface Table {
  name: string
  /** the column that refers to the task */
  key: string
  columns: { name: string; type: string }[]
}

export function createRemoved(connection: Connection): RemovedStore {
  const { db } = connection
  // table_info leaves generated columns out, which is what an INSERT needs.
  const columnsOf = (name: string) => db.pragma(`table_info(${name})`) as { name: string; type: string }[]
  const children = db
    .prepare<[], { name: string; key: string }>(
      `SELECT s.name, k."from" AS key FROM sqlite_schema s JOIN pragma_foreign_key_list(s.name) k
       WHERE s.type = 'table' AND k."table" = 'tasks'`,
    )
    .all()
  const tables: Table[] = [{ name: 'tasks', key: 'id' }, ...children].map(({ name, key }) => ({
    ...{ name, key },
    columns: columnsOf(name),
  }))
  const byName = new Map(tables.map((table) => [table.name, table]))

  const rowJson = ({ columns }: Table) =>
    `json_object(${columns.map(({ name, type }) => `'${name}', ${type === 'BLOB' ? `hex("${name}")` : `"${name}"`}`).join(', ')})`
  const content = tables
    .map(
      (table) =>
        `'${table.name}', json((SELECT json_group_array(${rowJson(table)}) FROM ${table.name} WHERE ${table.key} = @id))`,
    )
    .join(', ')

  const begin = db.prepare<[number]>('INSERT INTO removals (removed_at) VALUES (?)')
  const keep = db.prepare<[Record<string, string | number | null>]>(
    `INSERT INTO removed_tasks (id, removal, removed_at, files, files_due, content)
     SELECT id, @removal, @at, @files, @filesDue, json_object(${content}) FROM tasks WHERE id = @id`,
  )
  const remove = db.prepare<[number]>('DELETE FROM tasks WHERE id = ?')
  const total = db.prepare<[], number>('SELECT count(*) FROM removed_tasks').pluck()
  const field = (name: string) => `json_extract(content, '$.tasks[0].${name}')`
  const page = db.prepare<[number, number], Omit<RemovedTask, 'filesGone'> & { filesGone: number }>(
    `SELECT id, removal, removed_at AS removedAt, files_due AS filesDueAt, files_gone AS filesGone,
       ${field('url')} AS url, coalesce(${field('filename')}, ${field('requested_filename')}) AS filename,
       ${field('folder')} AS folder, ${field('state')} AS state, ${field('size_bytes')} AS sizeBytes
     FROM removed_tasks ORDER BY removed_at DESC, id LIMIT ? OFFSET ?`,
  )
  const lastRemoval = db.prepare<[], number>('SELECT removal FROM removed_tasks ORDER BY removal DESC LIMIT 1').pluck()
  const idsOfRemoval = db
    .prepare<[number], TaskId>('SELECT id FROM removed_tasks WHERE removal = ? ORDER BY id')
    .pluck()
  const exists = db.prepare<[number], TaskId>('SELECT id FROM removed_tasks WHERE id = ?').pluck()
  const stored = db.prepare<[number], { content: string; gone: number }>(
    'SELECT content, files_gone AS gone FROM removed_tasks WHERE id = ?',
  )
  const files = db.prepare<
    [number],
    { files: string; aside: number; gone: number; name: string | null; removedAt: number }
  >(
    `SELECT files, files_aside AS aside, files_gone AS gone, ${field('filename')} AS name, removed_at AS removedAt
     FROM removed_tasks WHERE id = ? AND files IS NOT NULL`,
  )
  const due = db
    .prepare<[number, number], TaskId>(
      'SELECT id FROM removed_tasks WHERE files_due IS NOT NULL AND files_due <= ? ORDER BY files_due LIMIT ?',
    )
    .pluck()
  const setAside = db.prepare<[string, number]>('UPDATE removed_tasks SET files = ?, files_aside = 1 WHERE id = ?')
  const setDue = db.prepare<[number, number]>('UPDATE removed_tasks SET files_due = ? WHERE id = ?')
  const setGone = db.prepare<[number]>('UPDATE removed_tasks SET files_due = NULL, files_gone = 1 WHERE id = ?')
  const drop = db.prepare<[number]>('DELETE FROM removed_tasks WHERE id = ?')
  const forgettable = db.prepare<[number]>(
    'SELECT 1 FROM removed_tasks WHERE removed_at <= ? AND files_due IS NULL LIMIT 1',
  )
  const forget = db.prepare<[number, number]>(
    `DELETE FROM removed_tasks WHERE id IN
       (SELECT id FROM removed_tasks WHERE removed_at <= ? AND files_due IS NULL ORDER BY removed_at LIMIT ?)`,
  )
  const positionTaken = db.prepare<[unknown], number>('SELECT 1 FROM tasks WHERE position = ?').pluck()
  const lastPosition = db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM tasks').pluck()
  const fileOfTask = db
    .prepare<[{ name: string; folder: string; done: number }], number>(
      `SELECT 1 FROM tasks INDEXED BY tasks_list_name
       WHERE name_key = @name AND filename_folded = @name AND folder = @folder AND (state = 'done') = @done LIMIT 1`,
    )
    .pluck()

  function insert(table: Table, row: Row): void {
    const known = table.columns.filter(({ name }) => row[name] !== undefined)
    const names = known.map(({ name }) => `"${name}"`).join(', ')
    const values = known.map(({ name, type }) => {
      const value = row[name]
      return type === 'BLOB' && typeof value === 'string' ? Buffer.from(value, 'hex') : value
    })
    insertStatement(table.name, names, known.length).run(...values)
  }

  const statements = new Map<string, ReturnType<typeof db.prepare<unknown[]>>>()
  function insertStatement(table: string, names: string, count: number) {
    const sql = `INSERT INTO ${table} (${names}) VALUES (${Array(count).fill('?').join(', ')})`
    const statement = statements.get(sql) ?? db.prepare<unknown[]>(sql)
    statements.set(sql, statement)
    return statement
  }

  function restore(id: TaskId, name: OtherName | undefined): TaskId | null {
    const found = stored.get(id)
    if (found === undefined) return null
    const kept = JSON.parse(found.content) as Record<string, Row[]>
    const task = { ...kept.tasks![0]!, lease_owner: null } as Row
    if (positionTaken.get(task.position) !== undefined) task.position = (lastPosition.get() ?? 0) + 1
    if (name !== undefined) {
      const folded = fold(name.filename)
      Object.assign(task, { filename: name.filename, filename_folded: folded, name_key: folded })
      if (typeof task.part_path === 'string') task.part_path = name.path
    }
    let rest = Object.entries(kept).filter(([table]) => table !== 'tasks')
    const startOver = () => {
      Object.assign(task, { filename: null, filename_folded: null, part_path: null, written_bytes: 0 })
      rest = rest.filter(([table]) => table !== 'segments' && table !== 'block_pages')
    }
    if (found.gone === 1) {
      startOver()
      Object.assign(task, { state: 'paused', finished_at: null, fsynced_at: null, error: null, retry_at: null })
    }
    const tasks = byName.get('tasks')!
    try {
      insert(tasks, task)
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      // Another unfinished download has its name by now, so its partial is gone.
      startOver()
      insert(tasks, task)
    }
    for (const [table, rows] of rest) {
      const known = byName.get(table)
      if (known !== undefined) for (const row of rows) insert(known, row)
    }
    drop.run(id)
    return id
  }

  return {
    beginRemoval: (at) => connection.intent(() => Number(begin.run(at).lastInsertRowid)),
    removeTasks(ids, kept) {
      connection.intent(() => {
        for (const id of ids) {
          if (kept !== undefined) {
            const { files: pairs, dueAt } = kept.files?.get(id) ?? { files: null, dueAt: null }
            const { removal, at } = kept
            keep.run({ id, removal, at, files: pairs && JSON.stringify(pairs), filesDue: dueAt })
          }
          remove.run(id)
        }
      })
    },
    removedTasks: ({ offset, limit }) =>
      connection.read(() => ({
        total: total.get() ?? 0,
        rows: page.all(limit, offset).map((row) => ({ ...row, filesGone: row.filesGone === 1 })),
      })),
    removedIds(which) {
      if ('ids' in which) return [...new Set(which.ids)].filter((id) => exists.get(id) !== undefined)
      const removal = which.removal === 'last' ? lastRemoval.get() : which.removal
      return removal === undefined ? [] : idsOfRemoval.all(removal)
    },
    removedFiles(id): RemovedFiles | null {
      const row = files.get(id)
      if (row === undefined || row.gone === 1) return null
      return { files: JSON.parse(row.files), aside: row.aside === 1, filename: row.name, removedAt: row.removedAt }
    },
    restoreTasks: (ids, names) =>
      connection.intent(() => ids.map((id) => restore(id, names.get(id))).filter((id) => id !== null)),
    filesDue: (now, limit) => due.all(now, limit),
    filesAside(files) {
      connection.intent(() => files.forEach((pairs, id) => void setAside.run(JSON.stringify(pairs), id)))
    },
    filesLater(ids, dueAt) {
      connection.intent(() => ids.forEach((id) => void setDue.run(dueAt, id)))
    },
    filesGone(ids) {
      connection.intent(() => ids.forEach((id) => void setGone.run(id)))
    },
    // Asked every second, and nearly always for nothing.
    forgetRemoved: (before, limit) =>
      forgettable.get(before) === undefined ? 0 : connection.intent(() => forget.run(before, limit).changes),
    isFileOfTask: (folder, filename, done) =>
      fileOfTask.get({ name: fold(filename), folder, done: done ? 1 : 0 }) !== undefined,
  }
}
