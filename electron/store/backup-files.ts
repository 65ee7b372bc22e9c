/**
 * Copies of a database: the daily ones in the folder `backups` beside it, and those made before migrations. How they
 * are called, which there are, which are too many. Nothing is copied here.
 */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { backupsOf } from './migrate.ts'

export interface BackupFile {
  path: string
  /** epoch ms: what its name says */
  at: number
  bytes: number
  /** made once a day; otherwise before a migration */
  daily: boolean
}

const DAY_MS = 86_400_000
const STAMP = /(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})(?:-(\d{3}))?Z/

export function backupFolder(path: string): string {
  return join(dirname(path), 'backups')
}

function stem(path: string): string {
  return basename(path, extname(path))
}

/** `backups/nighthaul-2026-11-22T21-04-05Z.db` */
export function dailyPath(path: string, now: number): string {
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(':', '-')
  return join(backupFolder(path), `${stem(path)}-${stamp}Z.db`)
}

function timeIn(name: string): number | null {
  const match = STAMP.exec(name)
  if (match === null) return null
  const [, date, hour, minute, second, ms = '000'] = match
  const at = Date.parse(`${date}T${hour}:${minute}:${second}.${ms}Z`)
  return Number.isNaN(at) ? null : at
}

/**
 * The newest first. Those that are younger than `now` come last: the clock was set back since, so that they are older
 * than all others, or it was wrong when they were made.
 */
export function newestFirst(backups: readonly BackupFile[], now: number): BackupFile[] {
  const isToCome = ({ at }: BackupFile) => Number(at > now)
  return [...backups].sort((a, b) => isToCome(a) - isToCome(b) || b.at - a.at)
}

/** In the order of `newestFirst`. */
export function dailyBackups(path: string, now: number): BackupFile[] {
  let names: string[]
  try {
    names = readdirSync(backupFolder(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const own = names.filter((name) => name.startsWith(`${stem(path)}-`) && name.endsWith('Z.db'))
  return toFiles(
    own.map((name) => join(backupFolder(path), name)),
    { daily: true, now },
  )
}

/** All there are, in the order of `newestFirst`. */
export function allBackups(path: string, now: number): BackupFile[] {
  return newestFirst([...dailyBackups(path, now), ...toFiles(backupsOf(path), { daily: false, now })], now)
}

function toFiles(paths: readonly string[], { daily, now }: { daily: boolean; now: number }): BackupFile[] {
  const files = paths
    .map((path) => ({ path, at: timeIn(basename(path)), stats: statSync(path, { throwIfNoEntry: false }) }))
    .flatMap(({ path, at, stats }) => (at === null || !stats ? [] : [{ path, at, bytes: stats.size, daily }]))
  return newestFirst(files, now)
}

/**
 * Those that go, given all daily ones with the newest first: the newest of each of the first `days` days stay, and of
 * those after them the newest of each of `weeks` weeks. Counted by what there is, not by age: who is away for a year
 * finds them all again. Pure.
 */
export function superfluous(
  newestFirst: readonly BackupFile[],
  { days, weeks }: { days: number; weeks: number },
): BackupFile[] {
  const ofDays = newestOfEach(newestFirst, ({ at }) => Math.floor(at / DAY_MS)).slice(0, days)
  // Day 0 of the epoch was a Thursday: weeks begin on Mondays.
  const week = ({ at }: BackupFile) => Math.floor((Math.floor(at / DAY_MS) + 3) / 7)
  const older = newestFirst.slice(newestFirst.indexOf(ofDays.at(-1)!) + 1)
  const daysWeeks = new Set(ofDays.map(week))
  const ofWeeks = newestOfEach(older, week)
    .filter((backup) => !daysWeeks.has(week(backup)))
    .slice(0, weeks)
  const kept = new Set([...ofDays, ...ofWeeks])
  return newestFirst.filter((backup) => !kept.has(backup))
}

function newestOfEach(newestFirst: readonly BackupFile[], group: (backup: BackupFile) => number): BackupFile[] {
  const seen = new Set<number>()
  return newestFirst.filter((backup) => {
    if (seen.has(group(backup))) return false
    seen.add(group(backup))
    return true
  })
}
