/**
 * What the store keeps about a task and the interface the engine needs of a store. Plain types: engine and store
 * both see them and neither sees the other.
 */
import type { ErrorInfo } from './errors.ts'
import type { HostRule } from './host-schemas.ts'
import type { BadTries, ChecksumResult, ExpectedDigest, PieceHashes } from './integrity.ts'
import type { JournalStore } from './journal.ts'
import type { ImportedCounts, ImportResult, ListedQueue } from './list-file.ts'
import type { ImportedRepeat, ImportedTask, RemovedStore, TaskName } from './list-records.ts'
import type { Notice, NoticeCode } from './notices.ts'
import type { OpenTasks } from './open-tasks.ts'
import type { AddQueueInput, QueuePatch, QueueSettings } from './queues.ts'
import type { Tally } from './request-statistics.ts'
import type { ScheduleState, ScheduleStore } from './schedule-state.ts'
import type {
  HourFigures,
  ListTasksInput,
  MirrorOrigin,
  QueueId,
  Selection,
  SettingsPatch,
  TaskId,
  TaskOptions,
} from './schemas.ts'
import type { TaskState } from './task-state.ts'
import type { TaskStrategyReason } from './task-strategy.ts'
import type { Verification } from './verification.ts'

/** A block is the unit of CRC-32 checksums and of alignment of segments. */
export const BLOCK_BYTES = 1024 * 1024
/** Blocks per stored page of checksums (4 KiB of CRCs for one GiB of file). */
export const BLOCKS_PER_PAGE = 1024

export interface TaskRecord {
  id: TaskId
  url: string
  /** name asked for by the user */
  requestedFilename: string | null
  /** name reserved in the folder; null until the first reply (or the user) gave one */
  filename: string | null
  folder: string
  state: TaskState
  /** order in the list and in the queue; unique, growing */
  position: number
  sizeBytes: number | null
  writtenBytes: number
  /** where it is fetched from now, one of its mirrors; null: `url` itself */
  sourceUrl: string | null
  finalUrl: string | null
  etag: string | null
  lastModified: string | null
  /** whether `lastModified` may serve as a strong validator (RFC 9110 §8.8.2.2), judged when it was learnt */
  lastModifiedStrong: boolean
  contentType: string | null
  /** non-null: the server compresses regardless; decoded on the fly, not resumable */
  contentEncoding: string | null
  httpVersion: string | null
  /** null: not known; whether a range was proven to work */
  acceptsRanges: boolean | null
  options: TaskOptions
  error: ErrorInfo | null
  retryAt: number | null
  attempts: number
  /** how often it came again at the end of its queue since the last word of the user */
  secondChances: number
  /** how often it came again besides, because its host or the network was away */
  hostWaits: number
  /** the most connections that were open at once */
  connectionsUsed: number
  /** bytes that were there when the latest run began */
  resumedFromBytes: number
  /** null: not verified (yet) */
  checksum: ChecksumResult | null
  /** what servers said the file should be; what the user said is among the options */
  foundDigests: readonly ExpectedDigest[]
  /** files that came bad and what was tried since the last word about them; null: none did */
  badTries: BadTries | null
  /** what the latest comparison with the checksums of blocks found; null: none was made of the present file */
  verification: Verification | null
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  /** the boot under which `written` marks were last stored */
  bootId: string | null
  /** a finished file: when it and its name were fsynced; null: not recorded yet */
  fsyncedAt: number | null
  /** epoch ms: not before; null: whenever its queue works */
  startAt: number | null
  /** it runs now, whatever its queue and the number of places say */
  forced: boolean
  /** a queue that is there no more counts as the default one */
  queueId: QueueId
  /** process that works on this task outside the queue (`get`); null: belongs to the queue */
  leaseOwner: string | null
  /** where the partial lies; null: beside the file it becomes, as NAME.part */
  partPath: string | null
  /** a file on its way to another place */
  relocation: Relocation | null
  /** what the latest run decided about its connections, and why */
  strategy: readonly TaskStrategyReason[]
}

