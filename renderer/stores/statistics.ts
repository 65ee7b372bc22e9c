/** What the statistics page shows and in which order; and the arithmetic of its graph. Pure but for the store. */
import { create } from 'zustand'
import { OTHER_HOSTS, type RequestFigures } from '../../shared/request-statistics.ts'
import type { StatsThroughput, ThroughputSample } from '../../shared/schemas.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** How far back the figures go; null: as far as there are any. */
export const PERIODS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, all: null } as const
export type Period = keyof typeof PERIODS

/** What the graph shows, and in which steps; null: the samples that come every second. */
export const SPANS = {
  minute: { ms: MINUTE_MS, stepMs: null },
  hour: { ms: HOUR_MS, stepMs: MINUTE_MS },
  night: { ms: 12 * HOUR_MS, stepMs: MINUTE_MS },
  week: { ms: 7 * DAY_MS, stepMs: 10 * MINUTE_MS },
} as const
export type Span = keyof typeof SPANS

export const HOST_COLUMNS = ['host', 'requests', 'success', 'bytes', 'median', 'p95', 'reused'] as const
export type HostColumn = (typeof HOST_COLUMNS)[number]

export interface HostSort {
  column: HostColumn
  descending: boolean
}

export interface StatisticsState {
  period: Period
  span: Span
  sort: HostSort
  /** whose figures are shown; null: of all hosts together */
  host: string | null
}

/** Kept while another page is looked at. */
export const useStatistics = create<StatisticsState>(() => ({
  period: 'day',
  span: 'hour',
  sort: { column: 'requests', descending: true },
  host: null,
}))

export type HostFigures = RequestFigures & { host: string }

/** What a column orders by; null: the host has none, and comes last either way. */
const KEYS: Record<HostColumn, (figures: HostFigures) => number | string | null> = {
  host: ({ host }) => host,
  requests: ({ requests }) => requests,
  success: ({ successRate }) => successRate,
  bytes: ({ bytes }) => bytes,
  median: ({ timings }) => timings.duration?.medianMs ?? null,
  p95: ({ timings }) => timings.duration?.p95Ms ?? null,
  reused: ({ reusedShare }) => reusedShare,
}

const names = new Intl.Collator('en', { numeric: true })

/** The hosts that are not kept apart stand at the end, whatever the order. */
export function sortHosts(hosts: readonly HostFigures[], { column, descending }: HostSort): HostFigures[] {
  const key = KEYS[column]
  const last = (figures: HostFigures) => (figures.host === OTHER_HOSTS ? 2 : key(figures) === null ? 1 : 0)
  return [...hosts].sort((a, b) => {
    if (last(a) !== last(b)) return last(a) - last(b)
    const [x, y] = [key(a) ?? 0, key(b) ?? 0]
    const rising = typeof x === 'string' ? names.compare(x, String(y)) : x - Number(y)
    return rising === 0 ? names.compare(a.host, b.host) : descending ? -rising : rising
  })
}

/** What a press on a header leads to: names begin rising, figures falling. */
export function nextHostSort(sort: HostSort, column: HostColumn): HostSort {
  return { column, descending: sort.column === column ? !sort.descending : column !== 'host' }
}

/** A rate for every step of `spanMs` before `now`; steps without bytes are zero, the one under way is not over yet. */
export function ratesOf({ stepMs, steps }: StatsThroughput, spanMs: number, now: number): ThroughputSample[] {
  const bytes = new Map(steps.map((step) => [step.at, step.bytes]))
  const first = Math.ceil((now - spanMs) / stepMs) * stepMs
  const samples: ThroughputSample[] = []
  for (let at = first; at < now; at += stepMs) {
    const ms = Math.min(stepMs, now - at)
    // Of a step that has hardly begun no rate can be told.
    if (ms < stepMs && ms < 5 * SECOND_MS) break
    samples.push({ at, bytesPerSecond: ((bytes.get(at) ?? 0) * 1000) / ms })
  }
  return samples
}

/** The live samples of the last minute. */
export function lastMinute(samples: readonly ThroughputSample[]): ThroughputSample[] {
  const end = samples.at(-1)?.at ?? 0
  return samples.filter(({ at }) => at > end - MINUTE_MS)
}

export function averageRate(samples: readonly ThroughputSample[]): number {
  return samples.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0) / Math.max(1, samples.length)
}

const MARK_STEPS_MS = [
  ...[10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2].map((days) => days * DAY_MS),
]

/** Round times of the local clock in [from, to] (epoch ms), at most `most`, for the axis. */
export function timeMarks(from: number, to: number, most: number): { stepMs: number; marks: number[] } {
  const stepMs = MARK_STEPS_MS.find((step) => (to - from) / step <= most) ?? MARK_STEPS_MS.at(-1)!
  const marks: number[] = []
  const midnight = new Date(from).setHours(0, 0, 0, 0)
  for (let at = midnight; at <= to; at = stepMs < DAY_MS ? at + stepMs : daysLater(at, stepMs / DAY_MS))
    if (at >= from) marks.push(at)
  return { stepMs, marks }
}

/** Days are not all 24 hours long. */
function daysLater(at: number, days: number): number {
  const date = new Date(at)
  return date.setDate(date.getDate() + days)
}
