/** Schema 30: queues, which of them a task is in, what hosts were seen to take, and the user's rules for hosts. */
import type { Migration } from '../migrate.ts'

const QUEUES = `
CREATE TABLE queues (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL UNIQUE, -- name, NFC and lower case: what "the same name" means
  position INTEGER NOT NULL,
  limit_bytes_per_second INTEGER
) STRICT;
INSERT INTO queues (id, name, name_folded, position) VALUES (1, 'Default', 'default', 1);

-- No foreign key: SQLite adds none to an existing table with a default, and a damaged queue must not cost its tasks.
ALTER TABLE tasks ADD COLUMN queue_id INTEGER NOT NULL DEFAULT 1;
CREATE INDEX tasks_other_queue ON tasks (queue_id) WHERE queue_id <> 1;
CREATE TRIGGER queues_removed AFTER DELETE ON queues BEGIN
  UPDATE tasks SET queue_id = 1 WHERE queue_id = old.id AND queue_id <> 1;
END;
`

const HOSTS = `
CREATE TABLE hosts (
  host TEXT NOT NULL PRIMARY KEY,
  allowance INTEGER,
  not_before INTEGER, -- epoch ms
  complaint_status INTEGER,
  complaint_at INTEGER NOT NULL, -- epoch ms
  complaints INTEGER NOT NULL
) STRICT;

CREATE TABLE host_rules (
  pattern TEXT NOT NULL PRIMARY KEY,
  rule TEXT NOT NULL -- JSON, without the pattern
) STRICT;
`

export const migration0030: Migration = {
  version: 30,
  name: 'queues, hosts and rules for hosts',
  up: (db) => {
    db.exec(QUEUES)
    db.exec(HOSTS)
  },
}
