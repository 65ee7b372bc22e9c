/**
 * What SQLite and the file system say, as the typed errors people see. Nothing is decided here but the code and the
 * sentence; the original stays as `cause`.
 */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { type ErrorCode, NighthaulError } from '../../shared/errors.ts'

const { SqliteError } = Database

/** SQLite's extended result code (`SQLITE_IOERR_WRITE`), or the file system's (`EACCES`), or null. */
function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return error.code
}

/** The file is no database, or its structure is damaged. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
}

/**
 * What reading a damaged file with plain statements throws: damage, or SQLITE_ERROR for a format, a table or a column
 * that is not what it was. Failing disks and permissions are not among these.
 */
export function isUnreadable(error: unknown): boolean {
  return isDamage(error) || codeOf(error) === 'SQLITE_ERROR'
}

export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
}

export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_CONSTRAINT_UNIQUE'
}

export function isConstraintViolation(error: unknown): boolean {
  return codeOf(error)?.startsWith('SQLITE_CONSTRAINT') ?? false
}

interface Rule {
  matches: RegExp
  code: ErrorCode
  message: (path: string) => string
}

const RULES: readonly Rule[] = [
  {
    matches: /^SQLITE_(BUSY|LOCKED)/,
    code: 'store_busy',
    message: (path) =>
      `Another process has kept the queue (${path}) busy for too long; nothing was changed; try again in a moment.`,
  },
  {
    // SHMSIZE: no room for the memory that connections share, which is a file.
    matches: /^(SQLITE_(FULL|IOERR_SHMSIZE)|ENOSPC|EDQUOT)$/,
    code: 'disk_full',
    message: (path) =>
      `The disk that holds the queue (${path}) is full; the queue is as it was before; free some space and try again.`,
  },
  {
    matches: /^SQLITE_(CORRUPT|NOTADB)/,
    code: 'store_corrupt',
    message: (path) =>
      `The queue (${path}) is damaged; nothing was overwritten; start Nighthaul again and it saves what can be read.`,
  },
  {
    matches: /^(SQLITE_READONLY|EROFS)/,
    code: 'read_only',
    message: (path) =>
      `The queue (${path}) cannot be written: the file or its disk is read-only; it is as it was; make it writable.`,
  },
  {
    matches: /^(EACCES|EPERM)$/,
    code: 'folder_not_writable',
    message: (path) =>
      `Nighthaul may not write the queue (${path}); nothing was changed; change the permissions or the profile folder.`,
  },
  {
    matches: /^(SQLITE_(IOERR|CANTOPEN)|(ERR_FS_)?E[A-Z]+$)/,
    code: 'io_error',
    message: (path) =>
      `The queue (${path}) could not be read or written; it is as it was last saved; check the disk and try again.`,
  },
  {
    matches: /^SQLITE_CONSTRAINT_UNIQUE$/,
    code: 'file_exists',
    message: () =>
      'Another unfinished download already has this name in this folder; nothing was changed; choose another name.',
  },
]

/** Why the file system takes no files beside the database, where SQLite says only that it cannot open one; or null. */
function refusalBeside(path: string): string | null {
  try {
    accessSync(dirname(path), constants.W_OK)
    return null
  } catch (error) {
    return codeOf(error)
  }
}

/**
 * @param path the database, for the sentence
 * @returns a NighthaulError for what is known; anything else as it came (a mistake of ours, not of the machine)
 */
export function toStoreError(error: unknown, path: string): unknown {
  if (error instanceof NighthaulError) return error
  const said = codeOf(error)
  const code = said?.startsWith('SQLITE_CANTOPEN') ? (refusalBeside(path) ?? said) : said
  const rule = code === null ? undefined : RULES.find((candidate) => candidate.matches.test(code))
  if (code !== null && rule !== undefined) {
    return new NighthaulError(rule.code, rule.message(path), { path, cause: code }, { cause: error })
  }
  if (error instanceof TypeError && error.message.includes('connection is not open')) {
    return new NighthaulError(
      'engine_stopped',
      'The queue is closed already; what was stored before is safe; start Nighthaul again.',
      { path },
      { cause: error },
    )
  }
  if (error instanceof SqliteError) {
    return new NighthaulError(
      'internal',
      `The queue (${path}) refused a statement (${error.message}); nothing was changed; please report this.`,
      { path, cause: code },
      { cause: error },
    )
  }
  return error
}

/** What kept a backup from being made; damage of the list itself as it came. `folder`: where it was to be. */
export function toBackupError(error: unknown, folder: string): unknown {
  if (isDamage(error)) return error
  const typed = toStoreError(error, folder)
  if (!(typed instanceof NighthaulError) || typed === error) return typed
  const message = `It could not be written to ${folder} (${codeOf(error)}); the list is not touched by that.`
  return new NighthaulError(typed.code, message, typed.params, { cause: error })
}

/** The same object whose methods throw typed errors. `onDamage` hears first when a statement ran into damage. */
export function withTypedErrors<T extends object>(path: string, methods: T, onDamage: () => void): T {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    (...parameters: unknown[]) => {
      const typed = (error: unknown) => {
        if (isDamage(error)) onDamage()
        return toStoreError(error, path)
      }
      try {
        const result = method(...parameters)
        return result instanceof Promise ? result.catch((error) => Promise.reject(typed(error))) : result
      } catch (error) {
        throw typed(error)
      }
    },
  ])
  return Object.fromEntries(wrapped) as T
}
