/**
 * The report of a night as it crosses the contract and as it is stored: what came, what did not and why, when nothing
 * came and why, and what is tried next. Sentences are English; codes and params beside them are for other languages.
 * How it is made of the journal is the engine's (night-report.ts).
 */
import { z } from 'zod'
import { CHECKSUM_ALGORITHMS, DIGEST_SOURCES } from './integrity.ts'
import { RepeatId, RUN_RESULTS } from './repeats.ts'
import { QueueId, TaskId } from './schemas.ts'
import { TASK_STATES } from './task-state.ts'

/** Of longer lists the report holds so many entries; totals count all. */
export const MOST_REPORT_ITEMS = 10_000

const Count = z.int().min(0)
const Time = z.int().describe('epoch ms')
const Params = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))

/** A night by the date of its evening: `2026-11-25` lasts until noon of the 26th. */
export const Night = z.iso.date()
export type Night = z.infer<typeof Night>

/** What every line about a download says. The link has no login, query or fragment. */
const item = {
  id: TaskId,
  name: z.string(),
  url: z.string(),
  queueId: QueueId,
}

export const FinishedItem = z.object({
  ...item,
  at: Time,
  /** the size of the file */
  bytes: Count,
  /** how long it was fetched in this time, all its runs together */
  activeMs: Count,
  /** what the file was compared with; null: there was nothing to compare it with */
  against: z
    .object({
      algorithm: z.enum(CHECKSUM_ALGORITHMS),
      source: z.enum(DIGEST_SOURCES),
      /** the link of the file of checksums; null: it was named otherwise */
      from: z.string().nullable(),
      text: z.string(),
    })
    .nullable(),
})
export type FinishedItem = z.infer<typeof FinishedItem>

/** Why something did not go well: `title` and `next` are the words for the code, `message` is the engine's sentence. */
export const Reason = z.object({
  code: z.string(),
  params: Params,
  title: z.string(),
  next: z.string(),
  message: z.string(),
})
export type Reason = z.infer<typeof Reason>

/** Given up; the partial is kept. */
export const FailedItem = z.object({ ...item, at: Time, reason: Reason, tries: Count })
export type FailedItem = z.infer<typeof FailedItem>

/** Tries that failed and were followed by another one. */
export const RetriedItem = z.object({
  ...item,
  times: Count,
  /** the most frequent first */
  reasons: z.array(Reason.pick({ code: true, title: true }).extend({ times: Count })),
  /** how it ended in this time: `open` did not end */
  outcome: z.enum(['finished', 'failed', 'removed', 'open']),
})
export type RetriedItem = z.infer<typeof RetriedItem>

/** The file on the server had become another one. `decision`: null: nobody has decided. */
export const ChangedItem = z.object({
  ...item,
  at: Time,
  reason: Reason,
  decision: z.enum(['restart', 'keep']).nullable(),
})
export type ChangedItem = z.infer<typeof ChangedItem>

/** A run of a repeating download, and what became of it. */
export const RepeatedItem = z.object({
  repeatId: RepeatId,
  /** when it began */
  at: Time,
  name: z.string(),
  url: z.string(),
  queueId: QueueId,
  result: z.enum(RUN_RESULTS),
  /** older results that had to go, and those that somebody had changed, which stayed: names */
  deleted: z.array(z.string()),
  kept: z.array(z.string()),
  /** why it failed; null: it did not */
  reason: Reason.nullable(),
  /** when it runs next, as of now; null: it is paused, or there is no such repeat any more */
  nextAt: Time.nullable(),
  text: z.string(),
})
export type RepeatedItem = z.infer<typeof RepeatedItem>

/** What was done because the work of a queue or of all was done, and how that ended. */
export const DoneItem = z.object({
  code: z.enum(['command', 'webhook']),
  at: Time,
  /** it ended with code 0, or was answered with a 2xx */
  ok: z.boolean(),
  params: Params,
  text: z.string(),
})
export type DoneItem = z.infer<typeof DoneItem>

/** A host that asked for fewer requests (429, 503, Retry-After), or denied one download after the other (403). `until` null: it was not seen to be over it. */
export const RefusingHost = z.object({
  host: z.string(),
  from: Time,
  until: Time.nullable(),
  /** of its reply; null: not known */
  status: z.int().nullable(),
  complaints: Count,
  /** it began so often anew */
  times: Count,
  text: z.string(),
})
export type RefusingHost = z.infer<typeof RefusingHost>

/** Why nothing came. */
export const QUIET_CODES = [
  'not_running',
  'crashed',
  'asleep',
  'network_away',
  'battery',
  'window_closed',
  'queue_stopped',
  'disk',
  'host_refused',
  'waiting_to_retry',
  'not_due',
  'waiting_for_decision',
  'silent',
  'no_place',
] as const
export type QuietCode = (typeof QUIET_CODES)[number]

/** A minute or more in which something wanted bytes and none came. The reason that lasted longest comes first. */
export const QuietTime = z.object({
  from: Time,
  to: Time,
  reasons: z.array(z.object({ code: z.enum(QUIET_CODES), params: Params, ms: Count, text: z.string() })).min(1),
})
export type QuietTime = z.infer<typeof QuietTime>

