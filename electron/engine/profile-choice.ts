/** Which profile holds at a moment, until when, and what that makes of the settings. Pure. */
import {
  DEFAULT_PROFILES,
  PROFILE_NAMES,
  type ProfileChoice,
  type ProfileLimits,
  type ProfileName,
  type ProfileSettings,
  SCHEDULED,
} from '../../shared/profiles.ts'
import type { ScheduleState } from '../../shared/schedule-state.ts'
import type { Settings } from '../../shared/schemas.ts'
import { parseWindows } from '../../shared/windows.ts'
import { openSpans } from './window-times.ts'

export type Profiles = Readonly<Record<ProfileName, ProfileSettings>>

/** The defaults with what was changed of them. */
export function profilesOf(changed: ScheduleState['profiles']): Profiles {
  return Object.fromEntries(
    PROFILE_NAMES.map((name) => [name, { ...DEFAULT_PROFILES[name], ...changed[name] }]),
  ) as Record<ProfileName, ProfileSettings>
}

export interface ScheduledProfile {
  name: ProfileName
  /** false: no time says anything, and `full` holds for want of another */
  named: boolean
  /** epoch ms at which the times say another one; null: never */
  until: number | null
}

/** Times return weekly: what has not changed by then never does. */
const HORIZON_MS = 9 * 86_400_000

/** What the times of the profiles say; `zone`: of those that name none, asked for only then: to know it takes a while. */
export function scheduledProfile(profiles: Profiles, zone: () => string, now: number): ScheduledProfile {
  const { nameAt, changes } = timesWithin(profiles, zone, now, now + HORIZON_MS)
  const named = nameAt(now)
  const name = named ?? 'full'
  const until = changes.find((at) => (nameAt(at) ?? 'full') !== name) ?? null
  return { name, named: named !== undefined, until }
}

/** Which profile the times name at an instant within [now, until), and the instants at which that may change, ascending. */
function timesWithin(profiles: Profiles, zone: () => string, now: number, until: number) {
  const timed = SCHEDULED.flatMap((name) => {
    const { windows, timeZone } = profiles[name]
    if (windows === null) return []
    return [{ name, spans: openSpans(parseWindows(windows), timeZone ?? zone(), now, until) }]
  })
  const nameAt = (at: number) =>
    timed.find(({ spans }) => spans.some(({ from, to }) => (from ?? -Infinity) <= at && at < (to ?? Infinity)))?.name
  const changes = timed
    .flatMap(({ spans }) => spans.flatMap(({ from, to }) => [from, to]))
    .filter((at) => at !== null)
    .filter((at) => at > now && at < until)
    .sort((a, b) => a - b)
  return { nameAt, changes }
}

export interface CurrentProfile {
  name: ProfileName
  by: 'hand' | 'schedule' | 'default'
  /** epoch ms; null: for ever, or until told otherwise */
  until: number | null
}

/** The one that holds: what was chosen by hand while that holds, otherwise what the times say. */
export function currentProfile(
  profiles: Profiles,
  choice: ProfileChoice | null,
  zone: () => string,
  now: number,
): CurrentProfile {
  if (choice && (choice.until === null || choice.until > now))
    return { name: choice.name, by: 'hand', until: choice.until }
  const { name, named, until } = scheduledProfile(profiles, zone, now)
  return { name, by: named ? 'schedule' : 'default', until }
}

/**
 * Which ones hold from now on, as far as times and choice say: from when each, ascending. The times are read once for all
 * of it, for forecasts ask every second.
 */
export function profilesAhead(
  profiles: Profiles,
  choice: ProfileChoice | null,
  zone: () => string,
  now: number,
  until: number,
): { from: number; name: ProfileName }[] {
  const chosen = choice && (choice.until === null || choice.until > now) ? choice : null
  const steps = chosen ? [{ from: now, name: chosen.name }] : []
  const free = chosen ? (chosen.until ?? Infinity) : now
  if (free >= until) return steps
  const { nameAt, changes } = timesWithin(profiles, zone, free, until)
  for (const from of [free, ...changes]) {
    const name = nameAt(from) ?? 'full'
    if (steps.at(-1)?.name !== name) steps.push({ from, name })
  }
  return steps
}

/** The settings with what a profile says instead. */
export function effectiveSettings(settings: Settings, limits: ProfileLimits): Settings {
  return {
    ...settings,
    limitBytesPerSecond:
      limits.limitBytesPerSecond === 0 ? null : (limits.limitBytesPerSecond ?? settings.limitBytesPerSecond),
    downloadsAtOnce: limits.downloadsAtOnce ?? settings.downloadsAtOnce,
    connectionsPerHost: limits.connectionsPerHost ?? settings.connectionsPerHost,
    connectionsPerDownload: limits.connectionsPerDownload ?? settings.connectionsPerDownload,
  }
}
