/** The real file system, with every operation noted and, where a test says so, failing. */
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import type { FileSystem, OpenFile } from '../../electron/engine/ports.ts'

export interface SpyFileSystem extends FileSystem {
  /** "datasync a.bin.part", "rename a.bin.part a.bin", … with folders left out */
  readonly operations: string[]
}

const base = (path: string) => path.split(/[\\/]/).at(-1)!

/** `fail` is asked before each operation; what it returns is thrown as that errno. */
export function createSpyFileSystem(
  fail: (operation: string, path: string) => string | null = () => null,
): SpyFileSystem {
  const real = createNodeFileSystem()
  const operations: string[] = []
  const note = (operation: string, path: string, rest = '') => {
    operations.push(`${operation} ${base(path)}${rest}`)
    const code = fail(operation, path)
    if (code) throw Object.assign(new Error(`${code}: ${operation} '${path}'`), { code })
  }
  const spied = (path: string, file: OpenFile): OpenFile => ({
    ...file,
    async write(buffers, position) {
      note('write', path)
      return file.write(buffers, position)
    },
    async datasync() {
      note('datasync', path)
      return file.datasync()
    },
  })
  return {
    ...real,
    operations,
    async open(path, mode) {
      note('open', path)
      return spied(path, await real.open(path, mode))
    },
    async rename(from, to) {
      note('rename', from, ` ${base(to)}`)
      return real.rename(from, to)
    },
    async renameExclusive(from, to) {
      note('rename', from, ` ${base(to)}`)
      return real.renameExclusive(from, to)
    },
    async mkdir(path) {
      note('mkdir', path)
      return real.mkdir(path)
    },
    async syncFolder(path) {
      note('syncFolder', path)
      return real.syncFolder(path)
    },
  }
}
