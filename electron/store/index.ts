/** The store: opens the profile's database (salvaging and migrating what needs it) and assembles `TaskStore`. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TaskStore } from '../../shared/records.ts'
import { backUp } from './backup.ts'
import { allBackups, dailyBackups } from './backup-files.ts'
import {
  BUSY_TIMEOUT_MS,
  type Connection,
  createPrivateFile,
  openConnection,
  SILENT,
  type StoreLogger,
} from './database.ts'
import { createHosts } from './hosts.ts'
import { suspectMark } from './inspect.ts'
import { createJournal } from './journal.ts'
import { createListTransfer } from './list-transfer.ts'
import { lostTransactions, readLog } from './log-check.ts'
import { migrate, newerStoreError } from './migrate.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { createMirrors } from './mirrors.ts'
import { createNotices, salvageNotices } from './notices.ts'
import { createOpenTasks } from './open-tasks.ts'
import { createPieces } from './pieces.ts'
import { createProgress } from './progress.ts'
import { createQueue } from './queue.ts'
import { createQueues } from './queues.ts'
import { createRemoved } from './removed.ts'
import { createRepeats } from './repeats.ts'
import { ensureSound, type SalvageReport } from './salvage.ts'
import { createScheduleState } from './schedule-state.ts'
import { createSettings } from './settings.ts'
import { createStatistics } from './statistics.ts'
import { toStoreError, withTypedErrors } from './store-errors.ts'
import { createTaskList } from './task-list.ts'
import { createTasks } from './tasks.ts'

export type { StoreLogger } from './database.ts'
export type { SalvageReport } from './salvage.ts'

export interface StoreOptions {
  /** the database file; created where there is none, readable by its owner alone */
  path: string
  /** epoch ms, for the names of backups and of what is set aside */
  now: () => number
  logger?: StoreLogger
  /** how long a call waits for another process before it throws `store_busy` */
  busyTimeoutMs?: number
  /** writes of one turn of the event loop share a transaction; for a process with one store over a database */
  groupCommits?: boolean
  /** the log is brought to the disk in the calling thread: for who counts turns of the event loop */
  flushesHere?: boolean
}

/**
 * @returns the store, and what was salvaged if its file was damaged (null: it was sound)
 * @throws `store_newer` (the file is untouched), `store_busy`, `disk_full`, `io_error`, `read_only`,
 *   `folder_not_writable`; every method of the store may throw these too, and `store_corrupt`
 */
export function openStore(options: StoreOptions): { store: TaskStore; recovered: SalvageReport | null } {
  const { path, now, logger = SILENT, busyTimeoutMs = BUSY_TIMEOUT_MS, groupCommits = false, flushesHere } = options
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const { version, recovered } = ensureSound(path, { migrations: MIGRATIONS, now, logger, busyTimeoutMs })
    const known = MIGRATIONS.at(-1)?.version ?? 0
    if (version > known) throw newerStoreError(path, version, known)
    const frames = recovered === null ? readLog(path) : null
    const connection = openConnection(path, { busyTimeoutMs, logger, groupCommits, flushesHere })
    try {
      const cutOff = frames === null ? 0 : lostTransactions(frames, connection.db)
      migrate(connection, MIGRATIONS, { now, logger })
      const onDamage = () => markSuspect(path, logger)
      const methods = {
        ...assemble(connection, logger),
        newestBackupAt: () => dailyBackups(path, now())[0]?.at ?? null,
        backUp: async (keep: { days: number; weeks: number }) => (await backUp(path, { now, logger, keep })) !== null,
      }
      const store: TaskStore = withTypedErrors(path, methods, onDamage)
      for (const notice of recovered === null ? [] : salvageNotices(recovered))
        store.addNotice({ at: now(), ...notice })
      if (cutOff > 0) {
        logger.warn({ path, transactions: cutOff }, 'the end of the log of the store is damaged')
        store.addNotice({ at: now(), code: 'log_damaged', params: { changes: cutOff } })
      }
      const [lost] = version === 0 ? allBackups(path, now()) : []
      if (lost !== undefined) store.addNotice({ at: now(), code: 'list_missing', params: { backup: lost.path } })
      return { store, recovered }
    } catch (error) {
      connection.close()
      throw error
    }
  } catch (error) {
    throw toStoreError(error, path)
  }
}

function markSuspect(path: string, logger: StoreLogger): void {
  try {
    createPrivateFile(suspectMark(path))
  } catch (error) {
    logger.warn(
      { path, error: String(error) },
      'the store is damaged, and the next start could not be told to check it',
    )
  }
}

function assemble(connection: Connection, logger: StoreLogger): Omit<TaskStore, 'newestBackupAt' | 'backUp'> {
  const tasks = createTasks(connection, logger)
  const dataVersion = connection.db.prepare<[], number>('PRAGMA data_version').pluck()
  const lists = {
    ...tasks,
    ...createQueues(connection, logger),
    ...createProgress(connection, logger),
    ...createHosts(connection, logger),
    ...createSettings(connection, logger),
    ...createRepeats(connection, logger),
    ...createScheduleState(connection, logger),
  }
  return {
    ...lists,
    ...createListTransfer(connection, logger, lists),
    ...createTaskList(connection, logger, tasks.countsByState),
    ...createQueue(connection, logger),
    ...createOpenTasks(connection),
    ...createPieces(connection, logger),
    ...createRemoved(connection),
    ...createMirrors(connection, logger),
    ...createNotices(connection),
    ...createStatistics(connection, logger),
    ...createJournal(connection, logger),
    dataVersion: () => dataVersion.get()!,
    committed: (durable) => connection.committed(durable),
    close: () => connection.close(),
  }
}
