/** A disk that loses power: of what was written and not synced, parts are zeroes afterwards. */
import { open, rename } from 'node:fs/promises'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import type { FileSystem } from '../../electron/engine/ports.ts'

const PAGE_BYTES = 64 * 1024

interface Write {
  at: number
  bytes: number
}

export interface ForgetfulDisk {
  readonly fs: FileSystem
  /** What a cut at this moment puts at risk; call the result to lose it, once nobody writes any more. */
  cut(): (random: () => number) => Promise<void>
}

export function createForgetfulDisk(): ForgetfulDisk {
  const real = createNodeFileSystem()
  const unsynced = new Map<string, Write[]>()
  const of = (path: string) => unsynced.get(path) ?? []
  const moved = (from: string, to: string) => {
    unsynced.set(to, of(from))
    unsynced.delete(from)
  }
  return {
    fs: {
      ...real,
      async open(path, mode) {
        const file = await real.open(path, mode)
        return {
          ...file,
          async write(buffers, at) {
            const bytes = await file.write(buffers, at)
            unsynced.set(path, [...of(path), { at, bytes }])
            return bytes
          },
          async datasync() {
            // What is written while it runs may or may not be part of it.
            const before = new Set(of(path))
            await file.datasync()
            unsynced.set(
              path,
              of(path).filter((write) => !before.has(write)),
            )
          },
        }
      },
      async rename(from, to) {
        await rename(from, to)
        moved(from, to)
      },
      async renameExclusive(from, to) {
        await real.renameExclusive(from, to)
        moved(from, to)
      },
    },
    cut() {
      const risk = new Map(unsynced)
      return async (random) => {
        for (const [path, writes] of risk) {
          // A file that was being renamed is found under its new name.
          const file = await open(path, 'r+').catch(() => open(path.replace(/\.part$/, ''), 'r+'))
          for (const { at, bytes } of writes)
            for (let offset = 0; offset < bytes; offset += PAGE_BYTES) {
              const length = Math.min(PAGE_BYTES, bytes - offset)
              if (random() < 0.3) await file.write(Buffer.alloc(length), 0, length, at + offset)
            }
          await file.close()
        }
      }
    },
  }
}
