/**
 * Files that change their place: from a folder for temporary files, by the user's wish, by the user's own hand.
 * Long because: every way is tried over one and over two volumes, and with a crash at each of its steps.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileSystem } from '../../electron/engine/ports.ts'
import { openStore } from '../../electron/store/index.ts'
import type { TaskStore } from '../../shared/records.ts'
import type { TaskId } from '../../shared/schemas.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'
import { folderOnOtherVolume, onlyOneVolume } from '../helpers/volumes.ts'

const MIB = 1024 * 1024
const SIZE = 3 * MIB + 17
const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
const one = onlyOneVolume()
const acrossVolumes = one === null ? it : it.skip

async function oneFile(path = '/file.bin', seed = 1) {
  const server = await startFaultServer()
  server.add(path, { size: SIZE, seed })
  return server
}

/** A download that stands still with two of its four blocks here. */
async function halfWay(server: Awaited<ReturnType<typeof oneFile>>, engine: TestEngine): Promise<TaskId> {
  server.fault('/file.bin', () => faults.stallAt(2 * MIB))
  const id = await engine.add(server.url('/file.bin'), { connections: 1 })
  await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
  return id
}

async function pause(engine: TestEngine, id: TaskId): Promise<void> {
  await engine.call('tasks.pause', { selection: { ids: [id] } })
  await engine.untilTask(id, (task) => task.state === 'paused' && task.connections === 0)
}

const move = async (engine: TestEngine, id: TaskId, to: string, alreadyThere = false) => {
  const { moved, failed } = await engine.call('tasks.move', { ids: [id], to, alreadyThere })
  return moved[0]?.path ?? failed[0]!.error.code
}

/** A disk on which files come to the shelf only once `held` is resolved; `moves`: those that began to. */
function heldAtTheShelf() {
  const held = Promise.withResolvers<void>()
  const moves: string[] = []
  const real = createSpyFileSystem()
  const fs: FileSystem = {
    ...real,
    async renameExclusive(from, to) {
      if (to.includes('shelf')) {
        moves.push(to)
        await held.promise
      }
      return real.renameExclusive(from, to)
    },
  }
  return { fs, moves, held }
}

/** A disk on which each write of a copy, at `at`, goes through `write`. */
function whereCopiesWrite(write: (go: () => Promise<number>, at: number) => Promise<number>): FileSystem {
  const real = createSpyFileSystem()
  return {
    ...real,
    async open(path, mode) {
      const file = await real.open(path, mode)
      if (!path.endsWith('.moving')) return file
      return { ...file, write: (buffers, at) => write(() => file.write(buffers, at), at) }
    },
  }
}

/** A disk on which names that differ in case only are one: whoever looks finds the file that is there. */
function caseless(real: FileSystem): FileSystem {
  const there = async (path: string) => {
    const names = await readdir(dirname(path)).catch(() => [])
    return join(
      dirname(path),
      names.find((name) => name.toLowerCase() === basename(path).toLowerCase()) ?? basename(path),
    )
  }
  return {
    ...real,
    stat: async (path) => real.stat(await there(path)),
    open: async (path, mode) => real.open(await there(path), mode),
    unlink: async (path) => real.unlink(await there(path)),
    async renameExclusive(from, to) {
      const [source, taken] = [await there(from), await there(to)]
      return source === taken ? real.rename(source, to) : real.renameExclusive(source, taken)
    },
  }
}

