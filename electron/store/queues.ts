/** Table `queues`: the named queues and what each says about its downloads. Which task is in which is in `tasks`. */
import { NighthaulError } from '../../shared/errors.ts'
import { DEFAULT_QUEUE_SETTINGS, QUEUE_FIELDS, type QueuePatch, type QueueSettings } from '../../shared/queues.ts'
import type { QueueRecord, TaskStore } from '../../shared/records.ts'
import { DEFAULT_QUEUE_ID, type QueueId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'
import { isUniqueViolation } from './store-errors.ts'
import { fold, parseJson } from './task-row.ts'

type Queues = Pick<TaskStore, 'queues' | 'addQueue' | 'updateQueue' | 'removeQueue' | 'openByQueue'>

interface QueueRow {
  id: QueueId
  name: string
  settings: string
}

const SELECT = 'SELECT id, name, settings FROM queues'

export function createQueues({ db, intent }: Connection, logger: StoreLogger): Queues {
  const selectAll = db.prepare<[], QueueRow>(`${SELECT} ORDER BY position, id`)
  const selectOne = db.prepare<[number], QueueRow>(`${SELECT} WHERE id = ?`)
  const insert = db.prepare<[string, string, string]>(
    `INSERT INTO queues (name, name_folded, position, settings)
     VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1 FROM queues), ?)`,
  )
  const update = db.prepare<[string, string, string, number]>(
    'UPDATE queues SET name = ?, name_folded = ?, settings = ? WHERE id = ?',
  )
  const place = db.prepare<[number, number]>('UPDATE queues SET position = ? WHERE id = ?')
  const countTasks = db
    .prepare<[number], number>('SELECT count(*) FROM tasks WHERE queue_id = ? AND queue_id <> 1')
    .pluck()
  const remove = db.prepare<[number]>('DELETE FROM queues WHERE id = ?')
  const open = db.prepare<[], { id: QueueId; count: number }>('SELECT queue_id AS id, count FROM queue_open')

  const get = (id: QueueId): QueueRecord => {
    const row = selectOne.get(id)
    if (row) return toQueue(row, logger)
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

  /** Puts a queue at a place among the others. */
  const move = (id: QueueId, position: number | undefined): void => {
    if (position === undefined) return
    const order = selectAll.all().map((queue) => queue.id)
    const others = order.filter((other) => other !== id)
    others.splice(position, 0, id)
    for (const [index, queue] of others.entries()) place.run(index + 1, queue)
  }

  return {
    queues: () => selectAll.all().map((row) => toQueue(row, logger)),
    addQueue: ({ name, position, ...settings }) =>
      unique(name, () => {
        const id = Number(insert.run(name, fold(name), written(settings)).lastInsertRowid)
        move(id, position)
        return get(id)
      }),
    updateQueue: (id, { position, ...patch }) =>
      unique(patch.name ?? '', () => {
        const { id: _id, name, ...settings } = { ...get(id), ...patch }
        update.run(name, fold(name), written(settings), id)
        move(id, position)
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
    openByQueue: () => new Map(open.all().map(({ id, count }) => [id, count])),
  }
}

/** What differs from the defaults, so that a default which changes later holds for queues that never named it. */
function written(settings: Omit<QueuePatch, 'name' | 'position'>): string {
  const differs = Object.entries(settings).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(DEFAULT_QUEUE_SETTINGS[key as keyof QueueSettings]),
  )
  return JSON.stringify(Object.fromEntries(differs))
}

/** A field that cannot be read is as the defaults say, and costs no other. */
function toQueue({ id, name, settings }: QueueRow, logger: StoreLogger): QueueRecord {
  if (settings === '{}') return { id, name, ...DEFAULT_QUEUE_SETTINGS }
  const stored = parseJson(settings)
  const entries = typeof stored === 'object' && stored !== null ? Object.entries(stored) : []
  const readable = entries.flatMap(([key, value]) => {
    const parsed = QUEUE_FIELDS[key as keyof QueueSettings]?.safeParse(value)
    if (parsed?.success) return [[key, parsed.data]]
    logger.warn({ queueId: id, field: key }, 'a stored value is unreadable and was left out')
    return []
  })
  return { id, name, ...DEFAULT_QUEUE_SETTINGS, ...Object.fromEntries(readable) }
}
