/** Schema 120: what is remembered of time (profiles, when the engine was last alive, missed windows), and repeats. */
import type { Migration } from '../migrate.ts'

const TIMES = `
CREATE TABLE schedule_state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE repeats (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  settings TEXT NOT NULL, -- JSON: what is downloaded again, when and as what
  state TEXT NOT NULL -- JSON: how far it is, what its runs left
) STRICT;
`

export const migration0120: Migration = {
  version: 120,
  name: 'profiles, missed windows, repeating downloads',
  up: (db) => db.exec(TIMES),
}
