/** Repeating downloads: the same URL again and again, at times of the week, under names of their own. */
import { z } from 'zod'
import type { ErrorInfo } from './errors.ts'
import { MISSED } from './queues.ts'
import { DEFAULT_QUEUE_ID, HttpUrl, QueueId, type TaskId, TaskOptions } from './schemas.ts'
import { TimeZoneName } from './time-zone.ts'
import { WeekTimesText } from './windows.ts'

export const RepeatId = z.int().positive()
export type RepeatId = z.infer<typeof RepeatId>

/** What a name template may hold. `{ext}` is with its dot; dates are those of the run, in its time zone. */
export const NAME_FIELDS = ['name', 'ext', 'date', 'time', 'n'] as const

export const NameTemplate = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine(
    (text) => [...text.matchAll(/\{([^{}]*)\}/g)].every(([, field]) => NAME_FIELDS.some((known) => known === field)),
    `a name holds text and ${NAME_FIELDS.map((field) => `{${field}}`).join(', ')}`,
  )
  .refine((text) => !/[/\\]/.test(text), 'a name holds no folders')

export const RepeatFields = z.object({
  url: HttpUrl,
  options: TaskOptions,
  /** absolute path on the engine's machine; null: as the queue says */
  folder: z.string().min(1).max(4096).nullable(),
  queueId: QueueId,
  nameTemplate: NameTemplate,
  /** times of the week as text (windows.ts): `daily 02:00`, `Mon-Fri 02:00, Sat 12:00` */
  when: WeekTimesText,
  /** of its times; null: the machine's */
  timeZone: TimeZoneName.nullable(),
  /** older results are deleted where they are as they were written; null: all stay */
  keepLast: z.int().min(1).max(1000).nullable(),
  /** a run that was due while the machine slept or was off; `ask`: it runs after a while if nobody answers */
  missed: z.enum(MISSED),
  paused: z.boolean(),
})
export type RepeatSettings = z.output<typeof RepeatFields>

export const DEFAULT_REPEAT: Omit<RepeatSettings, 'url' | 'when'> = {
  options: {},
  folder: null,
  queueId: DEFAULT_QUEUE_ID,
  nameTemplate: '{name} {date}{ext}',
  timeZone: null,
  keepLast: null,
  missed: 'run',
  paused: false,
}

/** What is left out stays, of the options too: those of a view lack their secrets. */
export const RepeatPatch = RepeatFields.partial().strict()
export type RepeatPatch = z.output<typeof RepeatPatch>
/** What is left out is as in DEFAULT_REPEAT. */
export const AddRepeatInput = RepeatPatch.extend({ url: RepeatFields.shape.url, when: RepeatFields.shape.when })
export type AddRepeatInput = z.output<typeof AddRepeatInput>

const EpochMs = z.int().min(0).max(8_640_000_000_000_000)

/**
 * How a run went. `started`: its download is under way · `downloaded` · `unchanged`: the server says it is still the
 * same file · `same`: it was downloaded, found to be the same, and deleted · `failed` · `skipped`: missed, or the one
 * before is still under way
 */
export const RUN_RESULTS = ['started', 'downloaded', 'unchanged', 'same', 'failed', 'skipped'] as const

export type RunResult = (typeof RUN_RESULTS)[number]

const RepeatRun = z.object({
  at: EpochMs,
  result: z.enum(RUN_RESULTS),
  taskId: z.int().positive().nullable(),
  path: z.string().nullable(),
  error: z.custom<ErrorInfo>((value) => typeof value === 'object' && value !== null && 'code' in value).nullable(),
  /** older results that were deleted, and those that somebody has changed since, which stay */
  deleted: z.array(z.string()),
  kept: z.array(z.string()),
})
export type RepeatRun = z.output<typeof RepeatRun>

/** A file that a run brought. */
const RepeatResult = z.object({
  at: EpochMs,
  taskId: z.int().positive(),
  path: z.string(),
  bytes: z.int().min(0),
  sha256: z.string(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
})
export type RepeatResult = z.output<typeof RepeatResult>

/** How far a repeat is. Not part of the contract. */
export const RepeatState = z.object({
  /** epoch ms: what was due until then is dealt with */
  settledAt: EpochMs,
  /** a missed run waits for an answer until then */
  askedUntil: EpochMs.nullable(),
  /** downloads that were begun */
  runs: z.int().min(0),
  /** the download under way */
  taskId: z.int().positive().nullable(),
  last: RepeatRun.nullable(),
  /** the latest first; one where older ones stay for good */
  results: z.array(RepeatResult).max(1001),
})
export type RepeatState = z.output<typeof RepeatState>

export interface RepeatRecord {
  id: RepeatId
  settings: RepeatSettings
  state: RepeatState
}

export interface RepeatView extends RepeatSettings {
  id: RepeatId
  /** epoch ms; null: it is paused */
  nextAt: number | null
  /** a missed run waits for an answer, and runs then (epoch ms); null: none does */
  askedUntil: number | null
  /** the download under way */
  taskId: TaskId | null
  runs: number
  last: RepeatRun | null
  /** files of its runs that are looked after, the latest first */
  results: { at: number; taskId: TaskId; path: string; bytes: number }[]
}
