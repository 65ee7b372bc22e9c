/** Schema 130: the journal of what happened, and the bytes that came by queue. */
import type { Migration } from '../migrate.ts'

/** No foreign key to tasks: an entry outlives its task. */
const JOURNAL = `
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL, -- epoch ms
  kind TEXT NOT NULL,
  task_id INTEGER, -- null: it concerns no single task
  code TEXT, -- of an error
  params TEXT NOT NULL -- JSON
) STRICT;
CREATE INDEX journal_time ON journal (at, kind);
CREATE INDEX journal_events ON journal (at) WHERE task_id IS NULL;

CREATE TABLE queue_bytes (
  minute INTEGER NOT NULL, -- epoch ms of its beginning
  queue_id INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (minute, queue_id)
) STRICT;
`

export const migration0130: Migration = {
  version: 130,
  name: 'journal, bytes by queue',
  up: (db) => db.exec(JOURNAL),
}
