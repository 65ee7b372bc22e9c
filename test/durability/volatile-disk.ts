/**
 * A disk in memory for an engine whose lane runs in its own thread. Every operation becomes an entry of a log, so that a
 * power cut can be laid between any two operations of one run afterwards (disk-image.ts).
 */
import { basename, dirname } from 'node:path'
import type { FileSystem, OpenFile } from '../../electron/engine/ports.ts'
import { apply, copyImage, type Image, type Inode, type Operation } from './disk-image.ts'

export interface VolatileDisk {
  readonly fs: FileSystem
  readonly operations: readonly Operation[]
  /** as everybody sees it now */
  readonly image: Image
}

/** Folders that begin alike lie on one volume. `happened` is told of every operation before whoever asked for it goes on. */
export function createVolatileDisk(base: Image, happened: () => void): VolatileDisk {
  const image = copyImage(base)
  const operations: Operation[] = []
  let lastInode = Math.max(0, ...base.files.keys())

  const log = (operation: Operation) => {
    operations.push(operation)
    apply(image, operation)
    happened()
  }
  const namesIn = (folder: string) => {
    const names = image.folders.get(folder)
    if (!names) throw errno('ENOENT', folder)
    return names
  }
  const find = (path: string) => image.folders.get(dirname(path))?.get(basename(path))
  const existing = (path: string) => {
    const inode = find(path)
    if (inode === undefined) throw errno('ENOENT', path)
    return inode
  }

  const openFile = (inode: Inode): OpenFile => ({
    async write(buffers, at) {
      await turn()
      const bytes = Buffer.concat(buffers)
      log({ kind: 'write', inode, at, bytes })
      return bytes.length
    },
    async read(buffer, at) {
      await turn()
      const { bytes, size } = image.files.get(inode)!
      return at >= size ? 0 : bytes.copy(buffer, 0, at, size)
    },
    size: async () => image.files.get(inode)!.size,
    async truncate(size) {
      await turn()
      log({ kind: 'truncate', inode, size })
    },
    async datasync() {
      const before = operations.length
      await turn()
      log({ kind: 'syncFile', inode, before })
    },
    close: turn,
  })

  const fs: FileSystem = {
    async open(path, mode) {
      await turn()
      if (mode !== 'create') return openFile(existing(path))
      const folder = dirname(path)
      if (namesIn(folder).has(basename(path))) throw errno('EEXIST', path)
      const inode = ++lastInode
      log({ kind: 'create', folder, name: basename(path), inode })
      return openFile(inode)
    },
    async rename(from, to) {
      await turn()
      existing(from)
      if (dirname(from) !== dirname(to)) throw errno('EXDEV', to)
      log({ kind: 'rename', folder: dirname(from), name: basename(from), to: basename(to) })
    },
    // As on a file system with hard links, where a cut may come between the two.
    async renameExclusive(from, to, named) {
      await turn()
      const inode = existing(from)
      const there = find(to)
      if (there !== undefined && there !== inode) throw errno('EEXIST', to)
      if (volumeOf(from) !== volumeOf(to)) throw errno('EXDEV', to)
      namesIn(dirname(to))
      if (there === undefined) log({ kind: 'link', folder: dirname(to), name: basename(to), inode })
      await named?.()
      await turn()
      log({ kind: 'unlink', folder: dirname(from), name: basename(from) })
    },
    async unlink(path) {
      await turn()
      existing(path)
      log({ kind: 'unlink', folder: dirname(path), name: basename(path) })
    },
    async mkdir(path) {
      await turn()
      const missing: string[] = []
      for (let folder = path; !image.folders.has(folder); folder = dirname(folder)) missing.unshift(folder)
      for (const folder of missing) {
        log({ kind: 'mkdir', folder: dirname(folder), path: folder })
        await fs.syncFolder(dirname(folder))
      }
    },
    async stat(path) {
      await turn()
      if (image.folders.has(path)) return { bytes: 0, isDirectory: true }
      const inode = find(path)
      return inode === undefined ? null : { bytes: image.files.get(inode)!.size, isDirectory: false }
    },
    async syncFolder(folder) {
      const before = operations.length
      await turn()
      namesIn(folder)
      log({ kind: 'syncFolder', folder, before })
    },
    freeBytes: async () => null,
    volume: async () => null,
    checkWritable: async (folder) => void namesIn(folder),
    markOrigin: async () => {},
  }
  return { fs, operations, image }
}

function volumeOf(path: string): string | undefined {
  return path.split('/')[1]
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}
