/** How runs end when something else happens at the same time: a full store, a quit, a limit, a disk that refuses. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, open, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import type { EngineDeps } from '../../electron/engine/ports.ts'
import { openStore } from '../../electron/store/index.ts'
import { NighthaulError } from '../../shared/errors.ts'
import type { TaskStore } from '../../shared/records.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { realClock, startEngine } from '../helpers/engine.ts'
import { type FaultScript, faults, startFaultServer } from '../helpers/fault-server.ts'
import { PATIENT_MS } from '../helpers/patience.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const MIB = 1024 * 1024
const SIZE = 3 * MIB + 17
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** A store whose writes fail as long as `full` says so. */
function failingStore(store: TaskStore, full: () => boolean): TaskStore {
  const writes = new Set(['updateTask', 'updateTasks', 'checkpoint', 'clearProgress', 'reserveFilename'])
  return new Proxy(store, {
    get(target, name) {
      const method = target[name as keyof TaskStore] as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        if (writes.has(String(name)) && full()) throw new NighthaulError('disk_full', 'The disk of the queue is full.')
        return method.apply(target, args)
      }
    },
  })
}

it('a store that is full for a while costs neither the process nor a task nor a checksum', async () => {
  await using server = await startFaultServer()
  let full = false
  let refused = 0
  const isFull = () => {
    if (full) refused++
    return full
  }
  await using engine = await startEngine({ wrapStore: (store) => failingStore(store, isFull) })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.fault('/file.bin', () => faults.stallAt(2 * MIB + 5))
  const id = await engine.add(server.url('/file.bin'), { connections: 1 })
  await engine.call('tasks.add', { items: [{ url: server.url('/none.bin') }] })
  await server.until(() => server.held === 1)
  full = true
  // Checkpoints fail, and so does the end of the run.
  await vi.waitFor(() => expect(refused).toBeGreaterThan(0), PATIENT_MS)
  server.disconnect()
  await server.until(() => server.connections.open === 0)
  const before = refused
  await vi.waitFor(() => expect(refused).toBeGreaterThan(before), PATIENT_MS)
  server.fault('/file.bin', null)
  full = false
  const task = await engine.untilTask(id, (t) => {
    if (t.state === 'paused' || t.state === 'failed') void engine.call('tasks.retry', { selection: { ids: [id] } })
    return t.state === 'done'
  })
  expect(sha256(task.path!)).toBe(contentSha256(1, SIZE))
  await engine.stop()
  const { store } = openStore({ path: join(engine.profile, 'nighthaul.db'), now: Date.now })
  expect(store.blocks(id).map((block) => block.index)).toEqual([0, 1, 2, 3])
  store.close()
})

it('begins a file anew by itself only a few times where it is another one with every reply', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine()
  server.add('/file.bin', { size: SIZE, seed: 1 })
  let version = 0
  server.fault('/file.bin', () => [
    faults.changeContent({ seed: 2, etag: `"${++version}"` }),
    faults.truncateAt(MIB + version),
  ])
  const id = await engine.add(server.url('/file.bin'), { connections: 1, onChange: 'restart' })
  const task = await engine.until(id, 'changed', 'failed', 'done')
  expect(task.state).toBe('changed')
  expect(server.requests.length).toBeLessThan(20)
})

it('a limit that is lifted is lifted for what it holds back', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: realClock, settings: { limitBytesPerSecond: 1000 } })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  const id = await engine.add(server.url('/file.bin'), { connections: 1 })
  await engine.untilTask(id, (task) => task.connections === 1 && task.bytesPerSecond > 0)
  await engine.call('settings.set', { limitBytesPerSecond: null })
  await engine.until(id, 'done', 'failed')
})

it('stops at once while a limit holds a comparison back', async () => {
  await using server = await startFaultServer()
  await using engine = await startEngine({ clock: realClock })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.fault('/file.bin', () => faults.stallAt(2 * MIB))
  const id = await engine.add(server.url('/file.bin'), { connections: 1 })
  await engine.untilTask(id, (task) => task.writtenBytes === 2 * MIB)
  await engine.call('tasks.pause', { selection: { ids: [id] } })
  await engine.untilTask(id, (task) => task.connections === 0)
  const ignoring: FaultScript = () => faults.ignoreRange()
  server.fault('/file.bin', ignoring)
  await engine.call('settings.set', { limitBytesPerSecond: 1000 })
  await engine.call('tasks.resume', { selection: { ids: [id] } })
  await engine.untilTask(id, (task) => task.resumable === false && task.bytesPerSecond > 0)
  await engine.stop()
})

