/** The coming night as a picture and as a list: what opens, closes and is due, in order. Pure. */
import type { Forecast, QueueForecast, TaskForecast } from '../../../shared/forecast.ts'
import type { ProfileName } from '../../../shared/profiles.ts'
import type { QueueView } from '../../../shared/queues.ts'
import type { RepeatId, RepeatView } from '../../../shared/repeats.ts'
import type { QueueSpans, ScheduleSpans } from '../../../shared/schedule.ts'
import type { QueueId } from '../../../shared/schemas.ts'

const HOUR_MS = 3_600_000

/** Fractions of the time shown, [from, to). */
export interface Bar {
  from: number
  to: number
}

export interface NightRow {
  queue: QueueView
  bars: Bar[]
  /** when its downloads will probably run */
  work: Bar[]
  forecast: QueueForecast | null
  /** open without end */
  always: boolean
  deadlines: number[]
}

export type NightEvent = { at: number } & (
  | { kind: 'opens' | 'closes' | 'deadline' | 'done'; queueId: QueueId; name: string }
  | { kind: 'profile'; profile: ProfileName }
  | { kind: 'repeat'; repeatId: RepeatId; name: string }
)

export interface NightRange {
  from: number
  to: number
}

/** From now to the end of the hour in which a day has passed. */
export function nightRange(now: number): NightRange {
  return { from: now, to: Math.ceil((now + 24 * HOUR_MS) / HOUR_MS) * HOUR_MS }
}

export function fractionOf(at: number, { from, to }: NightRange): number {
  return Math.min(1, Math.max(0, (at - from) / (to - from)))
}

export function nightRows(
  queues: readonly QueueView[],
  spans: readonly QueueSpans[],
  forecast: Forecast | null,
  range: NightRange,
): NightRow[] {
  return queues.flatMap((queue) => {
    const own = spans.find(({ id }) => id === queue.id)
    if (own === undefined) return []
    const foretold = forecast?.queues.find(({ id }) => id === queue.id) ?? null
    return {
      queue,
      bars: barsOf(own.spans, range),
      work: barsOf(foretold?.work ?? [], range),
      forecast: foretold,
      always: own.spans.some(({ from, to }) => (from ?? 0) <= range.from && (to === null || to >= range.to)),
      deadlines: own.deadlines.map((at) => fractionOf(at, range)),
    }
  })
}

function barsOf(spans: readonly { from: number | null; to: number | null }[], range: NightRange): Bar[] {
  const bars = spans.map(({ from, to }) => ({
    from: fractionOf(from ?? range.from, range),
    to: fractionOf(to ?? range.to, range),
  }))
  return bars.filter(({ from, to }) => to > from)
}

/** Stopped queues open for nobody. */
export function nightEvents(
  queues: readonly QueueView[],
  { queues: spans, profiles }: ScheduleSpans,
  forecast: Forecast | null,
  repeats: readonly Pick<RepeatView, 'id' | 'url' | 'nextAt'>[],
  range: NightRange,
): NightEvent[] {
  const within = (at: number | null): at is number => at !== null && at > range.from && at < range.to
  const events: NightEvent[] = []
  for (const { id, name, stopped } of queues) {
    const own = spans.find((candidate) => candidate.id === id)
    if (own === undefined || stopped) continue
    for (const { from, to } of own.spans) {
      if (within(from)) events.push({ at: from, kind: 'opens', queueId: id, name })
      if (within(to)) events.push({ at: to, kind: 'closes', queueId: id, name })
    }
    const end = forecast?.queues.find((candidate) => candidate.id === id)?.endsAt ?? null
    if (within(end)) events.push({ at: end, kind: 'done', queueId: id, name })
    for (const at of own.deadlines) if (within(at)) events.push({ at, kind: 'deadline', queueId: id, name })
  }
  for (const { name, from } of profiles) if (within(from)) events.push({ at: from, kind: 'profile', profile: name })
  for (const { id, url, nextAt } of repeats)
    if (within(nextAt)) events.push({ at: nextAt, kind: 'repeat', repeatId: id, name: fileOf(url) })
  return events.sort((a, b) => a.at - b.at)
}

/** What a link's file is called, as far as the link tells. */
export function fileOf(url: string): string {
  const { host, pathname } = new URL(url)
  return pathname.split('/').findLast(Boolean) ?? host
}

/** What begins first comes first; what does not begin in the time looked at is left out. */
export function nextDownloads(forecast: Forecast): { queue: string; task: TaskForecast & { startsAt: number } }[] {
  const all = forecast.queues.flatMap(({ name, tasks }) => tasks.map((task) => ({ queue: name, task })))
  return all
    .filter((one): one is { queue: string; task: TaskForecast & { startsAt: number } } => one.task.startsAt !== null)
    .sort((a, b) => a.task.startsAt - b.task.startsAt)
}
