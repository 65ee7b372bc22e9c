/** Schema 80: other URLs of a task's file, with what is known of each; and which one the task uses now. */
import type { Migration } from '../migrate.ts'

const SQL = `
ALTER TABLE tasks ADD COLUMN source_url TEXT; -- NULL: url itself

CREATE TABLE mirrors (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  place INTEGER NOT NULL, -- in the order they were given
  priority INTEGER NOT NULL,
  location TEXT,
  origin TEXT NOT NULL,
  file TEXT, -- JSON: validators of this URL's own replies
  error TEXT, -- JSON
  failures INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  busy_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (task_id, url)
) STRICT;
`

export const migration0080: Migration = {
  version: 80,
  name: 'mirrors',
  up: (db) => {
    db.exec(SQL)
  },
}
