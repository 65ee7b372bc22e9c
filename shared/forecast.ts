/** What will probably be fetched when, as it crosses the contract. Times are epoch ms, rates bytes per second. */
import { z } from 'zod'
import type { RepeatId } from './repeats.ts'
import type { QueueId, TaskId } from './schemas.ts'

export const ForecastInput = z
  .object({
    /** so many of the next downloads of each queue are named */
    tasks: z.int().min(0).max(1000).default(100),
    /** leave out what lies later, in hours from now */
    hours: z
      .int()
      .min(1)
      .max(8 * 24)
      .default(36),
  })
  .strict()
export type ForecastInput = z.output<typeof ForecastInput>

/**
 * Where a rate is from: what runs now, what was measured at this host or hour lately, at any hour, or nothing at all.
 */
export type RateBasis = 'now' | 'hour' | 'lately' | 'assumed'

export interface TaskForecast {
  id: TaskId
  name: string
  host: string
  /** null: not within the time looked at */
  startsAt: number | null
  endsAt: number | null
  /** what is still to come; estimated where the size is not known */
  leftBytes: number
  sizeKnown: boolean
  /** by the deadline of its queue; null: that has none */
  inTime: boolean | null
}

/** A time in which a queue has its downloads running, and what comes in it. */
export interface WorkSpan {
  from: number
  to: number
  bytes: number
}

export interface QueueForecast {
  id: QueueId
  name: string
  /** when the first byte comes, and when all of it is there; null: not within eight days, or there is nothing to do */
  startsAt: number | null
  endsAt: number | null
  /** downloads that want bytes, and how many of them by an estimated size */
  files: number
  sizesEstimated: number
  leftBytes: number
  /** when it works, ascending */
  work: WorkSpan[]
  tasks: TaskForecast[]
  outlook: QueueOutlook | null
}

/** A run of a repeating download that is to come, as if its file were another one by then: it may be the same. */
export interface RepeatForecast {
  id: RepeatId
  name: string
  queueId: QueueId
  /** when it is due; it starts later where its queue may not work then, or has no place */
  at: number
  startsAt: number | null
  endsAt: number | null
  /** as much as the run before brought, or estimated */
  bytes: number
  sizeKnown: boolean
}

export interface Forecast {
  at: number
  until: number
  /** what the line brings now, without limits */
  line: { bytesPerSecond: number; basis: RateBasis }
  /** within the time looked at and two days, the soonest first */
  repeats: RepeatForecast[]
  queues: QueueForecast[]
}

/** `fits`: with some room; `tight`: just; `misses`: not all of it; `unknown`: `missing` says why that cannot be told. */
export const OUTLOOKS = ['fits', 'tight', 'misses', 'unknown'] as const
export type OutlookKind = (typeof OUTLOOKS)[number]

/**
 * `rate`: nothing was measured yet; `size`: no size is known to estimate others by; `stopped`: by hand; `battery`,
 * `network`: everything waits for the mains, or for a network, and nobody knows how long.
 */
export type OutlookGap = 'rate' | 'size' | 'stopped' | 'battery' | 'network'

/** How a queue stands towards the time by which all of it should be there. */
export interface QueueOutlook {
  kind: OutlookKind
  missing: OutlookGap[]
  /** epoch ms */
  deadline: number
  /** null: not within eight days */
  endsAt: number | null
  /** ms between its end and the deadline; negative: it will be late by that; null: cannot be told */
  marginMs: number | null
  files: number
  filesInTime: number
  leftBytes: number
  /** of them by the deadline */
  bytesInTime: number
  /** downloads that will not be there, the first hundred in order */
  late: TaskId[]
  /** sizes that had to be estimated: the more, the less certain is all of this */
  sizesEstimated: number
  basis: RateBasis
  /** what was changed so that more of it is there in time */
  adapted: Adaptation
}

export interface Adaptation {
  /** the shortest come first, because not all fit */
  shortestFirst: boolean
  /** queues that do with less meanwhile */
  borrowsFrom: QueueId[]
}

/** What a queue does with while another one has to be done by a time. */
export interface Loan {
  to: QueueId[]
  limitBytesPerSecond: number
  downloadsAtOnce: number
}
