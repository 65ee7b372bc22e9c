/** Names of time zones, as far as the system's own calendar knows them. */
import { z } from 'zod'

/** The good ones that were asked about: each costs a formatter. */
const known = new Set<string>()
const MOST_KNOWN = 1_000

export function isTimeZone(name: string): boolean {
  if (known.has(name)) return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
  } catch {
    return false
  }
  if (known.size < MOST_KNOWN) known.add(name)
  return true
}

/** One that does not exist is refused, wherever it comes from: whoever asked the clock of it would get no answer. */
export const TimeZoneName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine(isTimeZone, {
    error: ({ input }) => `there is no time zone “${input}”: write one like Europe/Berlin`,
  })
