/** The list on its way out and in: all tasks by position, what tells them apart, and many added in one transaction. */
import type { TaskStore } from '../../shared/records.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { isUniqueViolation } from './store-errors.ts'
import { fold, SELECT_TASK, type TaskRow, toTask } from './task-row.ts'

type Transfer = Pick<TaskStore, 'tasksAfter' | 'taskNames' | 'importList'>

type Others = Pick<
  TaskStore,
  | 'addTasks'
  | 'updateTask'
  | 'checkpoint'
  | 'queues'
  | 'addQueue'
  | 'hostRules'
  | 'setHostRule'
  | 'getSettings'
  | 'setSettings'
>

export function createListTransfer(connection: Connection, logger: StoreLogger, store: Others): Transfer {
  const { db, intent } = connection
  const after = db.prepare<[number, number], TaskRow>(`${SELECT_TASK} WHERE position > ? ORDER BY position LIMIT ?`)
  const names = db.prepare<[], ReturnType<TaskStore['taskNames']>[number]>(
    `SELECT url, folder, coalesce(filename, requested_filename) AS name,
       nullif(json_extract(options, '$.method'), 'GET') AS method, json_extract(options, '$.body') AS body
     FROM tasks WHERE json_valid(options)`,
  )

  function queueIds(queues: Parameters<TaskStore['importList']>[0]['queues']): {
    ids: Map<string, QueueId>
    added: number
  } {
    const ids = new Map(store.queues().map(({ id, name }) => [fold(name), id]))
    let added = 0
    for (const queue of queues) {
      if (ids.has(fold(queue.name))) continue
      ids.set(fold(queue.name), store.addQueue(queue).id)
      added++
    }
    return { ids, added }
  }

  return {
    tasksAfter: (position, limit) => after.all(position, limit).map((row) => toTask(row, logger)),
    taskNames: () => names.all(),
    importList: ({ tasks, queues, hostRules, settings }) =>
      intent(() => {
        const { ids: queueOf, added } = queueIds(queues)
        const known = new Set(store.hostRules().map(({ pattern }) => pattern))
        const newRules = hostRules.filter(({ pattern }) => !known.has(pattern))
        for (const rule of newRules) store.setHostRule(rule)
        const chosen = store.getSettings()
        const newSettings = Object.entries(settings).filter(([key]) => !Object.hasOwn(chosen, key))
        if (newSettings.length > 0) store.setSettings(Object.fromEntries(newSettings))

        const ids = store.addTasks(
          tasks.map(({ task, queue }) => ({
            ...task,
            queueId: (queue === null ? undefined : queueOf.get(fold(queue))) ?? DEFAULT_QUEUE_ID,
          })),
        )
        let withProgress = 0
        for (const [index, id] of ids.entries()) {
          const { filename, partPath, patch, segments, blocks } = tasks[index]!
          store.updateTask(id, patch, { intent: true })
          if (filename === null) continue
          try {
            store.updateTask(id, { filename, partPath }, { intent: true })
          } catch (error) {
            if (!isUniqueViolation(error)) throw error
            // Another unfinished download has this name, so the partial of that name is its own.
            continue
          }
          if (segments.length === 0) continue
          withProgress++
          const writtenBytes = segments.reduce((sum, { start, written }) => sum + written - start, 0)
          // No boot vouches for it: every byte is compared with its block's checksum, or fetched again.
          store.checkpoint([{ id, writtenBytes, bootId: '', segments, blocks }])
        }
        return { ids, withProgress, queues: added, hostRules: newRules.length, settings: newSettings.length }
      }),
  }
}
