/**
 * What a file of the list says of when and how: queues, profiles, repeating downloads. A field that cannot be used here
 * costs only itself where its queue or profile makes sense without it, and each is named. Pure.
 */
import { isAbsolute, resolve } from 'node:path'
import { ListedProfiles, ListedQueue, ListedRepeat } from '../../shared/list-file.ts'
import type { ImportedRepeat } from '../../shared/list-records.ts'
import { PROFILE_NAMES, ProfilePatch } from '../../shared/profiles.ts'
import { DEFAULT_REPEAT } from '../../shared/repeats.ts'
import type { ScheduleState } from '../../shared/schedule-state.ts'
import { splitCredentials } from './http/credentials.ts'

/** Of zod, as far as it is needed. */
export interface Faults {
  issues: readonly { message: string; path: readonly PropertyKey[]; code?: string; keys?: readonly string[] }[]
}
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Faults }
}

/** One sentence about the first fault. The value itself may be a secret and is not in it. */
export function reasonOf(error: Faults): string {
  const [first] = error.issues
  const place = first?.path.join('.')
  return `${first?.message ?? 'it cannot be read'}${place ? ` (at ${place})` : ''}`
}

type Refuse = (reason: string) => void

/** Without the fields that cannot be read, each of them told; null: nothing makes sense of it. */
function readFields<T>(schema: Schema<T>, value: unknown, refuse: Refuse): T | null {
  const whole = schema.safeParse(value)
  if (whole.success) return whole.data
  const bad = new Set(whole.error.issues.flatMap(({ path, keys = [] }) => (path.length > 0 ? [String(path[0])] : keys)))
  const rest = typeof value === 'object' && value !== null ? Object.entries(value).filter(([key]) => !bad.has(key)) : []
  const sound = bad.size > 0 ? schema.safeParse(Object.fromEntries(rest)) : whole
  if (!sound.success) {
    refuse(reasonOf(whole.error))
    return null
  }
  for (const key of bad) refuse(`its “${key}” cannot be used`)
  return sound.data
}

/** `folder`: what is asked for in place of all folders in the file. Null: refused. */
export function readQueue(value: unknown, folder: string | undefined, refuse: Refuse): ListedQueue | null {
  const queue = readFields(ListedQueue, value, refuse)
  if (queue === null) return null
  const { folder: own, categories, ...rest } = queue
  const usable = own && folder === undefined && isAbsolute(own)
  if (own && folder === undefined && !usable) refuse(`its folder “${own}” is no absolute folder on this machine`)
  return {
    ...rest,
    ...(usable && { folder: resolve(own) }),
    // What is below the folder of a download may stay below it.
    ...(categories && { categories: categories.filter((rule) => folder === undefined || !isAbsolute(rule.folder)) }),
  }
}

export function readProfiles(value: unknown, refuse: (position: number, reason: string) => void) {
  const profiles: ScheduleState['profiles'] = {}
  if (value === undefined) return profiles
  const listed = ListedProfiles.safeParse(value)
  if (!listed.success) refuse(1, reasonOf(listed.error))
  for (const [index, [key, given]] of Object.entries(listed.data ?? {}).entries()) {
    const name = PROFILE_NAMES.find((known) => known === key)
    if (name === undefined) refuse(index + 1, `there is no profile “${key}”`)
    else profiles[name] = readFields(ProfilePatch, given, (reason) => refuse(index + 1, reason)) ?? {}
  }
  return profiles
}

/** It has missed nothing here, and looks after no file that a list names. Null: refused. */
export function readRepeat(
  value: unknown,
  { folder, paused, now }: { folder: string | undefined; paused: boolean; now: number },
  refuse: Refuse,
): ImportedRepeat | null {
  const parsed = ListedRepeat.safeParse(value)
  if (!parsed.success) {
    refuse(reasonOf(parsed.error))
    return null
  }
  const { queue, runs, url, options, ...settings } = parsed.data
  const target = folder ?? settings.folder ?? null
  if (target !== null && !isAbsolute(target)) {
    refuse(`“${target}” is no absolute folder on this machine`)
    return null
  }
  const link = splitCredentials(new URL(url))
  return {
    settings: {
      ...DEFAULT_REPEAT,
      ...settings,
      url: link.url.href,
      options: { ...link.login, ...options },
      folder: target && resolve(target),
      paused: paused || settings.paused === true,
    },
    queue: queue ?? null,
    state: { settledAt: now, askedUntil: null, runs, taskId: null, last: null, results: [] },
  }
}
