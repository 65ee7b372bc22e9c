/** Nights: from noon to noon by the clock on the wall, named by the date of the evening. Pure. */
import type { Night } from '../../shared/report.ts'
import { temporal } from './temporal.ts'
import { localInstant, localInstantAfter } from './window-times.ts'

export interface Range {
  /** epoch ms */
  from: number
  to: number
}

/** The night that a moment belongs to. */
export function nightAt(instant: number, zone: string): Night {
  const local = temporal().Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).toPlainDateTime()
  return local.subtract({ hours: 12 }).toPlainDate().toString()
}

export function rangeOfNight(night: Night, zone: string): Range {
  const noon = `${night}T12:00`
  return { from: localInstant(noon, zone), to: localInstantAfter(noon, 1, zone) }
}

/** The night so many days later; earlier where that is negative. */
export function nightAfter(night: Night, days: number): Night {
  return temporal().PlainDate.from(night).add({ days }).toString()
}
