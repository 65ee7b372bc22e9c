/** Table `tasks` as a forecast looks at it: few columns of all that wants bytes, and sizes to estimate others by. */
import type { OpenRest, OpenTask, OpenTasks } from '../../shared/open-tasks.ts'
import type { QueueId } from '../../shared/schemas.ts'
import type { Connection } from './database.ts'

type Row = Omit<OpenTask, 'forced' | 'acceptsRanges' | 'plain'> & {
  forced: number
  acceptsRanges: number | null
  plain: number
}

const COLUMNS = `id, queue_id AS queueId, position, state, host, size_bytes AS sizeBytes, written_bytes AS writtenBytes,
  start_at AS startAt, retry_at AS retryAt, forced, accepts_ranges AS acceptsRanges,
  json_extract(options, '$.limitBytesPerSecond') AS limitBytesPerSecond,
  coalesce(json_extract(options, '$.method'), 'GET') = 'GET' AS plain`

export const OPEN_SQL = {
  inState: `SELECT ${COLUMNS} FROM tasks INDEXED BY tasks_queue WHERE state = ? AND lease_owner IS NULL
    ORDER BY position LIMIT ?`,
  ready: `SELECT ${COLUMNS} FROM tasks INDEXED BY tasks_ready
    WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = ? ORDER BY position LIMIT ?`,
  rest: `SELECT queue_id AS queueId, host, count(*) AS files, count(size_bytes) AS sized,
      coalesce(sum(max(size_bytes - written_bytes, 0)), 0) AS leftBytes
    FROM tasks INDEXED BY tasks_ready
    WHERE state = 'queued' AND lease_owner IS NULL AND queue_id = ? AND position > ? GROUP BY host`,
} as const

/** Of tasks added lately so many are looked at. */
const LATEST = 5000
const MOST_SIZES = 1000
/** More that wait for their time are not looked at one by one. */
const MOST_WAITING = 5000

export function createOpenTasks({ db, read }: Connection): OpenTasks {
  const inState = db.prepare<[string, number], Row>(OPEN_SQL.inState)
  const ready = db.prepare<[QueueId, number], Row>(OPEN_SQL.ready)
  const restOf = db.prepare<[QueueId, number], OpenRest>(OPEN_SQL.rest)
  const queues = db.prepare<[], QueueId>('SELECT queue_id FROM queue_open WHERE count > 0').pluck()
  const sizes = db.prepare<[], { queueId: QueueId; host: string; bytes: number }>(
    `SELECT queue_id AS queueId, host, size_bytes AS bytes FROM tasks
     WHERE id > (SELECT coalesce(max(id), 0) FROM tasks) - ${LATEST} AND size_bytes IS NOT NULL
     ORDER BY id DESC LIMIT ${MOST_SIZES}`,
  )
  const open = ({ forced, acceptsRanges, plain, ...row }: Row): OpenTask => ({
    ...row,
    forced: forced === 1,
    acceptsRanges: acceptsRanges === null ? null : acceptsRanges === 1,
    plain: plain === 1,
  })
  return {
    openTasks: (perQueue) =>
      read(() => {
        const rows = [...inState.all('active', -1), ...inState.all('waiting', MOST_WAITING)]
        const rest: OpenRest[] = []
        for (const id of queues.all()) {
          const first = ready.all(id, perQueue)
          rows.push(...first)
          if (first.length === perQueue) rest.push(...restOf.all(id, first.at(-1)!.position))
        }
        return { tasks: rows.map(open).sort((a, b) => a.position - b.position), rest }
      }),
    knownSizes: () => sizes.all(),
  }
}
