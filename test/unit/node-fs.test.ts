/** The file port on the real file system, where a power cut cannot be had. */
import { promises } from 'node:fs'
import { type FileHandle, link, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { AT_ONCE, createNodeFileSystem, openAtOnce } from '../../electron/engine/node-fs.ts'

it.skipIf(process.platform === 'win32')(
  'a folder that is made survives a power cut: every parent is fsynced',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
    onTestFinished(() => rm(root, { recursive: true }))
    const probe = await open(root)
    const prototype = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    const synced: number[] = []
    const { sync } = prototype
    const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino)
      return sync.call(this)
    })
    onTestFinished(() => spy.mockRestore())

    await createNodeFileSystem().mkdir(join(root, 'a', 'b'))
    expect(synced).toEqual([(await stat(root)).ino, (await stat(join(root, 'a'))).ino])
  },
)

it('many may make the same folder at once, with all above it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const fs = createNodeFileSystem()
  for (let round = 0; round < 20; round++) {
    const folder = join(root, String(round), 'a', 'b', 'c', 'd')
    await Promise.all(Array.from({ length: 10 }, () => fs.mkdir(folder)))
    expect((await stat(folder)).isDirectory()).toBe(true)
  }
})

it.runIf(process.platform === 'linux')('a place that takes no folders is refused, and not asked for ever', async () => {
  await expect(createNodeFileSystem().mkdir('/proc/nighthaul/a')).rejects.toMatchObject({ code: 'ENOENT' })
})

it('large writes, whichever way they take, leave the file as it should be', async () => {
  const root = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const path = join(root, 'large')
  const file = openAtOnce(path, true)
  const content = Buffer.alloc(5_000_001, 'a whole sentence of bytes, again and again. ')
  for (let at = 7; at < content.length; at += 999_999) {
    const end = Math.min(content.length, at + 999_999)
    const middle = Math.min(end, at + 400_001)
    expect(await file.write([content.subarray(at, middle), content.subarray(middle, end)], at)).toBe(end - at)
  }
  await file.write([content.subarray(0, 7)], 0)
  await file.close()
  expect((await readFile(path)).equals(content)).toBe(true)
})

describe('another case of the same name', () => {
  /** As on a volume where names that differ in case only are one: the calls find the name that is there. */
  async function caselessFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const real = { ...promises }
    const there = async (path: string) => {
      if (dirname(path) !== folder) return path
      const names = await real.readdir(folder)
      const same = names.find((name) => name.toLowerCase() === basename(path).toLowerCase())
      return same === undefined ? path : join(folder, same)
    }
    const spies = [
      vi
        .spyOn(promises, 'link')
        .mockImplementation(async (from, to) => real.link(await there(String(from)), await there(String(to)))),
      vi.spyOn(promises, 'unlink').mockImplementation(async (path) => real.unlink(await there(String(path)))),
      vi
        .spyOn(promises, 'stat')
        .mockImplementation((async (path: string, options: object) =>
          real.stat(await there(path), options)) as typeof promises.stat),
      vi.spyOn(promises, 'rename').mockImplementation(async (from, to) => real.rename(await there(String(from)), to)),
    ]
    onTestFinished(() => spies.forEach((spy) => void spy.mockRestore()))
    return folder
  }

  it.each([
    ['', false],
    [', where it has another name elsewhere', true],
  ])('can be given to a file in a folder that knows no cases%s', async (_where, hasOther) => {
    const folder = await caselessFolder()
    const elsewhere = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    await writeFile(join(folder, 'film.bin'), 'bytes')
    if (hasOther) await link(join(folder, 'film.bin'), join(elsewhere, 'other'))
    await createNodeFileSystem().renameExclusive(join(folder, 'film.bin'), join(folder, 'Film.bin'))
    expect(await readdir(folder)).toEqual(['Film.bin'])
    expect(await readFile(join(folder, 'Film.bin'), 'utf8')).toBe('bytes')
  })

  it('replaces no other file there', async () => {
    const folder = await caselessFolder()
    await writeFile(join(folder, 'a.bin'), 'mine')
    await writeFile(join(folder, 'b.bin'), 'bytes')
    const rename = createNodeFileSystem().renameExclusive(join(folder, 'b.bin'), join(folder, 'A.bin'))
    await expect(rename).rejects.toMatchObject({ code: 'EEXIST' })
    expect((await readdir(folder)).sort()).toEqual(['a.bin', 'b.bin'])
  })

  it.runIf(process.platform === 'linux')('is another one where cases count, and one left by a crash goes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'film.bin'), 'bytes')
    await link(join(folder, 'film.bin'), join(folder, 'Film.bin'))
    await createNodeFileSystem().renameExclusive(join(folder, 'film.bin'), join(folder, 'Film.bin'))
    expect(await readdir(folder)).toEqual(['Film.bin'])
  })
})

describe.each([
  ['in the thread pool', createNodeFileSystem()],
  ['at once', createNodeFileSystem(process.platform, { calls: AT_ONCE })],
])('names, %s', (_how, fs) => {
  const folderOf = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nighthaul-fs-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    return folder
  }

  it('what is not there is null, also below what is no folder', async () => {
    const folder = await folderOf()
    await writeFile(join(folder, 'a.bin'), 'bytes')
    expect(await fs.stat(join(folder, 'a.bin'))).toEqual({ bytes: 5, isDirectory: false })
    expect(await fs.stat(join(folder, 'b.bin'))).toBeNull()
    expect(await fs.stat(join(folder, 'a.bin', 'c.bin'))).toBeNull()
    await expect(fs.stat(join(folder, 'n'.repeat(300)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
  })

  it('are given to a file where they are free, and replace nothing', async () => {
    const folder = await folderOf()
    const [from, free, taken] = ['a.part', 'a.bin', 'b.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    await writeFile(from, 'mine')
    await writeFile(taken, 'theirs')
    await expect(fs.renameExclusive(from, taken)).rejects.toMatchObject({ code: 'EEXIST' })
    await fs.renameExclusive(from, free)
    expect((await readdir(folder)).sort()).toEqual(['a.bin', 'b.bin'])
    expect(await readFile(free, 'utf8')).toBe('mine')
    await expect(fs.renameExclusive(from, free)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.runIf(process.platform === 'linux')('one that a crash left beside the new one goes', async () => {
    const folder = await folderOf()
    await writeFile(join(folder, 'a.part'), 'mine')
    await link(join(folder, 'a.part'), join(folder, 'a.bin'))
    await fs.renameExclusive(join(folder, 'a.part'), join(folder, 'a.bin'))
    expect(await readdir(folder)).toEqual(['a.bin'])
  })
})

// Whatever is asked of /proc, it has no disk.
it.skipIf(process.platform !== 'linux')(
  'takes a folder that cannot be fsynced for one that keeps its names',
  async () => {
    await expect(createNodeFileSystem().syncFolder('/proc/self')).resolves.toBeUndefined()
  },
)
