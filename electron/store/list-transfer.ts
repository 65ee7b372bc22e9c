/** The list on its way out and in: all tasks by position, what tells them apart, and many added in one transaction. */
import { isDeepStrictEqual } from 'node:util'
import type { ImportedRepeat } from '../../shared/list-records.ts'
import { type AddQueueInput, DEFAULT_QUEUE_SETTINGS } from '../../shared/queues.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { RepeatSettings } from '../../shared/repeats.ts'
import type { ScheduleState } from '../../shared/schedule-state.ts'
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
  | 'updateQueue'
  | 'repeats'
  | 'addRepeat'
  | 'scheduleState'
  | 'setScheduleState'
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
    for (const { isDefault, ...queue } of queues) {
      if (isDefault) {
        ids.set(fold(queue.name), DEFAULT_QUEUE_ID)
        if (takesDefault(queue)) added++
      } else if (!ids.has(fold(queue.name))) {
        ids.set(fold(queue.name), store.addQueue(queue).id)
        added++
      }
    }
    return { ids, added }
  }

  /** The default queue is always here: it becomes as it was there where nobody has said anything of it here. */
  function takesDefault({ name: _, ...settings }: AddQueueInput): boolean {
    const { id, name: __, ...here } = store.queues().find((queue) => queue.id === DEFAULT_QUEUE_ID)!
    const asEver = { ...DEFAULT_QUEUE_SETTINGS }
    if (!isDeepStrictEqual(here, asEver) || isDeepStrictEqual({ ...here, ...settings }, asEver)) return false
    store.updateQueue(id, settings)
    return true
  }

  /** How many there were of which nothing is said here. */
  function takeProfiles(profiles: ScheduleState['profiles']): number {
    const here = store.scheduleState().profiles
    const fresh = Object.entries(profiles).filter(
      ([name, patch]) => Object.keys(patch).length > 0 && !Object.hasOwn(here, name),
    )
    if (fresh.length > 0) store.setScheduleState({ profiles: { ...here, ...Object.fromEntries(fresh) } })
    return fresh.length
  }

  function takeRepeats(repeats: readonly ImportedRepeat[], queueOf: (name: string | null) => QueueId): number {
    const keyOf = ({ url, when, nameTemplate, folder }: Omit<RepeatSettings, 'queueId'>) =>
      JSON.stringify([url, when, nameTemplate, folder])
    const known = new Set(store.repeats().map(({ settings }) => keyOf(settings)))
    const before = known.size
    for (const { settings, state, queue } of repeats) {
      if (known.has(keyOf(settings))) continue
      known.add(keyOf(settings))
      store.addRepeat({ ...settings, queueId: queueOf(queue) }, state)
    }
    return known.size - before
  }

  return {
    tasksAfter: (position, limit) => after.all(position, limit).map((row) => toTask(row, logger)),
    taskNames: () => names.all(),
    importList: ({ tasks, queues, hostRules, settings, profiles, repeats }) =>
      intent(() => {
        const { ids: byName, added } = queueIds(queues)
        const queueOf = (name: string | null) =>
          (name === null ? undefined : byName.get(fold(name))) ?? DEFAULT_QUEUE_ID
        const known = new Set(store.hostRules().map(({ pattern }) => pattern))
        const newRules = hostRules.filter(({ pattern }) => !known.has(pattern))
        for (const rule of newRules) store.setHostRule(rule)
        const chosen = store.getSettings()
        const newSettings = Object.entries(settings).filter(([key]) => !Object.hasOwn(chosen, key))
        if (newSettings.length > 0) store.setSettings(Object.fromEntries(newSettings))

        const ids = store.addTasks(tasks.map(({ task, queue }) => ({ ...task, queueId: queueOf(queue) })))
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
        return {
          ...{ ids, withProgress, queues: added, hostRules: newRules.length, settings: newSettings.length },
          ...{ profiles: takeProfiles(profiles), repeats: takeRepeats(repeats, queueOf) },
        }
      }),
  }
}
