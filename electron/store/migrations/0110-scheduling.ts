/**
 * Schema 110: what queues say about their downloads, what the scheduler asks tasks for (host, start, force), and
 * positions with room between them, so that a task can be put before another one.
 */
import type { Migration } from '../migrate.ts'

const QUEUES = `
ALTER TABLE queues ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'; -- JSON: what differs from the defaults
UPDATE queues SET settings = json_object('limitBytesPerSecond', limit_bytes_per_second)
  WHERE limit_bytes_per_second IS NOT NULL;
ALTER TABLE queues DROP COLUMN limit_bytes_per_second;

-- Tasks that still want bytes, by queue.
CREATE TABLE queue_open (
  queue_id INTEGER PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT;
`

const TASKS = `
ALTER TABLE tasks ADD COLUMN host TEXT NOT NULL DEFAULT ''; -- that its next request goes to, with an unusual port
ALTER TABLE tasks ADD COLUMN start_at INTEGER; -- epoch ms: not before
ALTER TABLE tasks ADD COLUMN forced INTEGER NOT NULL DEFAULT 0; -- 1: now, whatever its queue says

-- Positions are unique at every moment, hence in two steps.
UPDATE tasks SET position = -position;
UPDATE tasks SET position = -position * 1024;

CREATE INDEX tasks_forced ON tasks (position) WHERE forced = 1 AND state = 'queued' AND lease_owner IS NULL;
CREATE INDEX tasks_ready ON tasks (queue_id, position, host) WHERE state = 'queued' AND lease_owner IS NULL;
CREATE INDEX tasks_ready_host ON tasks (queue_id, host, position) WHERE state = 'queued' AND lease_owner IS NULL;
`

const OPEN = (row: string) => `(${row}.state IN ('queued', 'active', 'waiting', 'finishing'))`

const COUNTS = `
INSERT INTO queue_open (queue_id, count)
  SELECT queue_id, count(*) FROM tasks WHERE state IN ('queued', 'active', 'waiting', 'finishing') GROUP BY queue_id;
CREATE TRIGGER queue_open_insert AFTER INSERT ON tasks WHEN ${OPEN('new')} BEGIN
  INSERT INTO queue_open VALUES (new.queue_id, 1) ON CONFLICT (queue_id) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER queue_open_delete AFTER DELETE ON tasks WHEN ${OPEN('old')} BEGIN
  UPDATE queue_open SET count = count - 1 WHERE queue_id = old.queue_id;
END;
CREATE TRIGGER queue_open_update AFTER UPDATE OF state, queue_id ON tasks
  WHEN ${OPEN('old')} <> ${OPEN('new')} OR old.queue_id <> new.queue_id BEGIN
  UPDATE queue_open SET count = count - ${OPEN('old')} WHERE queue_id = old.queue_id;
  INSERT INTO queue_open VALUES (new.queue_id, ${OPEN('new')})
    ON CONFLICT (queue_id) DO UPDATE SET count = count + excluded.count;
END;
`

export const migration0110: Migration = {
  version: 110,
  name: 'settings of queues, hosts and starts of tasks, room between positions',
  up: (db) => {
    db.exec(QUEUES)
    db.exec(TASKS)
    const setHost = db.prepare('UPDATE tasks SET host = ? WHERE id = ?')
    const rows = db.prepare("SELECT id, coalesce(source_url, url) AS url FROM tasks WHERE state <> 'done'").all()
    for (const { id, url } of rows as { id: number; url: string }[]) setHost.run(URL.parse(url)?.host ?? '', id)
    db.exec(COUNTS)
  },
}
