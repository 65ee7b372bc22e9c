/** Numbers as people read them: bytes, rates, durations, percentages. Pure; Intl does the writing. */

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const SECOND_MS = 1000

const formatters = new Map<string, Intl.NumberFormat>()

/** Making an Intl.NumberFormat costs far more than using one: one of each kind is kept. */
function formatter(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`
  let found = formatters.get(key)
  if (found === undefined) {
    found = new Intl.NumberFormat(locale, options)
    formatters.set(key, found)
  }
  return found
}

/** The decimal unit in which `bytes` has at most three digits before the point, rounding included. */
function scale(bytes: number): { value: number; unit: number } {
  let value = Math.max(0, bytes)
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  return { value, unit }
}

function formatScaled(bytes: number, suffix: '' | '-per-second', mostDecimals: number, locale: string): string {
  const { value, unit } = scale(bytes)
  const decimals = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? Math.min(1, mostDecimals) : mostDecimals
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  // CLDR's short form of the unit is "12 byte": a number with B reads better and is as short as the others.
  if (unit === 0) return `${formatter(locale, digits).format(value)} B${suffix === '' ? '' : '/s'}`
  const name = `${UNITS[unit]}${suffix}`
  return formatter(locale, { ...digits, style: 'unit', unit: name, unitDisplay: 'short' }).format(value)
}

/** Bytes in decimal units (1 kB = 1000 B), three digits: `1.23 GB`. */
export function formatBytes(bytes: number, locale = 'en'): string {
  return formatScaled(bytes, '', 2, locale)
}

/** Bytes per second in decimal units, one decimal at most so that a live figure does not flicker: `12.3 MB/s`. */
export function formatRate(bytesPerSecond: number, locale = 'en'): string {
  return formatScaled(bytesPerSecond, '-per-second', 1, locale)
}

/** Milliseconds as the two largest units, rounded up to whole seconds: `42s`, `3m 5s`, `1h 5m`, `2d 4h`. */
export function formatDuration(ms: number, locale = 'en'): string {
  const whole = Math.max(0, Math.ceil(ms / SECOND_MS)) * SECOND_MS
  const days = Math.floor(whole / DAY_MS)
  const hours = Math.floor((whole % DAY_MS) / HOUR_MS)
  const minutes = Math.floor((whole % HOUR_MS) / MINUTE_MS)
  const seconds = (whole % MINUTE_MS) / SECOND_MS
  const parts: [number, string][] =
    days > 0
      ? [
          [days, 'day'],
          [hours, 'hour'],
        ]
      : hours > 0
        ? [
            [hours, 'hour'],
            [minutes, 'minute'],
          ]
        : minutes > 0
          ? [
              [minutes, 'minute'],
              [seconds, 'second'],
            ]
          : [[seconds, 'second']]
  return parts
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => formatter(locale, { style: 'unit', unit, unitDisplay: 'narrow' }).format(value))
    .join(' ')
}

/** A short time with three digits: `0.25ms`, `42ms`, `1.25s`; from a minute on as `formatDuration`. */
export function formatShortTime(ms: number, locale = 'en'): string {
  if (ms >= MINUTE_MS - 50) return formatDuration(ms, locale)
  const [value, unit] = ms < 999.5 ? [Math.max(0, ms), 'millisecond'] : [ms / SECOND_MS, 'second']
  const options = {
    style: 'unit',
    unit,
    unitDisplay: 'narrow',
    maximumFractionDigits: value < 9.995 ? 2 : value < 99.95 ? 1 : 0,
  } as const
  return formatter(locale, options).format(value)
}

/** How often a second, with three digits: `0.042/s`, `12.5/s`. */
export function formatFrequency(perSecond: number, locale = 'en'): string {
  return `${formatter(locale, { maximumSignificantDigits: 3 }).format(perSecond)}/s`
}

/** How much of a whole, rounded down so that 100% means all of it: `99.9%`. Fraction in [0, 1]. */
export function formatPercent(fraction: number, locale = 'en'): string {
  const thousandths = Math.floor(Math.min(1, Math.max(0, fraction)) * 1000) / 1000
  const decimals = thousandths === 1 ? 0 : 1
  return formatter(locale, {
    style: 'percent',
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(thousandths)
}

/** A count with the locale's separators: `12,345`. */
export function formatCount(count: number, locale = 'en'): string {
  return formatter(locale, {}).format(count)
}
