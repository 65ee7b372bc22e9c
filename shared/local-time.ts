/** Moments as people in a time zone read them. Pure; Intl does the writing. */

const formats = new Map<string, Intl.DateTimeFormat>()

function format(at: number, timeZone: string, locale: string, options: Intl.DateTimeFormatOptions): string {
  const key = `${locale} ${timeZone} ${JSON.stringify(options)}`
  let found = formats.get(key)
  if (found === undefined) {
    found = new Intl.DateTimeFormat(locale, { ...options, timeZone })
    formats.set(key, found)
  }
  return found.format(at)
}

/** `23:05` */
export function formatTimeOfDay(at: number, timeZone: string, locale = 'en-GB'): string {
  return format(at, timeZone, locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

/** `Thu 26 Nov, 23:05` */
export function formatMoment(at: number, timeZone: string, locale = 'en-GB'): string {
  const day = format(at, timeZone, locale, { weekday: 'short', day: 'numeric', month: 'short' })
  return `${day.replace(',', '')}, ${formatTimeOfDay(at, timeZone, locale)}`
}

/** `23:05 – 23:40`, with the days where they differ from each other. */
export function formatSpan(from: number, to: number | null, timeZone: string, locale = 'en-GB'): string {
  const day = (at: number) => format(at, timeZone, locale, { dateStyle: 'short' })
  if (to === null) return `from ${formatMoment(from, timeZone, locale)}`
  const isOneDay = day(from) === day(to)
  return `${formatMoment(from, timeZone, locale)} – ${isOneDay ? formatTimeOfDay(to, timeZone, locale) : formatMoment(to, timeZone, locale)}`
}

/** `25 November 2026` */
export function formatDay(at: number, timeZone: string, locale = 'en-GB'): string {
  return format(at, timeZone, locale, { dateStyle: 'long' })
}
