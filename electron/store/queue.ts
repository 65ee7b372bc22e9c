/** Table `tasks` as the scheduler asks it: what is next, what is due, what exists already, who holds what. */
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { SELECT_TASK, type TaskRow, toTask } from './task-row.ts'

type Queue = Pick<
  TaskStore,
  | 'nextQueued'
  | 'tasksInStates'
  | 'unsyncedDone'
  | 'suspended'
  | 'relocating'
  | 'nextRetryAt'
  | 'dueRetries'
  | 'findUnfinished'
  | 'findUnfinishedUrls'
  | 'takeLease'
  | 'releaseLease'
  | 'leasedTasks'
>

/**
 * Every question names its index: without statistics SQLite believes that a state picks few rows, and then reads
 * every finished task to find the unsynced ones. A statement whose index does not fit fails when it is prepared.
 */
const from = (index: string): string => `${SELECT_TASK} INDEXED BY ${index}`

export const QUEUE_SQL = {
  queued: `${from('tasks_queue')} WHERE state = 'queued' AND lease_owner IS NULL ORDER BY position`,
  inState: `${from('tasks_queue')} WHERE state = ? AND lease_owner IS NULL ORDER BY position`,
  unsynced: `${from('tasks_unsynced')} WHERE state = 'done' AND fsynced_at IS NULL ORDER BY position`,
  suspended: `${from('tasks_suspended')} WHERE state = 'paused' AND error IS NOT NULL AND lease_owner IS NULL
    ORDER BY position LIMIT ?`,
  relocating: `${from('tasks_relocating')} WHERE relocation IS NOT NULL AND lease_owner IS NULL ORDER BY position`,
  earliestRetry: `SELECT min(retry_at) FROM tasks INDEXED BY tasks_retry
    WHERE state = 'waiting' AND lease_owner IS NULL`,
  due: `${from('tasks_retry')} WHERE state = 'waiting' AND lease_owner IS NULL AND retry_at <= ? ORDER BY retry_at`,
  newest: `${from('tasks_unfinished_url')} WHERE url = ? AND folder = ? AND state <> 'done'
    ORDER BY id DESC`,
  newestNamed: `${from('tasks_unfinished_url')} WHERE url = ? AND folder = ? AND state <> 'done'
    AND requested_filename = ? ORDER BY id DESC`,
  newestIds: `SELECT url, max(tasks.id) AS id FROM json_each(?) JOIN tasks INDEXED BY tasks_unfinished_url
    ON url = value AND folder = ? AND state <> 'done' GROUP BY url`,
  leased: `${from('tasks_leased')} WHERE lease_owner IS NOT NULL ORDER BY position`,
} as const

export function createQueue(connection: Connection, logger: StoreLogger): Queue {
  const { db } = connection
  const records = (rows: TaskRow[]): TaskRecord[] => rows.map((row) => toTask(row, logger))

  const queued = db.prepare<[], TaskRow>(QUEUE_SQL.queued)
  const inState = db.prepare<[string], TaskRow>(QUEUE_SQL.inState)
  const unsynced = db.prepare<[], TaskRow>(QUEUE_SQL.unsynced)
  const suspended = db.prepare<[number], TaskRow>(QUEUE_SQL.suspended)
  const relocating = db.prepare<[], TaskRow>(QUEUE_SQL.relocating)
  const earliestRetry = db.prepare<[], number | null>(QUEUE_SQL.earliestRetry).pluck()
  const due = db.prepare<[number], TaskRow>(QUEUE_SQL.due)
  const newest = db.prepare<[string, string], TaskRow>(QUEUE_SQL.newest)
  const newestNamed = db.prepare<[string, string, string], TaskRow>(QUEUE_SQL.newestNamed)
  const newestIds = db.prepare<[string, string], { url: string; id: TaskId }>(QUEUE_SQL.newestIds)
  const leased = db.prepare<[], TaskRow>(QUEUE_SQL.leased)
  const compareAndSetLease = db.prepare<[string | null, TaskId, string | null]>(
    'UPDATE tasks SET lease_owner = ? WHERE id = ? AND lease_owner IS ?',
  )

  return {
    nextQueued(limit, except = () => false) {
      const tasks: TaskRecord[] = []
      for (const row of queued.iterate()) {
        if (tasks.length === limit) break
        if (!except(row.id)) tasks.push(toTask(row, logger))
      }
      return tasks
    },
    tasksInStates: (states) =>
      connection
        .read(() => records([...new Set(states)].flatMap((state) => inState.all(state))))
        .sort((a, b) => a.position - b.position),
    unsyncedDone: () => records(unsynced.all()),
    suspended: (limit) => records(suspended.all(limit)),
    relocating: () => records(relocating.all()),
    nextRetryAt: () => earliestRetry.get() ?? null,
    dueRetries: (now) => records(due.all(now)),
    findUnfinished({ url, folder, requestedFilename }, fits = () => true) {
      const rows =
        requestedFilename === null ? newest.iterate(url, folder) : newestNamed.iterate(url, folder, requestedFilename)
      for (const row of rows) {
        const task = toTask(row, logger)
        if (fits(task)) return task
      }
      return null
    },
    findUnfinishedUrls: (folder, urls) =>
      new Map(newestIds.all(JSON.stringify(urls), folder).map(({ url, id }) => [url, id])),
    takeLease: (id, owner, expected) =>
      connection.intent(() => compareAndSetLease.run(owner, id, expected).changes === 1),
    releaseLease(id, owner) {
      connection.progress(() => compareAndSetLease.run(null, id, owner))
    },
    leasedTasks: () => records(leased.all()),
  }
}
