/** What windows, deadlines and profiles will do within some time. Pure. */
import type { QueueRecord } from '../../shared/records.ts'
import type { QueueSpans, ScheduleSpans, ScheduleSpansInput } from '../../shared/schedule.ts'
import { parseTime, parseWindows } from '../../shared/windows.ts'
import type { CurrentProfile } from './profile-choice.ts'
import { openSpans, systemTimeZone, timesOfDay } from './window-times.ts'

/** More changes than these in a month are a mistake of the schedule. */
const MOST_CHANGES = 1_000

export function queueSpans(
  { id, windows, timeZone, finishBy }: Pick<QueueRecord, 'id' | 'windows' | 'timeZone' | 'finishBy'>,
  { from, to }: ScheduleSpansInput,
): QueueSpans {
  const zone = timeZone ?? systemTimeZone()
  return {
    id,
    spans: windows === null ? [{ from: null, to: null }] : openSpans(parseWindows(windows), zone, from, to),
    deadlines: finishBy === null ? [] : timesOfDay(parseTime(finishBy)!, zone, from, to),
  }
}

/** `at`: which profile holds at an instant, and until when. */
export function profileSpans(
  at: (instant: number) => CurrentProfile,
  { from, to }: ScheduleSpansInput,
): ScheduleSpans['profiles'] {
  const spans: ScheduleSpans['profiles'] = []
  let begin = from
  while (begin < to && spans.length < MOST_CHANGES) {
    const { name, until } = at(begin)
    const end = until === null || until <= begin ? to : Math.min(until, to)
    const last = spans.at(-1)
    if (last?.name === name) last.to = end
    else spans.push({ name, from: begin, to: end })
    begin = end
  }
  return spans
}
