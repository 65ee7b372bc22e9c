/** The engine's FileSystem on Node's fs. Everything here is a thin translation; policy lives with the callers. */
import {
  closeSync,
  constants,
  fdatasyncSync,
  promises as fs,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type StatOptions,
  type StatSyncOptions,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { OriginMarks } from './origin-marks.ts'
import type { FileSystem, OpenFile } from './ports.ts'
import { WriteCalls, writeInParts } from './write-calls.ts'

const FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_RDWR,
  open: constants.O_RDWR,
  read: constants.O_RDONLY,
} as const

/** Errors of link(2) on file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'])

/** A folder that takes new ones need not be readable, nor its file system know how to fsync it. */
const NO_FOLDER_SYNC = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF'])

/** statfs(2) on Linux: FAT12, FAT16 and FAT32, not exFAT. */
const FAT_MAGIC = 0x4d44
const LARGEST_ON_FAT_BYTES = 2 ** 32 - 1

/** Calls about names. */
export interface NameCalls extends Pick<typeof fs, 'link' | 'unlink' | 'rename' | 'readdir' | 'stat'> {
  /** null: does not exist */
  look(path: string): Promise<Stats | null>
}

const LATER: NameCalls = {
  link: (from, to) => fs.link(from, to),
  unlink: (path) => fs.unlink(path),
  rename: (from, to) => fs.rename(from, to),
  readdir: ((path: string) => fs.readdir(path)) as typeof fs.readdir,
  stat: ((path: string, options?: StatOptions) => fs.stat(path, options)) as typeof fs.stat,
  look: (path) => fs.stat(path).catch(ignoreMissing),
}

/** The same at once, in the calling thread: for threads that have nothing else to do. */
export const AT_ONCE: NameCalls = {
  link: async (from, to) => linkSync(from, to),
  unlink: async (path) => unlinkSync(path),
  rename: async (from, to) => renameSync(from, to),
  readdir: (async (path: string) => readdirSync(path)) as typeof fs.readdir,
  stat: (async (path: string, options?: StatSyncOptions) => statSync(path, options)) as typeof fs.stat,
  look: async (path) => statSync(path, { throwIfNoEntry: false }) ?? null,
}

export interface NodeFileSystemOptions {
  /** files are written synchronously, which costs least: for threads that nobody else waits for */
  writesInThread?: boolean
  calls?: NameCalls
}

export function createNodeFileSystem(
  platform: NodeJS.Platform = process.platform,
  { writesInThread = false, calls = LATER }: NodeFileSystemOptions = {},
): FileSystem {
  const marks = new OriginMarks(platform)
  return {
    async open(path, mode) {
      const file = openFile(await fs.open(path, FLAGS[mode], 0o666))
      return writesInThread ? { ...file, write: descriptorFile(file.descriptor!).write } : file
    },

    rename: (from, to) => calls.rename(from, to),

    async renameExclusive(from, to, named) {
      try {
        await calls.link(from, to)
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? ''
        // A crash between link and unlink leaves both names on one file: then only the old name has to go.
        if (code === 'EEXIST' && (await isSameFile(from, to, calls)))
          return (await isOneName(from, to, calls)) ? calls.rename(from, to) : calls.unlink(from)
        if (!NO_LINKS.has(code)) throw error
        const existing = await calls.look(to)
        if (existing) throw Object.assign(new Error(`EEXIST: file exists: ${to}`), { code: 'EEXIST', path: to })
        return calls.rename(from, to)
      }
      await named?.().catch(async (error: unknown) => {
        await calls.unlink(to)
        throw error
      })
      await calls.unlink(from)
    },

    unlink: (path) => calls.unlink(path),

    mkdir: (path) => makeFolder(path, platform),

    async stat(path) {
      const stats = await calls.look(path)
      return stats ? { bytes: stats.size, isDirectory: stats.isDirectory() } : null
    },

    syncFolder: (path) => syncFolder(path, platform),

    async freeBytes(folder) {
      try {
        const stats = await fs.statfs(folder)
        // Some network file systems answer zero blocks in all: they do not know.
        return stats.blocks === 0 ? null : stats.bavail * stats.bsize
      } catch {
        return null
      }
    },

    async volume(path) {
      try {
        const [{ dev }, { type, blocks, bsize }] = await Promise.all([fs.stat(path, { bigint: true }), fs.statfs(path)])
        return {
          device: String(dev),
          totalBytes: blocks === 0 ? null : blocks * bsize,
          largestFileBytes: type === FAT_MAGIC ? LARGEST_ON_FAT_BYTES : null,
        }
      } catch {
        return null
      }
    },

    checkWritable: (folder) => fs.access(folder, constants.W_OK | constants.X_OK),

    markOrigin: (path, url, referrer) => marks.mark({ path, url, referrer }),
  }
}

