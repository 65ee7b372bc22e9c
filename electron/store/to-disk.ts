/** fsync of files and folders of the store that SQLite does not flush: copies, and names that are given and taken away. */
import { closeSync, fsyncSync, openSync, promises } from 'node:fs'

/** Of file systems that know no fsync of folders: they are trusted to keep their names in order. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF'])

/** Rejects with Node's own errors. */
export async function fileToDisk(path: string): Promise<void> {
  const file = await promises.open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The names in this folder survive a power cut. Rejects with Node's own errors. */
export async function folderToDisk(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await promises.open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    mustBeUnknown(error)
  } finally {
    await folder.close()
  }
}

/** The same in the calling thread. */
export function folderToDiskNow(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } catch (error) {
    mustBeUnknown(error)
  } finally {
    closeSync(folder)
  }
}

function mustBeUnknown(error: unknown): void {
  if (!NO_FOLDER_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error
}
