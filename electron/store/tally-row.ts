/** A row of `request_statistics` from and to a tally. Pure. */
import { addEncoded, encodeHistogram, readEncoded } from '../../shared/histogram.ts'
import { addCounts, type Tally, TIMINGS, type TimingName } from '../../shared/request-statistics.ts'

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

const HISTOGRAMS = {
  queue: 'queue',
  connect: 'connect',
  tls: 'tls',
  firstByte: 'first_byte',
  duration: 'duration',
} as const satisfies Record<TimingName, keyof TallyRow>

/** Adds a row to a tally: all of it, or nothing and an error where a part cannot be read. */
export function addRow(target: Tally, row: TallyRow): void {
  const statuses = countsFrom(row.statuses)
  const errors = countsFrom(row.errors)
  const timings = TIMINGS.map((name) => readEncoded(row[HISTOGRAMS[name]]))
  addCounts(target, { ...row, statuses, errors })
  for (const [index, name] of TIMINGS.entries()) addEncoded(target.timings[name], timings[index]!)
}

function countsFrom(text: string): Map<string, number> {
  const entries = Object.entries(JSON.parse(text) as Record<string, unknown>)
  if (entries.every((entry): entry is [string, number] => typeof entry[1] === 'number')) return new Map(entries)
  throw new TypeError('stored counts are no numbers')
}
