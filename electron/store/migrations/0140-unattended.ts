/** Schema 140: how often a task came again at the end of its queue. */
import type { Migration } from '../migrate.ts'

export const migration0140: Migration = {
  version: 140,
  name: 'second chances of tasks',
  up: (db) => {
    db.exec('ALTER TABLE tasks ADD COLUMN second_chances INTEGER NOT NULL DEFAULT 0')
  },
}
