/** Schema 70: digests that servers sent with a file, as JSON; and hashes of its pieces, where somebody gave them. */
import type { Migration } from '../migrate.ts'

const SQL = `
ALTER TABLE tasks ADD COLUMN found_digests TEXT NOT NULL DEFAULT '[]';

CREATE TABLE piece_hashes (
  task_id INTEGER NOT NULL PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
  algorithm TEXT NOT NULL,
  piece_bytes INTEGER NOT NULL,
  hashes TEXT NOT NULL -- hex of all pieces, one after the other
) STRICT;
`

export const migration0070: Migration = {
  version: 70,
  name: 'digests found by themselves, hashes of pieces',
  up: (db) => {
    db.exec(SQL)
  },
}
