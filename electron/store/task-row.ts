/**
 * A task as a row and back: names of columns, what is JSON, and what a damaged value is read as. A row is never lost
 * because one of its columns cannot be understood. No SQL is run here.
 */
import { type ErrorInfo, type ErrorParams, isErrorCode } from '../../shared/errors.ts'
import { BadTries, Checksum, DIGEST_SOURCES, ExpectedDigest } from '../../shared/integrity.ts'
import type { Relocation, TaskPatch, TaskRecord } from '../../shared/records.ts'
import { TaskOptions } from '../../shared/schemas.ts'
import { TASK_STATES } from '../../shared/task-state.ts'
import { isTaskStrategyCode, type TaskStrategyReason } from '../../shared/task-strategy.ts'
import { Verification } from '../../shared/verification.ts'
import type { StoreLogger } from './database.ts'

export type SqlValue = string | number | null

export const TASK_COLUMNS = {
  id: 'id',
  url: 'url',
  requestedFilename: 'requested_filename',
  filename: 'filename',
  folder: 'folder',
  state: 'state',
  position: 'position',
  sizeBytes: 'size_bytes',
  writtenBytes: 'written_bytes',
  sourceUrl: 'source_url',
  finalUrl: 'final_url',
  etag: 'etag',
  lastModified: 'last_modified',
  lastModifiedStrong: 'last_modified_strong',
  contentType: 'content_type',
  contentEncoding: 'content_encoding',
  httpVersion: 'http_version',
  acceptsRanges: 'accepts_ranges',
  options: 'options',
  error: 'error',
  retryAt: 'retry_at',
  attempts: 'attempts',
  secondChances: 'second_chances',
  hostWaits: 'host_waits',
  connectionsUsed: 'connections_used',
  resumedFromBytes: 'resumed_from_bytes',
  checksum: 'checksum',
  foundDigests: 'found_digests',
  badTries: 'bad_tries',
  verification: 'verification',
  createdAt: 'created_at',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
  bootId: 'boot_id',
  fsyncedAt: 'fsynced_at',
  startAt: 'start_at',
  forced: 'forced',
  queueId: 'queue_id',
  leaseOwner: 'lease_owner',
  strategy: 'strategy',
  partPath: 'part_path',
  relocation: 'relocation',
} as const satisfies Record<keyof TaskRecord, string>

/** `SELECT` list that yields a `TaskRow`. */
export const SELECT_TASK = `SELECT ${Object.entries(TASK_COLUMNS)
  .map(([key, column]) => `${column} AS "${key}"`)
  .join(', ')} FROM tasks`

/** A row as `SELECT_TASK` yields it. */
export type TaskRow = Omit<
  TaskRecord,
  | 'state'
  | 'lastModifiedStrong'
  | 'forced'
  | 'acceptsRanges'
  | 'options'
  | 'error'
  | 'checksum'
  | 'foundDigests'
  | 'badTries'
  | 'verification'
  | 'strategy'
  | 'relocation'
> & {
  state: string
  lastModifiedStrong: number
  forced: number
  acceptsRanges: number | null
  options: string
  error: string | null
  checksum: string | null
  foundDigests: string
  badTries: string | null
  verification: string | null
  strategy: string
  relocation: string | null
}

/** The one idea of “the same name”: as on a file system that folds case and normalises (NTFS, APFS). */
export function fold(text: string): string {
  return text.normalize('NFC').toLowerCase()
}

function nameInUrl(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname.split('/').findLast((part) => part !== '') ?? url)
  } catch {
    // Not a URL, or a stray percent sign: the text itself is then the best name to sort and search by.
    return url
  }
}

/** The columns derived from a task's names. */
export function nameColumns(names: Pick<TaskRecord, 'url' | 'requestedFilename' | 'filename'>): {
  filename_folded: string | null
  name_key: string
} {
  return {
    filename_folded: names.filename === null ? null : fold(names.filename),
    name_key: fold(names.filename ?? names.requestedFilename ?? nameInUrl(names.url)),
  }
}

/** The host that a task's next request goes to, with its port where that is unusual; empty: it cannot be told. */
export function hostOf({ url, sourceUrl }: { url: string; sourceUrl: string | null }): string {
  return URL.parse(sourceUrl ?? url)?.host ?? ''
}

/** A value of a patch as SQLite takes it. */
export function toSqlValue(value: TaskPatch[keyof TaskPatch]): SqlValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'object') return JSON.stringify(value)
  return value
}

const UNREADABLE = Symbol('unreadable')

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller warns with the column's name; the text itself may hold a password.
    return UNREADABLE
  }
}

