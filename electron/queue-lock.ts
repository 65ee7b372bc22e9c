/**
 * The lock that makes one process the owner of a profile's queue: a file that names its process. A lock whose process
 * is gone is taken over, by exactly one of any number that try at once.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type ErrorCode, NighthaulError } from '../shared/errors.ts'
import { isRunning, ownIdentity } from './process-identity.ts'

/** A lock file nobody can read is one being written when it is younger than this, else what a power cut left. */
const UNREADABLE_GRACE_MS = 5_000
const ATTEMPTS = 100

export type QueueOwnerKind = 'app' | 'headless'

const KIND_NAMES: Record<QueueOwnerKind, string> = { app: 'the Nighthaul app', headless: 'nighthaul serve' }

export interface QueueLock {
  /** of the profile this lock is for */
  readonly profile: string
  /** Gives the queue up. Idempotent. A process that dies without it loses the lock all the same. */
  release(): void
}

interface LockFile {
  pid: number
  start: string
  kind: QueueOwnerKind
  /** tells this lock from every other, also of the same process */
  nonce: string
}

/**
 * Makes this process the owner of the profile's queue.
 * @throws NighthaulError `profile_locked` (params: pid, kind, profile) while another living process is, and
 * `disk_full`, `read_only` or `folder_not_writable` when the profile cannot hold a lock
 */
export function takeQueueLock(profile: string, kind: QueueOwnerKind): QueueLock {
  const path = lockPath(profile)
  const mine: LockFile = { ...ownIdentity(), kind, nonce: randomBytes(9).toString('hex') }
  try {
    acquire(path, mine, profile)
  } catch (cause) {
    if (cause instanceof NighthaulError) throw cause
    throw refused(profile, cause as NodeJS.ErrnoException)
  }
  return {
    profile,
    release() {
      // by then it may be somebody else's, when this process released before
      if (readLock(path)?.nonce === mine.nonce) unlinkSync(path)
    },
  }
}

/** Whether some living process (this one included) owns the profile's queue. */
export function isQueueOwned(profile: string): boolean {
  return queueOwner(profile) !== null
}

/** The living process that owns the profile's queue, or null. */
export function queueOwner(profile: string): { pid: number; kind: QueueOwnerKind } | null {
  const found = readLock(lockPath(profile))
  return found && isRunning(found) ? { pid: found.pid, kind: found.kind } : null
}

function lockPath(profile: string): string {
  return join(profile, 'queue.lock')
}

/**
 * Puts `mine` at `path`. Where a dead process's lock is in the way, the right to replace it is itself a lock, named
 * after the dead one's nonce: one process at a time can hold it, and it looks again once it does. So nobody ever
 * replaces a lock that a faster one has just put there, and a process that dies in between leaves one more dead lock,
 * handled the same way.
 */
function acquire(path: string, mine: LockFile, profile: string): void {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, mine)) return
    const found = readLock(path)
    if (found === null) {
      if (beingWritten(path)) throw locked(profile, null)
      if (!exists(path)) continue // released just now
    } else if (isRunning(found)) {
      throw locked(profile, found)
    }
    const nonce = found?.nonce ?? 'unreadable'
    const claim = `${path}.${nonce}`
    acquire(claim, mine, profile)
    try {
      if (exists(path) && (readLock(path)?.nonce ?? 'unreadable') === nonce) {
        replace(path, mine)
        return
      }
    } finally {
      unlinkSync(claim)
    }
  }
  throw locked(profile, null)
}

/** Creates the whole file or nothing; false where there is one. */
function create(path: string, lock: LockFile): boolean {
  const draft = writeDraft(path, lock)
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return false
    return copyExclusive(draft, path)
  } finally {
    unlinkSync(draft)
  }
}

/** For file systems without hard links: exclusive too, but readable a moment later (see `beingWritten`). */
function copyExclusive(draft: string, path: string): boolean {
  try {
    copyFileSync(draft, path, constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function replace(path: string, lock: LockFile): void {
  renameSync(writeDraft(path, lock), path)
}

function writeDraft(path: string, lock: LockFile): string {
  const draft = `${path}.${lock.nonce}.${randomBytes(4).toString('hex')}.new`
  try {
    writeFileSync(draft, JSON.stringify(lock), { flag: 'wx', mode: 0o600 })
    return draft
  } catch (error) {
    // A full disk takes a name and none of the bytes.
    rmSync(draft, { force: true })
    throw error
  }
}

/** null: no lock there, or one that cannot be read. */
function readLock(path: string): LockFile | null {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<LockFile> | null
    if (typeof found?.pid !== 'number' || typeof found.start !== 'string') return null
    if (typeof found.nonce !== 'string' || !/^[0-9a-f]+$/.test(found.nonce)) return null
    return { pid: found.pid, start: found.start, nonce: found.nonce, kind: found.kind === 'app' ? 'app' : 'headless' }
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function beingWritten(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && readLock(path) === null && Date.now() - found.mtimeMs < UNREADABLE_GRACE_MS
}

function refused(profile: string, cause: NodeJS.ErrnoException): NighthaulError {
  const { code = 'unknown' } = cause
  const params = { folder: profile, code }
  const why = (kind: ErrorCode, what: string, next: string) =>
    new NighthaulError(kind, `${what} (${code}); nothing was changed. ${next}`, params, { cause })
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return why('disk_full', `The disk of the profile folder ${profile} is full`, 'Make room there and try again.')
  const elsewhere = 'or choose another folder with --profile.'
  if (code === 'EROFS')
    return why('read_only', `The disk of the profile folder ${profile} is read-only`, `Make it writable, ${elsewhere}`)
  return why(
    'folder_not_writable',
    `The profile folder ${profile} cannot be written`,
    `Give yourself the right to write there, ${elsewhere}`,
  )
}

function locked(profile: string, owner: LockFile | null): NighthaulError {
  if (!owner) {
    return new NighthaulError(
      'profile_locked',
      `Another Nighthaul is just starting on the profile ${profile}; nothing was changed. Try again in a moment.`,
      { profile },
    )
  }
  return new NighthaulError(
    'profile_locked',
    `The profile ${profile} is in use by ${KIND_NAMES[owner.kind]} (process ${owner.pid}); nothing was changed. Use that one, stop it first, or choose another folder with --profile.`,
    { profile, pid: owner.pid, kind: owner.kind },
  )
}
