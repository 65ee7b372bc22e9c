/** Every way in which a connection breaks, at every place of a download: the right bytes, or a typed error. */
import { runMatrix } from '../helpers/fault-matrix.ts'
import { CONNECTION_FAULTS } from '../helpers/fault-tables.ts'

runMatrix('a connection that breaks', CONNECTION_FAULTS)
