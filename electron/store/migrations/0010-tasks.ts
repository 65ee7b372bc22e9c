/**
 * Schema 10, the first: tasks with their segments and block checksums, counts by state, settings.
 * A migration is frozen once it has shipped: it holds its own SQL and imports nothing that can change.
 */
import type { Migration } from '../migrate.ts'

const TASKS = `
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
  position INTEGER NOT NULL,
  url TEXT NOT NULL,
  requested_filename TEXT,
  filename TEXT,
  filename_folded TEXT, -- filename, NFC and lower case: what "the same name" means in a folder
  name_key TEXT NOT NULL, -- the name a list shows, folded the same way: sorting and searching
  folder TEXT NOT NULL,
  state TEXT NOT NULL,
  size_bytes INTEGER,
  written_bytes INTEGER NOT NULL DEFAULT 0,
  final_url TEXT,
  etag TEXT,
  last_modified TEXT,
  last_modified_strong INTEGER NOT NULL DEFAULT 0,
  content_type TEXT,
  content_encoding TEXT,
  http_version TEXT,
  accepts_ranges INTEGER,
  options TEXT NOT NULL DEFAULT '{}', -- JSON
  error TEXT, -- JSON
  retry_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  connections_used INTEGER NOT NULL DEFAULT 0,
  resumed_from_bytes INTEGER NOT NULL DEFAULT 0,
  checksum TEXT, -- JSON
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  boot_id TEXT,
  fsynced_at INTEGER,
  lease_owner TEXT,
  progress REAL GENERATED ALWAYS AS (
    CASE WHEN state = 'done' THEN 1.0 WHEN size_bytes > 0 THEN CAST(written_bytes AS REAL) / size_bytes END
  ) VIRTUAL,
  state_rank INTEGER GENERATED ALWAYS AS (
    CASE state WHEN 'active' THEN 0 WHEN 'finishing' THEN 1 WHEN 'waiting' THEN 2 WHEN 'queued' THEN 3
      WHEN 'paused' THEN 4 WHEN 'changed' THEN 5 WHEN 'failed' THEN 6 ELSE 7 END
  ) VIRTUAL
) STRICT;

-- One index for each order of the list. Each also holds the state, so that a page of a filtered list is found
-- without touching a row, and the position, so that equal keys keep the order of the queue.
CREATE UNIQUE INDEX tasks_position ON tasks (position);
CREATE INDEX tasks_list_position ON tasks (position, state);
CREATE INDEX tasks_list_name ON tasks (name_key, position, state);
CREATE INDEX tasks_list_size ON tasks (size_bytes, position, state);
CREATE INDEX tasks_list_progress ON tasks (progress, position, state);
CREATE INDEX tasks_list_state ON tasks (state_rank, position, state);
CREATE INDEX tasks_list_created ON tasks (created_at, position, state);

CREATE INDEX tasks_queue ON tasks (state, lease_owner, position);
CREATE INDEX tasks_retry ON tasks (retry_at) WHERE state = 'waiting' AND lease_owner IS NULL;
CREATE INDEX tasks_leased ON tasks (position) WHERE lease_owner IS NOT NULL;
CREATE INDEX tasks_unsynced ON tasks (position) WHERE state = 'done' AND fsynced_at IS NULL;
CREATE INDEX tasks_unfinished_url ON tasks (url, folder) WHERE state <> 'done';
CREATE UNIQUE INDEX tasks_unfinished_name ON tasks (folder, filename_folded)
  WHERE state <> 'done' AND filename_folded IS NOT NULL;
`

const COUNTS = `
CREATE TABLE task_counts (
  state TEXT NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT;

CREATE TRIGGER tasks_counted_insert AFTER INSERT ON tasks BEGIN
  INSERT INTO task_counts (state, count) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER tasks_counted_delete AFTER DELETE ON tasks BEGIN
  UPDATE task_counts SET count = count - 1 WHERE state = old.state;
END;
CREATE TRIGGER tasks_counted_state AFTER UPDATE OF state ON tasks WHEN old.state <> new.state BEGIN
  UPDATE task_counts SET count = count - 1 WHERE state = old.state;
  INSERT INTO task_counts (state, count) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET count = count + 1;
END;
`

const PROGRESS = `
CREATE TABLE segments (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  start INTEGER NOT NULL,
  "end" INTEGER,
  written INTEGER NOT NULL,
  durable INTEGER NOT NULL,
  PRIMARY KEY (task_id, start)
) STRICT;

-- CRC-32 of blocks, 1,024 blocks (one GiB of file) a row; the blobs end with the last block they hold.
CREATE TABLE block_pages (
  task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  page INTEGER NOT NULL,
  crcs BLOB NOT NULL, -- 4 bytes a block, little endian
  present BLOB NOT NULL, -- one bit a block, lowest bit first
  short_blocks TEXT, -- JSON [[block within the page, bytes]]: those that are not whole, in practice the file's last
  PRIMARY KEY (task_id, page)
) STRICT;
`

const SETTINGS = `
CREATE TABLE settings (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL -- JSON
) STRICT;
`

export const migration0010: Migration = {
  version: 10,
  name: 'tasks, segments, block checksums, settings',
  up: (db) => {
    db.exec(TASKS)
    db.exec(COUNTS)
    db.exec(PROGRESS)
    db.exec(SETTINGS)
  },
}
