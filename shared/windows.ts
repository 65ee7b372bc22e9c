/**
 * Windows of time in which work is allowed, by weekday and local time of day: their text form is read and written here
 * and nowhere else. When they open and close in a time zone is window-times.ts's to know.
 *
 *     Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00
 *
 * Days come before the times they hold for; times that follow without days hold for the same ones
 * (`Mon-Fri 06:00-08:00, 17:00-19:00`), and times at the very beginning for every day. An end that is not after its
 * beginning lies on the next day. 24:00 is the end of a day. `11 pm - 7 am` is read as well, and written `23:00-07:00`. Times of the week at which something begins are written
 * the same way, without their ends: `daily 02:00`, `Mon-Fri 02:00, Sat 12:00`.
 */
import { z } from 'zod'
import { NighthaulError } from './errors.ts'

export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
/** Stands for all of them. */
const EVERY_DAY = 'daily'
const NAMES = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
export const DAY_MINUTES = 24 * 60
/** More of them is a mistake, not a schedule. */
const MOST_WINDOWS = 100
const MAX_TEXT = 2000

export interface TimeWindow {
  /** 1 is Monday, 7 Sunday, as in ISO 8601; ascending, at least one: those on which it begins */
  days: readonly number[]
  /** minutes since midnight, 0 to 1,439 */
  from: number
  /** minutes since midnight, 0 to 1,440; up to `from`: of the next day */
  to: number
}

/** A time of the week at which something begins. */
export interface WeekTime {
  /** as those of a window */
  days: readonly number[]
  /** minutes since midnight, 0 to 1,439 */
  at: number
}

const EXAMPLE_WINDOWS = 'windows like “Mon-Fri 23:00-07:00, Sat,Sun 00:00-12:00”'
const EXAMPLE_TIMES = 'times like “daily 02:00” or “Mon-Fri 02:00, Sat 12:00”'

/** Throws `invalid_input` naming what cannot be read. */
export function parseWindows(text: string): TimeWindow[] {
  return parseDays(text, timesIn, EXAMPLE_WINDOWS)
}

/** Throws `invalid_input` naming what cannot be read. */
export function parseTimes(text: string): WeekTime[] {
  const timeIn = (item: string) => {
    const at = parseTime(item)
    if (at === null || at === DAY_MINUTES) throw new Unreadable(`“${item}” is no time of day`)
    return { at }
  }
  return parseDays(text, timeIn, EXAMPLE_TIMES)
}

/** The text that `parseTimes` reads as these, always with their days. */
export function formatTimes(times: readonly WeekTime[]): string {
  return times
    .map(({ days, at }) => `${days.length === WEEKDAYS.length ? EVERY_DAY : formatDays(days)} ${formatTime(at)}`)
    .join(', ')
}

/** What is wrong with a text; the whole of it is added where that is known. */
class Unreadable extends Error {}

function parseDays<T>(
  text: string,
  timesIn: (text: string) => T,
  example: string,
): (T & { days: readonly number[] })[] {
  try {
    return readDays(text, timesIn)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new NighthaulError('invalid_input', `${error.message}. Nothing was changed; write ${example}.`, {
      window: text.slice(0, MAX_TEXT),
    })
  }
}

function readDays<T>(text: string, timesIn: (text: string) => T): (T & { days: readonly number[] })[] {
  if (text.length > MAX_TEXT) throw new Unreadable('The text is too long')
  const items: (T & { days: readonly number[] })[] = []
  const everyDay = WEEKDAYS.map((_, index) => index + 1)
  let days: number[] | null = null
  /** days of which the times are still to come */
  let waiting: number[] = []
  for (const item of in24Hours(text)
    .replaceAll(/\s*[-–—]\s*/g, '-')
    .split(',')) {
    const words = item.trim().split(/\s+/)
    const last = words.at(-1)!
    const times = /\d/.test(last) ? timesIn(last) : null
    const named = words.slice(0, times ? -1 : undefined)
    if (named.length > 1 || (named.length === 0 && !times)) throw new Unreadable(`“${item.trim()}” cannot be read`)
    if (named.length === 1) waiting.push(...daysIn(named[0]!))
    if (!times) continue
    if (waiting.length > 0) days = [...new Set(waiting)].sort((a, b) => a - b)
    waiting = []
    items.push({ days: days ?? everyDay, ...times })
    if (items.length > MOST_WINDOWS) throw new Unreadable(`There are more than ${MOST_WINDOWS} of them`)
  }
  if (waiting.length > 0) throw new Unreadable(`“${text.trim()}” ends without a time`)
  return items
}

