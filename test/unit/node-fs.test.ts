/** The file port on the real file system, where a power cut cannot be had. */
import { type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'

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
