/**
 * When windows (shared/windows.ts) open and close: instants, in a time zone with all its changes of the clock. Pure.
 *
 * A local time that the clock jumps over counts as the first instant after the gap; one that comes twice as its first.
 */
import type { Temporal } from 'temporal-polyfill'
import { NighthaulError } from '../../shared/errors.ts'
import { isTimeZone } from '../../shared/time-zone.ts'
import { DAY_MINUTES, type TimeWindow, type WeekTime } from '../../shared/windows.ts'
import { temporal } from './temporal.ts'

/** Epoch ms. Null as `from`: open ever since; as `to`: for ever. */
export interface Span {
  from: number | null
  to: number | null
}

const DAY_MS = DAY_MINUTES * 60_000
/** Windows return weekly: what is open for longer than this without a break never closes. */
const ALWAYS_DAYS = 9
/** of UTC, after a time of day */
const OFFSET = /[T ]\d.*(Z|[+-]\d{2}(:?\d{2})?)$/i

/** The zone's name as it is written officially (`Europe/Berlin`). Throws `invalid_input` where there is no such zone. */
export function timeZone(name: string): string {
  try {
    return temporal().Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name.trim()).timeZoneId
  } catch (error) {
    throw new NighthaulError(
      'invalid_input',
      `There is no time zone “${name}”. Nothing was changed; write one like Europe/Berlin, America/New_York or UTC.`,
      { timeZone: name },
      { cause: error },
    )
  }
}

/** The zone of this machine; where it names none that exists (an empty TZ does not), its clock shows UTC. */
export function systemTimeZone(): string {
  const name = temporal().Now.timeZoneId()
  return isTimeZone(name) ? name : 'UTC'
}

/**
 * `2026-03-29T01:30` or `2026-03-29` (its midnight) in a zone, as an instant; a time that says its offset (`…Z`,
 * `…+02:00`) is that instant in any zone. Throws `invalid_input`.
 */
export function localInstant(text: string, zone: string): number {
  return localInstantAfter(text, 0, zone)
}

/** The instant so many calendar days, by the clock of the zone, after a time as `localInstant` takes it. */
export function localInstantAfter(text: string, days: number, zone: string): number {
  const known = timeZone(zone)
  const time = timeOf(text, known)
  return 'timeZoneId' in time ? time.add({ days }).epochMilliseconds : instantOf(time.add({ days }), known)
}

/** The first instant after `after` at which the clock on the wall shows one of the times; null: there are none. */
export function nextWeekTime(times: readonly WeekTime[], zone: string, after: number): number | null {
  let next: number | null = null
  const first = dateOf(after, zone).subtract({ days: 1 })
  for (let n = 0; n <= ALWAYS_DAYS; n++) {
    const date = first.add({ days: n })
    for (const time of times) {
      if (!time.days.includes(date.dayOfWeek)) continue
      const instant = at(date, time.at, zone)
      if (instant > after && (next === null || instant < next)) next = instant
    }
  }
  return next
}

/** `2026-03-29T01:30:00`: what the clocks of a zone show. */
export function localText(instant: number, zone: string): string {
  const local = temporal().Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).toPlainDateTime()
  return local.toString({ smallestUnit: 'second' })
}

/** With its offset, or by the clock on the wall. */
function timeOf(text: string, zone: string): Temporal.PlainDateTime | Temporal.ZonedDateTime {
  try {
    const written = text.trim()
    // Temporal would skip the name of another zone without a word.
    if (written.includes('[')) throw new RangeError('A zone is named apart from the time.')
    const time = OFFSET.test(written)
      ? temporal().Instant.from(written).toZonedDateTimeISO(zone)
      : temporal().PlainDateTime.from(written, { overflow: 'reject' })
    if (time.year < 1 || time.year > 9999) throw new RangeError('No schedule is of another age.')
    return time
  } catch (error) {
    throw new NighthaulError(
      'invalid_input',
      `“${text}” is no local time. Nothing was changed; write one like 2026-03-29T01:30 or 2026-03-29.`,
      { time: text },
      { cause: error },
    )
  }
}

