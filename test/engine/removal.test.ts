/** Removing is for a while: tasks come back as they were, files wait, and nobody else's file is ever deleted. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import { contentBytes } from '../helpers/bytes.ts'
import { realClock, startEngine, type TestEngine } from '../helpers/engine.ts'
import { type FaultServer, faults, startFaultServer } from '../helpers/fault-server.ts'

const SIZE = 40_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** The engine's clock, moved by hand; its timers run as ever. */
let skippedMs = 0
const clock = { ...realClock, now: () => Date.now() + skippedMs }
afterEach(() => {
  skippedMs = 0
})

async function withFile(server: FaultServer): Promise<TestEngine> {
  server.add('/data.bin', { size: SIZE, seed: 1 })
  return startEngine({ clock })
}

const remove = (engine: TestEngine, id: number, how: { deleteFiles?: boolean; now?: boolean } = {}) =>
  engine.call('tasks.remove', { selection: { ids: [id] }, ...how })
const removed = async (engine: TestEngine) => (await engine.call('removed.list', {})).rows
const hidden = async (engine: TestEngine) =>
  (await readdir(engine.folder)).filter((name) => name.startsWith('.nighthaul-removed-'))

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a removed download', () => {
  it('whose files go at once leaves none, though the clockwork looks while they are being moved', async () => {
    await using server = await startFaultServer()
    server.add('/data.bin', { size: SIZE, seed: 1 })
    const fs = createNodeFileSystem()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const heldRename = async (from: string, to: string) => {
      if (to.includes('.nighthaul-removed-')) await held
      await fs.rename(from, to)
    }
    await using engine = await startEngine({ fs: { ...fs, rename: heldRename } })
    const id = await engine.add(server.url('/data.bin'))
    await engine.until(id, 'done')
    const removing = remove(engine, id, { deleteFiles: true, now: true })
    let ticks = 0
    engine.engine.events.subscribe('throughput.tick', () => ++ticks, { visible: true })
    await until(async () => ticks >= 3)
    release()
    await removing
    expect(await readdir(engine.folder)).toEqual([])
  })

  it('comes back as it was: finished, with its file, its place and its id', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    const before = await engine.until(id, 'done')
    const { removal } = await remove(engine, id, { deleteFiles: true })
    expect(existsSync(before.path!)).toBe(false)
    expect((await engine.call('tasks.list', {})).total).toBe(0)
    expect(await removed(engine)).toMatchObject([
      { id, removal, filename: 'data.bin', state: 'done', filesGone: false },
    ])
    expect(await engine.call('tasks.restore', { removal: removal! })).toEqual({ count: 1 })
    expect(await engine.get(id)).toEqual(before)
    expect(await readFile(before.path!)).toEqual(contentBytes(1, 0, SIZE))
    expect(await removed(engine)).toEqual([])
    expect(await hidden(engine)).toEqual([])
    expect((await engine.call('tasks.list', {})).counts.done).toBe(1)
  })

  it('that was under way goes on from its partial', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    server.fault('/data.bin', (request) => (request.index === 0 ? faults.stallAt(20_000) : null))
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.untilTask(id, (task) => task.writtenBytes === 20_000)
    const { removal } = await remove(engine, id, { deleteFiles: true })
    expect(await hidden(engine)).toHaveLength(1)
    await engine.call('tasks.restore', { removal: removal! })
    const done = await engine.until(id, 'done')
    expect(done.resumedFromBytes).toBe(20_000)
    expect(await readFile(done.path!)).toEqual(contentBytes(1, 0, SIZE))
  })

  it('stays among the removed while the drive with its file is away, and holds no other up', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    server.add('/half.bin', { size: SIZE, seed: 2 })
    server.fault('/half.bin', (request) => (request.index === 0 ? faults.stallAt(20_000) : null))
    const drive = join(engine.profile, 'drive')
    const { items } = await engine.call('tasks.add', {
      items: [{ url: server.url('/half.bin'), options: { connections: 1 } }],
      folder: drive,
    })
    const half = items[0]!.id
    await engine.untilTask(half, (task) => task.writtenBytes === 20_000)
    const whole = await engine.add(server.url('/data.bin'))
    await engine.until(whole, 'done')
    await engine.call('tasks.remove', { selection: { ids: [half, whole] }, deleteFiles: true })
    await rename(drive, `${drive}-away`)
    for (const isMountPoint of [false, true]) {
      if (isMountPoint) await mkdir(drive)
      const undone = engine.call('tasks.restore', { removal: 'last' })
      await expect(undone).rejects.toMatchObject({ code: 'folder_missing', params: { left: 1 } })
      expect((await removed(engine)).map(({ id }) => id)).toEqual([half])
      expect(await engine.get(whole)).toMatchObject({ state: 'done' })
    }
    await rm(drive, { recursive: true })
    await rename(`${drive}-away`, drive)
    expect(await engine.call('tasks.restore', { removal: 'last' })).toEqual({ count: 1 })
    const done = await engine.until(half, 'done', 'failed')
    expect(done).toMatchObject({ state: 'done', resumedFromBytes: 20_000 })
    expect(await readFile(done.path!)).toEqual(contentBytes(2, 0, SIZE))
  })

  it('whose drive is away when its files are due has them deleted once it is back', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    await engine.until(id, 'done')
    await remove(engine, id, { deleteFiles: true })
    const [before] = await removed(engine)
    await rename(engine.folder, `${engine.folder}-away`)
    skippedMs += 11 * MINUTE_MS
    await until(async () => (await removed(engine))[0]!.filesDueAt !== before!.filesDueAt)
    expect(await removed(engine)).toMatchObject([{ id, filesGone: false }])
    await rename(`${engine.folder}-away`, engine.folder)
    skippedMs += 11 * MINUTE_MS
    await until(async () => (await removed(engine))[0]?.filesGone === true)
    expect(await readdir(engine.folder)).toEqual([])
  })

  it('gives its name free at once, and comes back under another one where somebody took it', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    await engine.until(id, 'done')
    await remove(engine, id, { deleteFiles: true })
    const other = await engine.until(await engine.add(server.url('/data.bin')), 'done')
    expect(other.filename).toBe('data.bin')
    await engine.call('tasks.restore', { ids: [id] })
    const back = await engine.get(id)
    expect(back).toMatchObject({ filename: 'data (1).bin', state: 'done' })
    expect((await readdir(engine.folder)).sort()).toEqual(['data (1).bin', 'data.bin'])
  })

  it('starts over where another unfinished one has its name by now and its partial is gone', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    server.fault('/data.bin', () => faults.stallAt(20_000))
    const id = await engine.add(server.url('/data.bin'), { connections: 1 })
    const { partPath } = await engine.untilTask(id, (task) => task.writtenBytes === 20_000)
    await remove(engine, id)
    await unlink(partPath!)
    const other = await engine.add(server.url('/data.bin'), { connections: 1 })
    await engine.untilTask(other, (task) => task.writtenBytes === 20_000)
    await engine.call('tasks.pause', { selection: { ids: [other] } })
    server.fault('/data.bin', null)
    await engine.call('tasks.restore', { ids: [id] })
    const done = await engine.until(id, 'done')
    expect(await readFile(done.path!)).toEqual(contentBytes(1, 0, SIZE))
    expect((await engine.get(other)).writtenBytes).toBe(20_000)
  })

  it('loses its files when their time has come, and can still come back as a link', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    await engine.until(id, 'done')
    await remove(engine, id, { deleteFiles: true })
    skippedMs = 9 * MINUTE_MS
    await engine.ticks(2)
    expect(await hidden(engine)).toHaveLength(1)
    skippedMs = 11 * MINUTE_MS
    await until(async () => (await removed(engine))[0]?.filesGone === true)
    expect(await readdir(engine.folder)).toEqual([])
    await engine.call('tasks.restore', { removal: 'last' })
    expect(await engine.get(id)).toMatchObject({ state: 'paused', writtenBytes: 0 })
    await engine.call('tasks.resume', { selection: { ids: [id] } })
    const done = await engine.until(id, 'done')
    expect(await readFile(done.path!)).toEqual(contentBytes(1, 0, SIZE))
  })

  it('is forgotten after the days that are set, or at once when asked', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    const { path } = await engine.until(id, 'done')
    await remove(engine, id)
    skippedMs = 31 * DAY_MS
    await until(async () => (await removed(engine)).length === 0)
    expect(existsSync(path!)).toBe(true)
    const second = await engine.until(await engine.add(server.url('/data.bin')), 'done')
    await remove(engine, second.id, { deleteFiles: true })
    expect(await engine.call('removed.clear')).toEqual({ count: 1 })
    expect(await readdir(engine.folder)).toEqual(['data.bin'])
    expect(await engine.call('tasks.restore', { removal: 'last' })).toEqual({ count: 0 })
  })

  it('has its files deleted by the next start, where their time came meanwhile', async () => {
    await using server = await startFaultServer()
    await using first = await withFile(server)
    const id = await first.add(server.url('/data.bin'))
    await first.until(id, 'done')
    await remove(first, id, { deleteFiles: true })
    await first.stop()
    skippedMs = 11 * MINUTE_MS
    await using second = await startEngine({ from: first, clock })
    await until(async () => (await removed(second))[0]?.filesGone === true)
    expect(await readdir(second.folder)).toEqual([])
  })

  it('never takes a file along that belongs to another download', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const first = await engine.add(server.url('/data.bin'))
    await engine.until(first, 'done')
    const second = await engine.add(server.url('/data.bin'), { onConflict: 'overwrite' })
    const { path } = await engine.until(second, 'done')
    expect(path).toBe(join(engine.folder, 'data.bin'))
    await remove(engine, first, { deleteFiles: true, now: true })
    expect(await readFile(path!)).toEqual(contentBytes(1, 0, SIZE))
  })

  it('leaves a file alone that came into its place meanwhile', async () => {
    await using server = await startFaultServer()
    await using engine = await withFile(server)
    const id = await engine.add(server.url('/data.bin'))
    const { path } = await engine.until(id, 'done')
    await remove(engine, id, { deleteFiles: true })
    await writeFile(path!, 'mine')
    skippedMs = 11 * MINUTE_MS
    await until(async () => (await removed(engine))[0]?.filesGone === true)
    expect(await readFile(path!, 'utf8')).toBe('mine')
  })
})

it('removing very many leaves the engine time for other work, and all of them come back', async () => {
  await using engine = await startEngine({ settings: { downloadsAtOnce: 1 } })
  const count = 5_000
  const items = Array.from({ length: count }, (_, n) => ({ url: `http://127.0.0.1:9/${n}` }))
  await engine.call('tasks.add', { items, paused: true })
  let turns = 0
  let counting = true
  const count_ = () => {
    turns++
    if (counting) setImmediate(count_)
  }
  setImmediate(count_)
  const { removal } = await engine.call('tasks.remove', { selection: { filter: {} } })
  counting = false
  expect(turns).toBeGreaterThanOrEqual(count / 1_000)
  expect((await engine.call('tasks.list', {})).total).toBe(0)
  expect(await engine.call('tasks.restore', { removal: removal! })).toEqual({ count })
  const { total, counts, rows } = await engine.call('tasks.list', { limit: 3 })
  expect([total, counts.paused, rows.map((row) => row.url)]).toEqual([
    count,
    count,
    items.slice(0, 3).map((i) => i.url),
  ])
})
