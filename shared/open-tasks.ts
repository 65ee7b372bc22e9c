/** What a forecast needs to know of downloads that want bytes, and asks the store for. */
import type { TaskRecord } from './records.ts'
import type { QueueId } from './schemas.ts'

/** A download of the queue that wants bytes, as a forecast needs it. */
export interface OpenTask
  extends Pick<
    TaskRecord,
    'id' | 'queueId' | 'position' | 'sizeBytes' | 'writtenBytes' | 'startAt' | 'retryAt' | 'forced' | 'acceptsRanges'
  > {
  state: 'queued' | 'active' | 'waiting'
  host: string
  limitBytesPerSecond: number | null
  /** a plain GET: asking for it changes nothing */
  plain: boolean
}

/** Queued downloads of a queue from one host, taken together. */
export interface OpenRest {
  queueId: QueueId
  host: string
  files: number
  /** of them with a known size, and what is still to come of those */
  sized: number
  leftBytes: number
}

export interface OpenTasks {
  /** Downloads without a lease that want bytes, of each queue so many that are ready; `rest`: the others. By position. */
  openTasks(perQueue: number): { tasks: OpenTask[]; rest: OpenRest[] }
  /** of the latest downloads whose size is known, for estimating others by */
  knownSizes(): { queueId: QueueId; host: string; bytes: number }[]
}
