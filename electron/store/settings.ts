/** Table `settings`: what the user changed, one key a row, as JSON. Defaults are not stored. */
import type { TaskStore } from '../../shared/records.ts'
import { Settings, type SettingsPatch } from '../../shared/schemas.ts'
import type { Connection, StoreLogger } from './database.ts'

type SettingsStore = Pick<TaskStore, 'getSettings' | 'setSettings'>

function parse(key: string, text: string): { value: unknown } | null {
  const schema = Object.hasOwn(Settings.shape, key) ? Settings.shape[key as keyof Settings] : undefined
  if (schema === undefined) return null
  try {
    const parsed = schema.safeParse(JSON.parse(text))
    return parsed.success ? { value: parsed.data } : null
  } catch {
    // Not JSON: the caller reports it like any other value that cannot be used.
    return null
  }
}

export function createSettings(connection: Connection, logger: StoreLogger): SettingsStore {
  const select = connection.db.prepare<[], { key: string; value: string }>('SELECT key, value FROM settings')
  const upsert = connection.db.prepare<[string, string]>(
    'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  return {
    getSettings() {
      const entries: [string, unknown][] = []
      for (const { key, value } of select.all()) {
        const parsed = parse(key, value)
        if (parsed !== null) entries.push([key, parsed.value])
        else logger.warn({ key }, 'a stored setting is unreadable; its default applies')
      }
      return Object.fromEntries(entries) as SettingsPatch
    },
    setSettings(patch) {
      connection.intent(() => {
        for (const [key, value] of Object.entries(patch)) {
          if (value !== undefined) upsert.run(key, JSON.stringify(value))
        }
      })
    },
  }
}