describe('a folder for temporary files', () => {
  it('holds the partial until it is complete, then nothing', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const temporaryFolder = join(engine.profile, 'temporary')
    await engine.call('settings.set', { temporaryFolder })
    const id = await halfWay(server, engine)
    const { partPath } = await engine.get(id)
    expect(await readdir(temporaryFolder)).toEqual([basename(partPath!)])
    expect(await readdir(engine.folder).catch(() => [])).toEqual([])
    // The setting is for what begins from now on.
    await engine.call('settings.set', { temporaryFolder: null })
    await pause(engine, id)
    server.fault('/file.bin', null)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const task = await engine.until(id, 'done', 'failed')
    expect(task).toMatchObject({ resumedFromBytes: 2 * MIB, path: join(engine.folder, 'file.bin') })
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(await readdir(temporaryFolder)).toEqual([])
  })

  it('takes downloads of one name for several folders', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const options = { temporaryFolder: join(engine.profile, 'temporary') }
    const { items } = await engine.call('tasks.add', {
      items: [{ url: server.url('/file.bin'), options }],
      onDuplicate: 'add',
    })
    const other = await engine.call('tasks.add', {
      items: [{ url: server.url('/file.bin'), options }],
      folder: join(engine.profile, 'elsewhere'),
    })
    for (const id of [items[0]!.id, other.items[0]!.id]) {
      const task = await engine.until(id, 'done', 'failed')
      expect(basename(task.path!)).toBe('file.bin')
      expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    }
  })

  acrossVolumes(`on another volume: copied beside its place, then named (${one ?? 'two volumes'})`, async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    for (const durability of ['strict', 'background'] as const) {
      const fs = createSpyFileSystem()
      await using engine = await startEngine({ fs, settings: { temporaryFolder: other.path, durability } })
      const task = await engine.until(await engine.add(server.url('/file.bin')), 'done', 'failed', 'paused')
      expect(task).toMatchObject({ state: 'done', path: join(engine.folder, 'file.bin') })
      expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
      expect(await readdir(engine.folder)).toEqual(['file.bin'])
      expect(await readdir(other.path)).toEqual([])
      // The copy is on the disk before it has a name, and has one before the original goes.
      const [synced, named] = ['datasync .', 'rename .'].map((start) =>
        fs.operations.findIndex((o) => o.startsWith(start) && o.includes('.moving')),
      )
      expect(synced).toBeGreaterThan(0)
      expect(named).toBeGreaterThan(synced!)
    }
  })

  acrossVolumes('needs room on both volumes', async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    let full = true
    const real = createSpyFileSystem()
    const fs: FileSystem = {
      ...real,
      freeBytes: async (folder) => (full && !folder.startsWith(other.path) ? MIB : real.freeBytes(folder)),
    }
    await using engine = await startEngine({ fs, settings: { temporaryFolder: other.path, keepFreeBytes: 0 } })
    const id = await engine.add(server.url('/file.bin'))
    const waiting = await engine.until(id, 'paused', 'done', 'failed')
    expect(waiting.error).toMatchObject({ code: 'disk_full', params: { path: engine.folder, neededBytes: SIZE } })
    full = false
    await engine.until(id, 'done')
  })

  acrossVolumes(
    'a copy that is paused goes on where it was, needs room for its rest alone, and tells how far it is',
    async () => {
      await using server = await oneFile()
      await using other = await folderOnOtherVolume()
      let written = 0
      const mayGoOn = Promise.withResolvers<void>()
      let isTight = false
      const disk = whereCopiesWrite(async (go) => {
        const bytes = await go()
        written += bytes
        if (written >= 2 * MIB) await mayGoOn.promise
        return bytes
      })
      const fs: FileSystem = {
        ...disk,
        freeBytes: async (path) => (isTight && !path.startsWith(other.path) ? SIZE - 2 * MIB : disk.freeBytes(path)),
      }
      await using engine = await startEngine({ fs, settings: { temporaryFolder: other.path, keepFreeBytes: 0 } })
      const id = await engine.add(server.url('/file.bin'))
      const copying = await engine.untilTask(id, (task) => task.copiedBytes !== null)
      expect(copying).toMatchObject({ state: 'finishing', copiedBytes: MIB })
      await expect.poll(() => written).toBe(2 * MIB)
      await engine.call('tasks.pause', { selection: { ids: [id] } })
      mayGoOn.resolve()
      expect(await engine.get(id)).toMatchObject({ state: 'paused' })
      await expect.poll(async () => (await engine.get(id)).copiedBytes).toBeNull()
      const before = server.requests.length
      isTight = true
      await engine.call('tasks.resume', { selection: { ids: [id] } })
      const task = await engine.untilTask(id, ({ state, error }) => state === 'done' || error !== null)
      expect(task.error).toBeNull()
      expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
      expect(written).toBe(SIZE)
      expect(server.requests.length).toBe(before)
      expect(await readdir(engine.folder)).toEqual(['file.bin'])
    },
  )

  acrossVolumes('a block that went bad there is fetched again before the file gets its name', async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    const real = createSpyFileSystem()
    let spoiled = false
    const fs: FileSystem = {
      ...real,
      async renameExclusive(from, to) {
        if (!spoiled && from.startsWith(other.path)) {
          spoiled = true
          const file = await open(from, 'r+')
          await file.write(Buffer.alloc(100), 0, 100, MIB + 5)
          await file.close()
        }
        return real.renameExclusive(from, to)
      },
    }
    await using engine = await startEngine({ fs, settings: { temporaryFolder: other.path } })
    const task = await engine.until(
      await engine.add(server.url('/file.bin'), { connections: 1 }),
      'done',
      'failed',
      'paused',
    )
    expect(task.state).toBe('done')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(server.requests.map((r) => r.headers.range)).toContain(`bytes=${MIB}-${2 * MIB - 1}`)
  })
})