/** A move that a crash may interrupt: recorded before anything happens, forgotten when the old file is gone. */
export interface Relocation {
  from: string
  to: string
  /** what the task says of its place once the file is there */
  place: { folder: string; filename: string; partPath: string | null }
}

export type NewTask = Pick<
  TaskRecord,
  'url' | 'requestedFilename' | 'folder' | 'state' | 'options' | 'createdAt' | 'leaseOwner'
> & { queueId?: QueueId; startAt?: number; pieces?: PieceHashes; mirrors?: readonly NewMirror[] }
export type TaskPatch = Partial<Omit<TaskRecord, 'id' | 'position' | 'createdAt'>>

/** More are of no use, and a document that names thousands must not fill the store. */
export const MOST_MIRRORS = 100

/** What the replies of one URL told of the file: another server's validators mean nothing to it. */
export type MirrorFile = Pick<
  TaskRecord,
  'etag' | 'lastModified' | 'lastModifiedStrong' | 'finalUrl' | 'httpVersion' | 'acceptsRanges'
>

/** One of several URLs of a task's file, its own among them. */
export interface MirrorRecord {
  url: string
  /** 1 comes first (RFC 5854 §4.2.16.1) */
  priority: number
  /** country code, lower case */
  location: string | null
  origin: MirrorOrigin
  /** null: nothing was learnt yet */
  file: MirrorFile | null
  /** why it was left; null: it was not */
  error: ErrorInfo | null
  /** since the last word of the user */
  failures: number
  /** what it brought, and in what time */
  bytes: number
  busyMs: number
}

export type NewMirror = Pick<MirrorRecord, 'url' | 'priority' | 'location' | 'origin'>

/** One run of bytes of the file. All numbers are offsets in the file. */
export interface SegmentRecord {
  start: number
  /** one past the last byte; null while the length is unknown */
  end: number | null
  /** bytes in [start, written) were handed to the kernel */
  written: number
  /** bytes in [start, durable) were fsynced */
  durable: number
}

/** CRC-32 of block `index` (of BLOCK_BYTES, the last may be shorter: `bytes`). */
export interface BlockChecksum {
  index: number
  crc32: number
  bytes: number
}

export interface QueueRecord extends QueueSettings {
  id: QueueId
  name: string
}

/** What a host was seen to take. Times are epoch ms. */
export interface HostRecord {
  /** host, and port where that is not the usual one */
  host: string
  /** connections it gets for now; null: as many as rules and settings say */
  allowance: number | null
  notBefore: number | null
  /** status of its latest complaint; null: not known */
  complaintStatus: number | null
  complaintAt: number
  complaints: number
}

/** What one task's progress writes in one checkpoint; all active tasks go in one transaction. */
export interface TaskCheckpoint {
  id: TaskId
  writtenBytes: number
  bootId: string
  /** the whole list of segments, replacing the stored one; undefined: unchanged */
  segments?: readonly SegmentRecord[]
  /** newly finished blocks, replacing stored ones of the same index */
  blocks?: readonly BlockChecksum[]
}

/** What was measured since the batch before. */
export interface StatisticsBatch {
  /** epoch ms: the hour and the minute that it counts into */
  at: number
  /** bytes of bodies that came in, whatever became of their requests */
  receivedBytes: number
  /** requests that ended, by host */
  hosts: ReadonlyMap<string, Tally>
  /** what is older is forgotten */
  keepDays: number
}

/** Requests that ended in some time. OTHER_HOSTS stands for those that were not kept apart. */
export interface RequestTallies {
  hosts: Map<string, Tally>
  /** those with requests, in order; days where that is long ago */
  hours: HourFigures[]
}

/** Bytes that came in during `stepMs` from `at` on. */
export interface ReceivedBytes {
  /** epoch ms */
  at: number
  bytes: number
}

