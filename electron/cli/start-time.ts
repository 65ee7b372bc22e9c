/** Times as a person types them: when something starts, and for how long it holds. */
import { NighthaulError } from '../../shared/errors.ts'
import { parseTime } from '../../shared/windows.ts'
import { localInstant, nextWeekTime, systemTimeZone, timeZone } from '../engine/window-times.ts'

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
/**
 * The instant (epoch ms) of `23:00` (the next time that the clock shows it), `2026-11-27T01:30` or `2026-11-27`, by the
 * clocks of a zone; null: `now`. Throws `usage`, or `invalid_input` for a time or a zone that does not exist.
 */
export function parseInstant(text: string, zoneName: string | undefined, now: number): number | null {
  if (/^now$/i.test(text.trim())) return null
  const zone = timeZone(zoneName ?? systemTimeZone())
  const minutes = parseTime(text)
  if (minutes !== null && minutes < 1440) return nextWeekTime([{ days: EVERY_DAY, at: minutes }], zone, now)
  const at = /^\d{4}-\d{2}-\d{2}/.test(text.trim()) ? localInstant(text.trim().replace(' ', 'T'), zone) : Number.NaN
  if (Number.isNaN(at))
    throw new NighthaulError('usage', `“${text}” is not a time: write 23:00, 2026-11-27T01:30 or now`)
  return at
}

export interface StartFlags {
  startAt?: string
  startIn?: number
  tz?: string
}

/**
 * When a download is to start, as epoch ms; null: now; undefined: nothing was said. Throws `usage`, also for a time that
 * is past: whoever mistypes a date should hear of it.
 */
export function readStart({ startAt, startIn, tz }: StartFlags, now = Date.now()): number | null | undefined {
  if (startAt !== undefined && startIn !== undefined)
    throw new NighthaulError('usage', '--start-at and --start-in say the same in two ways: use one of them')
  if (tz !== undefined && startAt === undefined)
    throw new NighthaulError('usage', '--tz is the time zone of --start-at, which is missing')
  if (startIn !== undefined) return now + startIn
  if (startAt === undefined) return undefined
  const at = parseInstant(startAt, tz, now)
  if (at !== null && at <= now)
    throw new NighthaulError('usage', `--start-at: ${startAt} is past; “now” starts at once`)
  return at
}

/** `Fri 27 Nov 2026, 01:30 CET`, by the clocks of a zone. */
export function formatInstant(at: number, zone = systemTimeZone()): string {
  return new Intl.DateTimeFormat('en-GB', {
    ...{ weekday: 'short', day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' },
    ...{ timeZone: zone, timeZoneName: 'short' },
  }).format(at)
}
