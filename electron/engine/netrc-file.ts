/** Reads netrc files, so that their logins go to the network as plain data. */
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskOptions } from '../../shared/schemas.ts'
import { type NetrcLogin, parseNetrc } from './http/netrc.ts'
import type { FileSystem } from './ports.ts'

const MOST_BYTES = 1024 * 1024

/**
 * The logins that a request of this task may use: of its own netrc file or, where it names none, of the usual one (null:
 * none). To be read for every request: it is small, and people edit it while downloads run. Throws `invalid_input` where
 * the file cannot be read or is none.
 */
export async function netrcOf(
  options: TaskOptions,
  usual: string | null,
  fs: Pick<FileSystem, 'open'>,
): Promise<{ netrc?: NetrcLogin[] }> {
  const path = options.netrcFile ?? usual
  return path ? { netrc: parseNetrc(await readText(fs, path)) } : {}
}

async function readText(fs: Pick<FileSystem, 'open'>, path: string): Promise<string> {
  try {
    const file = await fs.open(path, 'read')
    try {
      const bytes = Buffer.alloc(Math.min(await file.size(), MOST_BYTES))
      return bytes.toString('utf8', 0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new NighthaulError(
      'invalid_input',
      `The netrc file ${path} cannot be read (${code}). Nothing was sent; name another in the settings or with --netrc-file.`,
      { path, reason: code },
      { cause: error },
    )
  }
}