/** Options that can be read; a field that cannot is left out and the settings decide in its place. */
function readOptions(text: string, warn: (column: string) => void): TaskOptions {
  if (text === '{}') return {}
  const value = parseJson(text)
  const whole = TaskOptions.safeParse(value)
  if (whole.success) return whole.data
  warn('options')
  if (typeof value !== 'object' || value === null) return {}
  const fields = Object.entries(value).filter(
    ([key, field]) => TaskOptions.shape[key as keyof TaskOptions]?.safeParse(field).success ?? false,
  )
  return TaskOptions.parse(Object.fromEntries(fields))
}

export function readError(text: string | null, warn: (column: string) => void): ErrorInfo | null {
  if (text === null) return null
  const value = parseJson(text)
  if (typeof value === 'object' && value !== null && 'code' in value && 'message' in value) {
    const { code, message } = value
    const params = 'params' in value && typeof value.params === 'object' && value.params !== null ? value.params : {}
    if (typeof code === 'string' && isErrorCode(code) && typeof message === 'string') {
      return { code, message, params: params as ErrorParams }
    }
  }
  warn('error')
  return null
}

function readChecksum(text: string | null, warn: (column: string) => void): TaskRecord['checksum'] {
  if (text === null) return null
  const value = parseJson(text)
  const parsed = Checksum.safeParse(value)
  if (parsed.success) {
    const { verified, source, from } = value as { verified?: unknown; source?: unknown; from?: unknown }
    return {
      ...parsed.data,
      verified: verified === true,
      // Before sources were kept, there was but one.
      source: DIGEST_SOURCES.find((known) => known === source) ?? 'user',
      from: typeof from === 'string' ? from : null,
    }
  }
  warn('checksum')
  return null
}

/** Digests that are known here; another version's are left out. */
function readDigests(text: string, warn: (column: string) => void): ExpectedDigest[] {
  if (text === '[]') return []
  const value = parseJson(text)
  if (Array.isArray(value)) return value.flatMap((item) => ExpectedDigest.safeParse(item).data ?? [])
  warn('found_digests')
  return []
}

function readBadTries(text: string | null, warn: (column: string) => void): BadTries | null {
  if (text === null) return null
  const parsed = BadTries.safeParse(parseJson(text))
  if (!parsed.success) warn('bad_tries')
  return parsed.data ?? null
}

/** What was found may be found again: one that cannot be read is forgotten. */
function readVerification(text: string | null, warn: (column: string) => void): Verification | null {
  if (text === null) return null
  const parsed = Verification.safeParse(parseJson(text))
  if (!parsed.success) warn('verification')
  return parsed.data ?? null
}

/** Reasons that are known here; another version's are left out. */
function readStrategy(text: string, warn: (column: string) => void): TaskStrategyReason[] {
  if (text === '[]') return []
  const value = parseJson(text)
  if (Array.isArray(value)) return value.filter(isReason)
  warn('strategy')
  return []
}

/** What cannot be read is a move that is not gone on with: the file is where the task says, or can be located there. */
function readRelocation(text: string | null, warn: (column: string) => void): Relocation | null {
  if (text === null) return null
  const value = parseJson(text)
  const { from, to, place } = (value ?? {}) as Partial<Relocation>
  if (typeof from === 'string' && typeof to === 'string' && typeof place?.folder === 'string')
    return value as Relocation
  warn('relocation')
  return null
}

function isReason(value: unknown): value is TaskStrategyReason {
  const { code, params } = (value ?? {}) as Partial<TaskStrategyReason>
  return typeof code === 'string' && isTaskStrategyCode(code) && typeof params === 'object' && params !== null
}

/** The record of a row. Damaged columns are read as nothing, a damaged state as `paused`, each with a warning. */
export function toTask(row: TaskRow, logger: StoreLogger): TaskRecord {
  const warn = (column: string): void =>
    logger.warn({ taskId: row.id, column }, 'a stored value is unreadable and was left out')
  const state = TASK_STATES.find((known) => known === row.state)
  if (state === undefined) warn('state')
  return {
    ...row,
    state: state ?? 'paused',
    lastModifiedStrong: row.lastModifiedStrong !== 0,
    forced: row.forced !== 0,
    acceptsRanges: row.acceptsRanges === null ? null : row.acceptsRanges !== 0,
    options: readOptions(row.options, warn),
    error: readError(row.error, warn),
    checksum: readChecksum(row.checksum, warn),
    foundDigests: readDigests(row.foundDigests, warn),
    badTries: readBadTries(row.badTries, warn),
    verification: readVerification(row.verification, warn),
    strategy: readStrategy(row.strategy, warn),
    relocation: readRelocation(row.relocation, warn),
  }
}
