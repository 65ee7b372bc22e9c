/** Tables `journal` and `queue_bytes`: what happened, in order, and how much came for each queue in each minute. */
import type { JournalEntry, JournalQuery, JournalStore, NewJournalEntry } from '../../shared/journal.ts'
import type { QueueId } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'

interface Row {
  id: number
  at: number
  kind: string
  taskId: number | null
  code: string | null
  params: string
}

const MINUTE_MS = 60_000

export function createJournal(connection: Connection, logger: StoreLogger): JournalStore {
  const { db } = connection
  const insert = db.prepare<[number, string, number | null, string | null, string]>(
    'INSERT INTO journal (at, kind, task_id, code, params) VALUES (?, ?, ?, ?, ?)',
  )
  const SELECT = 'SELECT id, at, kind, task_id AS taskId, code, params FROM journal'
  const selectAll = db.prepare<JournalQuery, Row>(
    `${SELECT} WHERE (at, id) > (@after_at, @after_id) AND at < @to ORDER BY at, id LIMIT @limit`,
  )
  const selectEvents = db.prepare<JournalQuery, Row>(
    `${SELECT} WHERE task_id IS NULL AND (at, id) > (@after_at, @after_id) AND at < @to ORDER BY at, id LIMIT @limit`,
  )
  const selectLatest = db.prepare<[string, number], Row>(
    `${SELECT} WHERE task_id IS NULL AND kind = ? AND at < ? ORDER BY at DESC, id DESC LIMIT 1`,
  )
  const setAlive = db.prepare<[number, number]>(
    "UPDATE journal SET params = json_set(params, '$.aliveAt', ?) WHERE id = ? AND kind = 'engine_started'",
  )
  const counts = db.prepare<[number, number], { kind: string; count: number }>(
    'SELECT kind, count(*) AS count FROM journal INDEXED BY journal_time WHERE at >= ? AND at < ? GROUP BY kind',
  )
  const begin = db.prepare<[], number | null>('SELECT min(at) FROM journal').pluck()
  const prune = db.prepare<[number, number]>(
    'DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE at < ? LIMIT ?)',
  )
  const pruneBytes = db.prepare<[number]>('DELETE FROM queue_bytes WHERE minute < ?')
  const addBytes = db.prepare<[number, number, number]>(
    `INSERT INTO queue_bytes (minute, queue_id, bytes) VALUES (?, ?, ?)
     ON CONFLICT (minute, queue_id) DO UPDATE SET bytes = bytes + excluded.bytes`,
  )
  const selectBytes = db.prepare<
    { from: number; to: number; stepMs: number },
    { queueId: QueueId; at: number; bytes: number }
  >(
    `SELECT queue_id AS queueId, sum(bytes) AS bytes,
       @from + CAST((minute - @from) / @stepMs AS INTEGER) * CAST(@stepMs AS INTEGER) AS at
     FROM queue_bytes WHERE minute >= @from AND minute < @to GROUP BY 1, 3 ORDER BY 3, 1`,
  )

  /** What cannot be read, by damage, is left out: a gap in the story is better than none of it. */
  function entryOf({ params, ...row }: Row): JournalEntry[] {
    try {
      return [{ ...row, params: JSON.parse(params) } as JournalEntry]
    } catch {
      logger.warn({ id: row.id }, 'an entry of the journal is unreadable and was left out')
      return []
    }
  }

  return {
    addToJournal(entries: readonly NewJournalEntry[]) {
      const ids: number[] = []
      if (entries.length > 0)
        connection.progress(() => {
          ids.length = 0
          for (const { at, kind, taskId, code, params } of entries)
            ids.push(Number(insert.run(at, kind, taskId, code, JSON.stringify(params)).lastInsertRowid))
        })
      return ids
    },
    stillAlive: (id, at) => connection.progress(() => void setAlive.run(at, id)),
    journal(query) {
      const rows = (query.eventsOnly ? selectEvents : selectAll).all(query)
      const last = rows.at(-1)
      return {
        entries: rows.flatMap(entryOf),
        next: last && rows.length === query.limit ? { after_at: last.at, after_id: last.id } : null,
      }
    },
    latestInJournal: (kind, before) => {
      const row = selectLatest.get(kind, before)
      return row === undefined ? null : (entryOf(row)[0] ?? null)
    },
    journalCounts: (from, to) => new Map(counts.all(from, to).map(({ kind, count }) => [kind, count])),
    journalBegin: () => begin.get() ?? null,
    pruneJournal: (before, limit) =>
      connection.progress(() => {
        pruneBytes.run(before)
        return prune.run(before, limit).changes
      }),
    addQueueBytes(at, bytes) {
      const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
      connection.progress(() => {
        for (const [queueId, count] of bytes) addBytes.run(minute, queueId, count)
      })
    },
    queueBytes: (range) => selectBytes.all(range),
  }
}
