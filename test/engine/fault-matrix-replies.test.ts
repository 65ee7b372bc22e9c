/** Every reply that is not what was asked for, at every place of a download: the right bytes, or a typed error. */
import { runMatrix } from '../helpers/fault-matrix.ts'
import { REPLY_FAULTS } from '../helpers/fault-tables.ts'

runMatrix('a reply that is not what was asked for', REPLY_FAULTS)
