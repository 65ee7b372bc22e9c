/** Schema 180: how often a task came again because its host, or the network, was away; that uses up no second chance. */
import type { Migration } from '../migrate.ts'

export const migration0180: Migration = {
  version: 180,
  name: 'waits for hosts that are away',
  up: (db) => {
    db.exec('ALTER TABLE tasks ADD COLUMN host_waits INTEGER NOT NULL DEFAULT 0')
  },
}