describe('moving', () => {
  it('takes a finished file to another folder, or to another name, and replaces nothing', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const id = await engine.add(server.url('/file.bin'))
    await engine.until(id, 'done')
    const folder = join(engine.profile, 'elsewhere', 'deep')
    expect(await move(engine, id, `${folder}/`)).toBe(join(folder, 'file.bin'))
    await writeFile(join(folder, 'taken.bin'), 'mine')
    expect(await move(engine, id, join(folder, 'taken.bin'))).toBe('file_exists')
    expect(await move(engine, id, join(folder, 'new.bin'))).toBe(join(folder, 'new.bin'))
    const task = await engine.get(id)
    expect(task).toMatchObject({ state: 'done', folder, filename: 'new.bin', path: join(folder, 'new.bin') })
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(await readFile(join(folder, 'taken.bin'), 'utf8')).toBe('mine')
    expect(await readdir(engine.folder)).toEqual([])
  })

  it.each([
    ['on one volume', false],
    ['to another volume', true],
  ])('takes partials along, of running downloads too, which go on there: %s', async (_, far) => {
    if (far && one !== null) return
    await using server = await oneFile()
    await using engine = await startEngine()
    await using other = far ? await folderOnOtherVolume() : null
    const folder = other?.path ?? join(engine.profile, 'elsewhere')
    const id = await halfWay(server, engine)
    expect((await engine.get(id)).state).toBe('active')
    server.fault('/file.bin', null)
    await mkdir(folder, { recursive: true })
    expect(await move(engine, id, folder)).toBe(join(folder, 'file.bin.part'))
    const task = await engine.until(id, 'done', 'failed', 'paused')
    expect(task).toMatchObject({ state: 'done', resumedFromBytes: 2 * MIB, path: join(folder, 'file.bin') })
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(await readdir(engine.folder)).toEqual([])
    expect(await readdir(folder)).toEqual(['file.bin'])
  })

  acrossVolumes('that finds no room says what there is, and promises nothing', async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    const real = createSpyFileSystem()
    const freeBytes: FileSystem['freeBytes'] = async (path) => (path === other.path ? MIB : real.freeBytes(path))
    await using engine = await startEngine({ fs: { ...real, freeBytes }, settings: { keepFreeBytes: 0 } })
    const id = await engine.add(server.url('/file.bin'))
    const { path } = await engine.until(id, 'done', 'failed')
    const { moved, failed } = await engine.call('tasks.move', { ids: [id], to: `${other.path}/`, alreadyThere: false })
    expect(moved).toEqual([])
    expect(failed[0]?.error).toMatchObject({
      code: 'disk_full',
      message: `There is no room for the file in ${other.path} (${MIB} bytes free, ${SIZE} needed): it is where it was. Make room and move it again, or choose another place.`,
    })
    expect(await sha256(path!)).toBe(contentSha256(1, SIZE))
    expect(await readdir(other.path)).toEqual([])
  })

  it('of which a crash left the record deletes no file that came into the old place since', async () => {
    await using server = await oneFile()
    await using first = await startEngine()
    const id = await first.add(server.url('/file.bin'))
    const { path: there } = await first.until(id, 'done', 'failed')
    const place = { folder: join(first.profile, 'shelf'), filename: 'file.bin', partPath: null }
    expect(await move(first, id, `${place.folder}/`)).toBe(join(place.folder, 'file.bin'))
    server.add('/other/file.bin', { size: SIZE, seed: 2 })
    const other = await first.until(await first.add(server.url('/other/file.bin')), 'done', 'failed')
    expect(other.path).toBe(there)
    await first.stop()
    const { store } = openStore({ path: join(first.profile, 'nighthaul.db'), now: Date.now })
    store.updateTask(id, { relocation: { from: there!, to: join(place.folder, 'file.bin'), place } }, { intent: true })
    store.close()
    const relocations: unknown[] = []
    await using second = await startEngine({
      from: first,
      wrapStore: (store) => ({
        ...store,
        updateTask: (id, patch, how) => {
          if (patch.relocation !== undefined) relocations.push(patch.relocation)
          return store.updateTask(id, patch, how)
        },
      }),
    })
    await expect.poll(() => relocations).toEqual([null])
    for (const { path, seed } of [
      { path: there!, seed: 2 },
      { path: join(place.folder, 'file.bin'), seed: 1 },
    ])
      expect(await sha256(path)).toBe(contentSha256(seed, SIZE))
    expect(await second.get(other.id)).toMatchObject({ state: 'done', path: there })
  })

  it('counts as work on files, those that wait their turn as well', async () => {
    await using server = await oneFile()
    server.add('/other.bin', { size: SIZE, seed: 2 })
    const { fs, moves, held } = heldAtTheShelf()
    await using engine = await startEngine({ fs })
    const ids = [await engine.add(server.url('/file.bin')), await engine.add(server.url('/other.bin'))]
    for (const id of ids) await engine.until(id, 'done')
    const moving = engine.call('tasks.move', { ids, to: join(engine.profile, 'shelf'), alreadyThere: false })
    await expect.poll(() => moves.length).toBe(1)
    expect(await engine.call('activity.get')).toMatchObject({ files: 2 })
    held.resolve()
    expect((await moving).moved).toHaveLength(2)
    expect(await engine.call('activity.get')).toMatchObject({ files: 0 })
  })

  it('ends with the engine: what is under way goes on at the next start, what waited stays where it is', async () => {
    await using server = await oneFile()
    server.add('/other.bin', { size: SIZE, seed: 2 })
    const { fs, moves, held } = heldAtTheShelf()
    await using engine = await startEngine({ fs })
    const ids = [await engine.add(server.url('/file.bin')), await engine.add(server.url('/other.bin'))]
    for (const id of ids) await engine.until(id, 'done')
    const moving = engine.call('tasks.move', { ids, to: join(engine.profile, 'shelf'), alreadyThere: false })
    await expect.poll(() => moves.length).toBe(1)
    const stopped = engine.stop()
    held.resolve()
    const { failed } = await moving
    await stopped
    // Not begun at all, whether or not the store would still have let it.
    const error = { code: 'engine_stopped', message: expect.stringContaining('was not moved') }
    expect(failed).toContainEqual({ id: ids[1], error: expect.objectContaining(error) })
    expect(moves).toEqual([join(engine.profile, 'shelf', 'file.bin')])
    expect(await readdir(engine.folder)).toContain('other.bin')
  })

  it('gives a file another case of its name, also where cases do not count', async () => {
    await using server = await oneFile()
    await using engine = await startEngine({ fs: caseless(createSpyFileSystem()) })
    const id = await halfWay(server, engine)
    await pause(engine, id)
    const renamed = join(engine.folder, 'FILE.bin')
    expect(await move(engine, id, renamed)).toBe(`${renamed}.part`)
    expect(await readdir(engine.folder)).toEqual(['FILE.bin.part'])
    server.fault('/file.bin', null)
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    await engine.until(id, 'done', 'failed')
    const again = join(engine.folder, 'File.bin')
    expect(await move(engine, id, again)).toBe(again)
    expect(await readdir(engine.folder)).toEqual(['File.bin'])
    expect(await sha256(again)).toBe(contentSha256(1, SIZE))
    expect((await engine.get(id)).path).toBe(again)
  })

  it.runIf(process.platform === 'linux')('replaces no other file where cases do count', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const id = await engine.add(server.url('/file.bin'))
    await engine.until(id, 'done', 'failed')
    await writeFile(join(engine.folder, 'File.bin'), 'another')
    expect(await move(engine, id, join(engine.folder, 'File.bin'))).toBe('file_exists')
    expect(await readFile(join(engine.folder, 'File.bin'), 'utf8')).toBe('another')
    expect(await sha256(join(engine.folder, 'file.bin'))).toBe(contentSha256(1, SIZE))
  })

  it('a paused download stays paused, one that has not begun will be there', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const folder = join(engine.profile, 'elsewhere')
    const id = await halfWay(server, engine)
    await pause(engine, id)
    const { items } = await engine.call('tasks.add', {
      items: [{ url: server.url('/file.bin') }],
      paused: true,
      onDuplicate: 'add',
    })
    const { moved } = await engine.call('tasks.move', { ids: [id, items[0]!.id], to: folder })
    expect(moved).toHaveLength(2)
    expect(await engine.get(id)).toMatchObject({ state: 'paused', folder, writtenBytes: 2 * MIB })
    expect(await engine.get(items[0]!.id)).toMatchObject({ state: 'paused', folder })
    server.fault('/file.bin', null)
    await engine.call('tasks.resume', { selection: { ids: [id, items[0]!.id] } })
    for (const each of [id, items[0]!.id]) await engine.until(each, 'done', 'failed')
    expect((await readdir(folder)).sort()).toEqual(['file (1).bin', 'file.bin'])
  })

  it('what was moved by hand is compared before it is believed, and goes on there', async () => {
    await using server = await oneFile()
    await using engine = await startEngine()
    const id = await halfWay(server, engine)
    await pause(engine, id)
    const { partPath } = await engine.get(id)
    const folder = join(engine.profile, 'elsewhere')
    await mkdir(folder)
    await rename(partPath!, join(folder, 'file.bin.part'))
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    await engine.untilTask(id, (task) => task.error?.code === 'partial_missing')
    await writeFile(join(folder, 'wrong.part'), Buffer.alloc(SIZE, 7))
    expect(await move(engine, id, join(folder, 'wrong.part'), true)).toBe('file_differs')
    expect(await move(engine, id, join(folder, 'nothing'), true)).toBe('partial_missing')
    expect(await engine.get(id)).toMatchObject({ state: 'paused', folder: engine.folder })
    server.fault('/file.bin', null)
    expect(await move(engine, id, folder, true)).toBe(join(folder, 'file.bin.part'))
    const task = await engine.until(id, 'done', 'failed')
    expect(task).toMatchObject({ resumedFromBytes: 2 * MIB, path: join(folder, 'file.bin') })
    await rename(task.path!, join(folder, 'again.bin'))
    await writeFile(join(folder, 'wrong.bin'), Buffer.alloc(SIZE, 7))
    expect(await move(engine, id, join(folder, 'wrong.bin'), true)).toBe('file_differs')
    expect(await move(engine, id, join(folder, 'again.bin'), true)).toBe(join(folder, 'again.bin'))
    expect((await engine.get(id)).path).toBe(join(folder, 'again.bin'))
  })

  it.each(['one volume', 'two volumes'] as const)(
    'leaves a file where it was, and nothing elsewhere, where its new name cannot be brought to the disk: %s',
    async (volumes) => {
      if (volumes === 'two volumes' && one !== null) return
      await using server = await oneFile()
      await using other = volumes === 'two volumes' ? await folderOnOtherVolume() : null
      let refuses = true
      const fs = createSpyFileSystem((o, path) =>
        refuses && o === 'syncFolder' && path.endsWith('shelf') ? 'EIO' : null,
      )
      await using engine = await startEngine({ fs })
      const shelf = join(other?.path ?? engine.profile, 'shelf')
      const id = await engine.add(server.url('/file.bin'))
      const { path } = await engine.until(id, 'done', 'failed')
      expect(await move(engine, id, `${shelf}/`)).toBe('io_error')
      expect((await engine.get(id)).path).toBe(path)
      expect(await sha256(path!)).toBe(contentSha256(1, SIZE))
      expect(await readdir(shelf)).toEqual([])
      refuses = false
      expect(await move(engine, id, `${shelf}/`)).toBe(join(shelf, 'file.bin'))
      expect(existsSync(path!)).toBe(false)
    },
  )

  it('leaves no file to be compared meanwhile', async () => {
    await using server = await oneFile()
    const real = createSpyFileSystem()
    const begun = Promise.withResolvers<void>()
    const mayGoOn = Promise.withResolvers<void>()
    let isMove = false
    const fs: FileSystem = {
      ...real,
      async stat(path) {
        if (isMove && path.endsWith('elsewhere')) {
          begun.resolve()
          await mayGoOn.promise
        }
        return real.stat(path)
      },
      async renameExclusive(from, to) {
        if (isMove) {
          begun.resolve()
          await mayGoOn.promise
        }
        return real.renameExclusive(from, to)
      },
    }
    await using engine = await startEngine({ fs })
    const id = await engine.add(server.url('/file.bin'))
    const { path } = await engine.until(id, 'done', 'failed')
    const elsewhere = join(engine.profile, 'elsewhere.bin')
    // Also where nothing is on record of it yet: a file that was located, here.
    isMove = true
    const moving = move(engine, id, elsewhere)
    await begun.promise
    await expect(engine.call('tasks.verify', { id })).rejects.toMatchObject({ code: 'task_state' })
    mayGoOn.resolve()
    expect(await moving).toBe(elsewhere)
    expect(await engine.call('tasks.verify', { id })).toMatchObject({ verdict: 'right', path: elsewhere })
    expect(existsSync(path!)).toBe(false)
  })

  acrossVolumes('a download that is removed while its copy waits leaves no copy behind', async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    const mayGoOn = Promise.withResolvers<void>()
    const fs = whereCopiesWrite(async (go, at) => {
      if (at >= MIB) await mayGoOn.promise
      return go()
    })
    await using engine = await startEngine({ fs, settings: { temporaryFolder: other.path } })
    const id = await engine.add(server.url('/file.bin'))
    await engine.untilTask(id, (task) => task.copiedBytes === MIB)
    await engine.call('tasks.pause', { selection: { ids: [id] } })
    mayGoOn.resolve()
    await engine.untilTask(id, (task) => task.state === 'paused' && task.copiedBytes === null)
    expect(await readdir(engine.folder)).toEqual([expect.stringMatching(/\.moving$/)])
    await engine.call('tasks.remove', { selection: { ids: [id] } })
    expect(await readdir(engine.folder)).toEqual([])
    expect(await readdir(other.path)).toHaveLength(1)
    // Brought back, it copies anew.
    await engine.call('tasks.restore', { ids: [id] })
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const task = await engine.until(id, 'done', 'failed')
    expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
    expect(await readdir(other.path)).toEqual([])
  })

  acrossVolumes('pausing calls a move off, and leaves nothing behind', async () => {
    await using server = await oneFile()
    await using other = await folderOnOtherVolume()
    const isReached = Promise.withResolvers<void>()
    const mayGoOn = Promise.withResolvers<void>()
    const fs = whereCopiesWrite(async (go) => {
      isReached.resolve()
      await mayGoOn.promise
      return go()
    })
    await using engine = await startEngine({ fs })
    const id = await engine.add(server.url('/file.bin'))
    await engine.until(id, 'done')
    const moving = move(engine, id, other.path)
    await isReached.promise
    expect(await engine.call('tasks.pause', { selection: { ids: [id] } })).toEqual({ count: 1 })
    mayGoOn.resolve()
    expect(await moving).toBe('interrupted')
    expect(await readdir(other.path)).toEqual([])
    expect(await sha256((await engine.get(id)).path!)).toBe(contentSha256(1, SIZE))
  })
})

