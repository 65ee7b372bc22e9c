/** Errors of the file system as typed errors a person understands. */
import { type ErrorCode, NighthaulError } from '../../shared/errors.ts'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EFBIG: 'file_too_large',
  EACCES: 'folder_not_writable',
  EPERM: 'folder_not_writable',
  EROFS: 'read_only',
  ENOENT: 'folder_missing',
  ENOTDIR: 'folder_missing',
  // A drive or a share that went away under an open file.
  ENXIO: 'folder_missing',
  ENODEV: 'folder_missing',
  ENOTCONN: 'folder_missing',
  ESTALE: 'folder_missing',
  EHOSTDOWN: 'folder_missing',
  EEXIST: 'file_exists',
  ENAMETOOLONG: 'name_too_long',
  EMFILE: 'too_many_open_files',
  ENFILE: 'too_many_open_files',
}

const SENTENCES: Partial<Record<ErrorCode, (path: string) => string>> = {
  disk_full: (path) => `The disk is full: ${path} cannot grow. What is downloaded is kept; make room, and it goes on.`,
  file_too_large: (path) =>
    `${path} is too large for its file system (FAT takes 4 GiB at most). What is downloaded is kept; move the download to another disk.`,
  folder_not_writable: (path) =>
    `No permission to write ${path}. What is here is kept; change the permissions and it goes on, or choose another folder.`,
  read_only: (path) =>
    `${path} is on a read-only volume. What is here is kept; make it writable and it goes on, or choose another folder.`,
  folder_missing: (path) =>
    `${path} is not there (was a drive unplugged?). Bring it back and it goes on, or choose another folder.`,
  file_exists: (path) => `Another program made ${path} at this very moment. Nothing was changed; try again.`,
  name_too_long: (path) => `The name ${path} is too long for this file system. Choose a shorter one.`,
  too_many_open_files: () =>
    'Too many files are open at once. Fewer downloads at a time will work; what is here is kept.',
}

export function toDiskError(error: unknown, path: string): NighthaulError {
  if (error instanceof NighthaulError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  const known = CODES[code] ?? 'io_error'
  const text =
    SENTENCES[known]?.(path) ?? `Reading or writing ${path} failed (${code || message}). What is here is kept.`
  return new NighthaulError(known, text, { path, errno: code || null }, { cause: error })
}

/**
 * Whether an fsync that failed so may have cost what was written since the last one. The system says that once and holds
 * the bytes for written from then on, so another fsync proves nothing: they have to be written again.
 */
export function losesWrites(error: NighthaulError): boolean {
  return ['EIO', 'ENOSPC', 'EDQUOT'].includes(String(error.params.errno))
}

/** Runs a file operation and types its error. */
export async function onDisk<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    throw toDiskError(error, path)
  }
}