/**
 * The store as the engine sees it. All calls are synchronous (SQLite). Methods marked intent commit with
 * synchronous=FULL: they survive a power cut once they return; the others may lose the last seconds but never order.
 */
export interface TaskStore extends ScheduleStore, JournalStore, OpenTasks, RemovedStore {
  /** intent; one transaction; ids in the order given */
  addTasks(tasks: readonly NewTask[]): TaskId[]
  getTask(id: TaskId): TaskRecord | null
  getTasks(ids: readonly TaskId[]): TaskRecord[]
  updateTask(id: TaskId, patch: TaskPatch, options?: { intent?: boolean }): void
  /** intent unless told otherwise; one transaction for all */
  updateTasks(patches: readonly { id: TaskId; patch: TaskPatch }[], options?: { intent?: boolean }): void
  listTasks(query: ListTasksInput): { total: number; rows: TaskRecord[] }
  /** ids of a selection, in list order */
  selectIds(selection: Selection): TaskId[]
  /** kept incrementally: O(1) */
  countsByState(): Record<TaskState, number>
  /** the next tasks of the queue without a lease, by position, and without those that `except` names */
  nextQueued(limit: number, except?: (id: TaskId) => boolean): TaskRecord[]
  /** queued tasks that are to run now, whatever holds them */
  forcedReady(): TaskRecord[]
  /** The next tasks of one queue without a lease, by position, of hosts that are not among `busyHosts`. */
  nextReady(
    queueId: QueueId,
    limit: number,
    busyHosts: readonly string[],
    except: (id: TaskId) => boolean,
  ): TaskRecord[]
  /** tasks in order of the list, put before another one; null: at the end. Intent; one transaction. */
  reorder(ids: readonly TaskId[], before: TaskId | 'first' | null): void
  /** unleased tasks in one of these states (start-up: active, waiting, finishing) */
  tasksInStates(states: readonly TaskState[]): TaskRecord[]
  /** done under the `background` durability and not recorded as fsynced */
  unsyncedDone(): TaskRecord[]
  /** so many paused tasks without a lease that have an error, by position */
  suspended(limit: number): TaskRecord[]
  /** unleased tasks whose file is on its way to another place */
  relocating(): TaskRecord[]
  /** earliest retryAt of unleased waiting tasks, or null */
  nextRetryAt(): number | null
  dueRetries(now: number): TaskRecord[]
  /** newest unfinished task of this URL and folder (and requested name, when given) that `fits`: it asks no store */
  findUnfinished(
    key: { url: string; folder: string; requestedFilename: string | null },
    fits?: (task: TaskRecord) => boolean,
  ): TaskRecord | null
  /** same for many URLs at once; url -> id */
  findUnfinishedUrls(folder: string, urls: readonly string[]): Map<string, TaskId>
  /** true and stored if no other unfinished task has this name in this folder (compared case-insensitively) */
  reserveFilename(id: TaskId, folder: string, filename: string): boolean
  /** compare-and-set of leaseOwner; intent */
  takeLease(id: TaskId, owner: string, expected: string | null): boolean
  releaseLease(id: TaskId, owner: string): void
  /** of all tasks that this owner has */
  releaseLeases(owner: string): void
  leasedTasks(): TaskRecord[]

  /** null: nobody gave any */
  pieces(id: TaskId): PieceHashes | null
  /** in the order they were given; none where the task has but its own URL */
  mirrors(id: TaskId): MirrorRecord[]
  /** intent; those that are there stay as they are, and there are never more than MOST_MIRRORS: how many were new */
  addMirrors(id: TaskId, mirrors: readonly NewMirror[]): number
  updateMirror(id: TaskId, mirror: MirrorRecord): void
  /** intent; what the replies of the old URL told of the file says nothing about the new one's */
  renameMirror(id: TaskId, from: string, to: string): void
  /** intent; every mirror gets another chance */
  forgiveMirrors(ids: readonly TaskId[]): void

