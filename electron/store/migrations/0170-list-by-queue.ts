/** Schema 170: the orders of the list know the queues as well, so that a page of one queue is found in an index. */
import type { Migration } from '../migrate.ts'

const ORDERS = ['position', 'name_key', 'size_bytes', 'progress', 'state_rank', 'created_at']
const NAMES = ['position', 'name', 'size', 'progress', 'state', 'created']

export const migration0170: Migration = {
  version: 170,
  name: 'the list by queue',
  up: (db) => {
    for (const [index, name] of NAMES.entries()) {
      const columns = [...new Set([ORDERS[index], 'position', 'state', 'queue_id'])].join(', ')
      db.exec(`DROP INDEX tasks_list_${name}; CREATE INDEX tasks_list_${name} ON tasks (${columns})`)
    }
  },
}
