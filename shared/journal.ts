/**
 * The journal: what happened to downloads, queues, hosts and the machine, in order. The report of a night is made of it.
 * An entry outlives its task, so it carries name and link itself; no login, query or fragment of a link is in it.
 */
import type { ErrorParams } from './errors.ts'
import type { OutlookKind } from './forecast.ts'
import type { ChecksumAlgorithm, DigestSource } from './integrity.ts'
import type { RepeatId, RunResult } from './repeats.ts'
import type { QueueId, TaskId } from './schemas.ts'

/** Of a task, as it was then. */
interface TaskFacts {
  name: string
  url: string
  queueId: QueueId
}

/** How a run went that ended. */
interface RunFacts {
  /** bytes that it brought */
  bytes: number
  ms: number
}

interface Failure {
  message: string
  error: ErrorParams
}

interface QueueFacts {
  queueId: QueueId
  /** its name */
  queue: string
}

interface WebhookFacts {
  workOf: QueueId | null
  queue: string | null
  origin: string
  status: number | null
  tries: number
  reason: string
}

/** Params by kind. Entries of tasks have `taskId`, unless `count` of them are told as one. */
export interface JournalParams {
  /** `startAt`: not before; null: at once */
  added: { queueId: QueueId; count: number; startAt: number | null }
  /** somebody wants `count` of them to start at `startAt`, epoch ms */
  postponed: { count: number; startAt: number }
  started: TaskFacts & { host: string }
  finished: TaskFacts &
    RunFacts & {
      sizeBytes: number
      /** null: there was nothing to compare it with */
      against: { algorithm: ChecksumAlgorithm; source: DigestSource; from: string | null } | null
    }
  /** tried again at `retryAt`; `code` says why it failed. `secondChance`: it would have been given up */
  failed: TaskFacts & RunFacts & Failure & { retryAt: number; secondChance?: true }
  given_up: TaskFacts & RunFacts & Failure & { tries: number }
  /** another of its URLs is asked next */
  turned: TaskFacts & RunFacts & Failure
  /**
   * Its host asked everybody to wait, or the network is away: no failure of its own. `instead`: that is why the try failed
   * that was told of as another failure
   */
  deferred: TaskFacts & RunFacts & Failure & { retryAt: number; instead?: true }
  /** the remote file is another one */
  changed: TaskFacts & RunFacts & Failure
  /** what was done about that */
  decided: TaskFacts & { decision: 'restart' | 'keep' }
  /** the disk stopped it */
  suspended: TaskFacts & RunFacts & Failure
  /** the disk takes it again */
  mended: TaskFacts
  /** the run ended before the download did: paused, sent back by a closed window, or Nighthaul stopped */
  left: TaskFacts & RunFacts
  paused: TaskFacts
  /** somebody let it go on, or tried it again; `code` of what it had met */
  resumed: TaskFacts
  /** it waited, and is tried again now */
  retried: TaskFacts
  /** a finished file does not match its checksums any more */
  damaged: TaskFacts & Failure
  removed: { count: number; ids: TaskId[] }
  window_opened: QueueFacts
  window_closed: QueueFacts
  queue_stopped: QueueFacts
  queue_started: QueueFacts
  /** something of it wants bytes, after nothing did */
  queue_filled: QueueFacts
  queue_emptied: QueueFacts
  /** how it looks for what has to be done `by` a local time, said because it is another thing than before */
  deadline: QueueFacts & { outlook: OutlookKind; by: string; files: number; late: number; lateBytes: string }
  /** what is done so that more of it is there by then; neither: no more of it. `borrowsFrom`: names; empty: none */
  adapted: QueueFacts & { by: string; shortestFirst: boolean; borrowsFrom: string }
  network_away: { reason: string }
  network_back: Record<string, never>
  /** what is not forced waits for mains power, and does no more */
  battery_waits: Record<string, never>
  battery_over: Record<string, never>
  /** `until`: when it may be asked again; null: it only gets fewer connections */
  /**
   * `complaints`: that this tells of (1 where an older program wrote it); `total`: all of the host so far, by which those
   * are counted that a killed engine could not tell of
   */
  host_refused: { host: string; status: number | null; until: number | null; complaints?: number; total?: number }
  /** `complaints`: since it began, as far as this engine knows */
  host_allowed: { host: string; complaints: number; total?: number }
  /** `aliveAt`: when the engine was last seen to run, kept up to date while something is to be done */
  engine_started: { version: string; aliveAt: number }
  engine_stopped: Record<string, never>
  /** for `ms` until this moment: the machine slept, or its clock was set forward */
  slept: { ms: number }
  clock_set_back: { ms: number }
  profile_changed: { profile: string }
  /** a run of a repeating download: what became of it; said again where its download ended later */
  repeated: {
    repeatId: RepeatId
    /** epoch ms at which the run began: the same in all that is said of it */
    runAt: number
    /** of its file; where there is none yet, as the link has it */
    name: string
    url: string
    queueId: QueueId
    result: RunResult
    /** the run before is still under way, so this one was left out */
    busy: boolean
    /** names of older results that were deleted, and of those that somebody has changed, which stay */
    deleted: string[]
    kept: string[]
    message: string
    error: ErrorParams
  }
  /** a command that was to run when the work of a queue (`workOf` null: of all) was done; `exitCode` null: `reason` says why */
  command_ended: {
    workOf: QueueId | null
    queue: string | null
    program: string
    exitCode: number | null
    reason: string
  }
  /** a webhook that was to be told: its address may hold a secret, so only where it is. `status` null: `reason` says why */
  webhook_told: WebhookFacts
  /** the report of a night was made */
  reported: { night: string; because: 'done' | 'night_ended' }
}