function openFile(handle: fs.FileHandle): OpenFile {
  return {
    descriptor: handle.fd,
    async write(buffers, position) {
      const first = buffers[0]
      if (buffers.length === 1 && first) return (await handle.write(first, 0, first.length, position)).bytesWritten
      return (await handle.writev(buffers as Uint8Array[], position)).bytesWritten
    },
    async read(buffer, position) {
      return (await handle.read(buffer, 0, buffer.length, position)).bytesRead
    },
    size: async () => (await handle.stat()).size,
    truncate: (bytes) => handle.truncate(bytes),
    datasync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

/** Opens a partial at once, in the calling thread, and closes it there. `isNew`: it must not exist; otherwise it may. */
export function openAtOnce(path: string, isNew: boolean): OpenFile {
  const fd = openSync(path, isNew ? FLAGS.create : FLAGS.open | constants.O_CREAT, 0o666)
  return { ...descriptorFile(fd), close: async () => closeSync(fd) }
}

/**
 * A file that somebody else in this process opened and closes. Everything happens at once, in the calling thread: for
 * threads that have nothing else to do.
 */
export function descriptorFile(fd: number): OpenFile {
  const calls = new WriteCalls()
  const write = (buffer: Uint8Array, offset: number, length: number, position: number) =>
    writeSync(fd, buffer, offset, length, position)
  const writeWhole = (buffers: readonly Uint8Array[], position: number) => {
    const [first] = buffers
    return buffers.length === 1 && first
      ? write(first, 0, first.length, position)
      : writevSync(fd, buffers as Uint8Array[], position)
  }
  return {
    descriptor: fd,
    async write(buffers, position) {
      const bytes = buffers.reduce((sum, { length }) => sum + length, 0)
      const way = calls.next(bytes)
      const beganAt = performance.now()
      const taken = way === 'whole' ? writeWhole(buffers, position) : writeInParts(write, buffers, position)
      calls.took(way, taken, performance.now() - beganAt)
      return taken
    },
    read: async (buffer, position) => readSync(fd, buffer, 0, buffer.length, position),
    size: async () => fstatSync(fd).size,
    truncate: async (bytes) => ftruncateSync(fd, bytes),
    datasync: async () => fdatasyncSync(fd),
    close: async () => undefined,
  }
}

async function isSameFile(a: string, b: string, calls: NameCalls): Promise<boolean> {
  const [left, right] = await Promise.all([calls.stat(a, { bigint: true }), calls.stat(b, { bigint: true })])
  return left.dev === right.dev && left.ino === right.ino && left.ino !== 0n
}

/**
 * Whether these differ in case or form only and the folder takes them for one: unlinking one would then take the file.
 * How many links it has does not tell, since others may be elsewhere.
 */
async function isOneName(a: string, b: string, calls: NameCalls): Promise<boolean> {
  const [left, right] = [a, b].map((path) => path.normalize('NFC').toLowerCase())
  if (left !== right) return false
  const names = await calls.readdir(dirname(a))
  return !(names.includes(basename(a)) && names.includes(basename(b)))
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
  throw error
}

/** Not `recursive`: Node never comes back from that where a folder refuses new ones with ENOENT, as those in /proc do. */
async function makeFolder(path: string, platform: NodeJS.Platform, again = true): Promise<void> {
  try {
    await fs.mkdir(path)
    await syncFolder(dirname(path), platform)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const there = await fs.stat(path).catch(ignoreMissing)
    if (there?.isDirectory()) return
    if (code !== 'ENOENT') throw error
    const parent = dirname(path)
    const isParentThere = (await fs.stat(parent).catch(ignoreMissing)) !== null
    // Somebody else has just made it, unless it is one that takes no folders: then the second try says the same.
    if (isParentThere && !again) throw error
    if (!isParentThere) await makeFolder(parent, platform)
    await makeFolder(path, platform, !isParentThere)
  }
}

async function syncFolder(path: string, platform: NodeJS.Platform): Promise<void> {
  if (platform === 'win32') return
  try {
    const handle = await fs.open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