it('closes the partial where there is no room to make it, and leaves another program’s partial alone', async () => {
  await using server = await startFaultServer()
  const fs = createSpyFileSystem()
  let refuse = true
  let openFiles = 0
  const counting: EngineDeps['fs'] = {
    ...fs,
    async open(path, mode) {
      if (mode === 'create' && refuse && path.endsWith('other.bin.part'))
        throw Object.assign(new Error(), { code: 'EIO' })
      const file = await fs.open(path, mode)
      openFiles++
      return {
        ...file,
        truncate: (bytes) =>
          refuse ? Promise.reject(Object.assign(new Error(), { code: 'ENOSPC' })) : file.truncate(bytes),
        close: () => {
          openFiles--
          return file.close()
        },
      }
    },
  }
  await using engine = await startEngine({ fs: counting })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.add('/other.bin', { size: SIZE, seed: 2 })
  const first = await engine.add(server.url('/file.bin'))
  expect((await engine.until(first, 'paused', 'done')).error?.code).toBe('disk_full')
  expect(openFiles).toBe(0)

  await mkdir(engine.folder, { recursive: true })
  await writeFile(join(engine.folder, 'other.bin.part'), 'not ours')
  const second = await engine.add(server.url('/other.bin'))
  await engine.until(second, 'paused', 'done')
  refuse = false
  await engine.call('tasks.resume', { selection: { ids: [second] } })
  const task = await engine.until(second, 'done', 'failed')
  expect(task.filename).toBe('other (1).bin')
  expect(readFileSync(join(engine.folder, 'other.bin.part'), 'utf8')).toBe('not ours')
})

it('a file that gets its name while the engine quits is done, not begun again', async () => {
  await using server = await startFaultServer()
  let renamed = () => {}
  const isRenamed = new Promise<void>((resolve) => (renamed = resolve))
  let go = () => {}
  const mayGo = new Promise<void>((resolve) => (go = resolve))
  const real = createSpyFileSystem()
  const fs: EngineDeps['fs'] = {
    ...real,
    async renameExclusive(from, to) {
      await real.renameExclusive(from, to)
      renamed()
      await mayGo
    },
  }
  await using first = await startEngine({ fs })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  const id = await first.add(server.url('/file.bin'))
  await isRenamed
  const stopped = first.stop()
  go()
  await stopped
  const { store } = openStore({ path: join(first.profile, 'nighthaul.db'), now: Date.now })
  expect(store.getTask(id)?.state).toBe('done')
  store.close()
})

it('a crash between finding a damaged file and giving it back its partial’s name loses nothing', async () => {
  await using server = await startFaultServer()
  await using first = await startEngine({
    fs: createSpyFileSystem((o) => (o === 'syncFolder' ? 'EIO' : null)),
    settings: { durability: 'background' },
  })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  const { path } = await first.until(id, 'done', 'failed')
  await first.stop()
  const file = await open(path!, 'r+')
  await file.write(Buffer.alloc(4096), 0, 4096, MIB + 100)
  await file.close()
  // The process "dies" as it wants to rename, or just after it did.
  const dying = async (from: string, to: string) => {
    await rename(from, to)
    throw Object.assign(new Error('died'), { code: 'EIO' })
  }
  await using second = await startEngine({
    from: first,
    bootId: 'boot-2',
    fs: createSpyFileSystem((o) => (o === 'rename' || o === 'syncFolder' ? 'EIO' : null)),
  })
  await second.stop()
  await using third = await startEngine({
    from: first,
    bootId: 'boot-2',
    fs: { ...createSpyFileSystem((o) => (o === 'syncFolder' ? 'EIO' : null)), rename: dying, renameExclusive: dying },
  })
  await third.stop()
  await using fourth = await startEngine({ from: first, bootId: 'boot-2' })
  const task = await fourth.untilTask(id, (t) => t.state === 'done' && t.durable)
  expect(sha256(task.path!)).toBe(contentSha256(1, SIZE))
  expect(readdirSync(fourth.folder)).toEqual(['file.bin'])
})

it('a crash between finding another file and beginning anew, as was said beforehand, leaves no question open', async () => {
  await using server = await startFaultServer()
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.fault('/file.bin', () => faults.stallAt(2 * MIB))
  let dead = false
  await using first = await startEngine({
    settings: { onChange: 'restart' },
    wrapStore: (store) => ({
      ...store,
      clearProgress(id) {
        dead = true
        throw new Error(`the process died before it forgot ${id}`)
      },
      updateTasks(...change) {
        if (dead) throw new Error('dead')
        store.updateTasks(...change)
      },
    }),
  })
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  await first.untilTask(id, ({ writtenBytes }) => writtenBytes === 2 * MIB)
  await first.call('tasks.pause', { selection: { ids: [id] } })
  await first.untilTask(id, ({ connections }) => connections === 0)
  server.fault('/file.bin', null)
  server.add('/file.bin', { size: SIZE, seed: 2, etag: '"another"' })
  await first.call('tasks.resume', { selection: { ids: [id] } })
  await first.until(id, 'changed')
  await first.stop().catch(() => undefined)
  await using second = await startEngine({ from: first })
  expect(sha256((await second.until(id, 'done')).path!)).toBe(contentSha256(2, SIZE))
})
