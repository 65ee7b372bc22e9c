/** Profiles as their dialog holds them, and what of them is new. Pure. */
import {
  PROFILE_NAMES,
  type ProfileName,
  type ProfilePatch,
  type ProfilesView,
  type ProfileView,
} from '../../../shared/profiles.ts'
import { limitText, readLimit } from '../settings/limits-form.ts'
import { isTimeZone, readWindows } from './queue-form.ts'

export const PROFILE_NUMBERS = {
  downloadsAtOnce: { min: 1, max: 100 },
  connectionsPerHost: { min: 1, max: 64 },
  connectionsPerDownload: { min: 1, max: 64 },
} as const
export type ProfileNumber = keyof typeof PROFILE_NUMBERS

/** What a profile says of the speed: nothing, that there is no limit, or one. */
export const LIMIT_KINDS = ['settings', 'none', 'limit'] as const

export interface ProfileForm extends Record<ProfileNumber, string> {
  limitKind: (typeof LIMIT_KINDS)[number]
  /** MB/s, of a limit */
  limit: string
  /** empty: by hand only */
  windows: string
  timeZone: string
}

export type ProfileProblem = ProfileNumber | 'limit' | 'windows' | 'timeZone'
export type ProfileForms = Record<ProfileName, ProfileForm>

export function toProfileForms({ profiles }: ProfilesView): ProfileForms {
  const text = (value: number | null) => (value === null ? '' : String(value))
  const formOf = (profile: ProfileView): ProfileForm => ({
    limitKind: limitKindOf(profile.limitBytesPerSecond),
    limit: shortLimit(profile.limitBytesPerSecond),
    downloadsAtOnce: text(profile.downloadsAtOnce),
    connectionsPerHost: text(profile.connectionsPerHost),
    connectionsPerDownload: text(profile.connectionsPerDownload),
    windows: profile.windows ?? '',
    timeZone: profile.timeZone ?? '',
  })
  return Object.fromEntries(profiles.map((profile) => [profile.name, formOf(profile)])) as ProfileForms
}

function limitKindOf(bytesPerSecond: number | null): ProfileForm['limitKind'] {
  return bytesPerSecond === null ? 'settings' : bytesPerSecond === 0 ? 'none' : 'limit'
}

/** With fewer digits than some limits have: left alone, such a one stays as it is. */
function shortLimit(bytesPerSecond: number | null): string {
  return limitText(!bytesPerSecond ? null : Math.max(1000, Math.round(bytesPerSecond / 1000) * 1000))
}

export function readProfile(
  form: ProfileForm,
  stored: ProfileView,
): { patch: ProfilePatch; problems: ReadonlySet<ProfileProblem> } {
  const problems = new Set<ProfileProblem>()
  const limitBytesPerSecond = readProfileLimit(form, stored)
  if (limitBytesPerSecond === undefined) problems.add('limit')
  const number = (key: ProfileNumber): number | null => {
    const text = form[key].trim()
    if (text === '') return null
    const value = /^\d+$/.test(text) ? Number(text) : 0
    if (value < PROFILE_NUMBERS[key].min || value > PROFILE_NUMBERS[key].max) problems.add(key)
    return value
  }
  const read = form.windows.trim() === '' ? null : readWindows(form.windows)
  if (read !== null && 'problem' in read) problems.add('windows')
  const zone = form.timeZone.trim()
  if (zone !== '' && !isTimeZone(zone)) problems.add('timeZone')
  const said: ProfilePatch = {
    limitBytesPerSecond: limitBytesPerSecond ?? null,
    downloadsAtOnce: number('downloadsAtOnce'),
    connectionsPerHost: number('connectionsPerHost'),
    connectionsPerDownload: number('connectionsPerDownload'),
    windows: read !== null && 'text' in read ? read.text : null,
    timeZone: zone || null,
  }
  const before: Record<string, unknown> = { ...stored }
  return { patch: Object.fromEntries(Object.entries(said).filter(([key, value]) => before[key] !== value)), problems }
}

/** Undefined: no number. */
function readProfileLimit({ limitKind, limit }: ProfileForm, stored: ProfileView): number | null | undefined {
  if (limitKind !== 'limit') return limitKind === 'none' ? 0 : null
  const before = stored.limitBytesPerSecond
  return before && limit === shortLimit(before) ? before : (readLimit(limit) ?? undefined)
}

/** Profiles that cannot be saved as they stand. */
export function wrongProfiles(forms: ProfileForms, { profiles }: ProfilesView): ProfileName[] {
  return PROFILE_NAMES.filter((name) => {
    const stored = profiles.find((profile) => profile.name === name)
    return stored !== undefined && readProfile(forms[name], stored).problems.size > 0
  })
}
