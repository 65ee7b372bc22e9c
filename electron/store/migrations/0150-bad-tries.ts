/** Schema 150: which files of a download came bad, where they are kept, and what was tried about it, as JSON. */
import type { Migration } from '../migrate.ts'

/** Until now the error alone knew them. */
const FROM_ERRORS = `
UPDATE tasks SET bad_tries = json_object(
  'came', json((
    SELECT json_group_array(json_object('digest', '', 'path', value))
    FROM json_each(json_array(json_extract(error, '$.params.earlierPath'), json_extract(error, '$.params.path')))
    WHERE type = 'text'
  )),
  'mended', json('false'), 'whole', json('false'), 'over', json('false')
) WHERE CASE WHEN json_valid(error) THEN json_extract(error, '$.code') END = 'checksum_mismatch'
`

export const migration0150: Migration = {
  version: 150,
  name: 'files that came bad',
  up: (db) => {
    db.exec('ALTER TABLE tasks ADD COLUMN bad_tries TEXT;')
    db.exec(FROM_ERRORS)
  },
}