/** Once `dies()` says so at some operation, neither file system nor store do anything any more. */
function mortal(dies: () => boolean) {
  let dead = false
  const check = () => {
    dead ||= dies()
    if (dead) throw Object.assign(new Error('dead'), { code: 'EIO' })
  }
  const real = createSpyFileSystem()
  const guarded = <T extends (...args: never[]) => Promise<unknown>>(method: T): T =>
    (async (...args: never[]) => {
      check()
      return method(...args)
    }) as T
  const fs: FileSystem = {
    ...real,
    rename: guarded(real.rename),
    renameExclusive: guarded(real.renameExclusive),
    unlink: guarded(real.unlink),
    mkdir: guarded(real.mkdir),
    syncFolder: guarded(real.syncFolder),
    async open(path, mode) {
      check()
      const file = await real.open(path, mode)
      return { ...file, write: guarded(file.write), datasync: guarded(file.datasync), truncate: guarded(file.truncate) }
    },
  }
  const wrapStore = (store: TaskStore): TaskStore =>
    new Proxy(store, {
      get(target, name) {
        const method = target[name as keyof TaskStore] as (...args: unknown[]) => unknown
        if (!/^(update|checkpoint|clear|reserve|committed)/.test(String(name))) return method
        return (...args: unknown[]) => {
          check()
          return method.apply(target, args)
        }
      },
    })
  return { fs, wrapStore, isDead: () => dead }
}

