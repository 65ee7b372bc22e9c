/** When something is to start, as people type it, by the clock of this window. Pure. */
import { parseTime } from '../../../shared/windows.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const NOON = 12 * 60

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/** `at` null: as soon as its queue works */
export type ReadStart = { at: number | null } | { problem: 'unreadable' | 'past' }

/**
 * Reads `now`, `23:00`, `11 pm`, `midnight` (the next time that the clock shows it), `tonight at 23:00`, `tomorrow 7:00`,
 * `Fri 18:00`, `in 2 h`, `in 1 h 30 min`, `2026-11-27 01:30`. `now`: epoch ms.
 */
export function readStart(text: string, now: number): ReadStart {
  const words = text
    .trim()
    .toLowerCase()
    .replaceAll(/\s+at\s+/g, ' ')
    .replace(/^at\s+/, '')
  if (words === '' || words === 'now') return { at: null }
  const span = readSpan(words)
  if (span !== null) return { at: now + span }
  const at = readDate(words) ?? readDayAndTime(words, now)
  if (at === null) return { problem: 'unreadable' }
  return at > now ? { at } : { problem: 'past' }
}

/** Milliseconds of `in 2 h`, `90 min`, `1 day 2 h`; null: it is no span. */
function readSpan(words: string): number | null {
  const UNITS: readonly [RegExp, number][] = [
    [/^m(in(ute)?s?)?$/, MINUTE_MS],
    [/^h((ou)?rs?)?$/, HOUR_MS],
    [/^d(ays?)?$/, DAY_MS],
  ]
  const rest = words.replace(/^in\s+/, '')
  const parts = [...rest.matchAll(/(\d+(?:[.,]\d+)?)\s*([a-z]+)\s*/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== rest) return null
  let span = 0
  for (const [, count = '', unit = ''] of parts) {
    const known = UNITS.find(([name]) => name.test(unit))
    if (known === undefined) return null
    span += Number(count.replace(',', '.')) * known[1]
  }
  return span > 0 && span < 400 * DAY_MS ? Math.round(span) : null
}

/** `2026-11-27 01:30`, and `2026-11-27` for its beginning. */
function readDate(words: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[ t](\d{1,2}:\d{2}))?$/.exec(words)
  if (match === null) return null
  const [year, month, day] = match.slice(1, 4).map(Number) as [number, number, number]
  const minutes = match[4] === undefined ? 0 : parseTime(match[4])
  const date = new Date(year, month - 1, day)
  if (minutes === null || minutes === 1440 || date.getMonth() !== month - 1 || date.getDate() !== day) return null
  return atMinute(date, minutes)
}

function readDayAndTime(words: string, now: number): number | null {
  if (words === 'midnight' || words === 'noon') return onDay(undefined, words === 'noon' ? NOON : 0, now)
  const match = /^(?:([a-z]+)\.?,?\s+)?(\d.*)$/.exec(words)
  if (match === null) return null
  const [, day, time = ''] = match
  const minutes = readClock(day === 'tonight' && /^\d+$/.test(time) ? `${time}:00` : time)
  if (minutes === null) return null
  // Nobody means eleven in the morning by “tonight at 11:00”, nor noon by “tonight at 12:00”.
  const isHalfSaid = /[ap]\.?\s?m/.test(time)
  const isMeantLate = day === 'tonight' && !isHalfSaid && minutes >= NOON / 2 && minutes < NOON + 60
  return onDay(day, isMeantLate ? (minutes + NOON) % (2 * NOON) : minutes, now)
}

/** null: it is no such day */
function onDay(day: string | undefined, minutes: number, now: number): number | null {
  const inDays = (days: number): number => {
    const date = new Date(now)
    date.setDate(date.getDate() + days)
    return atMinute(date, minutes)
  }
  if (day === undefined) return [0, 1].map(inDays).find((at) => at > now) ?? null
  if (day === 'today') return inDays(0)
  if (day === 'tomorrow') return inDays(1)
  if (day === 'tonight') {
    // After midnight it is still the same night; in its first hours, this one.
    const isEvening = new Date(now).getHours() * 60 >= NOON / 2
    return inDays(minutes < NOON && isEvening ? 1 : 0)
  }
  const weekday = day.length < 3 ? -1 : WEEKDAYS.findIndex((name) => name.startsWith(day))
  if (weekday < 0) return null
  const ahead = (weekday - new Date(now).getDay() + 7) % 7
  return [ahead, ahead + 7].map(inDays).find((at) => at > now) ?? null
}

/** Minutes of `23:00`, `11 pm`; null: no time of day. An hour alone needs its half of the day. */
function readClock(text: string): number | null {
  const minutes = parseTime(text)
  return minutes === 1440 ? null : minutes
}

/** A time that the clock leaves out begins with the first one after the gap; of one that comes twice, the first. */
function atMinute(day: Date, minutes: number): number {
  const date = new Date(day.getFullYear(), day.getMonth(), day.getDate(), 0, minutes)
  if (date.getHours() * 60 + date.getMinutes() === minutes) return date.getTime()
  const offset = date.getTimezoneOffset()
  let at = date.getTime()
  while (date.getTime() - at < DAY_MS && new Date(at - MINUTE_MS).getTimezoneOffset() === offset) at -= MINUTE_MS
  return at
}

/** What `readStart` reads as this instant, to the minute. */
export function startText(at: number | null): string {
  if (at === null) return ''
  const date = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** What can be chosen without typing. */
export const START_IDEAS = ['in 1 h', 'in 2 h', 'tonight at 23:00', 'tomorrow at 07:00'] as const
