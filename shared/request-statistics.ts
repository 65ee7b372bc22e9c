/**
 * Requests as figures: what is measured of one, and tallies of many that can be added up across hosts, hours and
 * processes. Pure. Who measures is electron/engine/http/, who keeps is electron/store/statistics.ts.
 */
import {
  addHistogram,
  averageMs,
  countOf,
  cumulative,
  emptyHistogram,
  type Histogram,
  quantileMs,
  record,
} from './histogram.ts'

/** One request and its reply, from leaving the queue to its end. Plain data: it crosses threads. */
export interface RequestSample {
  /** host, with the port where it is not the scheme's own */
  host: string
  method: string
  /** epoch ms at which it left the queue */
  startedAt: number
  /** waiting before that: for a place at the host, for its turn, for a connection */
  queueMs: number
  /** name lookup and connection (all of the way through a proxy); null: none was made for it, or it failed */
  connectMs: number | null
  /** null: plain http, a connection that was there, or a proxy that hides it */
  tlsMs: number | null
  /** from the request being sent to the head of the reply; null: none came */
  firstByteMs: number | null
  /** from leaving the queue to the end */
  durationMs: number
  /** of the body, as they came */
  bytes: number
  /** null: no reply */
  status: number | null
  /** why it broke off; null: read to its end, or ended by ourselves */
  errorCode: string | null
  /** sent over a connection that had served another request */
  reused: boolean
  /** '1.1' | '2' */
  httpVersion: string
}

export type Outcome = 'succeeded' | 'failed' | 'stopped'

/** Given up before a reply, by ourselves, is neither a success nor a failure. */
export function outcomeOf({ status, errorCode }: Pick<RequestSample, 'status' | 'errorCode'>): Outcome {
  if (errorCode !== null || (status !== null && status >= 400)) return 'failed'
  return status === null ? 'stopped' : 'succeeded'
}

export const TIMINGS = ['queue', 'connect', 'tls', 'firstByte', 'duration'] as const
export type TimingName = (typeof TIMINGS)[number]

export interface Tally {
  requests: number
  succeeded: number
  /** the rest of the requests was stopped by ourselves before a reply */
  failed: number
  reused: number
  bytes: number
  /** status -> replies */
  statuses: Map<string, number>
  /** code of shared/errors.ts -> requests that broke off */
  errors: Map<string, number>
  timings: Record<TimingName, Histogram>
}

/** Stands for hosts that are not kept apart. */
export const OTHER_HOSTS = '*'
/** A server that makes statuses up must not fill the store. */
const MAX_KEYS = 64
const OTHER_KEYS = 'other'

export function emptyTally(): Tally {
  const timings = Object.fromEntries(TIMINGS.map((name) => [name, emptyHistogram()])) as Record<TimingName, Histogram>
  return { requests: 0, succeeded: 0, failed: 0, reused: 0, bytes: 0, statuses: new Map(), errors: new Map(), timings }
}

function count(map: Map<string, number>, key: string, by: number): void {
  const known = map.has(key) || map.size < MAX_KEYS ? key : OTHER_KEYS
  map.set(known, (map.get(known) ?? 0) + by)
}

export function addSample(tally: Tally, sample: RequestSample): void {
  const outcome = outcomeOf(sample)
  tally.requests += 1
  if (outcome !== 'stopped') tally[outcome] += 1
  if (sample.reused) tally.reused += 1
  tally.bytes += sample.bytes
  if (sample.status !== null) count(tally.statuses, String(sample.status), 1)
  if (sample.errorCode !== null) count(tally.errors, sample.errorCode, 1)
  // How long it took until we gave it up says nothing about the host.
  if (outcome === 'stopped') return
  for (const name of TIMINGS) {
    const ms = sample[`${name}Ms`]
    if (ms !== null) record(tally.timings[name], ms)
  }
}

/** Adds all of `other` to `target`. */
export function addTally(target: Tally, other: Tally): void {
  addCounts(target, other)
  for (const name of TIMINGS) addHistogram(target.timings[name], other.timings[name])
}

/** The same without the times. */
export function addCounts(target: Tally, other: Omit<Tally, 'timings'>): void {
  for (const key of ['requests', 'succeeded', 'failed', 'reused', 'bytes'] as const) target[key] += other[key]
  for (const [key, by] of other.statuses) count(target.statuses, key, by)
  for (const [key, by] of other.errors) count(target.errors, key, by)
}

export interface TimingFigures {
  /** how many requests had this part */
  count: number
  averageMs: number
  medianMs: number
  p95Ms: number
  p99Ms: number
}

export interface RequestFigures {
  requests: number
  succeeded: number
  failed: number
  /** ended by ourselves before a reply */
  stopped: number
  /** of those that succeeded or failed; null: there were none */
  successRate: number | null
  bytes: number
  reused: number
  /** share of requests that found a connection open; null: there were none */
  reusedShare: number | null
  statuses: Record<string, number>
  errors: Record<string, number>
  /** null: no request had this part */
  timings: Record<TimingName, TimingFigures | null>
}

export function figuresOf(tally: Tally): RequestFigures {
  const { requests, succeeded, failed, reused, bytes } = tally
  const judged = succeeded + failed
  return {
    requests,
    succeeded,
    failed,
    stopped: requests - judged,
    successRate: judged === 0 ? null : succeeded / judged,
    bytes,
    reused,
    reusedShare: requests === 0 ? null : reused / requests,
    statuses: Object.fromEntries(tally.statuses),
    errors: Object.fromEntries(tally.errors),
    timings: Object.fromEntries(TIMINGS.map((name) => [name, timingFigures(tally.timings[name])])) as Record<
      TimingName,
      TimingFigures | null
    >,
  }
}

function timingFigures(histogram: Histogram): TimingFigures | null {
  const average = averageMs(histogram)
  if (average === null) return null
  return {
    count: countOf(histogram),
    averageMs: average,
    medianMs: quantileMs(histogram, 0.5)!,
    p95Ms: quantileMs(histogram, 0.95)!,
    p99Ms: quantileMs(histogram, 0.99)!,
  }
}

/** A tally as plain counts, for others to compute with. */
export interface TallyTotals extends Omit<Tally, 'statuses' | 'errors' | 'timings'> {
  statuses: Record<string, number>
  errors: Record<string, number>
  /** how many were at most so long, and the sum of all */
  timings: Record<TimingName, { sumMs: number; cumulative: { upToMs: number; count: number }[] }>
}

export function totalsOf({ statuses, errors, timings, ...counts }: Tally): TallyTotals {
  return {
    ...counts,
    statuses: Object.fromEntries(statuses),
    errors: Object.fromEntries(errors),
    timings: Object.fromEntries(
      TIMINGS.map((name) => [name, { sumMs: timings[name].sumUs / 1000, cumulative: cumulative(timings[name]) }]),
    ) as TallyTotals['timings'],
  }
}
