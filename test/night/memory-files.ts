/**
 * A file system in memory for nights: what is written is kept as it came (views of the content, no copies), and every
 * operation is done at once. Names, exclusive creation and renames are as on a disk.
 */
import { dirname } from 'node:path'
import type { FileSystem, OpenFile } from '../../electron/engine/ports.ts'
import { isContent } from './content.ts'

interface Extent {
  start: number
  bytes: Uint8Array
}

export class MemoryFile {
  size = 0
  /** in order, without overlaps; what lies between is zeros */
  readonly #extents: Extent[] = []

  write(chunk: Uint8Array, position: number): void {
    // The engine uses its buffers again; the content is everybody's and stays.
    const bytes = isContent(chunk) ? chunk : Buffer.from(chunk)
    const end = position + bytes.length
    this.#clear(position, end)
    this.size = Math.max(this.size, end)
    const index = this.#indexFrom(position)
    const before = this.#extents[index - 1]
    if (before && before.start + before.bytes.length === position && isNext(before.bytes, bytes))
      before.bytes = Buffer.from(bytes.buffer, before.bytes.byteOffset, before.bytes.length + bytes.length)
    else this.#extents.splice(index, 0, { start: position, bytes })
  }

  read(buffer: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(buffer.length, this.size - position))
    buffer.fill(0, 0, length)
    for (const { start, bytes } of this.#extents) {
      const from = Math.max(start, position)
      const to = Math.min(start + bytes.length, position + length)
      if (from < to) buffer.set(bytes.subarray(from - start, to - start), from - position)
    }
    return length
  }

  truncate(size: number): void {
    this.#clear(size, Number.POSITIVE_INFINITY)
    this.size = size
  }

  /** All of it, piece by piece; false: there is a hole. */
  eachPiece(take: (bytes: Uint8Array, start: number) => void): boolean {
    let at = 0
    for (const { start, bytes } of this.#extents) {
      if (start !== at) return false
      take(bytes, start)
      at += bytes.length
    }
    return at === this.size
  }

  /** of the first extent that begins at `position` or later */
  #indexFrom(position: number): number {
    let low = 0
    let high = this.#extents.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#extents[middle]!.start < position) low = middle + 1
      else high = middle
    }
    return low
  }

  #clear(from: number, to: number): void {
    for (let index = Math.max(0, this.#indexFrom(from) - 1); index < this.#extents.length; ) {
      const { start, bytes } = this.#extents[index]!
      const end = start + bytes.length
      if (start >= to) break
      const kept: Extent[] = []
      if (start < from) kept.push({ start, bytes: bytes.subarray(0, Math.min(bytes.length, from - start)) })
      if (end > to) kept.push({ start: to, bytes: bytes.subarray(to - start) })
      this.#extents.splice(index, 1, ...kept)
      index += kept.length
    }
  }
}

function isNext(before: Uint8Array, bytes: Uint8Array): boolean {
  return before.buffer === bytes.buffer && before.byteOffset + before.length === bytes.byteOffset
}

export interface MemoryFiles extends FileSystem {
  file(path: string): MemoryFile | undefined
  /** of all files */
  paths(): string[]
}

const FREE_BYTES = 2 ** 50

export function createMemoryFiles(): MemoryFiles {
  const files = new Map<string, MemoryFile>()
  const folders = new Set<string>(['/'])
  const existing = (path: string) => {
    const file = files.get(path)
    if (!file) throw failure('ENOENT', path)
    return file
  }
  const nothing = async () => undefined
  return {
    file: (path) => files.get(path),
    paths: () => [...files.keys()],
    async open(path, mode) {
      if (mode === 'create') {
        if (files.has(path)) throw failure('EEXIST', path)
        if (!folders.has(dirname(path))) throw failure('ENOENT', path)
        files.set(path, new MemoryFile())
      }
      return opened(existing(path))
    },
    async rename(from, to) {
      files.set(to, existing(from))
      files.delete(from)
    },
    async renameExclusive(from, to) {
      const file = existing(from)
      if (files.has(to)) throw failure('EEXIST', to)
      files.set(to, file)
      files.delete(from)
    },
    async unlink(path) {
      existing(path)
      files.delete(path)
    },
    async mkdir(path) {
      for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) folders.add(folder)
    },
    async stat(path) {
      const file = files.get(path)
      if (file) return { bytes: file.size, isDirectory: false }
      return folders.has(path) ? { bytes: 0, isDirectory: true } : null
    },
    syncFolder: nothing,
    freeBytes: async () => FREE_BYTES,
    volume: async (path) =>
      folders.has(path) || files.has(path)
        ? { device: 'memory', totalBytes: FREE_BYTES, largestFileBytes: null }
        : null,
    checkWritable: nothing,
    markOrigin: nothing,
  }
}

function opened(file: MemoryFile): OpenFile {
  return {
    async write(buffers, position) {
      let at = position
      for (const buffer of buffers) {
        file.write(buffer, at)
        at += buffer.length
      }
      return at - position
    },
    read: async (buffer, position) => file.read(buffer, position),
    size: async () => file.size,
    truncate: async (bytes) => file.truncate(bytes),
    datasync: async () => undefined,
    close: async () => undefined,
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}