  segments(id: TaskId): SegmentRecord[]
  blocks(id: TaskId): BlockChecksum[]
  /** forget progress: segments, blocks, writtenBytes, validators stay to the caller */
  clearProgress(id: TaskId): void
  /** one transaction, synchronous=NORMAL */
  checkpoint(batch: readonly TaskCheckpoint[]): void

  /** in order */
  queues(): QueueRecord[]
  /** tasks that still want bytes, by queue; kept incrementally */
  openByQueue(): Map<QueueId, number>
  /** intent; throws `queue_exists` */
  addQueue(queue: AddQueueInput): QueueRecord
  /** intent; throws `queue_not_found`, `queue_exists` */
  updateQueue(id: QueueId, patch: QueuePatch): QueueRecord
  /** intent; its tasks go to the default queue: how many. Throws `queue_not_found`, `queue_is_default` */
  removeQueue(id: QueueId): number

  /** those that complained after `since` (epoch ms) */
  hosts(since: number): HostRecord[]
  /** one transaction, which forgets those that have not complained since */
  saveHosts(hosts: readonly HostRecord[], since: number): void
  forgetHost(host: string): void
  hostRules(): HostRule[]
  /** intent; replaces the rule of the same pattern */
  setHostRule(rule: HostRule): void
  /** intent; false: there was none */
  removeHostRule(pattern: string): boolean
  /** one transaction, synchronous=NORMAL; adds to what any process has stored, and forgets what is too old */
  addStatistics(batch: StatisticsBatch): void
  /** intent; forgets all statistics */
  clearStatistics(): void
  /** of the hours (and days) that begin in [from, to), of one host or of all */
  requestTallies(range: { from: number; to: number; host?: string }): RequestTallies
  /** epoch ms of the first stored hour; null: there is none */
  statisticsBegin(): number | null
  /** everything since statistics are kept, of all hosts and of those used lately; never falls while it is shown */
  requestTotals(): { all: Tally; hosts: { host: string; tally: Tally }[] }
  /** steps of whole minutes in [from, to) in which bytes came, in order; kept for a week */
  receivedBytes(range: { from: number; to: number; stepMs: number }): ReceivedBytes[]

  /** by position, those after one */
  tasksAfter(position: number, limit: number): TaskRecord[]
  /** what tells tasks apart; `method` null: GET; `body` as JSON */
  taskNames(): TaskName[]
  /** intent; one transaction. Queues, rules, profiles, repeats and settings that are here stay as they are */
  importList(list: {
    tasks: readonly ImportedTask[]
    queues: readonly ListedQueue[]
    hostRules: readonly HostRule[]
    settings: SettingsPatch
    profiles: ScheduleState['profiles']
    repeats: readonly ImportedRepeat[]
  }): { ids: TaskId[] } & Pick<ImportResult, 'withProgress' | ImportedCounts>

  /** what people have to be told, in order */
  notices(): Notice[]
  /** intent */
  addNotice(notice: Omit<Notice, 'id'>): void
  /** intent; false: there is none of this number (of this kind) */
  dismissNotice(id: number): boolean
  dropNotices(code: NoticeCode): boolean

  /** epoch ms of the newest daily backup; null: there is none */
  newestBackupAt(): number | null
  /** Makes one while everybody goes on, then deletes those beyond `keep`. False: nothing has changed since the last. */
  backUp(keep: { days: number; weeks: number }): Promise<boolean>

  getSettings(): SettingsPatch
  /** intent */
  setSettings(patch: SettingsPatch): void
  /** changes when another process wrote (PRAGMA data_version) */
  dataVersion(): number
  /**
   * Resolves when everything changed before it survives a killed process (`durable`: a power cut too): for what must not
   * happen on the disk before it is remembered. Rejects where it could not be stored.
   */
  committed(durable: boolean): Promise<void>
  /** checkpoint the WAL and close; idempotent */
  close(): void
}
