/**
 * What a damaged database could not give, from a backup of it: tasks that are in the backup alone, progress of tasks
 * that lost theirs, and the rows of tables that were damaged. What was read from the damaged file is the newer of the
 * two and stays; what was removed since stays removed.
 */
import type { Connection } from './database.ts'
import { isConstraintViolation } from './store-errors.ts'

/** What refers to a task goes with it; of these alone rows are copied into a task that is there already. */
const PROGRESS = ['segments', 'block_pages'] as const
/** The same, row by row, where the table was damaged: each says something by itself. */
const OF_TASKS = ['piece_hashes', 'mirrors'] as const
/** Tables of their own, whose rows are taken where the table was damaged. Notices are not: they may have been read. */
const TABLES = [
  ...['removals', 'removed_tasks', 'settings', 'queues', 'hosts', 'host_rules', 'schedule_state', 'repeats', 'journal'],
  ...['request_statistics', 'received_bytes', 'queue_bytes'],
]

/**
 * @param backup path of a sound database of the same schema
 * @param damaged tables of which rows may be missing
 * @returns how many tasks came from it
 */
export function mergeMissing(target: Connection, backup: string, damaged: ReadonlySet<string>): number {
  const { db } = target
  const columnsOf = (table: string) =>
    (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => `"${name}"`).join(', ')
  const children = db
    .prepare<[], { name: string; key: string }>(
      `SELECT s.name, k."from" AS key FROM sqlite_schema s JOIN pragma_foreign_key_list(s.name) k
       WHERE s.type = 'table' AND k."table" = 'tasks'`,
    )
    .all()
  db.prepare('ATTACH ? AS backup').run(backup)
  try {
    return target.intent(() => {
      const missing = db
        .prepare<[], number>(
          `SELECT id FROM backup.tasks
           WHERE id NOT IN (SELECT id FROM main.tasks) AND id NOT IN (SELECT id FROM main.removed_tasks) ORDER BY id`,
        )
        .pluck()
        .all()
      const taken = missing.filter(takeTask())
      for (const { name, key } of children) copyRows(name, key, taken)
      const bare = db
        .prepare<[], number>(
          `SELECT t.id FROM main.tasks t JOIN backup.tasks b ON b.id = t.id AND b.url = t.url AND b.filename IS t.filename
           WHERE t.state <> 'done' AND NOT EXISTS (SELECT 1 FROM main.segments WHERE task_id = t.id)`,
        )
        .pluck()
        .all()
      for (const name of PROGRESS) if (damaged.has('segments') || damaged.has('tasks')) copyRows(name, 'task_id', bare)
      for (const name of OF_TASKS) {
        if (!damaged.has(name)) continue
        db.exec(
          `INSERT OR IGNORE INTO main.${name} (${columnsOf(name)}) SELECT ${columnsOf(name)} FROM backup.${name}
           WHERE task_id IN (SELECT t.id FROM main.tasks t JOIN backup.tasks b ON b.id = t.id AND b.url = t.url)`,
        )
      }
      for (const name of TABLES) {
        if (!damaged.has(name)) continue
        const alive = name === 'removed_tasks' ? 'WHERE id NOT IN (SELECT id FROM main.tasks)' : ''
        db.exec(
          `INSERT OR IGNORE INTO main.${name} (${columnsOf(name)}) SELECT ${columnsOf(name)} FROM backup.${name} ${alive}`,
        )
      }
      db.exec(
        `UPDATE main.tasks SET written_bytes =
           (SELECT coalesce(sum(written - start), 0) FROM main.segments WHERE task_id = tasks.id)
         WHERE state <> 'done'`,
      )
      return taken.length
    })
  } finally {
    db.exec('DETACH backup')
  }

  function takeTask(): (id: number) => boolean {
    const columns = columnsOf('tasks')
    const insert = (values: string) =>
      db.prepare<[number]>(`INSERT INTO main.tasks (${columns}) SELECT ${values} FROM backup.tasks WHERE id = ?`)
    const asItWas = insert(columns)
    // Its place or its name is another's by now: it goes to the end, and finds a name again.
    const atTheEnd = insert(
      columns
        .replace('"position"', '(SELECT coalesce(max(position), 0) + 1 FROM main.tasks)')
        .replace('"filename"', 'NULL')
        .replace('"filename_folded"', 'NULL'),
    )
    return (id) => runOrNot(() => asItWas.run(id)) || runOrNot(() => atTheEnd.run(id))
  }

  function copyRows(table: string, key: string, ids: readonly number[]): void {
    const columns = columnsOf(table)
    const copy = db.prepare<[number]>(
      `INSERT OR IGNORE INTO main.${table} (${columns}) SELECT ${columns} FROM backup.${table} WHERE ${key} = ?`,
    )
    for (const id of ids) copy.run(id)
  }
}

function runOrNot(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (isConstraintViolation(error)) return false
    throw error
  }
}
