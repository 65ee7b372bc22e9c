/** What repeating downloads decide: what is due, what a reply means, what files are called. Pure. */
import { basename, isAbsolute, resolve } from 'node:path'
import { NighthaulError } from '../../shared/errors.ts'
import { type JournalParams, plainLink } from '../../shared/journal.ts'
import type { RepeatPatch, RepeatResult, RepeatRun, RepeatSettings, RepeatState } from '../../shared/repeats.ts'
import type { ProbeResult } from '../../shared/schemas.ts'
import { parseTimes } from '../../shared/windows.ts'
import { extensionOf, filenameInLink, sanitizeFilename } from './filename.ts'
import { splitCredentials } from './http/credentials.ts'
import { plainParams, withPlainLinks } from './journal.ts'
import { localText, nextWeekTime, timeZone } from './window-times.ts'

/** Later than this a run was missed: the machine slept, or was off. */
const LATE_MS = 5 * 60_000
/** So long an unanswered question waits before its default is taken. */
export const ASK_MS = 10 * 60_000
const DAY_MS = 86_400_000
const MOST_AHEAD = 100

export interface Due {
  /**
   * `run` now; `skip`: it was missed and is left out; `ask`: it was missed, and somebody may say what to do; `settle`: what
   * is said to be settled is not believed, it begins anew from now
   */
  what: 'run' | 'skip' | 'ask' | 'settle' | 'wait'
  /** epoch ms of the next time to look */
  nextAt: number
}

/** What is to be done now; several runs that were missed are one. `zone`: where the repeat names none. */
export function dueOf(
  { when, timeZone, missed }: Pick<RepeatSettings, 'when' | 'timeZone' | 'missed'>,
  { settledAt, askedUntil }: Pick<RepeatState, 'settledAt' | 'askedUntil'>,
  systemZone: string,
  now: number,
): Due {
  const times = parseTimes(when)
  const zone = timeZone ?? systemZone
  const after = (at: number) => nextWeekTime(times, zone, at)!
  const next = after(settledAt > now + DAY_MS ? now : Math.max(settledAt, now))
  // A clock that was set back by days was wrong before, and with it what was settled.
  if (settledAt > now + DAY_MS) return { what: 'settle', nextAt: next }
  if (askedUntil !== null && (askedUntil <= now || askedUntil > now + ASK_MS)) return { what: 'run', nextAt: next }
  if (after(settledAt) > now) return { what: 'wait', nextAt: Math.min(next, askedUntil ?? next) }
  const onTime = after(Math.max(settledAt, now - LATE_MS)) <= now
  return { what: onTime ? 'run' : missed === 'next' ? 'skip' : missed, nextAt: next }
}

/** When it runs until a time, ascending: MOST_AHEAD times at most, none while it is paused. */
export function runsAhead(
  { when, timeZone, paused }: Pick<RepeatSettings, 'when' | 'timeZone' | 'paused'>,
  { askedUntil }: Pick<RepeatState, 'askedUntil'>,
  systemZone: string,
  now: number,
  until: number,
): number[] {
  if (paused) return []
  const times = parseTimes(when)
  const runs: number[] = []
  const next = (after: number) => nextWeekTime(times, timeZone ?? systemZone, after)
  for (let at = next(now); at !== null && at < until && runs.length < MOST_AHEAD; at = next(at)) runs.push(at)
  // One that was missed runs when nobody answered.
  if (askedUntil !== null && askedUntil > now && askedUntil < until) runs.push(askedUntil)
  return runs.sort((a, b) => a - b)
}

/**
 * Whether the file is still the one that the last run brought. Weak comparison (RFC 9110 §13.1.2): whoever wants it
 * byte for byte compares the bytes. `reply` null: the server said so (304).
 */
export function isUnchanged(
  reply: Pick<ProbeResult, 'etag' | 'lastModified' | 'size'> | null,
  known: Pick<RepeatResult, 'etag' | 'lastModified' | 'bytes'>,
): boolean {
  if (reply === null) return true
  const opaque = (etag: string) => etag.replace(/^W\//, '')
  if (reply.etag !== null && known.etag !== null) return opaque(reply.etag) === opaque(known.etag)
  return reply.lastModified !== null && reply.lastModified === known.lastModified && reply.size === known.bytes
}

/** The name of a run's file: always one that can be. `name`: what the server, or the link, calls it. */
export function repeatName(template: string, run: { name: string; at: number; zone: string; n: number }): string {
  const ext = extensionOf(run.name)
  // Of `2026-11-27T02:00:05`; a colon is not allowed in names everywhere.
  const [date, time] = localText(run.at, run.zone).split('T') as [string, string]
  const fields: Record<string, string> = {
    name: run.name.slice(0, run.name.length - ext.length),
    ext,
    date,
    time: time.slice(0, 5).replace(':', '-'),
    n: String(run.n),
  }
  return sanitizeFilename(template.replace(/\{(\w+)\}/g, (whole, field: string) => fields[field] ?? whole))
}

/** Which results stay looked after, and which are to go; the latest first. */
export function pruned(
  results: readonly RepeatResult[],
  keepLast: number | null,
): { stay: RepeatResult[]; go: RepeatResult[] } {
  // Where older ones stay for good, only the latest is of use: to compare the next with.
  if (keepLast === null) return { stay: results.slice(0, 1), go: [] }
  return { stay: results.slice(0, keepLast), go: results.slice(keepLast) }
}

/** What the journal says of a run. */
export function repeated(
  { repeatId, url, queueId }: Pick<JournalParams['repeated'], 'repeatId' | 'url' | 'queueId'>,
  { at, result, path, taskId, error, deleted, kept }: RepeatRun,
): JournalParams['repeated'] {
  return {
    ...{ repeatId, runAt: at, queueId, result, busy: result === 'skipped' && taskId !== null },
    ...{ name: path === null ? filenameInLink(url) : basename(path), url: plainLink(url) },
    deleted: deleted.map((one) => basename(one)),
    kept: kept.map((one) => basename(one)),
    ...{ message: withPlainLinks(error?.message ?? ''), error: plainParams(error?.params ?? {}) },
  }
}

/**
 * What of a patch only the engine can judge: folders, zones, and links with a user and password in them, which are kept
 * where passwords are. Throws `invalid_input`.
 */
export function soundRepeat({ folder, timeZone: zone, url, options }: RepeatPatch): RepeatPatch {
  if (folder && !isAbsolute(folder))
    throw new NighthaulError('invalid_input', `“${folder}” is not an absolute folder. Nothing was changed.`, { folder })
  const link = url === undefined ? null : splitCredentials(new URL(url))
  return {
    ...(folder && { folder: resolve(folder) }),
    ...(zone && { timeZone: timeZone(zone) }),
    ...(link && { url: link.url.href }),
    ...(link?.login && { options: { ...link.login, ...options } }),
  }
}
