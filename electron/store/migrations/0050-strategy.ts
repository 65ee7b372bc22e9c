/** Schema 50: a task remembers why it was fetched as it was, as JSON. */
import type { Migration } from '../migrate.ts'

export const migration0050: Migration = {
  version: 50,
  name: 'reasons of a task’s strategy',
  up: (db) => {
    db.exec(`ALTER TABLE tasks ADD COLUMN strategy TEXT NOT NULL DEFAULT '[]'`)
  },
}
