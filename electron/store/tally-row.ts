/** A row of `request_statistics` from and to a tally. Pure. */
import { decodeHistogram, encodeHistogram } from '../../shared/histogram.ts'
import { emptyTally, type Tally } from '../../shared/request-statistics.ts'

export interface TallyRow {
  requests: number
  succeeded: number
  failed: number
  reused: number
  bytes: number
  statuses: string
  errors: string
  queue: Uint8Array
  connect: Uint8Array
  tls: Uint8Array
  first_byte: Uint8Array
  duration: Uint8Array
}

export const TALLY_COLUMNS = [
  'requests',
  'succeeded',
  'failed',
  'reused',
  'bytes',
  'statuses',
  'errors',
  'queue',
  'connect',
  'tls',
  'first_byte',
  'duration',
] as const satisfies readonly (keyof TallyRow)[]

export function tallyToRow({ statuses, errors, timings, ...counters }: Tally): TallyRow {
  return {
    ...counters,
    statuses: JSON.stringify(Object.fromEntries(statuses)),
    errors: JSON.stringify(Object.fromEntries(errors)),
    queue: encodeHistogram(timings.queue),
    connect: encodeHistogram(timings.connect),
    tls: encodeHistogram(timings.tls),
    first_byte: encodeHistogram(timings.firstByte),
    duration: encodeHistogram(timings.duration),
  }
}

/** Throws where a part cannot be read. */
export function tallyFromRow(row: TallyRow): Tally {
  const { requests, succeeded, failed, reused, bytes } = row
  return {
    ...emptyTally(),
    ...{ requests, succeeded, failed, reused, bytes },
    statuses: countsFrom(row.statuses),
    errors: countsFrom(row.errors),
    timings: {
      queue: decodeHistogram(row.queue),
      connect: decodeHistogram(row.connect),
      tls: decodeHistogram(row.tls),
      firstByte: decodeHistogram(row.first_byte),
      duration: decodeHistogram(row.duration),
    },
  }
}

function countsFrom(text: string): Map<string, number> {
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>)
  if (entries.every((entry): entry is [string, number] => typeof entry[1] === 'number')) return new Map(entries)
  throw new TypeError('stored counts are no numbers')
}
