/** Table `repeats`: what is downloaded again and again, and how far each is. */
import type { TaskStore } from '../../shared/records.ts'
import { DEFAULT_REPEAT, RepeatFields, type RepeatRecord, RepeatState } from '../../shared/repeats.ts'
import type { Connection, StoreLogger } from './database.ts'
import { parseJson } from './task-row.ts'

type Repeats = Pick<TaskStore, 'repeats' | 'addRepeat' | 'updateRepeat' | 'removeRepeat'>

interface RepeatRow {
  id: number
  settings: string
  state: string
}

export function createRepeats({ db, intent }: Connection, logger: StoreLogger): Repeats {
  const select = db.prepare<[], RepeatRow>('SELECT id, settings, state FROM repeats ORDER BY id')
  const insert = db.prepare<[string, string]>('INSERT INTO repeats (settings, state) VALUES (?, ?)')
  const setSettings = db.prepare<[string, number]>('UPDATE repeats SET settings = ? WHERE id = ?')
  const setState = db.prepare<[string, number]>('UPDATE repeats SET state = ? WHERE id = ?')
  const remove = db.prepare<[number]>('DELETE FROM repeats WHERE id = ?')
  return {
    repeats: () => select.all().flatMap((row) => toRepeat(row, logger)),
    addRepeat: (settings, state) =>
      intent(() => Number(insert.run(JSON.stringify(settings), JSON.stringify(state)).lastInsertRowid)),
    updateRepeat: (id, { settings, state }) =>
      intent(() => {
        if (settings) setSettings.run(JSON.stringify(settings), id)
        if (state) setState.run(JSON.stringify(state), id)
      }),
    removeRepeat: (id) => intent(() => remove.run(id).changes > 0),
  }
}

/** A field that cannot be read is as the defaults say; one that says neither what nor when is left out, and stays stored. */
function toRepeat({ id, settings, state }: RepeatRow, logger: StoreLogger): RepeatRecord[] {
  const stored = parseJson(settings)
  const entries = typeof stored === 'object' && stored !== null ? Object.entries(stored) : []
  const readable = entries.flatMap(([key, value]) => {
    const parsed = RepeatFields.shape[key as keyof typeof RepeatFields.shape]?.safeParse(value)
    return parsed?.success ? [[key, parsed.data]] : []
  })
  const known = RepeatFields.safeParse({ ...DEFAULT_REPEAT, ...Object.fromEntries(readable) })
  const run = RepeatState.safeParse(parseJson(state))
  if (!known.success || !run.success || readable.length < entries.length)
    logger.warn({ repeatId: id }, 'a stored repeating download is unreadable in part')
  if (!known.success) return []
  // Not knowing how far it is, it begins at its next time.
  const fresh = { settledAt: Number.MAX_SAFE_INTEGER, askedUntil: null, runs: 0, taskId: null, last: null, results: [] }
  return [{ id, settings: known.data, state: run.success ? run.data : fresh }]
}
