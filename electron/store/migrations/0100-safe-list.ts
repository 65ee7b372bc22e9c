/**
 * Schema 100: removed tasks that can come back, what people have to be told until they have read it, and seals on the
 * marks of segments.
 */
import type { Migration } from '../migrate.ts'

const REMOVED = `
CREATE TABLE removals (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: what an old “Undo” names is gone, not another's
  removed_at INTEGER NOT NULL -- epoch ms
) STRICT;

CREATE TABLE removed_tasks (
  id INTEGER PRIMARY KEY, -- the task's own
  removal INTEGER NOT NULL,
  removed_at INTEGER NOT NULL, -- epoch ms
  content TEXT NOT NULL, -- JSON {table: [rows]}: its row and those of all tables that refer to it; blobs as hex
  files TEXT, -- JSON [[path, the name it waits under]]: files that are to be deleted
  files_due INTEGER, -- epoch ms: when; null: there are none, or they are gone
  files_aside INTEGER NOT NULL DEFAULT 0, -- 1: they have those other names
  files_gone INTEGER NOT NULL DEFAULT 0 -- 1: they were deleted
) STRICT;
CREATE INDEX removed_tasks_removal ON removed_tasks (removal);
CREATE INDEX removed_tasks_time ON removed_tasks (removed_at);
CREATE INDEX removed_tasks_files ON removed_tasks (files_due) WHERE files_due IS NOT NULL;
`

const NOTICES = `
CREATE TABLE notices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL, -- epoch ms
  code TEXT NOT NULL,
  params TEXT NOT NULL -- JSON
) STRICT;
`

/** Null: written before there were seals. */
const SEALS = 'ALTER TABLE segments ADD COLUMN seal INTEGER'

export const migration0100: Migration = {
  version: 100,
  name: 'removed tasks, notices, seals of segments',
  up: (db) => {
    db.exec(REMOVED)
    db.exec(NOTICES)
    db.exec(SEALS)
  },
}