export type JournalKind = keyof JournalParams

/** Kinds that concern one task; there may be very many of these in a night, and few of all others. */
export const TASK_KINDS = [
  'started',
  'finished',
  'failed',
  'given_up',
  'turned',
  'deferred',
  'changed',
  'decided',
  'suspended',
  'mended',
  'left',
  'paused',
  'resumed',
  'retried',
  'damaged',
] as const satisfies readonly JournalKind[]

/** What is written. */
export type NewJournalEntry = {
  [K in JournalKind]: {
    /** epoch ms */
    at: number
    kind: K
    taskId: TaskId | null
    /** an error code; null: nothing went wrong */
    code: string | null
    params: JournalParams[K]
  }
}[JournalKind]

export type JournalEntry = NewJournalEntry & { id: number }
/** An entry of some kinds. */
export type EntryOf<K extends JournalKind> = Extract<JournalEntry, { kind: K }>

/** A link as a report may show it: no login, and nothing after the path, where keys and signatures are. */
export function plainLink(url: string): string {
  const [, scheme, host, path, query] = /^(https?:)\/\/(?:[^/\\?#]*@)?([^/\\?#@]+)([^?#]*)(\?)?/i.exec(url) ?? []
  return host === undefined ? '' : `${scheme}//${host}${path}${query ? '?…' : ''}`
}

/** A page of the journal, in order. */
export interface JournalQuery {
  /** entries behind this place (`after_id` -1: from that moment on) and before `to`, epoch ms */
  after_at: number
  after_id: number
  to: number
  limit: number
  /** only what concerns no single task */
  eventsOnly?: boolean
}

/** The journal's part of the store. Nothing of it is an intent: a power cut may cost the last seconds. */
export interface JournalStore {
  /** at once in one transaction, which it shares with the other writes of this turn: their ids */
  addToJournal(entries: readonly NewJournalEntry[]): number[]
  /** the engine whose start has this id still runs */
  stillAlive(id: number, at: number): void
  /** `next`: where the next page begins; null: there is none */
  journal(query: JournalQuery): {
    entries: JournalEntry[]
    next: Pick<JournalQuery, 'after_at' | 'after_id'> | null
  }
  /** of those that concern no single task, the latest of a kind before a moment */
  latestInJournal(kind: JournalKind, before: number): JournalEntry | null
  /** entries by kind in [from, to) */
  journalCounts(from: number, to: number): Map<string, number>
  /** epoch ms of the first entry; null: there is none */
  journalBegin(): number | null
  /** forgets so many entries, and bytes by queue, from before a moment: how many entries */
  pruneJournal(before: number, limit: number): number
  addQueueBytes(at: number, bytes: ReadonlyMap<QueueId, number>): void
  /** as `receivedBytes`, by queue */
  queueBytes(range: { from: number; to: number; stepMs: number }): { queueId: QueueId; at: number; bytes: number }[]
}