describe('a crash at any step of a move to another volume', () => {
  it.skipIf(one !== null).each(['a finished file', 'a partial', 'a partial that becomes a file'] as const)(
    'leaves %s whole in one place, and the next start finishes it',
    async (what) => {
      await using server = await oneFile()
      for (let step = 1; ; step++) {
        await using other = await folderOnOtherVolume()
        let steps = 0
        let counting = false
        const { fs, wrapStore, isDead } = mortal(() => counting && ++steps === step)
        const temporaryFolder = what === 'a partial that becomes a file' ? other.path : null
        const settings = { temporaryFolder, retries: 0 }
        const first = await startEngine({ fs, wrapStore, settings, watchesDisk: false })
        const finished = what === 'a finished file'
        const id = finished ? await first.add(server.url('/file.bin')) : await halfWay(server, first)
        if (finished) await first.until(id, 'done')
        else await pause(first, id)
        server.fault('/file.bin', null)
        counting = true
        if (temporaryFolder) {
          await first.call('tasks.resume', { selection: { ids: [id] } }).catch(() => undefined)
          await expect.poll(async () => isDead() || (await first.get(id)).state === 'done', { interval: 2 }).toBe(true)
        } else await first.call('tasks.move', { ids: [id], to: other.path }).catch(() => undefined)
        await first.stop().catch(() => undefined)

        await using second = await startEngine({ from: first })
        await second.call('tasks.resume', { selection: { ids: [id] } })
        await second.call('tasks.retry', { selection: { ids: [id] } })
        const task = await second.until(id, 'done', 'failed', 'paused')
        expect(task.state, `after a crash at step ${step}: ${task.error?.message}`).toBe('done')
        // A move that was interrupted goes on by itself.
        const places = async () => [...(await readdir(first.folder)), ...(await readdir(other.path))]
        await expect.poll(places, { message: `after a crash at step ${step}`, interval: 5 }).toEqual(['file.bin'])
        await expect
          .poll(async () => (await second.get(id)).path, { interval: 5 })
          .toSatisfy((path) => existsSync(path))
        expect(await sha256((await second.get(id)).path!)).toBe(contentSha256(1, SIZE))
        await second.stop()
        await rm(first.profile, { recursive: true, force: true })
        if (!isDead()) {
          expect(step).toBeGreaterThan(6)
          return
        }
      }
    },
    60_000,
  )
})
