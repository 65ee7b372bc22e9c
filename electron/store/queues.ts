/** Table `queues`: the named queues and their limits. Which task is in which is in table `tasks`. */
import { NighthaulError } from '../../shared/errors.ts'
import type { QueueRecord, TaskStore } from '../../shared/records.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../shared/schemas.ts'
import type { Connection } from './database.ts'
import { isUniqueViolation } from './store-errors.ts'
import { fold } from './task-row.ts'

type Queues = Pick<TaskStore, 'queues' | 'addQueue' | 'updateQueue' | 'removeQueue'>

const SELECT = 'SELECT id, name, limit_bytes_per_second AS limitBytesPerSecond FROM queues'

export function createQueues({ db, intent }: Connection): Queues {
  const selectAll = db.prepare<[number], QueueRecord>(`${SELECT} ORDER BY id <> ?, position, id`)
  const selectOne = db.prepare<[number], QueueRecord>(`${SELECT} WHERE id = ?`)
  const insert = db.prepare<[string, string, number | null]>(
    `INSERT INTO queues (name, name_folded, position, limit_bytes_per_second)
     VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1 FROM queues), ?)`,
  )
  const update = db.prepare<[string, string, number | null, number]>(
    'UPDATE queues SET name = ?, name_folded = ?, limit_bytes_per_second = ? WHERE id = ?',
  )
  const countTasks = db
    .prepare<[number], number>('SELECT count(*) FROM tasks WHERE queue_id = ? AND queue_id <> 1')
    .pluck()
  const remove = db.prepare<[number]>('DELETE FROM queues WHERE id = ?')

  const get = (id: QueueId): QueueRecord => {
    const queue = selectOne.get(id)
    if (queue) return queue
    throw new NighthaulError('queue_not_found', `There is no queue ${id}. Nothing was changed.`, { id })
  }

  const unique = <T>(name: string, work: () => T): T => {
    try {
      return intent(work)
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      throw new NighthaulError('queue_exists', `There is a queue “${name}” already. Nothing was changed.`, { name })
    }
  }

  return {
    queues: () => selectAll.all(DEFAULT_QUEUE_ID),
    addQueue: ({ name, limitBytesPerSecond }) =>
      unique(name, () => get(Number(insert.run(name, fold(name), limitBytesPerSecond).lastInsertRowid))),
    updateQueue: (id, patch) =>
      unique(patch.name ?? '', () => {
        const { name, limitBytesPerSecond } = { ...get(id), ...patch }
        update.run(name, fold(name), limitBytesPerSecond, id)
        return get(id)
      }),
    removeQueue: (id) =>
      intent(() => {
        const { name } = get(id)
        if (id === DEFAULT_QUEUE_ID) {
          throw new NighthaulError(
            'queue_is_default',
            `“${name}” is the default queue: downloads that name none are in it, so it cannot be removed.`,
            { name },
          )
        }
        const moved = countTasks.get(id) ?? 0
        // Its tasks are moved by the trigger `queues_removed`.
        remove.run(id)
        return moved
      }),
  }
}
