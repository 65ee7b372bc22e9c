/**
 * Table `tasks` as a list shows it: a page, or the ids of a selection, filtered and sorted. A page is found in the
 * index of its order (which holds states and queues as well); only the rows it shows are read.
 */
import type { TaskStore } from '../../shared/records.ts'
import { DEFAULT_QUEUE_ID, type ListTasksInput, type Selection, type TaskId } from '../../shared/schemas.ts'
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

export type ListFilter = Pick<ListTasksInput, 'states' | 'text' | 'queueId'>
export type ListOrder = Pick<ListTasksInput, 'sort' | 'descending'>

/** Text as a LIKE pattern that finds it anywhere, with LIKE's own characters taken literally. */
function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, (character) => `\\${character}`)}%`
}

/** What a filter lets through: an empty list of states nothing; no list, everything. */
function conditionsOf({ states, text, queueId }: ListFilter) {
  const conditions: string[] = []
  const parameters: SqlValue[] = []
  if (states !== undefined) {
    conditions.push(`state IN (${states.map(() => '?').join(', ')})`)
    parameters.push(...states)
  }
  if (queueId !== undefined) {
    // Tasks of a queue that is gone are in the default one.
    if (queueId === DEFAULT_QUEUE_ID) conditions.push('(queue_id = ? OR queue_id NOT IN (SELECT id FROM queues))')
    else conditions.push('queue_id = ?')
    parameters.push(queueId)
  }
  if (text !== undefined && text !== '') {
    conditions.push(`(name_key LIKE ? ESCAPE '\\' OR url LIKE ? ESCAPE '\\')`)
    parameters.push(containing(fold(text)), containing(text))
  }
  return { where: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, parameters }
}

/**
 * Ids of the tasks a filter lets through, in order. Takes LIMIT and OFFSET as its last two parameters (a LIMIT of -1 is
 * none). Pure.
 */
export function idsQuery(filter: ListFilter, { sort, descending }: ListOrder) {
  const { index, columns } = ORDERS[sort]
  const { where, parameters } = conditionsOf(filter)
  // Named, because without statistics SQLite believes that a state picks few rows, and sorts them.
  const from = filter.text === undefined || filter.text === '' ? `tasks INDEXED BY ${index}` : 'tasks'
  const order = columns.map((column) => (descending ? `${column} DESC` : column)).join(', ')
  return { sql: `SELECT id FROM ${from} ${where} ORDER BY ${order} LIMIT ? OFFSET ?`, parameters }
}

/** How many tasks a filter without text lets through. Pure. */
export function countQuery(filter: ListFilter) {
  const { where, parameters } = conditionsOf(filter)
  return { sql: `SELECT count(*) FROM tasks INDEXED BY tasks_list_position ${where}`, parameters }
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

  /** All of an index is read for it, a few milliseconds for 100,000 tasks. */
  function count(filter: ListFilter): number {
    const { sql, parameters } = countQuery(filter)
    const statement = statements.get(sql) ?? prepareIds(sql)
    statements.set(sql, statement)
    return statement.get(...parameters) ?? 0
  }

  /** Text has to look at every row anyway, so one pass gives the total and the page. */
  function pageOf(query: ListTasksInput): { total: number; ids: TaskId[] } {
    const states = query.states === undefined ? undefined : [...new Set(query.states)].sort()
    const { text, limit, offset, queueId } = query
    if (text !== undefined && text !== '') {
      const all = ids({ states, text, queueId }, query)
      return { total: all.length, ids: all.slice(offset, offset + limit) }
    }
    if (queueId !== undefined)
      return { total: count({ states, queueId }), ids: ids({ states, queueId }, query, limit, offset) }
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
