/** What the engine remembers of time between its runs. Not part of the contract. */
import { z } from 'zod'
import { PROFILE_NAMES, ProfileChoice, ProfileFields } from './profiles.ts'

const EpochMs = z.int().min(0).max(8_640_000_000_000_000)

/** A window of a queue that closed while the machine slept or was off. */
export const MissedWindow = z.object({
  /** what of it was lost */
  from: EpochMs,
  to: EpochMs,
  /** it is made up for until then; null: nobody has said so */
  until: EpochMs.nullable(),
})
export type MissedWindow = z.output<typeof MissedWindow>

export const ScheduleState = z.object({
  /** when the engine was last seen alive; null: never */
  aliveAt: EpochMs.nullable(),
  profileChoice: ProfileChoice.nullable(),
  /** what of profiles differs from the defaults */
  profiles: z.partialRecord(z.enum(PROFILE_NAMES), ProfileFields.partial()),
  /** by queue */
  missed: z.record(z.string().regex(/^\d+$/), MissedWindow),
})
export type ScheduleState = z.output<typeof ScheduleState>

export const NO_SCHEDULE_STATE: ScheduleState = { aliveAt: null, profileChoice: null, profiles: {}, missed: {} }
