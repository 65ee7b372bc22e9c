/** How a database that was made beside another one takes its name. */
import { renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { SIDECARS } from './database.ts'
import { folderToDiskNow } from './to-disk.ts'

/**
 * `fresh` becomes `path`, for good. The log of what was there would be applied to it: it is gone before, also where the
 * power goes in between. Throws Node's own errors.
 */
export function takePlace(fresh: string, path: string): void {
  for (const suffix of SIDECARS) rmSync(path + suffix, { force: true })
  folderToDiskNow(dirname(path))
  renameSync(fresh, path)
  folderToDiskNow(dirname(path))
}
