/** Profiles: how much of the line and of hosts may be used, switched by time, by hand and by the tray. */
import { z } from 'zod'
import { type Settings, Settings as SettingsSchema } from './schemas.ts'
import { TimeZoneName } from './time-zone.ts'
import { WindowsText } from './windows.ts'

/** `full` holds where no other does. Where the times of several overlap, the first of SCHEDULED holds. */
export const PROFILE_NAMES = ['full', 'day', 'calls', 'night'] as const
export type ProfileName = (typeof PROFILE_NAMES)[number]

export const SCHEDULED = ['calls', 'day', 'night', 'full'] as const satisfies readonly ProfileName[]

/** null: as the settings say */
const ProfileLimits = z.object({
  /** 0: no limit, whatever the settings say */
  limitBytesPerSecond: z.int().min(0).nullable(),
  downloadsAtOnce: SettingsSchema.shape.downloadsAtOnce.nullable(),
  connectionsPerHost: SettingsSchema.shape.connectionsPerHost.nullable(),
  connectionsPerDownload: SettingsSchema.shape.connectionsPerDownload.nullable(),
})
export type ProfileLimits = z.output<typeof ProfileLimits>

export const ProfileFields = ProfileLimits.extend({
  /** when it holds, as text (windows.ts); null: by hand only */
  windows: WindowsText.nullable(),
  /** of its windows; null: the machine's */
  timeZone: TimeZoneName.nullable(),
})
export type ProfileSettings = z.output<typeof ProfileFields>

/** What is left out stays. */
export const ProfilePatch = ProfileFields.partial().strict()
export type ProfilePatch = z.output<typeof ProfilePatch>

const AS_SETTINGS: ProfileSettings = {
  limitBytesPerSecond: null,
  downloadsAtOnce: null,
  connectionsPerHost: null,
  connectionsPerDownload: null,
  windows: null,
  timeZone: null,
}

export const DEFAULT_PROFILES: Readonly<Record<ProfileName, ProfileSettings>> = {
  full: AS_SETTINGS,
  day: {
    ...AS_SETTINGS,
    limitBytesPerSecond: 2 * 1024 ** 2,
    downloadsAtOnce: 2,
    connectionsPerHost: 4,
    connectionsPerDownload: 4,
  },
  calls: {
    ...AS_SETTINGS,
    limitBytesPerSecond: 256 * 1024,
    downloadsAtOnce: 1,
    connectionsPerHost: 2,
    connectionsPerDownload: 2,
  },
  night: AS_SETTINGS,
}

/** A profile chosen by hand, until then (epoch ms); null: until told otherwise. */
export const ProfileChoice = z.object({
  name: z.enum(PROFILE_NAMES),
  until: z.int().positive().nullable(),
  /** `change`: until the schedule changes, which it may do otherwise when it is edited */
  kind: z.enum(['change', 'time', 'told']),
})
export type ProfileChoice = z.output<typeof ProfileChoice>

export const UseProfileInput = z.object({
  /** null: as the schedule says, from now on */
  name: z.enum(PROFILE_NAMES).nullable(),
  /** until the next change of the schedule, until told otherwise, or until then (epoch ms) */
  until: z.union([z.enum(['change', 'told']), z.int().positive()]).default('change'),
})
export type UseProfileInput = z.output<typeof UseProfileInput>

export interface ProfileView extends ProfileSettings {
  name: ProfileName
}

export interface ProfilesView {
  /** the one that holds now; `default`: nobody chose, and no time says anything */
  current: { name: ProfileName; by: 'hand' | 'schedule' | 'default'; until: number | null }
  /** what would hold if nobody had chosen */
  scheduled: ProfileName
  /** what holds now, of the settings and the profile */
  effective: Pick<Settings, keyof ProfileLimits>
  profiles: ProfileView[]
}
