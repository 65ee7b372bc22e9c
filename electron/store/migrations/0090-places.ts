/** Schema 90: where a partial lies, what is on its way to another place, and which paused tasks wait for the disk. */
import type { Migration } from '../migrate.ts'

export const migration0090: Migration = {
  version: 90,
  name: 'places of partials, moves under way, tasks that the disk stopped',
  up: (db) => {
    db.exec(`
      ALTER TABLE tasks ADD COLUMN part_path TEXT;
      ALTER TABLE tasks ADD COLUMN relocation TEXT;
      CREATE INDEX tasks_suspended ON tasks (position)
        WHERE state = 'paused' AND error IS NOT NULL AND lease_owner IS NULL;
      CREATE INDEX tasks_relocating ON tasks (position) WHERE relocation IS NOT NULL AND lease_owner IS NULL;
    `)
  },
}
