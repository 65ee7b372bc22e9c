/**
 * Table `tasks` as a list shows it: a page, or the ids of a selection, filtered and sorted. A page is found in the
 * index of its order (which holds the states as well); only the rows it shows are read.
 */
import type { TaskStore } from '../../shared/records.ts'
import type { ListTasksInput, Selection, TaskId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { fold, SELECT_TASK, type SqlValue, type TaskRow, toTask } from './task-row.ts'

type TaskList = Pick<TaskStore, 'listTasks' | 'selectIds'>

const ORDERS = {
  position: { index: 'tasks_list_position', columns: ['position'] },
  name: { index: 'tasks_list_name', columns: ['name_key', 'position'] },
  size: { index: 'tasks_list_size', columns: ['size_bytes', 'position'] },
  progress: { index: 'tasks_list_progress', columns: ['progress', 'position'] },
  state: { index: 'tasks_list_state', columns: ['state_rank', 'position'] },
  created: { index: 'tasks_list_created', columns: ['created_at', 'position'] },
} as const satisfies Record<ListTasksInput['sort'], { index: string; columns: readonly string[] }>

export type ListFilter = Pick<ListTasksInput, 'states' | 'text'>
export type ListOrder = Pick<ListTasksInput, 'sort' | 'descending'>

/** Text as a LIKE pattern that finds it anywhere, with LIKE's own characters taken literally. */
function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, (character) => `\\${character}`)}%`
}

/**
 * Ids of the tasks a filter lets through, in order. An empty list of states lets nothing through; no list, everything.
 * Takes LIMIT and OFFSET as its last two parameters (a LIMIT of -1 is none). Pure.
 */
export function idsQuery({ states, text }: ListFilter, { sort, descending }: ListOrder) {
  const { index, columns } = ORDERS[sort]
  const conditions: string[] = []
  const parameters: SqlValue[] = []
  if (states !== undefined) {
    conditions.push(`state IN (${states.map(() => '?').join(', ')})`)
    parameters.push(...states)
  }
  if (text !== undefined && text !== '') {
    conditions.push(`(name_key LIKE ? ESCAPE '\\' OR url LIKE ? ESCAPE '\\')`)
    parameters.push(containing(fold(text)), containing(text))
  }
  // Named, because without statistics SQLite believes that a state picks few rows, and sorts them.
  const from = text === undefined || text === '' ? `tasks INDEXED BY ${index}` : 'tasks'
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  const order = columns.map((column) => (descending ? `${column} DESC` : column)).join(', ')
  return { sql: `SELECT id FROM ${from} ${where} ORDER BY ${order} LIMIT ? OFFSET ?`, parameters }
}

export function createTaskList(
  connection: Connection,
  logger: StoreLogger,
  countsByState: TaskStore['countsByState'],
): TaskList {
  const { db } = connection
  const selectOne = db.prepare<[number], TaskRow>(`${SELECT_TASK} WHERE id = ?`)
  const selectPosition = db.prepare<[number], number>('SELECT position FROM tasks WHERE id = ?').pluck()
  const prepareIds = (sql: string) => db.prepare<SqlValue[], TaskId>(sql).pluck()
  const statements = new Map<string, ReturnType<typeof prepareIds>>()

  function ids(filter: ListFilter, order: ListOrder, limit = -1, offset = 0): TaskId[] {
    const { sql, parameters } = idsQuery(filter, order)
    const statement = statements.get(sql) ?? prepareIds(sql)
    statements.set(sql, statement)
    return statement.all(...parameters, limit, offset)
  }

  /** Text has to look at every row anyway, so one pass gives the total and the page. */
  function pageOf(query: ListTasksInput): { total: number; ids: TaskId[] } {
    const states = query.states === undefined ? undefined : [...new Set(query.states)].sort()
    const { text, limit, offset } = query
    if (text !== undefined && text !== '') {
      const all = ids({ states, text }, query)
      return { total: all.length, ids: all.slice(offset, offset + limit) }
    }
    const counts = countsByState()
    const total = (states ?? Object.values(counts)).reduce<number>(
      (sum, entry) => sum + (typeof entry === 'number' ? entry : counts[entry]),
      0,
    )
    return { total, ids: ids({ states }, query, limit, offset) }
  }

  return {
    listTasks: (query) =>
      connection.read(() => {
        const page = pageOf(query)
        const rows = page.ids.map((id) => selectOne.get(id)).filter((row) => row !== undefined)
        return { total: page.total, rows: rows.map((row) => toTask(row, logger)) }
      }),
    selectIds: (selection: Selection) =>
      connection.read(() => {
        if ('filter' in selection) return ids(selection.filter, { sort: 'position', descending: false })
        return [...new Set(selection.ids)]
          .map((id) => ({ id, position: selectPosition.get(id) }))
          .filter((entry) => entry.position !== undefined)
          .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
          .map(({ id }) => id)
      }),
  }
}
