/** Disks that fill up, vanish and come back: downloads wait for them and go on by themselves, with nothing lost. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileSystem } from '../../electron/engine/ports.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const MIB = 1024 * 1024
const SIZE = 3 * MIB + 17
const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
const errno = (code: string) => Object.assign(new Error(code), { code })

/** One volume whose free bytes a test sets; everything else is real. */
function volumeOf(freeBytes: number) {
  const volume = { freeBytes, looks: 0 }
  const fs: FileSystem = {
    ...createSpyFileSystem(),
    async freeBytes() {
      volume.looks++
      return volume.freeBytes
    },
  }
  return { fs, volume }
}

describe('room', () => {
  it('what does not fit waits and goes on when there is room, and holds nothing up that fits', async () => {
    await using server = await startFaultServer()
    const { fs, volume } = volumeOf(2 * MIB)
    await using engine = await startEngine({ fs, settings: { downloadsAtOnce: 1, keepFreeBytes: 0 } })
    server.add('/large.bin', { size: SIZE, seed: 1 })
    server.add('/small.bin', { size: MIB, seed: 2 })
    const large = await engine.add(server.url('/large.bin'))
    const small = await engine.add(server.url('/small.bin'))
    const waiting = await engine.until(large, 'paused', 'done')
    expect(waiting).toMatchObject({
      state: 'paused',
      error: { code: 'disk_full', params: { neededBytes: SIZE, freeBytes: 2 * MIB } },
    })
    await engine.until(small, 'done')
    expect((await engine.get(large)).state).toBe('paused')
    volume.freeBytes = 64 * MIB
    const task = await engine.until(large, 'done', 'failed')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  })

  it('what is paused for good while the disk is looked at stays so', async () => {
    await using server = await startFaultServer()
    const { fs, volume } = volumeOf(2 * MIB)
    let looks: PromiseWithResolvers<void> | null = null
    const seen = Promise.withResolvers<void>()
    await using engine = await startEngine({
      fs: {
        ...fs,
        async freeBytes(folder) {
          if (looks) seen.resolve()
          await looks?.promise
          return fs.freeBytes(folder)
        },
      },
      settings: { keepFreeBytes: 0 },
    })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    const id = await engine.add(server.url('/file.bin'))
    await engine.until(id, 'paused', 'done')
    looks = Promise.withResolvers()
    volume.freeBytes = 64 * MIB
    await seen.promise
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    looks.resolve()
    await engine.ticks(3)
    expect(await engine.get(id)).toMatchObject({ state: 'paused', error: null })
  })

  it('what running downloads have left to write is not promised twice', async () => {
    await using server = await startFaultServer()
    const { fs } = volumeOf(5 * MIB)
    await using engine = await startEngine({ fs, settings: { keepFreeBytes: 0 } })
    server.add('/first.bin', { size: SIZE, seed: 1 })
    server.add('/second.bin', { size: SIZE, seed: 2 })
    server.fault('/first.bin', () => faults.stallAt(1000))
    const first = await engine.add(server.url('/first.bin'), { connections: 1 })
    await engine.untilTask(first, (task) => task.writtenBytes === 1000)
    const second = await engine.add(server.url('/second.bin'))
    const waiting = await engine.until(second, 'paused', 'done')
    expect(waiting.error).toMatchObject({
      code: 'disk_full',
      params: { neededBytes: SIZE, freeBytes: 5 * MIB, reservedBytes: SIZE - 1000 },
    })
    // What the first had promised is free again once it stops.
    await engine.call('tasks.pause', { selection: { ids: [first] } })
    await engine.until(second, 'done')
  })

  it('a resumed download needs room for its rest alone', async () => {
    await using server = await startFaultServer()
    const { fs, volume } = volumeOf(64 * MIB)
    await using engine = await startEngine({ fs, settings: { keepFreeBytes: 0 } })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    server.fault('/file.bin', () => faults.stallAt(2 * MIB))
    const id = await engine.add(server.url('/file.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.connections === 0)
    server.fault('/file.bin', null)
    volume.freeBytes = MIB
    const before = server.requests.length
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const waiting = await engine.untilTask(id, (task) => task.error !== null || task.state === 'done')
    expect(waiting.error).toMatchObject({ code: 'disk_full', params: { neededBytes: SIZE - 2 * MIB } })
    expect(server.requests.length).toBe(before)
    volume.freeBytes = MIB + 17
    expect(await engine.until(id, 'done', 'failed')).toMatchObject({ state: 'done', resumedFromBytes: 2 * MIB })
  })

  it('a disk that runs full while writing costs nothing, and what was paused by hand stays paused', async () => {
    await using server = await startFaultServer()
    const { fs, volume } = volumeOf(64 * MIB)
    let full = false
    const filling: FileSystem = {
      ...fs,
      async open(path, mode) {
        const file = await fs.open(path, mode)
        return { ...file, write: (b, at) => (full ? Promise.reject(errno('ENOSPC')) : file.write(b, at)) }
      },
    }
    await using engine = await startEngine({ fs: filling })
    const ids: number[] = []
    for (const seed of [1, 2]) {
      server.add(`/${seed}.bin`, { size: SIZE, seed })
      server.fault(`/${seed}.bin`, () => faults.stallAt(MIB))
      ids.push(await engine.add(server.url(`/${seed}.bin`), { connections: 1 }))
    }
    for (const id of ids) await engine.untilTask(id, (task) => task.writtenBytes === MIB)
    full = true
    volume.freeBytes = 0
    for (const seed of [1, 2]) server.fault(`/${seed}.bin`, null)
    server.disconnect()
    for (const id of ids) {
      const task = await engine.until(id, 'paused', 'failed', 'done')
      expect(task).toMatchObject({ state: 'paused', writtenBytes: MIB })
      expect(task.error).toMatchObject({ code: 'disk_full', params: { neededBytes: SIZE - MIB, freeBytes: 0 } })
    }
    await engine.call('tasks.pause', { selection: { ids: [ids[1]!] } })
    expect(await engine.get(ids[1]!)).toMatchObject({ state: 'paused', error: null })
    full = false
    volume.freeBytes = 64 * MIB
    const done = await engine.until(ids[0]!, 'done', 'failed')
    expect(done.resumedFromBytes).toBe(MIB)
    expect(await sha256(done.path!)).toBe(contentSha256(1, SIZE))
    expect((await engine.get(ids[1]!)).state).toBe('paused')
  })

  it('waits over a restart, and looks at the disk only while something waits', async () => {
    await using server = await startFaultServer()
    const { fs, volume } = volumeOf(1000)
    server.add('/file.bin', { size: SIZE, seed: 1 })
    await using first = await startEngine({ fs })
    const id = await first.add(server.url('/file.bin'))
    await first.until(id, 'paused')
    await first.stop()
    await using second = await startEngine({ fs, from: first })
    const looks = volume.looks
    await expect.poll(() => volume.looks).toBeGreaterThan(looks)
    volume.freeBytes = 64 * MIB
    await second.until(id, 'done')
    const after = volume.looks
    await second.ticks(20)
    expect(volume.looks).toBe(after)
  })

  it('a file larger than the file system takes is refused before a byte is written', async () => {
    await using server = await startFaultServer()
    const real = createSpyFileSystem()
    const fat: FileSystem = {
      ...real,
      volume: async () => ({ device: 'stick', totalBytes: 64 * MIB, largestFileBytes: 2 * MIB }),
    }
    await using engine = await startEngine({ fs: fat })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    const task = await engine.until(await engine.add(server.url('/file.bin')), 'paused', 'failed', 'done')
    expect(task).toMatchObject({
      state: 'failed',
      error: { code: 'file_too_large', params: { fileBytes: SIZE, largestBytes: 2 * MIB } },
    })
    expect(await readdir(engine.folder)).toEqual([])
  })
})

describe('an fsync that fails', () => {
  /** Whose first fdatasync once `fails` fails, and no later one: the system says it once. */
  function failingOnce(code: string) {
    const disk = { fails: false, failed: 0, written: 0 }
    const real = createSpyFileSystem()
    const fs: FileSystem = {
      ...real,
      async open(path, mode) {
        const file = await real.open(path, mode)
        return {
          ...file,
          async write(buffers, at) {
            const bytes = await file.write(buffers, at)
            disk.written += bytes
            return bytes
          },
          async datasync() {
            if (!disk.fails || disk.failed++ > 0) return file.datasync()
            throw errno(code)
          },
        }
      },
    }
    return { fs, disk }
  }

  it.each([
    ['EIO', 'io_error'],
    ['ENOSPC', 'disk_full'],
  ])('with %s while bytes come has those written again that were not on the disk before', async (code, expected) => {
    await using server = await startFaultServer()
    const { fs, disk } = failingOnce(code)
    await using engine = await startEngine({ fs, settings: { durability: 'strict' } })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    server.fault('/file.bin', (request) => (request.index === 0 ? faults.stallAt(2 * MIB) : null))
    const seen: unknown[] = []
    engine.engine.events.subscribe('tasks.changed', ({ rows }) => seen.push(...rows.map((row) => row.error?.code)), {
      visible: true,
    })
    disk.fails = true
    const id = await engine.add(server.url('/file.bin'), { connections: 1 })
    const task = await engine.until(id, 'done', 'failed')
    expect(task.state).toBe('done')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(seen).toContain(expected)
    expect(disk.failed).toBeGreaterThan(1)
    expect(disk.written).toBeGreaterThan(SIZE)
  })

  it('before the file gets its name has all of it written again', async () => {
    await using server = await startFaultServer()
    const { fs, disk } = failingOnce('EIO')
    await using engine = await startEngine({ fs, settings: { durability: 'strict' }, watchesDisk: false })
    server.add('/file.bin', { size: 70_000, seed: 1 })
    disk.fails = true
    const id = await engine.add(server.url('/file.bin'))
    expect(await engine.until(id, 'paused', 'done', 'failed')).toMatchObject({
      state: 'paused',
      writtenBytes: 0,
      error: { code: 'io_error' },
    })
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const task = await engine.until(id, 'done', 'failed')
    expect(await sha256(task.path!)).toBe(contentSha256(1, 70_000))
    expect(disk.written).toBe(140_000)
  })
})

describe('folders', () => {
  it('a drive that is pulled out is waited for, and an empty mount point is not its return', async () => {
    await using server = await startFaultServer()
    let gone = false
    const real = createSpyFileSystem()
    const fs: FileSystem = {
      ...real,
      async open(path, mode) {
        const file = await real.open(path, mode)
        return { ...file, write: (b, at) => (gone ? Promise.reject(errno('EIO')) : file.write(b, at)) }
      },
    }
    await using engine = await startEngine({ fs })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    server.fault('/file.bin', () => faults.stallAt(2 * MIB))
    const id = await engine.add(server.url('/file.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
    gone = true
    await rename(engine.folder, `${engine.folder}-in-the-drawer`)
    server.fault('/file.bin', null)
    server.disconnect()
    const unplugged = await engine.until(id, 'paused', 'failed', 'done')
    expect(unplugged).toMatchObject({ state: 'paused', writtenBytes: 2 * MIB, error: { code: 'folder_missing' } })
    // The mount point is there, the drive is not.
    await mkdir(engine.folder)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const missing = await engine.untilTask(id, (task) => task.error?.code === 'partial_missing')
    expect(missing).toMatchObject({ state: 'paused', writtenBytes: 2 * MIB })
    expect(await readdir(engine.folder)).toEqual([])
    await rename(`${engine.folder}-in-the-drawer/file.bin.part`, join(engine.folder, 'file.bin.part'))
    gone = false
    const task = await engine.until(id, 'done', 'failed')
    expect(task.resumedFromBytes).toBe(2 * MIB)
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  })

  it('a volume that turned read-only is waited for', async () => {
    await using server = await startFaultServer()
    let readOnly = true
    const real = createSpyFileSystem((operation) => (operation === 'open' && readOnly ? 'EROFS' : null))
    let looked = 0
    const fs: FileSystem = {
      ...real,
      async checkWritable(folder) {
        looked++
        if (readOnly) throw errno('EROFS')
        return real.checkWritable(folder)
      },
    }
    await using engine = await startEngine({ fs })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    const id = await engine.add(server.url('/file.bin'))
    expect((await engine.until(id, 'paused', 'failed', 'done')).error?.code).toBe('read_only')
    await expect.poll(() => looked).toBeGreaterThan(1)
    expect((await engine.get(id)).state).toBe('paused')
    readOnly = false
    await engine.until(id, 'done')
  })

  it('what fails again at once is tried ever more rarely', async () => {
    await using server = await startFaultServer()
    const fs = createSpyFileSystem((operation) => (operation === 'write' ? 'EIO' : null))
    await using engine = await startEngine({ fs })
    server.add('/file.bin', { size: SIZE, seed: 1 })
    await engine.add(server.url('/file.bin'))
    // Without growing pauses these would be twenty tries.
    await engine.ticks(100)
    expect(server.requests.length).toBeLessThan(12)
    await server.until(() => server.requests.length > 1)
  })

  it('a name too long for the file system is shortened, with its extension and its numbers', async () => {
    await using server = await startFaultServer()
    const real = createSpyFileSystem()
    const longest = 143
    const tooLong = (path: string) => Buffer.byteLength(path.split('/').at(-1)!) > longest
    const fs: FileSystem = {
      ...real,
      open: async (path, mode) => (tooLong(path) ? Promise.reject(errno('ENAMETOOLONG')) : real.open(path, mode)),
      stat: async (path) => (tooLong(path) ? Promise.reject(errno('ENAMETOOLONG')) : real.stat(path)),
    }
    await using engine = await startEngine({ fs })
    const name = `${'é'.repeat(100)}.tar.gz`
    server.add('/one', { size: 70_000, seed: 1 })
    server.add('/two', { size: SIZE, seed: 2 })
    for (const [path, bytes, seed] of [
      ['/one', 70_000, 1],
      ['/two', SIZE, 2],
    ] as const) {
      const task = await engine.until(await engine.add(server.url(path), {}, name), 'done', 'failed', 'paused')
      expect(task).toMatchObject({ state: 'done', error: null })
      expect(task.filename).toMatch(seed === 1 ? /^é+\.tar\.gz$/ : /^é+ \(1\)\.tar\.gz$/)
      expect((await stat(task.path!)).size).toBe(bytes)
      expect(await sha256(task.path!)).toBe(contentSha256(seed, bytes))
      expect(dirname(task.path!)).toBe(engine.folder)
    }
  })

  it.runIf(process.platform === 'linux')(
    'one too long for any file ends a download, which a move lets go on',
    async () => {
      await using server = await startFaultServer()
      await using engine = await startEngine()
      server.add('/file.bin', { size: SIZE, seed: 1 })
      const folder = join(engine.folder, 'd'.repeat(300))
      const { items } = await engine.call('tasks.add', { items: [{ url: server.url('/file.bin') }], folder })
      const id = items[0]!.id
      expect((await engine.until(id, 'failed', 'done')).error?.code).toBe('name_too_long')
      await engine.call('tasks.move', { ids: [id], to: `${engine.folder}/`, alreadyThere: false })
      const task = await engine.until(id, 'done')
      expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    },
  )
})