/** The text that `parseWindows` reads as these windows, always with their days. */
export function formatWindows(windows: readonly TimeWindow[]): string {
  return windows.map(({ days, from, to }) => `${formatDays(days)} ${formatTime(from)}-${formatTime(to)}`).join(', ')
}

/** `07:30`, of minutes since midnight. */
export function formatTime(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

/** Times of a 12-hour clock, `7 am` or `7:30 p.m.`, as those of 24 hours; all else stays. */
function in24Hours(text: string): string {
  return text.replaceAll(
    /\b(0?[1-9]|1[0-2])(:[0-5]\d)?\s*([ap])(?:m\b|\.\s?m\.)/gi,
    (_whole, hour: string, minutes: string | undefined, half: string) => {
      const hours = (Number(hour) % 12) + (half.toLowerCase() === 'p' ? 12 : 0)
      return `${hours}${minutes ?? ':00'}`
    },
  )
}

/** Minutes since midnight of `7:30`, `07:30` or `7:30 am`, up to 24:00; null: it is no time of day. */
export function parseTime(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(in24Hours(text.trim()))
  if (!match) return null
  const minutes = Number(match[1]) * 60 + Number(match[2])
  return Number(match[2]) < 60 && minutes <= DAY_MINUTES ? minutes : null
}

function timesIn(text: string): Pick<TimeWindow, 'from' | 'to'> {
  const parts = text.split('-')
  const [from, to] = parts.map(parseTime)
  if (parts.length !== 2 || from == null || to == null || from === DAY_MINUTES)
    throw new Unreadable(`“${text}” are no times of day`)
  if (from === to) throw new Unreadable(`“${text}” begins and ends at once; a whole day is 00:00-24:00`)
  return { from, to }
}

function daysIn(text: string): number[] {
  if (text.toLowerCase() === EVERY_DAY) return WEEKDAYS.map((_, index) => index + 1)
  const parts = text.split('-')
  const [first, last = first] = parts.map(dayOf)
  if (parts.length > 2 || first === undefined || last === undefined || first < 0 || last < 0)
    throw new Unreadable(`“${text}” names no days`)
  const count = ((last - first + 7) % 7) + 1
  return Array.from({ length: count }, (_, index) => ((first + index) % 7) + 1)
}

/** 0 to 6, -1: no weekday. */
function dayOf(text: string): number {
  const name = text.toLowerCase()
  const short = WEEKDAYS.findIndex((day) => day.toLowerCase() === name)
  return short >= 0 ? short : NAMES.indexOf(name)
}

/** `Mon-Fri`, `Sat,Sun`, `Mon,Wed-Fri`: runs of three and more days are written as such. */
function formatDays(days: readonly number[]): string {
  const runs: number[][] = []
  for (const day of days) {
    const run = runs.at(-1)
    if (run?.at(-1) === day - 1) run.push(day)
    else runs.push([day])
  }
  const nameOf = (day: number) => WEEKDAYS[day - 1]!
  return runs
    .flatMap((run) => (run.length > 2 ? [`${nameOf(run[0]!)}-${nameOf(run.at(-1)!)}`] : run.map(nameOf)))
    .join(',')
}

/** A text in the form in which it is always written. */
const textOf = (written: (text: string) => string) =>
  z.string().transform((text, context) => {
    try {
      return written(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

export const WindowsText = textOf((text) => formatWindows(parseWindows(text)))
export const WeekTimesText = textOf((text) => formatTimes(parseTimes(text)))
