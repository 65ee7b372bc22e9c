/** At the start under another boot: of what was written and not fsynced, exactly the blocks that differ are fetched again. */
import { createHash } from 'node:crypto'
import { open, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createNodeFileSystem } from '../../electron/engine/node-fs.ts'
import { openStore } from '../../electron/store/index.ts'
import type { SegmentRecord } from '../../shared/records.ts'
import { contentSha256 } from '../helpers/bytes.ts'
import { startEngine, type TestEngine } from '../helpers/engine.ts'
import { faults, startFaultServer } from '../helpers/fault-server.ts'
import { createSpyFileSystem } from '../helpers/spy-fs.ts'

const MIB = 1024 * 1024
const SIZE = 9 * MIB + 17
const range = (from: number, to: number) => `bytes=${from}-${to - 1}`

async function flip(path: string, ...offsets: number[]): Promise<void> {
  const file = await open(path, 'r+')
  for (const offset of offsets) {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset)
    await file.write(Buffer.from([buffer[0]! ^ 1]), 0, 1, offset)
  }
  await file.close()
}

/** As if the disk had been told to store this much of the file. */
function setDurable({ profile }: TestEngine, id: number, durable: number): SegmentRecord[] {
  const { store } = openStore({ path: join(profile, 'nighthaul.db'), now: Date.now })
  const segments = store.segments(id).map((s) => ({ ...s, durable: Math.min(s.written, Math.max(s.start, durable)) }))
  const { writtenBytes } = store.getTask(id)!
  store.checkpoint([{ id, bootId: 'boot-1', writtenBytes, segments }])
  store.close()
  return segments
}

/** Of a file system that knows no fsync: nothing becomes durable, and nothing is thought to be lost. */
const neverDurable = () => createSpyFileSystem((o) => (o === 'datasync' ? 'EINVAL' : null))

const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

it('a partial: bad blocks between the marks, not the good ones behind them, and then the rest', async () => {
  await using server = await startFaultServer()
  await using first = await startEngine({ fs: neverDurable() })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.fault('/file.bin', () => faults.stallAt(7 * MIB + 500))
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  await first.untilTask(id, (task) => task.writtenBytes === 7 * MIB + 500)
  await first.call('tasks.pause', { selection: { ids: [id] } })
  const { partPath } = await first.untilTask(id, (task) => task.connections === 0)
  await first.stop()
  setDurable(first, id, 2 * MIB)
  await flip(partPath!, 2 * MIB, 4 * MIB + 5, 6 * MIB - 1)
  server.fault('/file.bin', null)
  const before = server.requests.length

  await using second = await startEngine({ from: first, bootId: 'boot-2' })
  await second.call('tasks.resume', { selection: { ids: [id] } })
  const task = await second.until(id, 'done', 'failed', 'changed')
  expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  const asked = server.requests.slice(before)
  expect(asked.map(({ headers }) => headers.range).sort()).toEqual([
    range(2 * MIB, 3 * MIB),
    range(4 * MIB, 6 * MIB),
    range(7 * MIB, SIZE),
  ])
  expect(asked.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(3 * MIB + SIZE - 7 * MIB)
})

it('under the same boot nothing is read and nothing is fetched again', async () => {
  await using server = await startFaultServer()
  await using first = await startEngine({ fs: neverDurable() })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  server.fault('/file.bin', () => faults.stallAt(7 * MIB))
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  await first.untilTask(id, (task) => task.writtenBytes === 7 * MIB)
  await first.stop()
  server.fault('/file.bin', null)
  const before = server.requests.length
  await using second = await startEngine({ from: first })
  await second.until(id, 'done', 'failed', 'changed')
  expect(server.requests.slice(before).map(({ headers }) => headers.range)).toEqual([range(7 * MIB, SIZE)])
})

it('a finished file that was not fsynced: only what lies beyond the mark is read, only what differs is fetched', async () => {
  await using server = await startFaultServer()
  await using first = await startEngine({
    fs: createSpyFileSystem((o) => (o === 'syncFolder' || o === 'datasync' ? 'EINVAL' : null)),
    settings: { durability: 'background' },
  })
  server.add('/file.bin', { size: SIZE, seed: 1 })
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  const { path } = await first.until(id, 'done', 'failed')
  await first.stop()
  setDurable(first, id, 4 * MIB)
  await flip(path!, 5 * MIB + 1, SIZE - 1)
  const before = server.requests.length
  const real = createNodeFileSystem()
  const read: number[] = []
  await using second = await startEngine({
    from: first,
    bootId: 'boot-2',
    fs: {
      ...real,
      open: async (name, mode) => {
        const file = await real.open(name, mode)
        return {
          ...file,
          read: (buffer, position) => {
            read.push(position)
            return file.read(buffer, position)
          },
        }
      },
    },
  })
  const task = await second.untilTask(id, (t) => t.state === 'done' && t.durable)
  expect(await sha256(task.path!)).toBe(contentSha256(1, SIZE))
  expect(Math.min(...read)).toBe(4 * MIB)
  expect(
    server.requests
      .slice(before)
      .map(({ headers }) => headers.range)
      .sort(),
  ).toEqual([range(5 * MIB, 6 * MIB), range(9 * MIB, SIZE)])
})

it('a file whose repair was cut short and took both its names: that is told, and it comes again on request', async () => {
  await using server = await startFaultServer()
  server.add('/file.bin', { size: SIZE, seed: 1 })
  await using first = await startEngine({ settings: { durability: 'strict' } })
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  const { path } = await first.until(id, 'done')
  await flip(path!, MIB)
  await first.call('tasks.verify', { id })
  await first.stop()
  // What a repair records before it gives the file its other name.
  const { store } = openStore({ path: join(first.profile, 'nighthaul.db'), now: Date.now })
  const verification = { ...store.getTask(id)!.verification!, repairing: true }
  store.updateTask(id, { verification, fsyncedAt: null })
  const marks = [
    { start: 0, end: MIB, written: MIB, durable: MIB },
    { start: MIB, end: 2 * MIB, written: MIB, durable: MIB },
    { start: 2 * MIB, end: SIZE, written: SIZE, durable: SIZE },
  ]
  store.checkpoint([{ id, bootId: 'boot-1', segments: marks, writtenBytes: SIZE - MIB }])
  store.close()
  await unlink(path!)
  await using second = await startEngine({ from: first, bootId: 'boot-2' })
  expect(await second.until(id, 'paused', 'failed')).toMatchObject({ error: { code: 'partial_missing' } })
  await second.call('tasks.retry', { selection: { ids: [id] } })
  expect(await sha256((await second.until(id, 'done', 'failed')).path!)).toBe(contentSha256(1, SIZE))
})

it('a file that was to replace an older one, which the cut brought back: it goes on from its partial and replaces it', async () => {
  await using server = await startFaultServer()
  server.add('/file.bin', { size: SIZE, seed: 1 })
  const settings = { durability: 'background', onConflict: 'overwrite' } as const
  await using first = await startEngine({
    settings,
    fs: createSpyFileSystem((o, path) => (o === 'syncFolder' && path.endsWith('downloads') ? 'EIO' : null)),
  })
  const id = await first.add(server.url('/file.bin'), { connections: 1 })
  const { path } = await first.until(id, 'done', 'failed')
  await first.stop()
  await rename(path!, `${path}.part`)
  await writeFile(path!, 'what was there before')
  await using second = await startEngine({ from: first, bootId: 'boot-2', settings })
  const task = await second.untilTask(id, ({ durable }) => durable)
  expect(task.path).toBe(path)
  expect(await sha256(path!)).toBe(contentSha256(1, SIZE))
})
