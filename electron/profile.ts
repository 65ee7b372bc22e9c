/** The profile: the folder that holds a user's queue, where it is, and what is called what in it. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { NighthaulError } from '../shared/errors.ts'

export { bootId, isOwnerAlive, leaseOwner } from './process-identity.ts'
export { isQueueOwned, type QueueLock, type QueueOwnerKind, queueOwner, takeQueueLock } from './queue-lock.ts'

/** sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included. */
const MAX_SOCKET_PATH_BYTES = 103

/**
 * The profile folder, created (mode 0700) where it is missing: the flag, else NIGHTHAUL_HOME, else the platform's
 * folder for application data. Absolute and free of links, so that all processes compute the same socket path.
 * @throws NighthaulError `folder_not_writable`
 */
export function profileFolder(options: { flag?: string; env: NodeJS.ProcessEnv }): string {
  const folder = resolve(options.flag || options.env.NIGHTHAUL_HOME || envPaths('nighthaul', { suffix: '' }).data)
  try {
    makeFolder(folder)
    return realpathSync(folder)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    throw new NighthaulError(
      'folder_not_writable',
      `The profile folder ${folder} cannot be created (${code}); nothing was changed. Choose another one with --profile or NIGHTHAUL_HOME.`,
      { folder, code },
      { cause },
    )
  }
}

/** Not `recursive`: Node never comes back from that where a folder refuses new ones with ENOENT, as those in /proc do. */
function makeFolder(folder: string): void {
  const parent = dirname(folder)
  if (!existsSync(parent)) makeFolder(parent)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/** The SQLite database of a profile. */
export function databasePath(profile: string): string {
  return join(profile, 'nighthaul.db')
}

/** The file that keeps the headless host's token over restarts. */
export function tokenPath(profile: string): string {
  return join(profile, 'token')
}

/**
 * Where the owner of the profile's queue listens: a socket in the profile, one with a hashed name in a private folder
 * for temporary files where that path is too long for a socket, or a named pipe on Windows.
 */
export function socketPath(profile: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\nighthaul-${hash(profile.toLowerCase())}`
  const inside = join(profile, 'engine.sock')
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside
  const name = join(`nighthaul-${process.getuid?.() ?? 0}`, `${hash(profile)}.sock`)
  const outside = join(tmpdir(), name)
  return Buffer.byteLength(outside) <= MAX_SOCKET_PATH_BYTES ? outside : join('/tmp', name)
}

/**
 * Makes sure that nobody else can put a socket where ours belongs: a folder for temporary files is everyone's.
 * @throws NighthaulError `access_denied` when another user owns the folder
 */
export function prepareSocketFolder(profile: string): void {
  const folder = dirname(socketPath(profile))
  if (process.platform === 'win32' || folder === profile) return
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const found = lstatSync(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new NighthaulError(
      'access_denied',
      `${folder} belongs to another user, so no local socket was made there. Choose a profile folder with a shorter path.`,
      { folder },
    )
  }
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
