/**
 * Schema 20: statistics of requests by hour and host, and bytes received by minute.
 * A migration is frozen once it has shipped: it holds its own SQL and imports nothing that can change.
 */
import type { Migration } from '../migrate.ts'

const STATISTICS = `
CREATE TABLE request_statistics (
  span_ms INTEGER NOT NULL, -- 3600000: an hour; 86400000: a day; 0: everything
  starts_at INTEGER NOT NULL, -- epoch ms, UTC; 0 for everything
  host TEXT NOT NULL, -- '*': those not kept apart; '' (of everything only): all
  updated_at INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  reused INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  statuses TEXT NOT NULL, -- JSON {status: replies}
  errors TEXT NOT NULL, -- JSON {code: requests}
  queue BLOB NOT NULL, -- this and the following: encoded histograms
  connect BLOB NOT NULL,
  tls BLOB NOT NULL,
  first_byte BLOB NOT NULL,
  duration BLOB NOT NULL,
  PRIMARY KEY (span_ms, starts_at, host)
) STRICT;
CREATE INDEX request_statistics_time ON request_statistics (starts_at, host) WHERE span_ms > 0;

CREATE TABLE received_bytes (
  minute INTEGER PRIMARY KEY, -- epoch ms of its beginning
  bytes INTEGER NOT NULL
) STRICT;
`

export const migration0020: Migration = {
  version: 20,
  name: 'statistics of requests and throughput',
  up: (db) => {
    db.exec(STATISTICS)
  },
}
