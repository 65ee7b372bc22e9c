/** What the engine remembers of time between its runs. Not part of the contract. */
import { z } from 'zod'
import { PROFILE_NAMES, ProfileChoice, ProfileFields } from './profiles.ts'
import type { RepeatId, RepeatRecord, RepeatSettings, RepeatState } from './repeats.ts'

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

/** The part of the store (TaskStore in records.ts) that remembers of time. */
export interface ScheduleStore {
  /** what is unreadable of it is as if it had never been */
  scheduleState(): ScheduleState
  /** intent unless told otherwise; what is left out stays */
  setScheduleState(patch: Partial<ScheduleState>, options?: { intent?: boolean }): void

  /** in the order in which they were made; those that cannot be read are left out */
  repeats(): RepeatRecord[]
  /** intent; its id */
  addRepeat(settings: RepeatSettings, state: RepeatState): RepeatId
  /** intent */
  updateRepeat(id: RepeatId, patch: { settings?: RepeatSettings; state?: RepeatState }): void
  /** intent; false: there was none */
  removeRepeat(id: RepeatId): boolean
}
