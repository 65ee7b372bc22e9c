/** Schema 60: a task remembers what the latest comparison with its checksums found, as JSON. */
import type { Migration } from '../migrate.ts'

export const migration0060: Migration = {
  version: 60,
  name: 'results of verifying files',
  up: (db) => {
    db.exec('ALTER TABLE tasks ADD COLUMN verification TEXT')
  },
}
