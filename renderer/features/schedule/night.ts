/** The coming night as a picture and as a list: what opens, closes and is due, in order. Pure. */
import type { ProfileName } from '../../../shared/profiles.ts'
import type { QueueView } from '../../../shared/queues.ts'
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
  /** open without end */
  always: boolean
  deadlines: number[]
}

export type NightEvent = { at: number } & (
  | { kind: 'opens' | 'closes' | 'deadline'; queueId: QueueId; name: string }
  | { kind: 'profile'; profile: ProfileName }
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

export function nightRows(queues: readonly QueueView[], spans: readonly QueueSpans[], range: NightRange): NightRow[] {
  return queues.flatMap((queue) => {
    const own = spans.find(({ id }) => id === queue.id)
    if (own === undefined) return []
    const bars = own.spans.map(({ from, to }) => ({
      from: fractionOf(from ?? range.from, range),
      to: fractionOf(to ?? range.to, range),
    }))
    return {
      queue,
      bars: bars.filter(({ from, to }) => to > from),
      always: own.spans.some(({ from, to }) => (from ?? 0) <= range.from && (to === null || to >= range.to)),
      deadlines: own.deadlines.map((at) => fractionOf(at, range)),
    }
  })
}

/** Stopped queues open for nobody. */
export function nightEvents(
  queues: readonly QueueView[],
  { queues: spans, profiles }: ScheduleSpans,
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
    for (const at of own.deadlines) if (within(at)) events.push({ at, kind: 'deadline', queueId: id, name })
  }
  for (const { name, from } of profiles) if (within(from)) events.push({ at: from, kind: 'profile', profile: name })
  return events.sort((a, b) => a.at - b.at)
}