function instantOf(local: Temporal.PlainDateTime, zone: string): number {
  const earlier = local.toZonedDateTime(zone, { disambiguation: 'earlier' })
  if (earlier.toPlainDateTime().equals(local)) return earlier.epochMilliseconds
  // In a gap: read with the offset after it, this lies before the change of the clock, which is the next there is.
  return earlier.getTimeZoneTransition('next')!.epochMilliseconds
}

/** When some window is open within [from, to): ascending, those that overlap or touch as one. Epoch ms. */
export function openSpans(windows: readonly TimeWindow[], zone: string, from: number, to: number): Span[] {
  // What began long before may reach into the time asked about, and touch what comes after it.
  const first = dateOf(from, zone).subtract({ days: ALWAYS_DAYS + 1 })
  const last = dateOf(to, zone).add({ days: ALWAYS_DAYS + 1 })
  const spans: { from: number; to: number }[] = []
  for (let date = first; temporal().PlainDate.compare(date, last) <= 0; date = date.add({ days: 1 })) {
    for (const window of windows) {
      if (!window.days.includes(date.dayOfWeek)) continue
      const span = { from: at(date, window.from, zone), to: at(date, endOf(window), zone) }
      if (span.to > span.from) spans.push(span)
    }
  }
  spans.sort((a, b) => a.from - b.from)
  const merged: { from: number; to: number }[] = []
  for (const span of spans) {
    const before = merged.at(-1)
    if (before && span.from <= before.to) before.to = Math.max(before.to, span.to)
    else merged.push({ ...span })
  }
  return merged
    .filter((span) => span.to > from && span.from < to)
    .map((span) => ({
      from: span.from <= from - ALWAYS_DAYS * DAY_MS ? null : span.from,
      to: span.to >= to + ALWAYS_DAYS * DAY_MS ? null : span.to,
    }))
}

/** A time of day (minutes since midnight) as often as it comes within [from, to). Ascending epoch ms. */
export function timesOfDay(minutes: number, zone: string, from: number, to: number): number[] {
  const times: number[] = []
  const last = dateOf(to, zone)
  for (let date = dateOf(from, zone); temporal().PlainDate.compare(date, last) <= 0; date = date.add({ days: 1 })) {
    const time = at(date, minutes, zone)
    if (time >= from && time < to) times.push(time)
  }
  return times
}

/** Whether a window is open, and when that changes; null: never. `since`: when the present state began, where known. */
export interface WindowState {
  open: boolean
  changesAt: number | null
  since: number | null
}

export function windowState(windows: readonly TimeWindow[], zone: string, now: number): WindowState {
  // The longest time between two changes is a week and a change of the clock.
  const spans = openSpans(windows, zone, now - ALWAYS_DAYS * DAY_MS, now + ALWAYS_DAYS * DAY_MS)
  const begun = spans.findLast((span) => (span.from ?? -Infinity) <= now)
  const next = spans.find((span) => (span.from ?? -Infinity) > now)
  if (begun && (begun.to ?? Infinity) > now) return { open: true, changesAt: begun.to, since: begun.from }
  return { open: false, changesAt: next?.from ?? null, since: begun?.to ?? null }
}

function dateOf(instant: number, zone: string): Temporal.PlainDate {
  return temporal().Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).toPlainDate()
}

/** The instant of so many minutes after the midnight at which a date begins, by the clock on the wall. */
function at(date: Temporal.PlainDate, minutes: number, zone: string): number {
  const day = date.add({ days: Math.floor(minutes / DAY_MINUTES) })
  const time = { hour: Math.floor((minutes % DAY_MINUTES) / 60), minute: minutes % 60 }
  return instantOf(day.toPlainDateTime(time), zone)
}

/** Minutes after the midnight of the day on which it begins. */
function endOf({ from, to }: TimeWindow): number {
  return to > from ? to : to + DAY_MINUTES
}
