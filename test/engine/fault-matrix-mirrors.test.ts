/** What ends a download from one server does not where another has the file: every fault, on one of two mirrors. */
import { runMatrix, whereOthersHaveTheFile } from '../helpers/fault-matrix.ts'
import { CONNECTION_FAULTS, REPLY_FAULTS } from '../helpers/fault-tables.ts'

runMatrix('a fault of one mirror', whereOthersHaveTheFile([...REPLY_FAULTS, ...CONNECTION_FAULTS]))
