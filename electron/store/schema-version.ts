/** Which schema a database really has: its number is four bytes of the header, and may be damaged like any others. */
import Database from 'better-sqlite3'
import type { Migration } from './migrate.ts'

/** `table.column` of every table, and `index(columns)` of every index that was asked for. */
function shapeOf(db: Database.Database): Set<string> {
  const columns = db
    .prepare<[], string>(
      `SELECT s.name || '.' || c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c
       WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%'
       UNION ALL
       SELECT s.name || '(' || group_concat(coalesce(i.name, 'expression'), ', ') || ')'
       FROM sqlite_schema s JOIN pragma_index_info(s.name) i
       WHERE s.type = 'index' AND s.sql IS NOT NULL GROUP BY s.name`,
    )
    .pluck()
    .all()
  return new Set(columns)
}

/** The newest schema of which everything is there; 0: not even the first. Throws what SQLite throws at damage. */
export function schemaByShape(db: Database.Database, migrations: readonly Migration[]): number {
  const found = shapeOf(db)
  const empty = new Database(':memory:')
  try {
    let version = 0
    for (const migration of migrations) {
      migration.up(empty)
      const needed = shapeOf(empty)
      // Not all that follow hold what this one did: some columns move elsewhere.
      if ([...needed].every((column) => found.has(column))) version = migration.version
    }
    return version
  } finally {
    empty.close()
  }
}
