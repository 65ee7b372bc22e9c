/** Queues as they cross the contract: what each says about its downloads, and how it is doing. */
import { z } from 'zod'
import type { Loan, QueueOutlook } from './forecast.ts'
import type { QueueId } from './schemas.ts'
import { TimeZoneName } from './time-zone.ts'
import { formatTime, parseTime, WindowsText } from './windows.ts'

const LimitBytesPerSecond = z.int().positive()

export const QueueName = z
  .string()
  .trim()
  .min(1, 'a queue needs a name')
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u, 'the name of a queue holds no control characters')

/** `07:00` */
const TimeOfDay = z
  .string()
  .trim()
  .refine((text) => (parseTime(text) ?? 1440) < 1440, 'write a time of day like 07:00')
  .transform((text) => formatTime(parseTime(text)!))

/** Where files of one kind go. The first rule of a queue that fits decides; one without a condition fits everything. */
export const CategoryRule = z
  .object({
    name: z.string().trim().min(1).max(100),
    /** of file names, without the dot, lower case; none: any */
    extensions: z.array(z.string().trim().toLowerCase().min(1).max(20)).max(200).default([]),
    /** hosts and everything below them; none: any */
    hosts: z.array(z.string().trim().toLowerCase().min(1).max(300)).max(200).default([]),
    /** absolute, or below the folder of the download */
    folder: z.string().trim().min(1).max(4096),
  })
  .strict()
export type CategoryRule = z.infer<typeof CategoryRule>

/** What happens when the last download of a queue (or of all) has ended. */
export const WhenDone = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('notify') }).strict(),
  /** run without a shell; facts are in its environment */
  z
    .object({
      kind: z.literal('command'),
      program: z.string().min(1).max(4096),
      args: z.array(z.string().max(10_000)).max(100).default([]),
    })
    .strict(),
  z.object({ kind: z.literal('webhook'), url: z.url({ protocol: /^https?$/ }).max(4096) }).strict(),
  z.object({ kind: z.enum(['quit', 'sleep', 'hibernate', 'shutdown']) }).strict(),
])
export type WhenDone = z.infer<typeof WhenDone>

/**
 * What to do with a window that passed while the machine slept or was off: the queue works at once, for as long as was
 * lost or until all it has is done (`run`); in its next window (`next`); or that, if nobody answers otherwise (`ask`).
 */
export const MISSED = ['run', 'next', 'ask'] as const

const QueueFields = z.object({
  /** bytes per second for all its downloads together; null: no limit of its own */
  limitBytesPerSecond: LimitBytesPerSecond.nullable(),
  /** queues of a higher one are served first */
  priority: z.int().min(-10).max(10),
  /** its share of the places among queues of the same priority */
  weight: z.int().min(1).max(100),
  /** null: as many as there are places */
  downloadsAtOnce: z.int().min(1).max(100).nullable(),
  /** connections of a download that names none itself; null: as the settings say */
  connections: z.int().min(1).max(64).nullable(),
  /** absolute path on the engine's machine, for downloads that name none; null: as the settings say */
  folder: z.string().min(1).max(4096).nullable(),
  categories: z.array(CategoryRule).max(100),
  /** stopped by hand: nothing of it starts */
  stopped: z.boolean(),
  /** when it may work, as text (windows.ts); null: always */
  windows: WindowsText.nullable(),
  /** of its windows and its deadline; null: the machine's */
  timeZone: TimeZoneName.nullable(),
  missed: z.enum(MISSED),
  /** local time by which all should be there; null: none */
  finishBy: TimeOfDay.nullable(),
  whenDone: z.array(WhenDone).max(10),
})

export type QueueSettings = z.output<typeof QueueFields>

export const DEFAULT_QUEUE_SETTINGS: QueueSettings = {
  limitBytesPerSecond: null,
  priority: 0,
  weight: 1,
  downloadsAtOnce: null,
  connections: null,
  folder: null,
  categories: [],
  stopped: false,
  windows: null,
  timeZone: null,
  missed: 'run',
  finishBy: null,
  whenDone: [],
}

/** What is left out stays (or, for a new queue, is as in DEFAULT_QUEUE_SETTINGS). */
export const QueuePatch = QueueFields.partial()
  .extend({
    name: QueueName.optional(),
    /** its place among the queues, from 0; the default queue counts as one of them */
    position: z.int().min(0).max(10_000).optional(),
  })
  .strict()
export type QueuePatch = z.output<typeof QueuePatch>

export const AddQueueInput = QueuePatch.extend({ name: QueueName })
export type AddQueueInput = z.output<typeof AddQueueInput>

/** Fields of queue settings that can be read one by one: a stored one that is damaged costs only itself. */
export const QUEUE_FIELDS = QueueFields.shape

/** Why nothing of a queue starts. `battery`: the machine runs on it, and the settings say to wait. */
export type QueueHold = 'stopped' | 'window' | 'battery' | null

export interface QueueView extends QueueSettings {
  id: QueueId
  name: string
  hold: QueueHold
  /** epoch ms of its next opening or closing; null: none */
  changesAt: number | null
  /**
   * What was lost of a window while the machine slept or was off, and until when it is made up for; `until` null: nobody
   * has said yet (`queues.makeUp`), and the next window ends the question
   */
  missedWindow: { from: number; to: number; until: number | null } | null
  /** downloads that want bytes: queued, active, waiting */
  open: number
  running: number
  /** how it stands towards `finishBy`; null: it has none, or nothing to do */
  outlook: QueueOutlook | null
  /** what it does with while another queue has to be done by a time; null: with all that is its own */
  lends: Loan | null
}