/** What happened to the machine or to Nighthaul itself. `to` null: it was not over. */
export const INCIDENT_CODES = [
  'stopped',
  'crashed',
  'slept',
  'clock_set_back',
  'network_away',
  'battery',
  'profile_changed',
  'deadline',
  'adapted',
] as const
export const Incident = z.object({
  code: z.enum(INCIDENT_CODES),
  params: Params,
  from: Time,
  to: Time.nullable(),
  text: z.string(),
})
export type Incident = z.infer<typeof Incident>

/** Steps in which bytes came, in order; in all others none did. */
export const Graph = z.object({
  stepMs: z.int().positive(),
  steps: z.array(z.object({ at: Time, bytes: Count })),
})
export type Graph = z.infer<typeof Graph>

/** What was not done when the report was made. */
export const UndoneItem = z.object({
  ...item,
  state: z.enum(TASK_STATES),
  sizeBytes: Count.nullable(),
  writtenBytes: Count,
  /** null: nothing is wrong with it */
  reason: Reason.nullable(),
  /** when it is tried next; null: when something happens, or never by itself */
  nextAt: Time.nullable(),
  text: z.string(),
})
export type UndoneItem = z.infer<typeof UndoneItem>

/** What happens next: the same for `count` downloads. */
export const NEXT_CODES = [
  'now',
  'window',
  'start',
  'retry',
  'host',
  'disk',
  'stopped',
  'battery',
  'paused',
  'decision',
  'repeat',
  'failed',
] as const
export const NextStep = z.object({
  code: z.enum(NEXT_CODES),
  /** null: not at a known time */
  at: Time.nullable(),
  queueId: QueueId.nullable(),
  /** of the downloads among `undone`; of repeating ones where it is `repeat` */
  count: Count,
  text: z.string(),
})
export type NextStep = z.infer<typeof NextStep>

export const ReportTotals = z.object({
  added: Count,
  finished: Count,
  /** of those that finished */
  verified: Count,
  unverified: Count,
  failed: Count,
  /** tries that were followed by another one, of so many downloads */
  retries: Count,
  retried: Count,
  changed: Count,
  removed: Count,
  undone: Count,
  receivedBytes: Count,
  /** the time in which at least one download ran */
  activeMs: Count,
  /** over that time; null: there was none */
  bytesPerSecond: z.number().min(0).nullable(),
  /** in which something wanted bytes and none came */
  quietMs: Count,
})
export type ReportTotals = z.infer<typeof ReportTotals>

export const QueueReport = z.object({
  queueId: QueueId,
  name: z.string(),
  totals: ReportTotals,
  /** null: bytes are not known by minute */
  graph: Graph.nullable(),
  /** when it was allowed to work, as far as Nighthaul ran; null: all the time */
  windows: z.array(z.object({ from: Time, to: Time })).nullable(),
})
export type QueueReport = z.infer<typeof QueueReport>

export const NightReport = z.object({
  format: z.literal('nighthaul-report'),
  version: z.literal(1),
  /** null: a time that was asked for */
  night: Night.nullable(),
  from: Time,
  to: Time,
  /** in which times of day are meant */
  timeZone: z.string(),
  madeAt: Time,
  /** false: it is not over yet */
  complete: z.boolean(),
  /** null: all of them */
  queueId: QueueId.nullable(),
  /** in two or three sentences */
  summary: z.string(),
  totals: ReportTotals,
  queues: z.array(QueueReport),
  finished: z.array(FinishedItem),
  failed: z.array(FailedItem),
  retried: z.array(RetriedItem),
  changed: z.array(ChangedItem),
  repeats: z.array(RepeatedItem),
  hosts: z.array(RefusingHost),
  quiet: z.array(QuietTime),
  incidents: z.array(Incident),
  done: z.array(DoneItem),
  /** null: bytes by minute are not kept, or no more */
  graph: Graph.nullable(),
  undone: z.array(UndoneItem),
  next: z.array(NextStep),
})
export type NightReport = z.infer<typeof NightReport>

/** A night of which something is known. */
export interface NightSummary {
  night: Night
  from: number
  to: number
  complete: boolean
  finished: number
  failed: number
  receivedBytes: number
}

/** A night (`last`: the latest of which something is known) or a time; of one queue or of all. */
export const ReportInput = z
  .object({
    night: z.union([Night, z.literal('last')]).optional(),
    from: Time.optional(),
    to: Time.optional(),
    queueId: QueueId.optional(),
  })
  .strict()
  .refine(({ night, from, to }) => night === undefined || (from === undefined && to === undefined), {
    error: 'give a night, or from and to',
  })
  .refine(({ from, to = Infinity }) => from === undefined || from < to, 'the time must begin before it ends')
export type ReportInput = z.output<typeof ReportInput>

/** `done`: nothing is left that may go on by itself now. */
export interface ReportReady {
  night: Night
  because: 'done' | 'night_ended'
  /** one line, for a notification */
  title: string
  summary: string
  finished: number
  failed: number
  /** worth a notification: the work took long, or a night ended of which nothing was told yet */
  tell: boolean
  /** where it was stored, on the engine’s machine; null: it was not */
  files: { html: string; json: string } | null
}
