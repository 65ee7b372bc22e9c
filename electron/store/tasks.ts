/** Table `tasks`, row by row: add, read, change, reserve a name; and the counts by state that triggers keep. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskPatch, TaskRecord, TaskStore } from '../../shared/records.ts'
import { DEFAULT_QUEUE_ID, type TaskId } from '../../shared/schemas.ts'
import { TASK_STATES, type TaskState } from '../../shared/task-state.ts'
import type { Connection, StoreLogger } from './database.ts'
import { mirrorWriter } from './mirrors.ts'
import { pieceWriter } from './pieces.ts'
import { isUniqueViolation } from './store-errors.ts'
import {
  hostOf,
  nameColumns,
  SELECT_TASK,
  type SqlValue,
  TASK_COLUMNS,
  type TaskRow,
  toSqlValue,
  toTask,
} from './task-row.ts'

type Tasks = Pick<
  TaskStore,
  'addTasks' | 'getTask' | 'getTasks' | 'updateTask' | 'updateTasks' | 'countsByState' | 'reserveFilename'
>

const NAME_KEYS = ['url', 'requestedFilename', 'filename'] as const
/** Room between two tasks, to put others there. */
export const POSITION_STEP = 1024

export function createTasks(connection: Connection, logger: StoreLogger): Tasks {
  const { db } = connection
  const selectOne = db.prepare<[number], TaskRow>(`${SELECT_TASK} WHERE id = ?`)
  const selectNames = db.prepare<[number], Pick<TaskRecord, (typeof NAME_KEYS)[number]>>(
    'SELECT url, requested_filename AS requestedFilename, filename FROM tasks WHERE id = ?',
  )
  const selectLinks = db.prepare<[number], Pick<TaskRecord, 'url' | 'sourceUrl'>>(
    'SELECT url, source_url AS sourceUrl FROM tasks WHERE id = ?',
  )
  const lastPosition = db.prepare<[], number>('SELECT coalesce(max(position), 0) FROM tasks').pluck()
  const insert = db.prepare<[Record<string, SqlValue>]>(
    `INSERT INTO tasks
       (position, url, host, requested_filename, name_key, folder, state, options, created_at, retry_at, start_at,
        queue_id, lease_owner)
     VALUES
       (@position, @url, @host, @requestedFilename, @nameKey, @folder, @state, @options, @createdAt, @retryAt, @startAt,
        @queueId, @leaseOwner)`,
  )
  const insertPieces = pieceWriter(connection)
  const insertMirrors = mirrorWriter(connection)
  const counts = db.prepare<[], { state: string; count: number }>('SELECT state, count FROM task_counts')

  // One statement for each set of columns that is ever changed together: a handful, prepared at first use.
  const updates = new Map<string, ReturnType<typeof prepareUpdate>>()
  const prepareUpdate = (columns: readonly string[]) =>
    db.prepare<SqlValue[]>(`UPDATE tasks SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`)

  function set(id: TaskId, values: ReadonlyMap<string, SqlValue>): number {
    const columns = [...values.keys()]
    const key = columns.join()
    const statement = updates.get(key) ?? prepareUpdate(columns)
    updates.set(key, statement)
    return statement.run(...values.values(), id).changes
  }

  function update(id: TaskId, patch: TaskPatch): number {
    const values = new Map<string, SqlValue>()
    for (const key of Object.keys(TASK_COLUMNS) as (keyof typeof TASK_COLUMNS)[]) {
      if (key === 'id' || key === 'position' || key === 'createdAt') continue
      if (patch[key] !== undefined) values.set(TASK_COLUMNS[key], toSqlValue(patch[key]))
    }
    if (NAME_KEYS.some((key) => patch[key] !== undefined)) {
      const names = selectNames.get(id)
      if (names === undefined) return 0
      const { url = names.url, requestedFilename = names.requestedFilename, filename = names.filename } = patch
      // What stays the same is not written again: each name is in an index or two.
      for (const key of NAME_KEYS) if (patch[key] === names[key]) values.delete(TASK_COLUMNS[key])
      const before = nameColumns(names)
      const derived = nameColumns({ url, requestedFilename, filename })
      for (const column of ['filename_folded', 'name_key'] as const)
        if (derived[column] !== before[column]) values.set(column, derived[column])
    }
    if (patch.url !== undefined || patch.sourceUrl !== undefined) {
      const links = selectLinks.get(id)
      if (links) values.set('host', hostOf({ ...links, ...definedOf(patch) }))
    }
    return values.size === 0 ? 0 : set(id, values)
  }

  function get(id: TaskId): TaskRecord | null {
    const row = selectOne.get(id)
    return row === undefined ? null : toTask(row, logger)
  }

  return {
    addTasks: (tasks) =>
      connection.intent(() => {
        let position = lastPosition.get() ?? 0
        return tasks.map((task) => {
          const { url, requestedFilename, folder, state, createdAt, queueId = DEFAULT_QUEUE_ID, leaseOwner } = task
          const { startAt = null } = task
          const { name_key } = nameColumns({ ...task, filename: null })
          const options = JSON.stringify(task.options)
          position += POSITION_STEP
          const row = {
            position,
            url,
            host: hostOf({ url, sourceUrl: null }),
            requestedFilename,
            nameKey: name_key,
            folder,
            state,
            options,
            createdAt,
            startAt,
            retryAt: state === 'waiting' ? startAt : null,
            queueId,
            leaseOwner,
          }
          const id = Number(insert.run(row).lastInsertRowid)
          if (task.pieces) insertPieces(id, task.pieces)
          if (task.mirrors) insertMirrors(id, task.mirrors)
          return id
        })
      }),
    getTask: get,
    getTasks: (ids) => connection.read(() => ids.map(get).filter((task) => task !== null)),
    /** A task that was removed meanwhile stays removed. */
    updateTask(id, patch, options) {
      const commit = options?.intent === true ? connection.intent : connection.progress
      commit(() => update(id, patch))
    },
    updateTasks(patches, options) {
      const commit = options?.intent === false ? connection.progress : connection.intent
      commit(() => {
        for (const { id, patch } of patches) update(id, patch)
      })
    },
    countsByState() {
      const result = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>
      for (const { state, count } of counts.all()) if (Object.hasOwn(result, state)) result[state as TaskState] = count
      return result
    },
    /** Throws `task_not_found` for a task that was removed: no other name would help it. */
    reserveFilename(id, folder, filename) {
      try {
        const changed = connection.progress(() => update(id, { folder, filename }))
        if (changed === 0) throw new NighthaulError('task_not_found', `There is no download ${id} any more.`, { id })
        return true
      } catch (error) {
        if (isUniqueViolation(error)) return false
        throw error
      }
    },
  }
}

function definedOf({ url, sourceUrl }: TaskPatch): Partial<Pick<TaskRecord, 'url' | 'sourceUrl'>> {
  return { ...(url !== undefined && { url }), ...(sourceUrl !== undefined && { sourceUrl }) }
}
