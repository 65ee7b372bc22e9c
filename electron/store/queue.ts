/** Table `tasks` as the scheduler asks it: what is next, what is due, what exists already, who holds what. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskRecord, TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { hostOf, SELECT_TASK, type TaskRow, toTask } from './task-row.ts'
import { POSITION_STEP } from './tasks.ts'

type Queue = Pick<
  TaskStore,
  | 'nextQueued'
  | 'nextReady'
  | 'forcedReady'
  | 'reorder'
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
  | 'releaseLeases'
  | 'leasedTasks'
>

/**
 * Every question names its index: without statistics SQLite believes that a state picks few rows, and then reads
 * every finished task to find the unsynced ones. A statement whose index does not fit fails when it is prepared.
 */
const from = (index: string): string => `${SELECT_TASK} INDEXED BY ${index}`

export const QUEUE_SQL = {
  queued: `${from('tasks_queue')} WHERE state = 'queued' AND lease_owner IS NULL ORDER BY position`,
  forced: `${from('tasks_forced')} WHERE forced = 1 AND state = 'queued' AND lease_owner IS NULL ORDER BY position`,
  ready: `${from('tasks_ready')} WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = ? ORDER BY position`,
  readyHosts: `WITH RECURSIVE hosts(host) AS (
      SELECT min(host) FROM tasks INDEXED BY tasks_ready_host
        WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = @queueId
      UNION ALL
      SELECT (SELECT min(host) FROM tasks INDEXED BY tasks_ready_host
          WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = @queueId AND host > hosts.host)
        FROM hosts WHERE hosts.host IS NOT NULL
    ) SELECT host FROM hosts WHERE host IS NOT NULL`,
  readyOfHost: `${from('tasks_ready_host')} WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = ? AND host = ?
    ORDER BY position`,
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

/** So many of a queue are looked at in their order; behind them its hosts are asked one by one. */
const LOOK_AHEAD = 200

export function createQueue(connection: Connection, logger: StoreLogger): Queue {
  const { db } = connection
  const records = (rows: TaskRow[]): TaskRecord[] => rows.map((row) => toTask(row, logger))

  const queued = db.prepare<[], TaskRow>(QUEUE_SQL.queued)
  const forced = db.prepare<[], TaskRow>(QUEUE_SQL.forced)
  const ready = db.prepare<[number], TaskRow>(QUEUE_SQL.ready)
  const readyHosts = db.prepare<[{ queueId: number }], string>(QUEUE_SQL.readyHosts).pluck()
  const readyOfHost = db.prepare<[number, string], TaskRow>(QUEUE_SQL.readyOfHost)
  const positionOf = db.prepare<[TaskId], number>('SELECT position FROM tasks WHERE id = ?').pluck()
  const positionBefore = db
    .prepare<[number], number | null>('SELECT max(position) FROM tasks WHERE position < ?')
    .pluck()
  const ends = db.prepare<[], { first: number | null; last: number | null }>(
    'SELECT min(position) AS first, max(position) AS last FROM tasks',
  )
  const setPosition = db.prepare<[number, TaskId]>('UPDATE tasks SET position = ? WHERE id = ?')
  const behind = db.prepare<[number], TaskId>('SELECT id FROM tasks WHERE position >= ? ORDER BY position DESC').pluck()
  const shift = db.prepare<[number, TaskId]>('UPDATE tasks SET position = position + ? WHERE id = ?')
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
  const releaseLeases = db.prepare<[string]>(
    'UPDATE tasks INDEXED BY tasks_leased SET lease_owner = NULL WHERE lease_owner = ?',
  )
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
    forcedReady: () => records(forced.all()),
    nextReady(queueId, limit, busyHosts, except) {
      const busy = new Set(busyHosts)
      /** `isSeen`: there were no more rows, or enough tasks */
      const take = (rows: Iterable<TaskRow>): { tasks: TaskRecord[]; isSeen: boolean } => {
        const tasks: TaskRecord[] = []
        let looked = 0
        for (const row of rows) {
          if (tasks.length === limit) break
          if (++looked > LOOK_AHEAD) return { tasks, isSeen: false }
          if (!busy.has(hostOf(row)) && !except(row.id)) tasks.push(toTask(row, logger))
        }
        return { tasks, isSeen: true }
      }
      const { tasks, isSeen } = take(ready.iterate(queueId))
      if (isSeen || tasks.length > 0) return tasks
      // Thousands of one host stand in front: the first of each other host, in their order.
      return readyHosts
        .all({ queueId })
        .filter((host) => !busy.has(host))
        .flatMap((host) => take(readyOfHost.iterate(queueId, host)).tasks)
        .sort((a, b) => a.position - b.position)
        .slice(0, limit)
    },
    reorder: (ids, before) =>
      connection.intent(() => {
        // The one before which they come stays where it is, should it be among them.
        const moved = ids.filter((id) => id !== before && positionOf.get(id) !== undefined)
        if (moved.length === 0) return
        const { first, last } = ends.get()!
        let start: number
        let step = POSITION_STEP
        if (before === null) start = (last ?? 0) + step
        else if (before === 'first') start = (first ?? 0) - step * moved.length
        else {
          const at = positionOf.get(before)
          if (at === undefined) throw taskGone(before)
          const low = positionBefore.get(at) ?? at - step * (moved.length + 1)
          step = Math.floor((at - low) / (moved.length + 1))
          if (step < 1) {
            // No room is left there: what follows moves on.
            step = POSITION_STEP
            for (const id of behind.all(at)) shift.run(step * (moved.length + 1), id)
          }
          start = low + step
        }
        // Aside first: their old and new places may overlap.
        const aside = Math.min(first ?? 0, start) - moved.length - 1
        for (const [index, id] of moved.entries()) setPosition.run(aside - index, id)
        for (const [index, id] of moved.entries()) setPosition.run(start + index * step, id)
      }),
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
    releaseLeases(owner) {
      connection.progress(() => releaseLeases.run(owner))
    },
    leasedTasks: () => records(leased.all()),
  }
}

function taskGone(id: TaskId): NighthaulError {
  return new NighthaulError('task_not_found', `There is no download ${id} any more. Nothing was moved.`, { id })
}
