/** Table `schedule_state`: what is remembered of time, one key a row, as JSON. */
import type { TaskStore } from '../../shared/records.ts'
import { NO_SCHEDULE_STATE, ScheduleState } from '../../shared/schedule-state.ts'
import type { Connection, StoreLogger } from './database.ts'
import { parseJson } from './task-row.ts'

export function createScheduleState(
  connection: Connection,
  logger: StoreLogger,
): Pick<TaskStore, 'scheduleState' | 'setScheduleState'> {
  const select = connection.db.prepare<[], { key: string; value: string }>('SELECT key, value FROM schedule_state')
  const upsert = connection.db.prepare<[string, string]>(
    'INSERT INTO schedule_state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  return {
    scheduleState() {
      const readable = select.all().flatMap(({ key, value }) => {
        const schema = Object.hasOwn(ScheduleState.shape, key)
          ? ScheduleState.shape[key as keyof ScheduleState]
          : undefined
        const parsed = schema?.safeParse(parseJson(value))
        if (parsed?.success) return [[key, parsed.data]]
        logger.warn({ key }, 'what was remembered of time is unreadable in part and was left out')
        return []
      })
      return { ...NO_SCHEDULE_STATE, ...Object.fromEntries(readable) }
    },
    setScheduleState(patch, { intent = true } = {}) {
      const write = () => {
        for (const [key, value] of Object.entries(patch)) upsert.run(key, JSON.stringify(value))
      }
      if (intent) connection.intent(write)
      else connection.progress(write)
    },
  }
}
